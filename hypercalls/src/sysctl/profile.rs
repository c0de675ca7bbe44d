// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Counters, profiles and patches of the hypervisor itself.

use crate::domctl::XenctlBitmap;
use crate::handle::GuestHandle;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Argument of [`super::SysctlCmd::TBUF_OP`].
#[doc(alias = "xen_sysctl_tbuf_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TbufOp {
    /// 0 describe, 1 set CPUs, 2 set events, 3 set size, 4 enable, 5 disable.
    pub cmd: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// CPUs.
    pub cpu_mask: XenctlBitmap,
    /// Events.
    pub evt_mask: u32,
    /// Padding.
    pub _pad1: [u8; 4],
    /// Out: first frame.
    pub buffer_mfn: u64,
    /// Frames; out: bytes.
    pub size: u32,
    /// Padding.
    pub _pad2: [u8; 4],
}

/// Argument of [`super::SysctlCmd::PERFC_OP`].
#[doc(alias = "xen_sysctl_perfc_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PerfcOp {
    /// 1 reset, 2 read.
    pub cmd: u32,
    /// Out.
    pub nr_counters: u32,
    /// Out.
    pub nr_vals: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: names.
    pub desc: GuestHandle<PerfcDesc>,
    /// Out: values.
    pub val: GuestHandle<u32>,
}

/// A counter.
#[doc(alias = "xen_sysctl_perfc_desc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PerfcDesc {
    /// NUL-terminated.
    pub name: [u8; 80],
    /// Values it has.
    pub nr_vals: u32,
}

/// A lock's profile.
#[doc(alias = "xen_sysctl_lockprof_data")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct LockprofData {
    /// NUL-terminated.
    pub name: [u8; 40],
    /// 0 global, 1 of a domain.
    pub lock_type: i32,
    /// Of which.
    pub idx: i32,
    /// Times taken.
    pub lock_cnt: u64,
    /// Times waited for.
    pub block_cnt: u64,
    /// Nanoseconds held.
    pub lock_time: u64,
    /// Nanoseconds waited.
    pub block_time: u64,
}

/// Argument of [`super::SysctlCmd::LOCKPROF_OP`].
#[doc(alias = "xen_sysctl_lockprof_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct LockprofOp {
    /// 1 reset, 2 read.
    pub cmd: u32,
    /// In: room.
    pub max_elem: u32,
    /// Out: locks.
    pub nr_elem: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: nanoseconds profiled.
    pub time: u64,
    /// Out.
    pub data: GuestHandle<LockprofData>,
}

/// Argument of [`super::SysctlCmd::COVERAGE_OP`].
#[doc(alias = "xen_sysctl_coverage_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CoverageOp {
    /// 0 size, 1 read, 2 reset.
    pub cmd: u32,
    /// In and out: bytes.
    pub size: u32,
    /// Out.
    pub buffer: GuestHandle<u8>,
}

/// Argument of [`super::SysctlCmd::LIVEPATCH_OP`].
#[doc(alias = "xen_sysctl_livepatch_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct LivepatchOp {
    /// 0 upload, 1 ask, 2 list, 3 act.
    pub cmd: u32,
    /// Zero.
    pub pad: u32,
    /// The operation's own argument.
    pub u: [u8; 64],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<TbufOp>() == 0x30);
    assert!(size_of::<PerfcOp>() == 0x20);
    assert!(size_of::<PerfcDesc>() == 0x54);
    assert!(size_of::<LockprofData>() == 0x50);
    assert!(size_of::<LockprofOp>() == 0x20);
    assert!(size_of::<CoverageOp>() == 0x10);
    assert!(size_of::<LivepatchOp>() == 0x48);
};
