// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Grant tables (`grant_table.h`): a domain lets another map or copy single frames.
//!
//! `grant_table_op` takes an array of arguments; each has its own status, and the call itself fails only if the array
//! cannot be worked on.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, GrantHandle, GrantRef};
use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

mod entry;

pub use entry::{
    GrantEntryHeader, GrantEntryV1, GrantEntryV2, GrantFlags, GrantV2FullPage, GrantV2SubPage, GrantV2Transitive,
    TRANSFER_COMMITTED, TRANSFER_COMPLETED,
};

open_enum! {
    /// Sub-operations of `grant_table_op` (first argument).
    pub struct GrantTableOp: u32 {
        /// Maps granted frames. Arguments [`GnttabMapGrantRef`].
        #[doc(alias = "GNTTABOP_map_grant_ref")]
        MAP_GRANT_REF = 0,
        /// Undoes mappings. Arguments [`GnttabUnmapGrantRef`].
        #[doc(alias = "GNTTABOP_unmap_grant_ref")]
        UNMAP_GRANT_REF = 1,
        /// Sets the size of a table and tells its frames. Argument [`GnttabSetupTable`].
        #[doc(alias = "GNTTABOP_setup_table")]
        SETUP_TABLE = 2,
        /// Prints a table on the console. Argument [`GnttabDumpTable`].
        #[doc(alias = "GNTTABOP_dump_table")]
        DUMP_TABLE = 3,
        /// Gives frames away. Arguments [`GnttabTransfer`].
        #[doc(alias = "GNTTABOP_transfer")]
        TRANSFER = 4,
        /// Copies bytes between granted or own frames. Arguments [`GnttabCopy`].
        #[doc(alias = "GNTTABOP_copy")]
        COPY = 5,
        /// Tells the size of a table. Argument [`GnttabQuerySize`].
        #[doc(alias = "GNTTABOP_query_size")]
        QUERY_SIZE = 6,
        /// Undoes mappings and puts other entries in their place. Arguments [`GnttabUnmapAndReplace`].
        #[doc(alias = "GNTTABOP_unmap_and_replace")]
        UNMAP_AND_REPLACE = 7,
        /// Chooses the layout of the caller's table. Argument [`GnttabSetVersion`].
        #[doc(alias = "GNTTABOP_set_version")]
        SET_VERSION = 8,
        /// Tells the frames of the version-2 status words. Argument [`GnttabGetStatusFrames`].
        #[doc(alias = "GNTTABOP_get_status_frames")]
        GET_STATUS_FRAMES = 9,
        /// Tells the layout of a table. Argument [`GnttabGetVersion`].
        #[doc(alias = "GNTTABOP_get_version")]
        GET_VERSION = 10,
        /// Exchanges two entries of the caller's table. Arguments [`GnttabSwapGrantRef`].
        #[doc(alias = "GNTTABOP_swap_grant_ref")]
        SWAP_GRANT_REF = 11,
        /// Cache maintenance; Arm. Arguments [`GnttabCacheFlush`].
        #[doc(alias = "GNTTABOP_cache_flush")]
        CACHE_FLUSH = 12,
    }
}

open_enum! {
    /// How an element of the array fared.
    pub struct GrantStatus: i16 {
        /// Done.
        #[doc(alias = "GNTST_okay")]
        OKAY = 0,
        /// Failed for a reason not listed.
        #[doc(alias = "GNTST_general_error")]
        GENERAL_ERROR = -1,
        /// No such domain.
        #[doc(alias = "GNTST_bad_domain")]
        BAD_DOMAIN = -2,
        /// No such reference, or not granted to the caller.
        #[doc(alias = "GNTST_bad_gntref")]
        BAD_GNTREF = -3,
        /// No such mapping.
        #[doc(alias = "GNTST_bad_handle")]
        BAD_HANDLE = -4,
        /// The address cannot take a mapping.
        #[doc(alias = "GNTST_bad_virt_addr")]
        BAD_VIRT_ADDR = -5,
        /// The device address does not fit.
        #[doc(alias = "GNTST_bad_dev_addr")]
        BAD_DEV_ADDR = -6,
        /// No room in the IOMMU.
        #[doc(alias = "GNTST_no_device_space")]
        NO_DEVICE_SPACE = -7,
        /// Not granted, or not in this direction.
        #[doc(alias = "GNTST_permission_denied")]
        PERMISSION_DENIED = -8,
        /// The frame cannot be used so.
        #[doc(alias = "GNTST_bad_page")]
        BAD_PAGE = -9,
        /// The copy leaves its frame.
        #[doc(alias = "GNTST_bad_copy_arg")]
        BAD_COPY_ARG = -10,
        /// The frame number does not fit a version-1 entry.
        #[doc(alias = "GNTST_address_too_big")]
        ADDRESS_TOO_BIG = -11,
        /// Try again.
        #[doc(alias = "GNTST_eagain")]
        EAGAIN = -12,
        /// The table is full.
        #[doc(alias = "GNTST_no_space")]
        NO_SPACE = -13,
    }
}

flags! {
    /// [`GnttabMapGrantRef::flags`].
    pub struct MapFlags: u32 {
        /// Map for devices.
        #[doc(alias = "GNTMAP_device_map")]
        DEVICE_MAP = 1 << 0,
        /// Map for the CPU.
        #[doc(alias = "GNTMAP_host_map")]
        HOST_MAP = 1 << 1,
        /// Map read-only.
        #[doc(alias = "GNTMAP_readonly")]
        READONLY = 1 << 2,
        /// Let user mode use it; always so on x86-64.
        #[doc(alias = "GNTMAP_application_map")]
        APPLICATION_MAP = 1 << 3,
        /// `host_addr` is the machine address of the L1 entry to write.
        #[doc(alias = "GNTMAP_contains_pte")]
        CONTAINS_PTE = 1 << 4,
        /// Bits for the entry's guest-defined ones.
        #[doc(alias = "GNTMAP_guest_avail_mask")]
        GUEST_AVAIL_MASK = 0xffff_0000,
    }
}

/// Argument of [`GrantTableOp::MAP_GRANT_REF`].
#[doc(alias = "gnttab_map_grant_ref")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabMapGrantRef {
    /// In: where to map.
    pub host_addr: u64,
    /// In: how.
    pub flags: MapFlags,
    /// In: which grant.
    pub ref_: GrantRef,
    /// In: of which domain.
    pub dom: DomId,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Out: to undo it.
    pub handle: GrantHandle,
    /// Out: the address for devices.
    pub dev_bus_addr: u64,
}

/// Argument of [`GrantTableOp::UNMAP_GRANT_REF`].
#[doc(alias = "gnttab_unmap_grant_ref")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabUnmapGrantRef {
    /// In: where it was mapped, 0 to leave that.
    pub host_addr: u64,
    /// In: where it was mapped for devices, 0 to leave that.
    pub dev_bus_addr: u64,
    /// In: which mapping.
    pub handle: GrantHandle,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Argument of [`GrantTableOp::SETUP_TABLE`].
#[doc(alias = "gnttab_setup_table")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabSetupTable {
    /// In: whose table.
    pub dom: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: its size at least, in frames.
    pub nr_frames: u32,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad1: [u8; 6],
    /// Out: its frames.
    pub frame_list: GuestHandle<Mfn>,
}

/// Argument of [`GrantTableOp::DUMP_TABLE`].
#[doc(alias = "gnttab_dump_table")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabDumpTable {
    /// In: whose table.
    pub dom: DomId,
    /// Out: how it went.
    pub status: GrantStatus,
}

/// Argument of [`GrantTableOp::TRANSFER`].
#[doc(alias = "gnttab_transfer")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabTransfer {
    /// In: the frame to give.
    pub mfn: Mfn,
    /// In: to whom.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: by which of its transfer entries.
    pub ref_: GrantRef,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad1: [u8; 6],
}

flags! {
    /// [`GnttabCopy::flags`].
    pub struct CopyFlags: u16 {
        /// The source is a grant, not a frame.
        #[doc(alias = "GNTCOPY_source_gref")]
        SOURCE_GREF = 1 << 0,
        /// The destination is a grant, not a frame.
        #[doc(alias = "GNTCOPY_dest_gref")]
        DEST_GREF = 1 << 1,
    }
}

/// One end of a copy.
#[doc(alias = "gnttab_copy_ptr")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabCopyPtr {
    /// A [`GrantRef`] in the low half, or a frame number: [`GnttabCopyPtr::gref`], [`GnttabCopyPtr::gmfn`].
    pub u: u64,
    /// Whose.
    pub domid: DomId,
    /// Where in the frame, in bytes.
    pub offset: u16,
    /// Padding.
    pub _pad: [u8; 4],
}

impl GnttabCopyPtr {
    /// `u.ref`: the upper half of the union is not looked at.
    #[must_use]
    pub const fn gref(&self) -> GrantRef {
        GrantRef::new(self.u as u32)
    }

    /// `u.gmfn`.
    #[must_use]
    pub const fn gmfn(&self) -> Mfn {
        Mfn::new(self.u)
    }
}

/// Argument of [`GrantTableOp::COPY`].
#[doc(alias = "gnttab_copy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabCopy {
    /// In: from where.
    pub source: GnttabCopyPtr,
    /// In: to where.
    pub dest: GnttabCopyPtr,
    /// In: how many bytes.
    pub len: u16,
    /// In: what the ends are.
    pub flags: CopyFlags,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Argument of [`GrantTableOp::QUERY_SIZE`].
#[doc(alias = "gnttab_query_size")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabQuerySize {
    /// In: whose table.
    pub dom: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// Out: its size in frames.
    pub nr_frames: u32,
    /// Out: how large it may become.
    pub max_nr_frames: u32,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad1: [u8; 2],
}

/// Argument of [`GrantTableOp::UNMAP_AND_REPLACE`].
#[doc(alias = "gnttab_unmap_and_replace")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabUnmapAndReplace {
    /// In: where it was mapped.
    pub host_addr: u64,
    /// In: the address whose entry to move there.
    pub new_addr: u64,
    /// In: which mapping.
    pub handle: GrantHandle,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Argument of [`GrantTableOp::SET_VERSION`].
#[doc(alias = "gnttab_set_version")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabSetVersion {
    /// In and out: 1 or 2.
    pub version: u32,
}

/// Argument of [`GrantTableOp::GET_STATUS_FRAMES`].
#[doc(alias = "gnttab_get_status_frames")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabGetStatusFrames {
    /// In: how many.
    pub nr_frames: u32,
    /// In: whose table.
    pub dom: DomId,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Out: the frames.
    pub frame_list: GuestHandle<Mfn>,
}

/// Argument of [`GrantTableOp::GET_VERSION`].
#[doc(alias = "gnttab_get_version")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabGetVersion {
    /// In: whose table.
    pub dom: DomId,
    /// Zero.
    pub pad: u16,
    /// Out: 1 or 2.
    pub version: u32,
}

/// Argument of [`GrantTableOp::SWAP_GRANT_REF`].
#[doc(alias = "gnttab_swap_grant_ref")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabSwapGrantRef {
    /// In: one entry.
    pub ref_a: GrantRef,
    /// In: the other.
    pub ref_b: GrantRef,
    /// Out: how it went.
    pub status: GrantStatus,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Argument of [`GrantTableOp::CACHE_FLUSH`].
#[doc(alias = "gnttab_cache_flush")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GnttabCacheFlush {
    /// A device address, or a [`GrantRef`] in the low half.
    pub a: u64,
    /// In bytes.
    pub offset: u16,
    /// In bytes.
    pub length: u16,
    /// What to do.
    pub op: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<GnttabMapGrantRef>() == 0x20);
    assert!(size_of::<GnttabUnmapGrantRef>() == 0x18);
    assert!(size_of::<GnttabSetupTable>() == 0x18);
    assert!(size_of::<GnttabDumpTable>() == 0x4);
    assert!(size_of::<GnttabTransfer>() == 0x18);
    assert!(size_of::<GnttabCopyPtr>() == 0x10);
    assert!(size_of::<GnttabCopy>() == 0x28);
    assert!(size_of::<GnttabQuerySize>() == 0x10);
    assert!(size_of::<GnttabUnmapAndReplace>() == 0x18);
    assert!(size_of::<GnttabSetVersion>() == 0x4);
    assert!(size_of::<GnttabGetStatusFrames>() == 0x10);
    assert!(size_of::<GnttabGetVersion>() == 0x8);
    assert!(size_of::<GnttabSwapGrantRef>() == 0xc);
    assert!(size_of::<GnttabCacheFlush>() == 0x10);
};
