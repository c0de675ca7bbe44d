// SPDX-License-Identifier: MIT OR Apache-2.0
//! getdomaininfo and getvcpuinfo: what toolstacks list.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::domctl::vcpu::Getvcpuinfo;
use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::domain::{Domain, table, toolstack};
use crate::hypercall::domctl::find_vcpu;

/// The domain of that number or the next one there is, for those who list all. ESRCH: none.
pub(super) fn domain_info(from: DomId) -> Result<hypercalls::domctl::Getdomaininfo, Errno> {
    Ok(toolstack::info(&*table::find_from(from).ok_or(Errno::ESRCH)?))
}

/// A vCPU's state and the time it ran.
pub(super) fn vcpu_info(domain: &Domain, mut info: Getvcpuinfo) -> Result<Getvcpuinfo, Errno> {
    let vcpu = find_vcpu(domain, info.vcpu)?;
    info.online = toolstack::is_online(&vcpu).into();
    info.blocked = toolstack::is_blocked(&vcpu).into();
    info.running = vcpu.on_cpu.load(Ordering::Acquire).into();
    info.cpu_time = toolstack::cpu_time_ns(&vcpu);
    info.cpu = vcpu.cpu.load(Ordering::Relaxed);
    Ok(info)
}
