// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a toolstack chooses for a domain and reads back: its UUID, its clocks, its share of the CPUs, its nodes.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;

use hypercalls::domctl::vcpu::{SchedCredit, SchedulerCmd, SchedulerId, SchedulerOp};
use hypercalls::domctl::{Nodeaffinity, Setdomainhandle, Settimeoffset, TscInfo};
use hypercalls::errno::Errno;

use crate::domain::{Domain, DomainRef, shared_info};
use crate::hypercall::Cx;
use crate::hypercall::domctl::bitmap::{read_bitmap, write_bitmap};
use crate::sched;
use crate::time::system;

/// `TSC_MODE_*`. The counter is the hardware's in the first and the last.
const TSC_DEFAULT: u32 = 0;
const TSC_ALWAYS_EMULATED: u32 = 1;
const TSC_NEVER_EMULATED: u32 = 2;
/// The only NUMA node there is, as a set.
const NODES: u64 = 1;
/// "Leave it as it is", for a cap.
const NO_CAP: u16 = u16::MAX;

/// setdomainhandle.
pub(super) fn set_handle(domain: &Domain, request: &Setdomainhandle) {
    *domain.handle.lock() = request.handle;
}

/// settimeoffset: the wall clock it reads runs so many seconds ahead.
pub(super) fn set_time_offset(domain: &Domain, request: &Settimeoffset) {
    domain.settings.lock().time_offset = request.time_offset_seconds;
    shared_info::update_wallclock(domain);
}

/// settscinfo. EINVAL: oneself, an unknown mode. EOPNOTSUPP: a counter that is not the hardware's.
pub(super) fn set_tsc_info(cx: &Cx<'_>, domain: &DomainRef, request: &TscInfo) -> Result<(), Errno> {
    if Arc::ptr_eq(domain, cx.domain()) {
        return Err(Errno::EINVAL);
    }
    match request.tsc_mode {
        TSC_DEFAULT | TSC_NEVER_EMULATED => {}
        TSC_ALWAYS_EMULATED => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EINVAL),
    }
    let mut settings = domain.settings.lock();
    settings.tsc_mode = request.tsc_mode;
    settings.tsc_incarnation = request.incarnation.wrapping_add(1);
    Ok(())
}

/// gettscinfo. EINVAL: oneself.
pub(super) fn tsc_info(cx: &Cx<'_>, domain: &DomainRef) -> Result<TscInfo, Errno> {
    if Arc::ptr_eq(domain, cx.domain()) {
        return Err(Errno::EINVAL);
    }
    let settings = domain.settings.lock();
    let khz = (system::clock().hz() / 1000) as u32;
    Ok(TscInfo {
        tsc_mode: settings.tsc_mode,
        gtsc_khz: if settings.tsc_mode == TSC_NEVER_EMULATED { 0 } else { khz },
        incarnation: settings.tsc_incarnation,
        pad: 0,
        elapsed_nsec: 0,
    })
}

/// setnodeaffinity. EINVAL: no node is left. EFAULT.
pub(super) fn set_nodes(request: &Nodeaffinity) -> Result<(), Errno> {
    if read_bitmap(&request.nodemap)? & NODES == 0 { Err(Errno::EINVAL) } else { Ok(()) }
}

/// getnodeaffinity. EFAULT.
pub(super) fn nodes(request: &Nodeaffinity) -> Result<(), Errno> {
    write_bitmap(&request.nodemap, NODES)
}

/// scheduler_op: weight and cap; what has the value that means nothing stays. EINVAL: another scheduler, an unknown command.
pub(super) fn scheduler_op(domain: &Domain, mut request: SchedulerOp) -> Result<SchedulerOp, Errno> {
    if request.sched_id != SchedulerId::CREDIT2 {
        return Err(Errno::EINVAL);
    }
    match request.cmd {
        SchedulerCmd::GETINFO => {
            let settings = domain.settings.lock();
            request.set_payload(&SchedCredit { weight: settings.weight, cap: settings.cap });
        }
        SchedulerCmd::PUTINFO => {
            let wanted: SchedCredit = request.payload();
            let (weight, cap) = {
                let mut settings = domain.settings.lock();
                if wanted.weight != 0 {
                    settings.weight = wanted.weight;
                }
                if wanted.cap != NO_CAP {
                    settings.cap = wanted.cap;
                }
                (settings.weight, settings.cap)
            };
            let vcpus = domain.vcpus();
            for vcpu in &vcpus {
                sched::set_weight(&vcpu.sched, weight.into());
            }
            sched::set_cap(&domain.sched_group, cap.into(), vcpus.iter().map(|vcpu| &*vcpu.sched));
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(request)
}
