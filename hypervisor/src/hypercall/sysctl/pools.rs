// SPDX-License-Identifier: MIT OR Apache-2.0
//! cpupool_op and scheduler_op: all CPUs are in one pool, with one scheduler.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::errno::Errno;
use hypercalls::sysctl::{CpupoolCmd, CpupoolOp, Credit2Schedule, SysctlSchedulerOp};

use crate::domain::table;
use crate::hypercall::domctl::bitmap::write_bitmap;
use crate::sched;
use crate::x86::percpu;

/// The number of the pool.
const POOL: u32 = 0;
/// `XEN_SYSCTL_SCHEDOP_putinfo`, `XEN_SYSCTL_SCHEDOP_getinfo`.
const PUT: u32 = 0;
const GET: u32 = 1;
/// What the limit on preemptions may be, microseconds; 0 means none.
const RATE_LIMITS_US: core::ops::RangeInclusive<u32> = 100..=500_000;

/// cpupool_op. ENOENT: no pool of that number or a higher one. EBUSY: the pool is in use. EOPNOTSUPP: there is one pool, and it stays as it is. EFAULT.
pub(super) fn cpupool_op(mut request: CpupoolOp) -> Result<CpupoolOp, Errno> {
    match request.op {
        CpupoolCmd::INFO if request.cpupool_id == POOL => {
            request.sched_id = SchedulerId::CREDIT2;
            request.n_dom = table::all().len() as u32;
            let cpus = percpu::all().fold(0, |cpus, cpu| cpus | 1 << (cpu.id().raw() & 63));
            write_bitmap(&request.cpumap, cpus)?;
        }
        CpupoolCmd::INFO => return Err(Errno::ENOENT),
        CpupoolCmd::FREEINFO => write_bitmap(&request.cpumap, 0)?,
        CpupoolCmd::DESTROY if request.cpupool_id == POOL => return Err(Errno::EBUSY),
        CpupoolCmd::DESTROY => return Err(Errno::ENOENT),
        CpupoolCmd::CREATE | CpupoolCmd::ADDCPU | CpupoolCmd::RMCPU | CpupoolCmd::MOVEDOMAIN => {
            return Err(Errno::EOPNOTSUPP);
        }
        _ => return Err(Errno::ENOSYS),
    }
    Ok(request)
}

/// scheduler_op: the limit on the rate of preemptions. ESRCH: no such pool. EINVAL: another scheduler, a bad command or limit.
pub(super) fn scheduler_op(mut request: SysctlSchedulerOp) -> Result<SysctlSchedulerOp, Errno> {
    if request.cmd != PUT && request.cmd != GET {
        return Err(Errno::EINVAL);
    }
    if request.cpupool_id != POOL {
        return Err(Errno::ESRCH);
    }
    if request.sched_id != SchedulerId::CREDIT2 {
        return Err(Errno::EINVAL);
    }
    if request.cmd == PUT {
        let ratelimit_us = request.payload::<Credit2Schedule>().ratelimit_us;
        if ratelimit_us != 0 && !RATE_LIMITS_US.contains(&ratelimit_us) {
            return Err(Errno::EINVAL);
        }
        sched::set_ratelimit_us(ratelimit_us);
    }
    request.set_payload(&Credit2Schedule { ratelimit_us: sched::ratelimit_us() });
    Ok(request)
}
