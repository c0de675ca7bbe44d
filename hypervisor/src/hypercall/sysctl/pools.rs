// SPDX-License-Identifier: MIT OR Apache-2.0
//! cpupool_op and scheduler_op: CPU pools, all with one kind of scheduler.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::errno::Errno;
use hypercalls::ids::DomId;
use hypercalls::sysctl::{CPUPOOL_PAR_ANY, CpupoolCmd, CpupoolOp, Credit2Schedule, SysctlSchedulerOp};

use crate::budget::Preempted;
use crate::domain::{pools, table};
use crate::hypercall::Cx;
use crate::hypercall::domctl::bitmap::write_bitmap;
use crate::x86::percpu;

/// The second argument of a call that goes on, above the number of the domain where it does. Toolstacks pass none.
const GOES_ON: u64 = u64::from_be_bytes(*b"pools+\0\0");
/// `XEN_SYSCTL_SCHEDOP_putinfo`, `XEN_SYSCTL_SCHEDOP_getinfo`.
const PUT: u32 = 0;
const GET: u32 = 1;
/// What the limit on preemptions may be, microseconds; 0 means none.
const RATE_LIMITS_US: core::ops::RangeInclusive<u32> = 100..=500_000;

/// cpupool_op. ENOENT: no such pool, or scheduler. EEXIST, ENOSPC: no other can be made. EBUSY: the pool is in use. EINVAL: no such CPU.
/// ENODEV: the CPU is not free. EADDRNOTAVAIL: it is not in the pool. ESRCH: no such domain. EPERM: it is the caller. EFAULT. ENOMEM.
/// ENOSYS. `Preempted`: call again with what `progress`, the second argument, is then.
pub(super) fn cpupool_op(
    cx: &mut Cx<'_>,
    mut request: CpupoolOp,
    progress: &mut u64,
) -> Result<Result<CpupoolOp, Errno>, Preempted> {
    let done = match request.op {
        CpupoolCmd::CREATE => create(&mut request),
        CpupoolCmd::DESTROY => pools::destroy(request.cpupool_id),
        CpupoolCmd::INFO => info(&mut request),
        CpupoolCmd::ADDCPU | CpupoolCmd::RMCPU => change(cx, &request, progress)?,
        CpupoolCmd::MOVEDOMAIN => move_domain(cx, &request),
        CpupoolCmd::FREEINFO => write_bitmap(&request.cpumap, pools::free().bits()),
        _ => Err(Errno::ENOSYS),
    };
    Ok(done.map(|()| request))
}

fn create(request: &mut CpupoolOp) -> Result<(), Errno> {
    if request.sched_id != SchedulerId::CREDIT2 {
        return Err(Errno::ENOENT);
    }
    request.cpupool_id = pools::create(Some(request.cpupool_id).filter(|id| *id != CPUPOOL_PAR_ANY))?;
    Ok(())
}

/// The pool with this number or the next higher one.
fn info(request: &mut CpupoolOp) -> Result<(), Errno> {
    let pool = pools::find_from(request.cpupool_id).ok_or(Errno::ENOENT)?;
    request.cpupool_id = pool.id;
    request.sched_id = SchedulerId::CREDIT2;
    request.n_dom = pool.domains;
    write_bitmap(&request.cpumap, pool.cpus.bits())
}

/// Gives the pool a CPU or takes it away, and then tells domain after domain.
fn change(cx: &mut Cx<'_>, request: &CpupoolOp, progress: &mut u64) -> Result<Result<(), Errno>, Preempted> {
    let mut next = DomId::DOM0;
    match u16::try_from(*progress ^ GOES_ON) {
        Ok(number) => next = DomId::new(number),
        Err(_) => {
            if let Err(errno) = change_cpus(request) {
                return Ok(Err(errno));
            }
        }
    }
    let told = pools::tell(request.cpupool_id, &mut next, &mut cx.budget);
    *progress = GOES_ON | u64::from(next.raw());
    told.map(Ok)
}

fn change_cpus(request: &CpupoolOp) -> Result<(), Errno> {
    let cpu = Some(request.cpu).filter(|cpu| *cpu != CPUPOOL_PAR_ANY);
    if cpu.is_some_and(|cpu| percpu::all().all(|there| there.id().raw() != cpu)) {
        return Err(Errno::EINVAL);
    }
    if request.op == CpupoolCmd::ADDCPU {
        pools::add_cpu(request.cpupool_id, cpu)
    } else {
        pools::remove_cpu(request.cpupool_id, cpu)
    }
}

fn move_domain(cx: &Cx<'_>, request: &CpupoolOp) -> Result<(), Errno> {
    let id = DomId::new(u16::try_from(request.domid).map_err(|_| Errno::ESRCH)?);
    if id == DomId::SELF || id == cx.domain().id {
        return Err(Errno::EPERM);
    }
    let domain = table::find(id).ok_or(Errno::ESRCH)?;
    pools::move_domain(&domain, request.cpupool_id)
}

/// scheduler_op: the limit on the rate of preemptions. ESRCH: no such pool. EINVAL: another scheduler, a bad command or limit.
pub(super) fn scheduler_op(mut request: SysctlSchedulerOp) -> Result<SysctlSchedulerOp, Errno> {
    if request.cmd != PUT && request.cmd != GET {
        return Err(Errno::EINVAL);
    }
    let pool = pools::find(request.cpupool_id).ok_or(Errno::ESRCH)?;
    if request.sched_id != SchedulerId::CREDIT2 {
        return Err(Errno::EINVAL);
    }
    let mut ratelimit_us = pool.ratelimit_us;
    if request.cmd == PUT {
        ratelimit_us = request.payload::<Credit2Schedule>().ratelimit_us;
        if ratelimit_us != 0 && !RATE_LIMITS_US.contains(&ratelimit_us) {
            return Err(Errno::EINVAL);
        }
        pools::set_ratelimit_us(pool.id, ratelimit_us)?;
    }
    request.set_payload(&Credit2Schedule { ratelimit_us });
    Ok(request)
}
