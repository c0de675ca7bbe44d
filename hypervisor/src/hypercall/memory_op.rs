// SPDX-License-Identifier: MIT OR Apache-2.0
//! memory_op (12): reservations and memory maps.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::DomId;
use hypercalls::memory::{
    AddToPhysmap, AddToPhysmapBatch, E820Entry, ForeignMemoryMap, MachphysMapping, MachphysMfnList, MapSpace,
    MemAcquireResource, MemFlags, MemoryMap, MemoryOp, MemoryReservation, PodTarget, RemoveFromPhysmap,
    ReservedDeviceMemoryMap, ResourceType, VnumaTopologyInfo,
};
use zerocopy::FromZeros;

use crate::domain::{Domain, grants, host, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census, memory_exchange, memory_reservation};
use crate::latency;
use crate::mm::guest_access;
use crate::mm::layout::{M2P_GUEST_END, M2P_GUEST_START, M2P_START};
use crate::mm::{frame_table, host_pt, map};
use crate::x86::cpuid;

/// Entries of a memory map that a toolstack may set.
const MAX_MAP_ENTRIES: u32 = 1024;
/// What `max_mfn` is for guests: all that the table's address range has room for.
const LAST_MFN_OF_M2P: u64 = (M2P_GUEST_END - M2P_GUEST_START) / 8 - 1;
/// Offset of `arch.max_pfn` in the shared info page.
const MAX_PFN: usize = 0xc10;
/// M2P bytes behind one entry of XENMEM_machphys_mfn_list.
const M2P_PIECE: u64 = 1 << 21;
const ALL_DEVICES: u32 = 1;

/// HYPERVISOR_memory_op(cmd, arg). Unknown operations: ENOSYS. The upper bits of `cmd` tell where an interrupted operation
/// goes on; those that cannot be interrupted refuse them with EINVAL.
pub(crate) fn memory_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    let (op, start) = MemoryOp::split(cmd);
    census::MEMORY_OP.note(op.raw() as u32, arg);
    latency::operation(op.raw() as u32);
    match op {
        MemoryOp::INCREASE_RESERVATION | MemoryOp::DECREASE_RESERVATION | MemoryOp::POPULATE_PHYSMAP => {
            return memory_reservation::change(cx, args, op, start);
        }
        _ if start != 0 && op.name().is_some() => return Err(Errno::EINVAL.into()),
        MemoryOp::EXCHANGE => return memory_exchange::exchange(cx, args),
        _ => {}
    }
    let value = match op {
        MemoryOp::MAXIMUM_RAM_PAGE => frame_table::max_page(),
        MemoryOp::CURRENT_RESERVATION | MemoryOp::MAXIMUM_RESERVATION | MemoryOp::MAXIMUM_GPFN => {
            size_of_domain(cx, op, arg)?
        }
        MemoryOp::MACHPHYS_MFN_LIST => machphys_mfn_list(GuestHandle::new(arg), true)?,
        // 32-bit guests have a table of their own; there are none.
        MemoryOp::MACHPHYS_COMPAT_MFN_LIST => machphys_mfn_list(GuestHandle::new(arg), false)?,
        MemoryOp::MACHPHYS_MAPPING => machphys_mapping(cx, GuestHandle::new(arg))?,
        MemoryOp::MEMORY_MAP => own_memory_map(cx, GuestHandle::new(arg))?,
        MemoryOp::MACHINE_MEMORY_MAP => machine_memory_map(cx, GuestHandle::new(arg))?,
        MemoryOp::SET_MEMORY_MAP => set_memory_map(cx, GuestHandle::new(arg))?,
        MemoryOp::SET_POD_TARGET | MemoryOp::GET_POD_TARGET => pod_target(cx, op, GuestHandle::new(arg))?,
        MemoryOp::GET_SHARING_FREED_PAGES | MemoryOp::GET_SHARING_SHARED_PAGES => 0,
        MemoryOp::CLAIM_PAGES => claim_pages(cx, GuestHandle::new(arg))?,
        MemoryOp::GET_VNUMAINFO => get_vnumainfo(cx, GuestHandle::new(arg))?,
        MemoryOp::RESERVED_DEVICE_MEMORY_MAP => reserved_device_memory_map(GuestHandle::new(arg))?,
        MemoryOp::ACQUIRE_RESOURCE => acquire_resource(cx, GuestHandle::new(arg))?,
        MemoryOp::ADD_TO_PHYSMAP | MemoryOp::ADD_TO_PHYSMAP_BATCH | MemoryOp::REMOVE_FROM_PHYSMAP => {
            physmap(cx, op, arg)?
        }
        _ => return Err(Errno::ENOSYS.into()),
    };
    Ok(Outcome::Done(value))
}

/// Pages owned, pages allowed, highest guest frame. ESRCH, EPERM, EFAULT.
fn size_of_domain(cx: &Cx<'_>, op: MemoryOp, arg: u64) -> Result<u64, Errno> {
    let id: DomId = guest_access::read(GuestHandle::new(arg))?;
    let domain = cx.target_domain(id)?;
    Ok(match op {
        MemoryOp::CURRENT_RESERVATION => domain.memory.lock().tot_pages,
        MemoryOp::MAXIMUM_RESERVATION => domain.memory.lock().max_pages,
        _ => max_pfn(&domain).max(1) - 1,
    })
}

/// What the guest says it has.
fn max_pfn(domain: &Domain) -> u64 {
    map::words(domain.shared_info).get(MAX_PFN / 8).map_or(0, |word| word.load(Ordering::Relaxed))
}

/// Where the M2P table itself lies, in pieces of 2 MiB. EFAULT.
fn machphys_mfn_list(handle: GuestHandle<MachphysMfnList>, is_native: bool) -> Result<u64, Errno> {
    let mut list = guest_access::read(handle)?;
    let pieces = if is_native { frame_table::max_page().div_ceil(M2P_PIECE / 8) } else { 0 };
    let mut count = 0;
    for index in 0..pieces.min(list.max_extents.into()) {
        let mfn =
            host_pt::large_frame(M2P_START.saturating_add(index.saturating_mul(M2P_PIECE))).unwrap_or(Mfn::new(0));
        guest_access::write_at(list.extent_start, index, &mfn)?;
        count += 1;
    }
    list.nr_extents = count;
    guest_access::write(handle, &list)?;
    Ok(0)
}

fn machphys_mapping(cx: &Cx<'_>, handle: GuestHandle<MachphysMapping>) -> Result<u64, Errno> {
    // Domains that may move to another host must not rely on the size of this one.
    let max_mfn = if cx.domain().is_control { frame_table::max_page().saturating_sub(1) } else { LAST_MFN_OF_M2P };
    guest_access::write(handle, &MachphysMapping { v_start: M2P_GUEST_START, v_end: M2P_GUEST_END, max_mfn })?;
    Ok(0)
}

/// ENOSYS: the toolstack set no map.
fn own_memory_map(cx: &Cx<'_>, handle: GuestHandle<MemoryMap>) -> Result<u64, Errno> {
    let known = cx.domain().memory_map.lock().clone();
    if known.is_empty() {
        return Err(Errno::ENOSYS);
    }
    let mut map = guest_access::read(handle)?;
    map.nr_entries = map.nr_entries.min(known.len() as u32);
    for (index, entry) in (0..).zip(known.iter().take(map.nr_entries as usize)) {
        guest_access::write_at(map.buffer, index, entry)?;
    }
    guest_access::write(handle, &map)?;
    Ok(0)
}

/// The host's map, for control domains. EPERM. EINVAL: not enough room.
fn machine_memory_map(cx: &Cx<'_>, handle: GuestHandle<MemoryMap>) -> Result<u64, Errno> {
    cx.require_control()?;
    let mut map = guest_access::read(handle)?;
    let iomem = cx.domain().rights.lock().iomem.clone();
    let entries = host::map_for(host::memory_map(), &iomem, cpuid::address_bits());
    if (map.nr_entries as usize) < entries.len() {
        return Err(Errno::EINVAL);
    }
    for (index, entry) in (0..).zip(&entries) {
        guest_access::write_at(map.buffer, index, entry)?;
    }
    map.nr_entries = entries.len() as u32;
    guest_access::write(handle, &map)?;
    Ok(0)
}

/// EINVAL: too many entries. ESRCH, EPERM, EFAULT.
fn set_memory_map(cx: &Cx<'_>, handle: GuestHandle<ForeignMemoryMap>) -> Result<u64, Errno> {
    let request = guest_access::read(handle)?;
    if request.map.nr_entries > MAX_MAP_ENTRIES {
        return Err(Errno::EINVAL);
    }
    let domain = cx.target_domain(request.domid)?;
    let mut entries: Vec<E820Entry> = alloc::vec![E820Entry::new_zeroed(); request.map.nr_entries as usize];
    guest_access::read_slice(request.map.buffer, &mut entries)?;
    *domain.memory_map.lock() = entries;
    Ok(0)
}

/// Populate-on-demand is for guests with an address space of their own. EINVAL. ESRCH, EPERM, EFAULT.
fn pod_target(cx: &Cx<'_>, op: MemoryOp, handle: GuestHandle<PodTarget>) -> Result<u64, Errno> {
    let target = guest_access::read(handle)?;
    if op == MemoryOp::SET_POD_TARGET {
        cx.require_control()?;
    }
    cx.target_domain(target.domid)?;
    Err(Errno::EINVAL)
}

/// For control domains. EPERM. EINVAL: fields that must be zero, no such domain, see [`Domain::claim_pages`]. ENOMEM, EFAULT.
fn claim_pages(cx: &Cx<'_>, handle: GuestHandle<MemoryReservation>) -> Result<u64, Errno> {
    let request = guest_access::read(handle)?;
    if !request.extent_start.is_null() || request.extent_order != 0 || request.mem_flags != MemFlags::empty() {
        return Err(Errno::EINVAL);
    }
    let domain = table::find(request.domid).ok_or(Errno::EINVAL)?;
    cx.require_control()?;
    domain.claim_pages(request.nr_extents)?;
    Ok(0)
}

/// No domain has a virtual NUMA topology. EOPNOTSUPP. EINVAL: pad. ESRCH, EPERM, EFAULT.
fn get_vnumainfo(cx: &Cx<'_>, handle: GuestHandle<VnumaTopologyInfo>) -> Result<u64, Errno> {
    let info = guest_access::read(handle)?;
    if info.pad != 0 {
        return Err(Errno::EINVAL);
    }
    cx.target_domain(info.domid)?;
    Err(Errno::EOPNOTSUPP)
}

/// Without an IOMMU no device needs memory of its own. EINVAL: flags. EFAULT.
fn reserved_device_memory_map(handle: GuestHandle<ReservedDeviceMemoryMap>) -> Result<u64, Errno> {
    let mut map = guest_access::read(handle)?;
    if map.flags & !ALL_DEVICES != 0 {
        return Err(Errno::EINVAL);
    }
    map.nr_entries = 0;
    guest_access::write(handle, &map)?;
    Ok(0)
}

/// Hypervisor pages of another domain, for control domains to map: grant tables. EPERM: not privileged, or the caller
/// itself. EINVAL: no such resource, a range beyond it. ESRCH, EFAULT, ENOMEM.
fn acquire_resource(cx: &Cx<'_>, handle: GuestHandle<MemAcquireResource>) -> Result<u64, Errno> {
    let mut request = guest_access::read(handle)?;
    if request.pad != 0 {
        return Err(Errno::EINVAL);
    }
    let domain = table::find(request.domid).filter(|_| request.domid != DomId::SELF).ok_or(Errno::ESRCH)?;
    if domain.id == cx.domain().id {
        return Err(Errno::EPERM);
    }
    cx.require_control()?;
    let is_status = match (request.resource_type, request.id) {
        (ResourceType::GRANT_TABLE, 0) => false,
        (ResourceType::GRANT_TABLE, 1) => true,
        _ => return Err(Errno::EINVAL),
    };
    if request.frame_list.is_null() {
        if request.nr_frames != 0 {
            return Err(Errno::EINVAL);
        }
        request.nr_frames = grants::resource_frames(&domain, is_status);
        guest_access::write(handle, &request)?;
        return Ok(0);
    }
    let first = u32::try_from(request.frame).map_err(|_| Errno::EINVAL)?;
    let frames = grants::acquire_frames(&domain, is_status, first, request.nr_frames)?;
    for (index, mfn) in (0..).zip(&frames) {
        guest_access::write_at(request.frame_list, index, mfn)?;
    }
    Ok(0)
}

/// Guests here translate themselves: nobody has a physmap to change. EACCES; EFAULT, ESRCH and EPERM first, ENOSYS for what
/// needs the batched call.
fn physmap(cx: &Cx<'_>, op: MemoryOp, arg: u64) -> Result<u64, Errno> {
    let id = match op {
        MemoryOp::ADD_TO_PHYSMAP => {
            let request = guest_access::read(GuestHandle::<AddToPhysmap>::new(arg))?;
            if request.space == MapSpace::GMFN_FOREIGN {
                return Err(Errno::ENOSYS);
            }
            request.domid
        }
        MemoryOp::ADD_TO_PHYSMAP_BATCH => guest_access::read(GuestHandle::<AddToPhysmapBatch>::new(arg))?.domid,
        _ => guest_access::read(GuestHandle::<RemoveFromPhysmap>::new(arg))?.domid,
    };
    cx.target_domain(id)?;
    Err(Errno::EACCES)
}
