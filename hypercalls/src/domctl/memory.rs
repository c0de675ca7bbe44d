// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Memory of a domain: limits, types of frames, dirty tracking, NUMA.

use crate::domctl::XenctlBitmap;
use crate::handle::GuestHandle;
use crate::macros::open_enum;
use crate::memory::Vmemrange;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// What [`Getpageframeinfo3`] says of a frame, in bits 28-31.
    pub struct PageFrameType: u64 {
        /// Ordinary.
        #[doc(alias = "XEN_DOMCTL_PFINFO_NOTAB")]
        NOTAB = 0 << 28,
        /// A page table of level 1.
        #[doc(alias = "XEN_DOMCTL_PFINFO_L1TAB")]
        L1TAB = 1 << 28,
        /// A page table of level 2.
        #[doc(alias = "XEN_DOMCTL_PFINFO_L2TAB")]
        L2TAB = 2 << 28,
        /// A page table of level 3.
        #[doc(alias = "XEN_DOMCTL_PFINFO_L3TAB")]
        L3TAB = 3 << 28,
        /// A page table of level 4.
        #[doc(alias = "XEN_DOMCTL_PFINFO_L4TAB")]
        L4TAB = 4 << 28,
        /// The bits that hold the level.
        #[doc(alias = "XEN_DOMCTL_PFINFO_LTABTYPE_MASK")]
        LTABTYPE_MASK = 7 << 28,
        /// Pinned, added to the level.
        #[doc(alias = "XEN_DOMCTL_PFINFO_LPINTAB")]
        LPINTAB = 1 << 31,
        /// Broken memory.
        #[doc(alias = "XEN_DOMCTL_PFINFO_BROKEN")]
        BROKEN = 0xd << 28,
        /// Only to be allocated (in images).
        #[doc(alias = "XEN_DOMCTL_PFINFO_XALLOC")]
        XALLOC = 0xe << 28,
        /// Not a frame of the domain.
        #[doc(alias = "XEN_DOMCTL_PFINFO_XTAB")]
        XTAB = 0xf << 28,
    }
}

/// Argument of [`super::DomctlCmd::GETPAGEFRAMEINFO3`].
#[doc(alias = "xen_domctl_getpageframeinfo3")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Getpageframeinfo3 {
    /// How many frames.
    pub num: u64,
    /// In: frame numbers; out: [`PageFrameType`] values.
    pub array: GuestHandle<u64>,
}

open_enum! {
    /// [`ShadowOp::op`].
    pub struct ShadowCmd: u32 {
        /// Ends all modes.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_OFF")]
        OFF = 0,
        /// Starts test mode.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_ENABLE_TEST")]
        ENABLE_TEST = 1,
        /// Starts dirty tracking.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY")]
        ENABLE_LOGDIRTY = 2,
        /// Reads and clears the bitmap.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_CLEAN")]
        CLEAN = 11,
        /// Reads it.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_PEEK")]
        PEEK = 12,
        /// Reads the size of the pool in MiB.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION")]
        GET_ALLOCATION = 30,
        /// Sets it.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION")]
        SET_ALLOCATION = 31,
        /// Starts a given mode.
        #[doc(alias = "XEN_DOMCTL_SHADOW_OP_ENABLE")]
        ENABLE = 32,
    }
}

/// Counters of dirty tracking.
#[doc(alias = "xen_domctl_shadow_op_stats")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ShadowOpStats {
    /// Faults.
    pub fault_count: u32,
    /// Dirty frames.
    pub dirty_count: u32,
}

/// Argument of [`super::DomctlCmd::SHADOW_OP`].
#[doc(alias = "xen_domctl_shadow_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ShadowOp {
    /// In: what.
    pub op: ShadowCmd,
    /// In: flags.
    pub mode: u32,
    /// In and out: MiB.
    pub mb: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: one bit per frame.
    pub dirty_bitmap: GuestHandle<u8>,
    /// In and out: bits.
    pub pages: u64,
    /// Out.
    pub stats: ShadowOpStats,
}

/// Argument of [`super::DomctlCmd::MAX_MEM`].
#[doc(alias = "xen_domctl_max_mem")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MaxMem {
    /// In KiB.
    pub max_memkb: u64,
}

/// Argument of [`super::DomctlCmd::SETNODEAFFINITY`].
#[doc(alias = "xen_domctl_nodeaffinity")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Nodeaffinity {
    /// Nodes.
    pub nodemap: XenctlBitmap,
}

/// Argument of [`super::DomctlCmd::SET_PAGING_MEMPOOL_SIZE`].
#[doc(alias = "xen_domctl_paging_mempool")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PagingMempool {
    /// In bytes.
    pub size: u64,
}

/// Argument of [`super::DomctlCmd::SETVNUMAINFO`].
#[doc(alias = "xen_domctl_vnuma")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Vnuma {
    /// Nodes.
    pub nr_vnodes: u32,
    /// Ranges.
    pub nr_vmemranges: u32,
    /// vCPUs.
    pub nr_vcpus: u32,
    /// Zero.
    pub pad: u32,
    /// Distances.
    pub vdistance: GuestHandle<u32>,
    /// Node of each vCPU.
    pub vcpu_to_vnode: GuestHandle<u32>,
    /// Real node of each.
    pub vnode_to_pnode: GuestHandle<u32>,
    /// Ranges.
    pub vmemrange: GuestHandle<Vmemrange>,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Getpageframeinfo3>() == 0x10);
    assert!(size_of::<ShadowOpStats>() == 0x8);
    assert!(size_of::<ShadowOp>() == 0x28);
    assert!(size_of::<MaxMem>() == 0x8);
    assert!(size_of::<Nodeaffinity>() == 0x10);
    assert!(size_of::<PagingMempool>() == 0x8);
    assert!(size_of::<Vnuma>() == 0x30);
};
