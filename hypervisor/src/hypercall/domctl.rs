// SPDX-License-Identifier: MIT OR Apache-2.0
//! domctl (36): one domain, for toolstacks.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::domctl::vcpu::{AffinityFlags, Getvcpuinfo, Vcpuaffinity};
use hypercalls::domctl::{AddressSize, DOMCTL_INTERFACE_VERSION, Domctl, DomctlCmd, MaxMem, XenctlBitmap};
use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::VcpuId;

use crate::domain::vcpu::Vcpu;
use crate::domain::{Domain, table, toolstack};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::sched;
use crate::sched::affinity::CpuMask;
use crate::x86::percpu;

/// KiB to pages.
const KB_SHIFT: u32 = 2;

/// HYPERVISOR_domctl(arg), for control domains. EACCES: another interface version. ESRCH: no such domain. EPERM, EFAULT;
/// ENOSYS: unknown command.
pub(crate) fn domctl(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, ..] = args;
    let handle = GuestHandle::<Domctl>::new(arg);
    let mut op = guest_access::read(handle)?;
    if op.interface_version != DOMCTL_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.require_control()?;
    if op.cmd == DomctlCmd::GETDOMAININFO {
        // The next one there is, for those who list all.
        let info = toolstack::info(&*table::find_from(op.domain).ok_or(Errno::ESRCH)?);
        op.domain = info.domain;
        op.set_payload(&info);
        guest_access::write(handle, &op)?;
        return Ok(Outcome::DONE);
    }
    let domain = table::find(op.domain).ok_or(Errno::ESRCH)?;
    match op.cmd {
        DomctlCmd::PAUSEDOMAIN if Arc::ptr_eq(&domain, cx.domain()) => return Err(Errno::EINVAL.into()),
        DomctlCmd::PAUSEDOMAIN => domain.pause_by_toolstack(),
        DomctlCmd::UNPAUSEDOMAIN => domain.unpause_by_toolstack()?,
        DomctlCmd::MAX_MEM => {
            let pages = op.payload::<MaxMem>().max_memkb >> KB_SHIFT;
            domain.memory.lock().max_pages = pages.min(u32::MAX.into());
        }
        DomctlCmd::SET_ADDRESS_SIZE => set_address_size(&op.payload())?,
        DomctlCmd::SETVCPUAFFINITY => set_affinity(&domain, &op.payload())?,
        DomctlCmd::GETVCPUAFFINITY => get_affinity(&domain, &op.payload())?,
        DomctlCmd::GET_ADDRESS_SIZE => {
            op.set_payload(&AddressSize { size: 64 });
            guest_access::write(handle, &op)?;
        }
        DomctlCmd::GETVCPUINFO => {
            let info = vcpu_info(&domain, op.payload())?;
            op.set_payload(&info);
            guest_access::write(handle, &op)?;
        }
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// EOPNOTSUPP: 32-bit guests. EINVAL: others that are not 64-bit.
fn set_address_size(request: &AddressSize) -> Result<(), Errno> {
    match request.size {
        64 => Ok(()),
        32 => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::EINVAL),
    }
}

/// EINVAL: beyond the limit. ESRCH: not there.
fn vcpu(domain: &Domain, id: VcpuId) -> Result<Arc<Vcpu>, Errno> {
    if id.raw() >= domain.max_vcpus {
        return Err(Errno::EINVAL);
    }
    domain.vcpu(id).ok_or(Errno::ESRCH)
}

fn vcpu_info(domain: &Domain, mut info: Getvcpuinfo) -> Result<Getvcpuinfo, Errno> {
    let vcpu = vcpu(domain, info.vcpu)?;
    info.online = toolstack::is_online(&vcpu).into();
    info.blocked = toolstack::is_blocked(&vcpu).into();
    info.running = vcpu.on_cpu.load(Ordering::Acquire).into();
    info.cpu_time = toolstack::cpu_time_ns(&vcpu);
    info.cpu = vcpu.cpu.load(Ordering::Relaxed);
    Ok(info)
}

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

/// What takes effect is written back. EINVAL: no CPU is left.
fn set_affinity(domain: &Domain, request: &Vcpuaffinity) -> Result<(), Errno> {
    let vcpu = vcpu(domain, request.vcpu)?;
    let (hard, soft) = check_affinity(request)?;
    let present = cpus();
    if hard {
        let wanted = read_bitmap(&request.cpumap_hard)?;
        if wanted & present == 0 {
            return Err(Errno::EINVAL);
        }
        vcpu.hard_affinity.store(wanted, Ordering::Relaxed);
        sched::set_affinity(vcpu.unit, CpuMask::from_low(wanted));
        write_bitmap(&request.cpumap_hard, wanted & present)?;
    }
    if soft {
        let wanted = read_bitmap(&request.cpumap_soft)?;
        if wanted & present == 0 {
            return Err(Errno::EINVAL);
        }
        vcpu.soft_affinity.store(wanted, Ordering::Relaxed);
        let effective = wanted & present & vcpu.hard_affinity.load(Ordering::Relaxed);
        write_bitmap(&request.cpumap_soft, effective)?;
    }
    Ok(())
}

fn get_affinity(domain: &Domain, request: &Vcpuaffinity) -> Result<(), Errno> {
    let vcpu = vcpu(domain, request.vcpu)?;
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

/// Bits of the first 64 CPUs.
fn read_bitmap(bitmap: &XenctlBitmap) -> Result<u64, Errno> {
    let mut bytes = [0_u8; 8];
    let len = (bitmap.nr_bits.div_ceil(8) as usize).min(bytes.len());
    guest_access::read_bytes(bitmap.bitmap.addr(), bytes.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    let bits = u64::from_le_bytes(bytes);
    Ok(if bitmap.nr_bits < 64 { bits & (1_u64 << bitmap.nr_bits).wrapping_sub(1) } else { bits })
}

/// Fills the caller's bitmap; bits beyond the first 64 CPUs are zero.
fn write_bitmap(bitmap: &XenctlBitmap, bits: u64) -> Result<(), Errno> {
    /// More than any toolstack asks for; bounds the work.
    const MAX_BYTES: u64 = 1024;
    let len = u64::from(bitmap.nr_bits.div_ceil(8)).min(MAX_BYTES);
    let bytes = bits.to_le_bytes().into_iter().chain(core::iter::repeat(0));
    for (index, byte) in (0..len).zip(bytes) {
        guest_access::write_at(bitmap.bitmap, index, &byte)?;
    }
    Ok(())
}
