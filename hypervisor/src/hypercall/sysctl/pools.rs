// SPDX-License-Identifier: MIT OR Apache-2.0
//! cpupool_op and scheduler_op: CPU pools, all with one kind of scheduler.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::errno::Errno;
use hypercalls::ids::DomId;
use hypercalls::sysctl::{CPUPOOL_PAR_ANY, CpupoolCmd, CpupoolOp, Credit2Schedule, SysctlSchedulerOp};

use crate::budget::{Budget, Preempted};
use crate::domain::{pools, table};
use crate::hypercall::Cx;
use crate::hypercall::domctl::bitmap::write_bitmap;
use crate::x86::percpu;

/// `XEN_SYSCTL_SCHEDOP_putinfo`, `XEN_SYSCTL_SCHEDOP_getinfo`.
const PUT: u32 = 0;
const GET: u32 = 1;
/// What the limit on preemptions may be, microseconds; 0 means none.
const RATE_LIMITS_US: core::ops::RangeInclusive<u32> = 100..=500_000;

/// cpupool_op. ENOENT: no such pool, or scheduler. EEXIST, ENOSPC: no other can be made. EBUSY: the pool is in use. EINVAL: no such CPU.
/// ENODEV: the CPU is not free. EADDRNOTAVAIL: it is not in the pool. ESRCH: no such domain. EPERM: it is the caller. EFAULT. ENOSYS.
pub(super) fn cpupool_op(cx: &Cx<'_>, mut request: CpupoolOp) -> Result<Result<CpupoolOp, Errno>, Preempted> {
    let done = match request.op {
        CpupoolCmd::CREATE => create(&mut request),
        CpupoolCmd::DESTROY => pools::destroy(request.cpupool_id),
        CpupoolCmd::INFO => info(&mut request),
        CpupoolCmd::ADDCPU | CpupoolCmd::RMCPU => change(&request, &mut Budget::new())?,
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

fn change(request: &CpupoolOp, budget: &mut Budget) -> Result<Result<(), Errno>, Preempted> {
    let cpu = Some(request.cpu).filter(|cpu| *cpu != CPUPOOL_PAR_ANY);
    if cpu.is_some_and(|cpu| percpu::all().all(|there| there.id().raw() != cpu)) {
        return Ok(Err(Errno::EINVAL));
    }
    pools::change((request.op == CpupoolCmd::ADDCPU, request.cpupool_id, cpu), budget)
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
