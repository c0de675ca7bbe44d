// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations on one domain (`domctl.h`): those a PV toolstack uses all the time. Those on vCPUs, devices
//! and for debugging are in the modules below.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, Virq};
use crate::macros::{flags, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

mod command;
pub mod debug;
pub mod device;
mod later;
mod memory;
mod policy;
pub mod vcpu;

pub use command::DomctlCmd;
pub use later::{Createdomain0x17, DOMCTL_INTERFACE_VERSION_0X17, SetLlcColors};
pub use memory::{
    Getpageframeinfo3, MaxMem, Nodeaffinity, PageFrameType, PagingMempool, ShadowCmd, ShadowOp, ShadowOpStats, Vnuma,
};
pub use policy::{CPUID_NO_SUBLEAF, CpuPolicy, CpuidLeaf, MsrEntry, TscInfo};

/// What [`Domctl::interface_version`] is in Xen 4.17; [`DOMCTL_INTERFACE_VERSION_0X17`] in 4.20.
#[doc(alias = "XEN_DOMCTL_INTERFACE_VERSION")]
pub const DOMCTL_INTERFACE_VERSION: u32 = 0x15;

/// Argument of `domctl`.
#[doc(alias = "xen_domctl")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct Domctl {
    /// What to do.
    pub cmd: DomctlCmd,
    /// [`DOMCTL_INTERFACE_VERSION`] or [`DOMCTL_INTERFACE_VERSION_0X17`].
    pub interface_version: u32,
    /// To whom; out: of a new domain.
    pub domain: DomId,
    /// Zero.
    pub _pad: [u16; 3],
    /// The operation's own argument.
    pub u: [u8; 128],
}

payload!(Domctl, u);

/// A domain's UUID (`xen_domain_handle_t`).
#[doc(alias = "xen_domain_handle_t")]
pub type DomainHandle = [u8; 16];

/// A bitmap of CPUs or nodes.
#[doc(alias = "xenctl_bitmap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct XenctlBitmap {
    /// Its bytes, bit 0 of byte 0 first.
    pub bitmap: GuestHandle<u8>,
    /// Bits; the callee ignores or clears the rest.
    pub nr_bits: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

flags! {
    /// [`ArchDomainconfig::emulation_flags`]; none of them for PV guests but the PIT.
    pub struct EmulationFlags: u32 {
        /// Local APIC.
        #[doc(alias = "XEN_X86_EMU_LAPIC")]
        LAPIC = 1 << 0,
        /// HPET.
        #[doc(alias = "XEN_X86_EMU_HPET")]
        HPET = 1 << 1,
        /// Power management.
        #[doc(alias = "XEN_X86_EMU_PM")]
        PM = 1 << 2,
        /// Clock.
        #[doc(alias = "XEN_X86_EMU_RTC")]
        RTC = 1 << 3,
        /// I/O APIC.
        #[doc(alias = "XEN_X86_EMU_IOAPIC")]
        IOAPIC = 1 << 4,
        /// PIC.
        #[doc(alias = "XEN_X86_EMU_PIC")]
        PIC = 1 << 5,
        /// VGA.
        #[doc(alias = "XEN_X86_EMU_VGA")]
        VGA = 1 << 6,
        /// IOMMU.
        #[doc(alias = "XEN_X86_EMU_IOMMU")]
        IOMMU = 1 << 7,
        /// Timer.
        #[doc(alias = "XEN_X86_EMU_PIT")]
        PIT = 1 << 8,
        /// Interrupts by event channels.
        #[doc(alias = "XEN_X86_EMU_USE_PIRQ")]
        USE_PIRQ = 1 << 9,
        /// PCI.
        #[doc(alias = "XEN_X86_EMU_VPCI")]
        VPCI = 1 << 10,
    }
}

/// The x86 part of a domain's configuration.
#[doc(alias = "xen_arch_domainconfig")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ArchDomainconfig {
    /// Emulated devices.
    pub emulation_flags: EmulationFlags,
    /// Bit 0: unknown MSRs are tolerated (`XEN_X86_MSR_RELAXED`).
    pub misc_flags: u32,
}

flags! {
    /// [`Createdomain::flags`].
    pub struct CreateFlags: u32 {
        /// Hardware-assisted.
        #[doc(alias = "XEN_DOMCTL_CDF_hvm")]
        HVM = 1 << 0,
        /// With nested paging.
        #[doc(alias = "XEN_DOMCTL_CDF_hap")]
        HAP = 1 << 1,
        /// Its memory is checked across sleep.
        #[doc(alias = "XEN_DOMCTL_CDF_s3_integrity")]
        S3_INTEGRITY = 1 << 2,
        /// No out-of-sync shadows.
        #[doc(alias = "XEN_DOMCTL_CDF_oos_off")]
        OOS_OFF = 1 << 3,
        /// It runs xenstored.
        #[doc(alias = "XEN_DOMCTL_CDF_xs_domain")]
        XS_DOMAIN = 1 << 4,
        /// It may have devices.
        #[doc(alias = "XEN_DOMCTL_CDF_iommu")]
        IOMMU = 1 << 5,
        /// Nested virtualization.
        #[doc(alias = "XEN_DOMCTL_CDF_nested_virt")]
        NESTED_VIRT = 1 << 6,
        /// Performance counters.
        #[doc(alias = "XEN_DOMCTL_CDF_vpmu")]
        VPMU = 1 << 7,
    }
}

/// Argument of [`DomctlCmd::CREATEDOMAIN`].
#[doc(alias = "xen_domctl_createdomain")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Createdomain {
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
    /// Bytes of trace buffer per vCPU.
    pub vmtrace_size: u32,
    /// Pool it starts in.
    pub cpupool_id: u32,
    /// x86 part.
    pub arch: ArchDomainconfig,
}

flags! {
    /// [`Getdomaininfo::flags`].
    pub struct DominfFlags: u32 {
        /// It is being destroyed.
        #[doc(alias = "XEN_DOMINF_dying")]
        DYING = 1 << 0,
        /// Hardware-assisted.
        #[doc(alias = "XEN_DOMINF_hvm_guest")]
        HVM_GUEST = 1 << 1,
        /// It ended; the reason is in bits 16-23.
        #[doc(alias = "XEN_DOMINF_shutdown")]
        SHUTDOWN = 1 << 2,
        /// Paused.
        #[doc(alias = "XEN_DOMINF_paused")]
        PAUSED = 1 << 3,
        /// All its vCPUs wait.
        #[doc(alias = "XEN_DOMINF_blocked")]
        BLOCKED = 1 << 4,
        /// One of its vCPUs is on a CPU.
        #[doc(alias = "XEN_DOMINF_running")]
        RUNNING = 1 << 5,
        /// Paused by a debugger.
        #[doc(alias = "XEN_DOMINF_debugged")]
        DEBUGGED = 1 << 6,
        /// It runs xenstored.
        #[doc(alias = "XEN_DOMINF_xs_domain")]
        XS_DOMAIN = 1 << 7,
        /// With nested paging.
        #[doc(alias = "XEN_DOMINF_hap")]
        HAP = 1 << 8,
        /// The shutdown reason.
        #[doc(alias = "XEN_DOMINF_shutdownshift")]
        SHUTDOWN_MASK = 0xff << 16,
    }
}

/// Where the shutdown reason starts in [`Getdomaininfo::flags`].
#[doc(alias = "XEN_DOMINF_shutdownshift")]
pub const DOMINF_SHUTDOWN_SHIFT: u32 = 16;

impl DominfFlags {
    /// The flags with a shutdown reason added; a reason is 8 bits wide.
    #[must_use]
    pub const fn with_shutdown_reason(self, reason: u8) -> Self {
        Self(self.0 & !Self::SHUTDOWN_MASK.0 | (reason as u32) << DOMINF_SHUTDOWN_SHIFT)
    }

    /// The shutdown reason, which counts with [`DominfFlags::SHUTDOWN`].
    #[must_use]
    pub const fn shutdown_reason(self) -> u8 {
        (self.0 >> DOMINF_SHUTDOWN_SHIFT) as u8
    }
}

/// What a domain is.
#[doc(alias = "xen_domctl_getdomaininfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Getdomaininfo {
    /// Its number; the next one that exists, if it does not.
    pub domain: DomId,
    /// Zero.
    pub pad1: u16,
    /// State and shutdown reason.
    pub flags: DominfFlags,
    /// Frames it has.
    pub tot_pages: u64,
    /// Frames it may have.
    pub max_pages: u64,
    /// Frames claimed for it.
    pub outstanding_pages: u64,
    /// Shared frames.
    pub shr_pages: u64,
    /// Frames paged out.
    pub paged_pages: u64,
    /// Its shared-info page.
    pub shared_info_frame: Mfn,
    /// Nanoseconds all its vCPUs ran.
    pub cpu_time: u64,
    /// vCPUs that are up.
    pub nr_online_vcpus: u32,
    /// The largest vCPU number, `!0` if it has none.
    pub max_vcpu_id: u32,
    /// Security label.
    pub ssidref: u32,
    /// Its UUID.
    pub handle: [u8; 16],
    /// Its pool.
    pub cpupool: u32,
    /// Width of its frame addresses in bits.
    pub gpaddr_bits: u8,
    /// Zero.
    pub pad2: [u8; 7],
    /// x86 part.
    pub arch_config: ArchDomainconfig,
}

/// Argument of [`DomctlCmd::MAX_VCPUS`].
#[doc(alias = "xen_domctl_max_vcpus")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MaxVcpus {
    /// How many.
    pub max: u32,
}

/// Argument of [`DomctlCmd::SETDOMAINHANDLE`].
#[doc(alias = "xen_domctl_setdomainhandle")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Setdomainhandle {
    /// The UUID.
    pub handle: [u8; 16],
}

/// Argument of [`DomctlCmd::HYPERCALL_INIT`].
#[doc(alias = "xen_domctl_hypercall_init")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct HypercallInit {
    /// The page.
    pub gmfn: Mfn,
}

/// Argument of [`DomctlCmd::SETTIMEOFFSET`].
#[doc(alias = "xen_domctl_settimeoffset")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Settimeoffset {
    /// Added to the host's clock.
    pub time_offset_seconds: i64,
}

/// Argument of [`DomctlCmd::SET_ADDRESS_SIZE`] and [`DomctlCmd::GET_ADDRESS_SIZE`].
#[doc(alias = "xen_domctl_address_size")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct AddressSize {
    /// In bits.
    pub size: u32,
}

/// Argument of [`DomctlCmd::SET_TARGET`].
#[doc(alias = "xen_domctl_set_target")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetTarget {
    /// Which domain.
    pub target: DomId,
}

/// Argument of [`DomctlCmd::SET_VIRQ_HANDLER`].
#[doc(alias = "xen_domctl_set_virq_handler")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetVirqHandler {
    /// Which.
    pub virq: Virq,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Domctl>() == 0x90);
    assert!(size_of::<XenctlBitmap>() == 0x10);
    assert!(size_of::<ArchDomainconfig>() == 0x8);
    assert!(size_of::<Createdomain>() == 0x40);
    assert!(size_of::<Getdomaininfo>() == 0x70);
    assert!(size_of::<MaxVcpus>() == 0x4);
    assert!(size_of::<Setdomainhandle>() == 0x10);
    assert!(size_of::<HypercallInit>() == 0x8);
    assert!(size_of::<Settimeoffset>() == 0x8);
    assert!(size_of::<AddressSize>() == 0x4);
    assert!(size_of::<SetTarget>() == 0x2);
    assert!(size_of::<SetVirqHandler>() == 0x4);
};
