// SPDX-License-Identifier: MIT OR Apache-2.0
//! setvcpuaffinity and getvcpuaffinity: where a vCPU runs.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::domctl::vcpu::{AffinityFlags, Vcpuaffinity};
use hypercalls::errno::Errno;

use crate::domain::{Domain, pools};
use crate::hypercall::domctl::bitmap::{read_bitmap, write_bitmap};
use crate::hypercall::domctl::find_vcpu;
use crate::x86::percpu;

/// The CPUs there are, as bits.
fn cpus() -> u64 {
    percpu::all().fold(0, |cpus, cpu| cpus | 1 << (cpu.id().raw() & 63))
}

/// EINVAL: neither kind of affinity asked for, or one without a map.
fn check_affinity(request: &Vcpuaffinity) -> Result<(bool, bool), Errno> {
    let hard = request.flags.contains(AffinityFlags::HARD);
    let soft = request.flags.contains(AffinityFlags::SOFT);
    let lacks_map = hard && request.cpumap_hard.bitmap.is_null() || soft && request.cpumap_soft.bitmap.is_null();
    if lacks_map || !(hard || soft) { Err(Errno::EINVAL) } else { Ok((hard, soft)) }
}

/// What takes effect is written back. EINVAL: no CPU of its pool is left.
pub(super) fn set_affinity(domain: &Domain, request: &Vcpuaffinity) -> Result<(), Errno> {
    let vcpu = find_vcpu(domain, request.vcpu)?;
    let (hard, soft) = check_affinity(request)?;
    let (present, pool) = (cpus(), pools::cpus_of(domain).bits());
    if hard {
        let wanted = read_bitmap(&request.cpumap_hard)?;
        if wanted & pool == 0 {
            return Err(Errno::EINVAL);
        }
        vcpu.set_affinity(Some(wanted), None);
        write_bitmap(&request.cpumap_hard, wanted & pool)?;
    }
    if soft {
        let wanted = read_bitmap(&request.cpumap_soft)?;
        if wanted & present == 0 {
            return Err(Errno::EINVAL);
        }
        vcpu.set_affinity(None, Some(wanted));
        let effective = wanted & pool & vcpu.hard_affinity.load(Ordering::Relaxed);
        write_bitmap(&request.cpumap_soft, effective)?;
    }
    Ok(())
}

/// What is in force.
pub(super) fn get_affinity(domain: &Domain, request: &Vcpuaffinity) -> Result<(), Errno> {
    let vcpu = find_vcpu(domain, request.vcpu)?;
    let (hard, soft) = check_affinity(request)?;
    let present = cpus();
    if hard {
        write_bitmap(&request.cpumap_hard, vcpu.hard_affinity.load(Ordering::Relaxed) & present)?;
    }
    if soft {
        write_bitmap(&request.cpumap_soft, vcpu.soft_affinity.load(Ordering::Relaxed) & present)?;
    }
    Ok(())
}
