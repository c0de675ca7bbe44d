// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Version, features and capabilities (`version.h`, `features.h`).

use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `xen_version` (first argument).
    pub struct VersionOp: u32 {
        /// Returns major and minor, `major << 16 | minor`. No argument.
        #[doc(alias = "XENVER_version")]
        VERSION = 0,
        /// Argument [`Extraversion`].
        #[doc(alias = "XENVER_extraversion")]
        EXTRAVERSION = 1,
        /// Argument [`CompileInfo`].
        #[doc(alias = "XENVER_compile_info")]
        COMPILE_INFO = 2,
        /// Argument [`CapabilitiesInfo`].
        #[doc(alias = "XENVER_capabilities")]
        CAPABILITIES = 3,
        /// Argument [`ChangesetInfo`].
        #[doc(alias = "XENVER_changeset")]
        CHANGESET = 4,
        /// Argument [`PlatformParameters`].
        #[doc(alias = "XENVER_platform_parameters")]
        PLATFORM_PARAMETERS = 5,
        /// Argument [`FeatureInfo`].
        #[doc(alias = "XENVER_get_features")]
        GET_FEATURES = 6,
        /// Returns the page size in bytes. No argument.
        #[doc(alias = "XENVER_pagesize")]
        PAGESIZE = 7,
        /// Argument: 16 bytes, the domain's UUID.
        #[doc(alias = "XENVER_guest_handle")]
        GUEST_HANDLE = 8,
        /// Argument [`Commandline`].
        #[doc(alias = "XENVER_commandline")]
        COMMANDLINE = 9,
        /// Argument [`BuildId`] with room for the id; null asks for the size.
        #[doc(alias = "XENVER_build_id")]
        BUILD_ID = 10,
    }
}

/// What newer Xens have besides, and tools of 4.20 ask for alone: texts that are not cut off. Argument [`Varbuf`] with room for
/// the text, which is not ended by a NUL; null asks for its length. Both are what is returned.
impl VersionOp {
    /// The text of [`Self::EXTRAVERSION`].
    #[doc(alias = "XENVER_extraversion2")]
    pub const EXTRAVERSION2: Self = Self(11);
    /// The text of [`Self::CAPABILITIES`].
    #[doc(alias = "XENVER_capabilities2")]
    pub const CAPABILITIES2: Self = Self(12);
    /// The text of [`Self::CHANGESET`].
    #[doc(alias = "XENVER_changeset2")]
    pub const CHANGESET2: Self = Self(13);
    /// The text of [`Self::COMMANDLINE`].
    #[doc(alias = "XENVER_commandline2")]
    pub const COMMANDLINE2: Self = Self(14);
}

/// Argument of [`VersionOp::EXTRAVERSION`]: NUL-terminated text such as `.4`.
#[doc(alias = "xen_extraversion_t")]
pub type Extraversion = [u8; 16];
/// Argument of [`VersionOp::CAPABILITIES`]: NUL-terminated, blank-separated guest types.
#[doc(alias = "xen_capabilities_info_t")]
pub type CapabilitiesInfo = [u8; 1024];
/// Argument of [`VersionOp::CHANGESET`]: NUL-terminated text.
#[doc(alias = "xen_changeset_info_t")]
pub type ChangesetInfo = [u8; 64];
/// Argument of [`VersionOp::COMMANDLINE`]: the hypervisor's command line, NUL-terminated.
#[doc(alias = "xen_commandline_t")]
pub type Commandline = [u8; 1024];

/// Who built the hypervisor, and when; NUL-terminated texts.
#[doc(alias = "xen_compile_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CompileInfo {
    /// Compiler and version.
    pub compiler: [u8; 64],
    /// User.
    pub compile_by: [u8; 16],
    /// Machine.
    pub compile_domain: [u8; 32],
    /// Date.
    pub compile_date: [u8; 32],
}

/// Argument of [`VersionOp::PLATFORM_PARAMETERS`].
#[doc(alias = "xen_platform_parameters")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PlatformParameters {
    /// First address of the hypervisor in the guest's address space.
    pub virt_start: u64,
}

/// Argument of [`VersionOp::GET_FEATURES`].
#[doc(alias = "xen_feature_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FeatureInfo {
    /// In: which 32 features.
    pub submap_idx: u32,
    /// Out: one bit per feature.
    pub submap: Features,
}

/// The head of a build id; the bytes follow.
#[doc(alias = "xen_build_id")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BuildId {
    /// In: room, out: length in bytes.
    pub len: u32,
}

/// The head of a buffer of any length; its bytes follow.
#[doc(alias = "xen_varbuf")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Varbuf {
    /// In: room in bytes.
    pub len: u32,
}

flags! {
    /// Submap 0 of the features (`XENFEAT_*`, bit numbers there).
    pub struct Features: u32 {
        /// Guests may write page tables directly.
        #[doc(alias = "XENFEAT_writable_page_tables")]
        WRITABLE_PAGE_TABLES = 1 << 0,
        /// Guests may write descriptor tables directly.
        #[doc(alias = "XENFEAT_writable_descriptor_tables")]
        WRITABLE_DESCRIPTOR_TABLES = 1 << 1,
        /// The guest's frames are translated for it.
        #[doc(alias = "XENFEAT_auto_translated_physmap")]
        AUTO_TRANSLATED_PHYSMAP = 1 << 2,
        /// The guest kernel runs in ring 0.
        #[doc(alias = "XENFEAT_supervisor_mode_kernel")]
        SUPERVISOR_MODE_KERNEL = 1 << 3,
        /// Top-level tables may lie above 4 GiB.
        #[doc(alias = "XENFEAT_pae_pgdir_above_4gb")]
        PAE_PGDIR_ABOVE_4GB = 1 << 4,
        /// [`crate::mmu::MmuUpdateCmd::PT_UPDATE_PRESERVE_AD`] works.
        #[doc(alias = "XENFEAT_mmu_pt_update_preserve_ad")]
        MMU_PT_UPDATE_PRESERVE_AD = 1 << 5,
        /// Clear and copy of frames by hypercall pays off.
        #[doc(alias = "XENFEAT_highmem_assist")]
        HIGHMEM_ASSIST = 1 << 6,
        /// Grant mappings can set the guest's own entry bits.
        #[doc(alias = "XENFEAT_gnttab_map_avail_bits")]
        GNTTAB_MAP_AVAIL_BITS = 1 << 7,
        /// HVM only.
        #[doc(alias = "XENFEAT_hvm_callback_vector")]
        HVM_CALLBACK_VECTOR = 1 << 8,
        /// HVM only.
        #[doc(alias = "XENFEAT_hvm_safe_pvclock")]
        HVM_SAFE_PVCLOCK = 1 << 9,
        /// HVM only.
        #[doc(alias = "XENFEAT_hvm_pirqs")]
        HVM_PIRQS = 1 << 10,
        /// The caller is the control domain.
        #[doc(alias = "XENFEAT_dom0")]
        DOM0 = 1 << 11,
        /// Virtual NUMA nodes in memory operations.
        #[doc(alias = "XENFEAT_memory_op_vnode_supported")]
        MEMORY_OP_VNODE_SUPPORTED = 1 << 13,
        /// Arm only.
        #[doc(alias = "XENFEAT_ARM_SMCCC_supported")]
        ARM_SMCCC_SUPPORTED = 1 << 14,
        /// Linux may take the RSDP from its boot parameters.
        #[doc(alias = "XENFEAT_linux_rsdp_unrestricted")]
        LINUX_RSDP_UNRESTRICTED = 1 << 15,
        /// Guest frame and machine frame differ.
        #[doc(alias = "XENFEAT_not_direct_mapped")]
        NOT_DIRECT_MAPPED = 1 << 16,
        /// Guest frame and machine frame are equal.
        #[doc(alias = "XENFEAT_direct_mapped")]
        DIRECT_MAPPED = 1 << 17,
    }
}

/// How many submaps exist.
#[doc(alias = "XENFEAT_NR_SUBMAPS")]
pub const FEATURE_SUBMAPS: u32 = 1;

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<CompileInfo>() == 0x90);
    assert!(size_of::<PlatformParameters>() == 0x8);
    assert!(size_of::<FeatureInfo>() == 0x8);
    assert!(size_of::<BuildId>() == 0x4);
    assert!(size_of::<Varbuf>() == 0x4);
};
