// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! CPU features for the toolstack.

use crate::domctl::{CpuidLeaf, MsrEntry};
use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

flags! {
    /// [`CpuLevellingCaps::caps`]: which parts of CPUID can be hidden from PV guests.
    pub struct LevellingCaps: u32 {
        /// All: CPUID faults.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_faulting")]
        FAULTING = 1 << 0,
        /// Leaf 1 `ecx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_ecx")]
        ECX = 1 << 1,
        /// Leaf 1 `edx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_edx")]
        EDX = 1 << 2,
        /// Leaf 8000_0001 `ecx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_extd_ecx")]
        EXTD_ECX = 1 << 3,
        /// Leaf 8000_0001 `edx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_extd_edx")]
        EXTD_EDX = 1 << 4,
        /// Leaf d.1 `eax`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_xsave_eax")]
        XSAVE_EAX = 1 << 5,
        /// Leaf 6 `ecx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_thermal_ecx")]
        THERMAL_ECX = 1 << 6,
        /// Leaf 7.0 `eax`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_l7s0_eax")]
        L7S0_EAX = 1 << 7,
        /// Leaf 7.0 `ebx`.
        #[doc(alias = "XEN_SYSCTL_CPU_LEVELCAP_l7s0_ebx")]
        L7S0_EBX = 1 << 8,
    }
}

/// How CPUID can be changed.
#[doc(alias = "xen_sysctl_cpu_levelling_caps")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuLevellingCaps {
    /// Out.
    pub caps: LevellingCaps,
}

open_enum! {
    /// [`CpuFeatureset::index`].
    pub struct FeaturesetIndex: u32 {
        /// As the CPU says.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_raw")]
        RAW = 0,
        /// As the hypervisor uses it.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_host")]
        HOST = 1,
        /// Default of PV guests.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_pv")]
        PV = 2,
        /// Default of HVM guests.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_hvm")]
        HVM = 3,
        /// Most a PV guest can have.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_pv_max")]
        PV_MAX = 4,
        /// Most an HVM guest can have.
        #[doc(alias = "XEN_SYSCTL_cpu_featureset_hvm_max")]
        HVM_MAX = 5,
    }
}

/// CPUID features as words.
#[doc(alias = "xen_sysctl_cpu_featureset")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuFeatureset {
    /// In: whose.
    pub index: FeaturesetIndex,
    /// In: room; out: words.
    pub nr_features: u32,
    /// Out; null asks for the number.
    pub features: GuestHandle<u32>,
}

open_enum! {
    /// [`SysctlCpuPolicy::index`].
    pub struct CpuPolicyIndex: u32 {
        /// As the CPU says.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_raw")]
        RAW = 0,
        /// As the hypervisor uses it.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_host")]
        HOST = 1,
        /// Most a PV guest can have.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_pv_max")]
        PV_MAX = 2,
        /// Most an HVM guest can have.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_hvm_max")]
        HVM_MAX = 3,
        /// Default of PV guests.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_pv_default")]
        PV_DEFAULT = 4,
        /// Default of HVM guests.
        #[doc(alias = "XEN_SYSCTL_cpu_policy_hvm_default")]
        HVM_DEFAULT = 5,
    }
}

/// A CPUID and MSR policy.
#[doc(alias = "xen_sysctl_cpu_policy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SysctlCpuPolicy {
    /// In: which.
    pub index: CpuPolicyIndex,
    /// In: room; out: entries.
    pub nr_leaves: u32,
    /// In: room; out: entries.
    pub nr_msrs: u32,
    /// Zero.
    pub _rsvd: u32,
    /// Out.
    pub leaves: GuestHandle<CpuidLeaf>,
    /// Out.
    pub msrs: GuestHandle<MsrEntry>,
}

/// Cache monitoring.
#[doc(alias = "xen_sysctl_psr_cmt_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SysctlPsrCmtOp {
    /// 0 ids, 1 factor, 2 cache size, 3 enabled, 4 events.
    pub cmd: u32,
    /// Zero.
    pub flags: u32,
    /// In: CPU; out: the answer.
    pub data: u64,
}

/// Cache allocation.
#[doc(alias = "xen_sysctl_psr_alloc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SysctlPsrAlloc {
    /// What.
    pub cmd: u32,
    /// Socket.
    pub target: u32,
    /// Out.
    pub u: [u32; 3],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<CpuLevellingCaps>() == 0x4);
    assert!(size_of::<CpuFeatureset>() == 0x10);
    assert!(size_of::<SysctlCpuPolicy>() == 0x20);
    assert!(size_of::<SysctlPsrCmtOp>() == 0x10);
    assert!(size_of::<SysctlPsrAlloc>() == 0x14);
};
