// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What newer toolstacks give in another layout. Between interface version 0x15 (Xen 4.17) and 0x17 (Xen 4.19 and 4.20)
//! one argument of the x86 operations changed, [`Createdomain0x17`]; sysctl's version is still 0x15.

use super::{ArchDomainconfig, CreateFlags, DomctlCmd};
use crate::handle::GuestHandle;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// `XEN_DOMCTL_INTERFACE_VERSION` of Xen 4.19 and 4.20, which is Debian 13's.
pub const DOMCTL_INTERFACE_VERSION_0X17: u32 = 0x17;

/// Commands that came with it.
impl DomctlCmd {
    /// Argument [`SetLlcColors`].
    #[doc(alias = "XEN_DOMCTL_set_llc_colors")]
    pub const SET_LLC_COLORS: Self = Self(89);
}

/// Which parts of the last-level cache a domain's memory may use; a toolstack of 4.20 asks it for every domain, without any.
#[doc(alias = "xen_domctl_set_llc_colors")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetLlcColors {
    /// How many there are in [`Self::llc_colors`].
    pub num_llc_colors: u32,
    /// Zero.
    pub pad: u32,
    /// Their numbers.
    pub llc_colors: GuestHandle<u32>,
}

/// [`super::Createdomain`] of interface version 0x17: `altp2m_opts` has come in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Createdomain0x17 {
    /// Security label.
    pub ssidref: u32,
    /// Its UUID.
    pub handle: [u8; 16],
    /// Kind and options.
    pub flags: CreateFlags,
    /// Bit 0: do not share page tables with the IOMMU.
    pub iommu_opts: u32,
    /// How many vCPUs it may have.
    pub max_vcpus: u32,
    /// The largest port it may have.
    pub max_evtchn_port: u32,
    /// Limit of its grant table in frames; negative for the default.
    pub max_grant_frames: i32,
    /// Limit of its mappings in frames; negative for the default.
    pub max_maptrack_frames: i32,
    /// Low 4 bits: the highest grant-table version.
    pub grant_opts: u32,
    /// Low 2 bits: several views of its memory (altp2m), 0 for none.
    pub altp2m_opts: u32,
    /// Bytes of trace buffer per vCPU.
    pub vmtrace_size: u32,
    /// Pool it starts in.
    pub cpupool_id: u32,
    /// x86 part.
    pub arch: ArchDomainconfig,
}

// As the C compiler lays out the headers of Debian 13's libxen-dev; the tests' headers are those of 4.17.
const _: () = {
    assert!(size_of::<Createdomain0x17>() == 0x44);
    assert!(core::mem::offset_of!(Createdomain0x17, altp2m_opts) == 0x30);
    assert!(core::mem::offset_of!(Createdomain0x17, vmtrace_size) == 0x34);
    assert!(core::mem::offset_of!(Createdomain0x17, arch) == 0x3c);
    assert!(size_of::<SetLlcColors>() == 0x10);
    assert!(core::mem::offset_of!(SetLlcColors, llc_colors) == 0x8);
};
