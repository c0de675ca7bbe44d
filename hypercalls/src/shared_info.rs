// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The page a domain shares with the hypervisor (`xen.h`: `shared_info`), and the parts each vCPU may move elsewhere.
//!
//! Both sides write it at any time. Use these types for offsets and for building a first value; access the live page
//! with atomics.

use crate::frame::Mfn;
use crate::macros::flags;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// vCPUs whose [`VcpuInfo`] fits in [`SharedInfo`].
#[doc(alias = "XEN_LEGACY_MAX_VCPUS")]
pub const LEGACY_MAX_VCPUS: usize = 32;

flags! {
    /// [`VcpuTimeInfo::flags`].
    pub struct TimeFlags: u8 {
        /// Clocks of different vCPUs never disagree.
        #[doc(alias = "XEN_PVCLOCK_TSC_STABLE_BIT")]
        TSC_STABLE = 1 << 0,
        /// The guest was stopped; its watchdogs should forgive.
        #[doc(alias = "XEN_PVCLOCK_GUEST_STOPPED")]
        GUEST_STOPPED = 1 << 1,
    }
}

/// A vCPU's clock: `system_time + ((tsc - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32`.
#[doc(alias = "vcpu_time_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuTimeInfo {
    /// Odd while the rest changes.
    pub version: u32,
    /// Zero.
    pub pad0: u32,
    /// The time-stamp counter when `system_time` was right.
    pub tsc_timestamp: u64,
    /// Nanoseconds since boot at that moment.
    pub system_time: u64,
    /// Nanoseconds per shifted tick, as a fraction of 2^32.
    pub tsc_to_system_mul: u32,
    /// Shift of the tick difference: left if positive.
    pub tsc_shift: i8,
    /// How far to trust it.
    pub flags: TimeFlags,
    /// Zero.
    pub pad1: [u8; 2],
}

/// The x86 part of [`VcpuInfo`].
#[doc(alias = "arch_vcpu_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ArchVcpuInfo {
    /// Fault address of the last page fault delivered.
    pub cr2: u64,
    /// Zero.
    pub pad: u64,
}

/// What one vCPU and the hypervisor tell each other.
#[doc(alias = "vcpu_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuInfo {
    /// Non-zero: an event waits for this vCPU.
    pub evtchn_upcall_pending: u8,
    /// Non-zero: do not interrupt; the guest's interrupt flag, inverted.
    pub evtchn_upcall_mask: u8,
    /// Padding.
    pub _pad: [u8; 6],
    /// One bit per word of [`SharedInfo::evtchn_pending`] to look at.
    pub evtchn_pending_sel: u64,
    /// x86 part.
    pub arch: ArchVcpuInfo,
    /// Clock.
    pub time: VcpuTimeInfo,
}

/// The x86 part of [`SharedInfo`]: how the toolstack finds the guest's P2M.
#[doc(alias = "arch_shared_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ArchSharedInfo {
    /// One past the last frame the P2M covers.
    pub max_pfn: u64,
    /// Root of the three-level list; `!0` means that `p2m_vaddr` counts.
    pub pfn_to_mfn_frame_list_list: Mfn,
    /// [`crate::nmi::NmiReason`] bits.
    pub nmi_reason: u64,
    /// CR3 value that maps `p2m_vaddr`.
    pub p2m_cr3: u64,
    /// Virtual address of the linear P2M.
    pub p2m_vaddr: u64,
    /// Odd while the P2M mapping changes.
    pub p2m_generation: u64,
}

/// The shared-info page.
#[doc(alias = "shared_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SharedInfo {
    /// The first 32 vCPUs, until they register their own place.
    pub vcpu_info: [VcpuInfo; 32],
    /// Two-level ABI: one bit per port with a waiting event.
    pub evtchn_pending: [u64; 64],
    /// Two-level ABI: one bit per port the guest does not want to hear of.
    pub evtchn_mask: [u64; 64],
    /// Odd while the wall clock changes.
    pub wc_version: u32,
    /// Wall clock at boot: seconds since 1970, low half.
    pub wc_sec: u32,
    /// Wall clock at boot: nanoseconds.
    pub wc_nsec: u32,
    /// Wall clock at boot: seconds, high half.
    pub wc_sec_hi: u32,
    /// x86 part.
    pub arch: ArchSharedInfo,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<VcpuTimeInfo>() == 0x20);
    assert!(size_of::<ArchVcpuInfo>() == 0x10);
    assert!(size_of::<VcpuInfo>() == 0x40);
    assert!(size_of::<ArchSharedInfo>() == 0x30);
    assert!(size_of::<SharedInfo>() == 0xc40);
};
