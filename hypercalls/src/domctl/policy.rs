// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What a domain sees of the CPU.

use crate::handle::GuestHandle;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Argument of [`super::DomctlCmd::SETTSCINFO`] and [`super::DomctlCmd::GETTSCINFO`].
#[doc(alias = "xen_domctl_tsc_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TscInfo {
    /// 0 default, 1 always emulate, 2 never, 3 by `rdtscp`.
    pub tsc_mode: u32,
    /// Frequency the guest sees.
    pub gtsc_khz: u32,
    /// Counts restores.
    pub incarnation: u32,
    /// Zero.
    pub pad: u32,
    /// Age of the domain.
    pub elapsed_nsec: u64,
}

/// [`CpuidLeaf::subleaf`] where subleaves do not matter.
#[doc(alias = "XEN_CPUID_NO_SUBLEAF")]
pub const CPUID_NO_SUBLEAF: u32 = 0xffff_ffff;

/// What CPUID answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuidLeaf {
    /// `eax` in.
    pub leaf: u32,
    /// `ecx` in.
    pub subleaf: u32,
    /// `eax` out.
    pub a: u32,
    /// `ebx` out.
    pub b: u32,
    /// `ecx` out.
    pub c: u32,
    /// `edx` out.
    pub d: u32,
}

/// What an MSR holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MsrEntry {
    /// Number.
    pub idx: u32,
    /// Zero.
    pub flags: u32,
    /// Value.
    pub val: u64,
}

/// Argument of [`super::DomctlCmd::GET_CPU_POLICY`] and [`super::DomctlCmd::SET_CPU_POLICY`].
#[doc(alias = "xen_domctl_cpu_policy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuPolicy {
    /// In: room or entries; out: entries.
    pub nr_leaves: u32,
    /// In: room or entries; out: entries.
    pub nr_msrs: u32,
    /// CPUID.
    pub leaves: GuestHandle<CpuidLeaf>,
    /// MSRs.
    pub msrs: GuestHandle<MsrEntry>,
    /// Out: the leaf refused, or `!0`.
    pub err_leaf: u32,
    /// Out: the subleaf refused, or `!0`.
    pub err_subleaf: u32,
    /// Out: the MSR refused, or `!0`.
    pub err_msr: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<TscInfo>() == 0x18);
    assert!(size_of::<CpuidLeaf>() == 0x18);
    assert!(size_of::<MsrEntry>() == 0x10);
    assert!(size_of::<CpuPolicy>() == 0x28);
};
