// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Memory reservations and memory maps (`memory.h`).

use crate::frame::{Mfn, Pfn};
use crate::handle::GuestHandle;
use crate::ids::DomId;
use crate::macros::{flags, open_enum};
use crate::physdev::PhysdevPciDevice;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `memory_op`: the first argument, below the start extent. See [`MemoryOp::split`].
    pub struct MemoryOp: u64 {
        /// Adds anonymous frames. Argument [`MemoryReservation`].
        #[doc(alias = "XENMEM_increase_reservation")]
        INCREASE_RESERVATION = 0,
        /// Gives frames back. Argument [`MemoryReservation`].
        #[doc(alias = "XENMEM_decrease_reservation")]
        DECREASE_RESERVATION = 1,
        /// Returns the last machine frame of RAM. No argument.
        #[doc(alias = "XENMEM_maximum_ram_page")]
        MAXIMUM_RAM_PAGE = 2,
        /// Returns the frames of a domain. Argument [`MemoryDomain`].
        #[doc(alias = "XENMEM_current_reservation")]
        CURRENT_RESERVATION = 3,
        /// Returns the frames it may have. Argument [`MemoryDomain`].
        #[doc(alias = "XENMEM_maximum_reservation")]
        MAXIMUM_RESERVATION = 4,
        /// Tells the frames of the machine-to-physical table. Argument [`MachphysMfnList`].
        #[doc(alias = "XENMEM_machphys_mfn_list")]
        MACHPHYS_MFN_LIST = 5,
        /// Adds frames at given places. Argument [`MemoryReservation`].
        #[doc(alias = "XENMEM_populate_physmap")]
        POPULATE_PHYSMAP = 6,
        /// Maps a special frame; translated guests. Argument [`AddToPhysmap`].
        #[doc(alias = "XENMEM_add_to_physmap")]
        ADD_TO_PHYSMAP = 7,
        /// Tells the domain's memory map. Argument [`MemoryMap`].
        #[doc(alias = "XENMEM_memory_map")]
        MEMORY_MAP = 9,
        /// Tells the host's memory map. Argument [`MemoryMap`].
        #[doc(alias = "XENMEM_machine_memory_map")]
        MACHINE_MEMORY_MAP = 10,
        /// Exchanges frames for others. Argument [`MemoryExchange`].
        #[doc(alias = "XENMEM_exchange")]
        EXCHANGE = 11,
        /// Tells where the machine-to-physical table is. Argument [`MachphysMapping`].
        #[doc(alias = "XENMEM_machphys_mapping")]
        MACHPHYS_MAPPING = 12,
        /// Sets another domain's memory map. Argument [`ForeignMemoryMap`].
        #[doc(alias = "XENMEM_set_memory_map")]
        SET_MEMORY_MAP = 13,
        /// Returns the last frame number a domain uses. Argument [`MemoryDomain`].
        #[doc(alias = "XENMEM_maximum_gpfn")]
        MAXIMUM_GPFN = 14,
        /// Unmaps a special frame; translated guests. Argument [`RemoveFromPhysmap`].
        #[doc(alias = "XENMEM_remove_from_physmap")]
        REMOVE_FROM_PHYSMAP = 15,
        /// Populate on demand; HVM. Argument [`PodTarget`].
        #[doc(alias = "XENMEM_set_pod_target")]
        SET_POD_TARGET = 16,
        /// Populate on demand; HVM. Argument [`PodTarget`].
        #[doc(alias = "XENMEM_get_pod_target")]
        GET_POD_TARGET = 17,
        /// Returns frames saved by sharing.
        #[doc(alias = "XENMEM_get_sharing_freed_pages")]
        GET_SHARING_FREED_PAGES = 18,
        /// Returns frames shared.
        #[doc(alias = "XENMEM_get_sharing_shared_pages")]
        GET_SHARING_SHARED_PAGES = 19,
        /// HVM.
        #[doc(alias = "XENMEM_paging_op")]
        PAGING_OP = 20,
        /// HVM.
        #[doc(alias = "XENMEM_access_op")]
        ACCESS_OP = 21,
        /// HVM.
        #[doc(alias = "XENMEM_sharing_op")]
        SHARING_OP = 22,
        /// Maps special frames; translated guests. Argument [`AddToPhysmapBatch`].
        #[doc(alias = "XENMEM_add_to_physmap_batch")]
        ADD_TO_PHYSMAP_BATCH = 23,
        /// Argument [`MemoryReservation`]: sets free memory aside for a domain.
        #[doc(alias = "XENMEM_claim_pages")]
        CLAIM_PAGES = 24,
        /// As `MACHPHYS_MFN_LIST`, of the 32-bit table.
        #[doc(alias = "XENMEM_machphys_compat_mfn_list")]
        MACHPHYS_COMPAT_MFN_LIST = 25,
        /// Tells the virtual NUMA layout. Argument [`VnumaTopologyInfo`].
        #[doc(alias = "XENMEM_get_vnumainfo")]
        GET_VNUMAINFO = 26,
        /// Tells which frames devices need mapped one to one. Argument [`ReservedDeviceMemoryMap`].
        #[doc(alias = "XENMEM_reserved_device_memory_map")]
        RESERVED_DEVICE_MEMORY_MAP = 27,
        /// Tells or maps frames of a domain's resource. Argument [`MemAcquireResource`].
        #[doc(alias = "XENMEM_acquire_resource")]
        ACQUIRE_RESOURCE = 28,
    }
}

impl MemoryOp {
    /// Where in the command the start extent of a continuation begins.
    #[doc(alias = "MEMOP_EXTENT_SHIFT")]
    pub const EXTENT_SHIFT: u32 = 6;

    /// Splits a first argument into the operation and the first extent still to be done.
    #[must_use]
    pub const fn split(cmd: u64) -> (Self, u64) {
        (Self(cmd & ((1 << Self::EXTENT_SHIFT) - 1)), cmd >> Self::EXTENT_SHIFT)
    }
}

/// Address-width limit in [`MemoryReservation::mem_flags`]; 0 is no limit.
#[doc(alias = "XENMEMF_get_address_bits")]
#[must_use]
pub const fn address_bits(mem_flags: u32) -> u32 {
    mem_flags & 0xff
}

flags! {
    /// Single bits of [`MemoryReservation::mem_flags`]; the low byte is [`address_bits`], the next one a NUMA node
    /// plus 1.
    pub struct MemFlags: u32 {
        /// Do not allocate yet; HVM.
        #[doc(alias = "XENMEMF_populate_on_demand")]
        POPULATE_ON_DEMAND = 1 << 16,
        /// Only from that node.
        #[doc(alias = "XENMEMF_exact_node_request")]
        EXACT_NODE_REQUEST = 1 << 17,
        /// The node is a virtual one.
        #[doc(alias = "XENMEMF_vnode")]
        VNODE = 1 << 18,
    }
}

/// Extents to add or give back.
#[doc(alias = "xen_memory_reservation")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemoryReservation {
    /// Frame numbers, one per extent: machine frames, or pseudo-physical ones on the way into
    /// [`MemoryOp::POPULATE_PHYSMAP`].
    pub extent_start: GuestHandle<u64>,
    /// How many.
    pub nr_extents: u64,
    /// log2 of the frames in each.
    pub extent_order: u32,
    /// Where from.
    pub mem_flags: MemFlags,
    /// Whose.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 6],
}

/// Argument of [`MemoryOp::EXCHANGE`].
#[doc(alias = "xen_memory_exchange")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemoryExchange {
    /// What to give.
    pub in_: MemoryReservation,
    /// What to get: pseudo-physical frames in, machine frames out.
    pub out: MemoryReservation,
    /// Out: input extents exchanged. Must be 0 at first.
    pub nr_exchanged: u64,
}

/// Names a domain.
#[doc(alias = "xen_memory_domain")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemoryDomain {
    /// Which.
    pub domid: DomId,
}

/// Argument of [`MemoryOp::MACHPHYS_MFN_LIST`].
#[doc(alias = "xen_machphys_mfn_list")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MachphysMfnList {
    /// In: room.
    pub max_extents: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: first frame of each 2 MiB.
    pub extent_start: GuestHandle<Mfn>,
    /// Out: how many.
    pub nr_extents: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Argument of [`MemoryOp::MACHPHYS_MAPPING`]; all out.
#[doc(alias = "xen_machphys_mapping")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MachphysMapping {
    /// First address.
    pub v_start: u64,
    /// One past the last.
    pub v_end: u64,
    /// The last frame that has an entry.
    pub max_mfn: u64,
}

open_enum! {
    /// What [`AddToPhysmap`] maps.
    pub struct MapSpace: u32 {
        /// The shared-info page.
        #[doc(alias = "XENMAPSPACE_shared_info")]
        SHARED_INFO = 0,
        /// A grant-table frame.
        #[doc(alias = "XENMAPSPACE_grant_table")]
        GRANT_TABLE = 1,
        /// A frame of the domain.
        #[doc(alias = "XENMAPSPACE_gmfn")]
        GMFN = 2,
        /// Frames of the domain.
        #[doc(alias = "XENMAPSPACE_gmfn_range")]
        GMFN_RANGE = 3,
        /// A frame of another domain.
        #[doc(alias = "XENMAPSPACE_gmfn_foreign")]
        GMFN_FOREIGN = 4,
        /// Device memory.
        #[doc(alias = "XENMAPSPACE_dev_mmio")]
        DEV_MMIO = 5,
    }
}

/// Argument of [`MemoryOp::ADD_TO_PHYSMAP`].
#[doc(alias = "xen_add_to_physmap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct AddToPhysmap {
    /// Whose map.
    pub domid: DomId,
    /// Frames, for a range.
    pub size: u16,
    /// What.
    pub space: MapSpace,
    /// Which one.
    pub idx: u64,
    /// Where.
    pub gpfn: Pfn,
}

/// Argument of [`MemoryOp::ADD_TO_PHYSMAP_BATCH`].
#[doc(alias = "xen_add_to_physmap_batch")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct AddToPhysmapBatch {
    /// Whose map.
    pub domid: DomId,
    /// What: a [`MapSpace`].
    pub space: u16,
    /// How many.
    pub size: u16,
    /// Owner, for [`MapSpace::GMFN_FOREIGN`].
    pub foreign_domid: DomId,
    /// Which ones.
    pub idxs: GuestHandle<u64>,
    /// Where.
    pub gpfns: GuestHandle<Pfn>,
    /// Out: how each went.
    pub errs: GuestHandle<i32>,
}

/// Argument of [`MemoryOp::REMOVE_FROM_PHYSMAP`].
#[doc(alias = "xen_remove_from_physmap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct RemoveFromPhysmap {
    /// Whose map.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 6],
    /// Where.
    pub gpfn: Pfn,
}

/// Argument of [`MemoryOp::MEMORY_MAP`] and [`MemoryOp::MACHINE_MEMORY_MAP`].
#[doc(alias = "xen_memory_map")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemoryMap {
    /// In: room; out: entries.
    pub nr_entries: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: the map.
    pub buffer: GuestHandle<E820Entry>,
}

/// One region of a memory map, in the BIOS's format; 20 bytes without alignment.
#[doc(alias = "e820entry")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct E820Entry {
    /// First byte.
    pub addr: zerocopy::little_endian::U64,
    /// Length in bytes.
    pub size: zerocopy::little_endian::U64,
    /// What it is: an [`E820Type`].
    pub entry_type: zerocopy::little_endian::U32,
}

const _: () = assert!(size_of::<E820Entry>() == 20);

open_enum! {
    /// What a region of a memory map is.
    pub struct E820Type: u32 {
        /// Memory.
        RAM = 1,
        /// Not to be used.
        RESERVED = 2,
        /// ACPI tables; memory once they are read.
        ACPI = 3,
        /// ACPI's own.
        NVS = 4,
        /// Broken memory.
        UNUSABLE = 5,
    }
}

/// Argument of [`MemoryOp::SET_MEMORY_MAP`].
#[doc(alias = "xen_foreign_memory_map")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ForeignMemoryMap {
    /// Whose.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 6],
    /// The map.
    pub map: MemoryMap,
}

/// Argument of [`MemoryOp::SET_POD_TARGET`] and [`MemoryOp::GET_POD_TARGET`].
#[doc(alias = "xen_pod_target")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PodTarget {
    /// In.
    pub target_pages: u64,
    /// Out.
    pub tot_pages: u64,
    /// Out.
    pub pod_cache_pages: u64,
    /// Out.
    pub pod_entries: u64,
    /// Whose.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 6],
}

/// Frames a device needs.
#[doc(alias = "xen_reserved_device_memory")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ReservedDeviceMemory {
    /// First.
    pub start_pfn: Pfn,
    /// How many.
    pub nr_pages: u64,
}

/// Argument of [`MemoryOp::RESERVED_DEVICE_MEMORY_MAP`].
#[doc(alias = "xen_reserved_device_memory_map")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ReservedDeviceMemoryMap {
    /// Bit 0: of all devices.
    pub flags: u32,
    /// In: room; out: entries.
    pub nr_entries: u32,
    /// Out.
    pub buffer: GuestHandle<ReservedDeviceMemory>,
    /// Which device.
    pub dev: PhysdevPciDevice,
    /// Padding.
    pub _pad: [u8; 4],
}

open_enum! {
    /// [`MemAcquireResource::resource_type`].
    pub struct ResourceType: u16 {
        /// HVM.
        #[doc(alias = "XENMEM_resource_ioreq_server")]
        IOREQ_SERVER = 0,
        /// Grant-table frames; [`MemAcquireResource::id`] 0 shared entries, 1 status words.
        #[doc(alias = "XENMEM_resource_grant_table")]
        GRANT_TABLE = 1,
        /// A processor-trace buffer.
        #[doc(alias = "XENMEM_resource_vmtrace_buf")]
        VMTRACE_BUF = 2,
    }
}

/// Argument of [`MemoryOp::ACQUIRE_RESOURCE`].
#[doc(alias = "xen_mem_acquire_resource")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemAcquireResource {
    /// Whose.
    pub domid: DomId,
    /// What.
    pub resource_type: ResourceType,
    /// Which one.
    pub id: u32,
    /// In: how many; with a null list, out: how many there are.
    pub nr_frames: u32,
    /// Zero.
    pub pad: u32,
    /// In: the first.
    pub frame: u64,
    /// Out for PV callers: the machine frames.
    pub frame_list: GuestHandle<Mfn>,
}

/// A range of a virtual NUMA node.
#[doc(alias = "xen_vmemrange")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Vmemrange {
    /// First byte.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// Zero.
    pub flags: u32,
    /// Node.
    pub nid: u32,
}

/// Argument of [`MemoryOp::GET_VNUMAINFO`].
#[doc(alias = "xen_vnuma_topology_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VnumaTopologyInfo {
    /// Whose.
    pub domid: DomId,
    /// Zero.
    pub pad: u16,
    /// In: room; out: nodes.
    pub nr_vnodes: u32,
    /// In: room; out: vCPUs.
    pub nr_vcpus: u32,
    /// In: room; out: ranges.
    pub nr_vmemranges: u32,
    /// Out.
    pub vdistance: GuestHandle<u32>,
    /// Out.
    pub vcpu_to_vnode: GuestHandle<u32>,
    /// Out.
    pub vmemrange: GuestHandle<Vmemrange>,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<MemoryReservation>() == 0x20);
    assert!(size_of::<MemoryExchange>() == 0x48);
    assert!(size_of::<MemoryDomain>() == 0x2);
    assert!(size_of::<MachphysMfnList>() == 0x18);
    assert!(size_of::<MachphysMapping>() == 0x18);
    assert!(size_of::<AddToPhysmap>() == 0x18);
    assert!(size_of::<AddToPhysmapBatch>() == 0x20);
    assert!(size_of::<RemoveFromPhysmap>() == 0x10);
    assert!(size_of::<MemoryMap>() == 0x10);
    assert!(size_of::<ForeignMemoryMap>() == 0x18);
    assert!(size_of::<PodTarget>() == 0x28);
    assert!(size_of::<ReservedDeviceMemory>() == 0x10);
    assert!(size_of::<ReservedDeviceMemoryMap>() == 0x18);
    assert!(size_of::<MemAcquireResource>() == 0x20);
    assert!(size_of::<Vmemrange>() == 0x18);
    assert!(size_of::<VnumaTopologyInfo>() == 0x28);
};
