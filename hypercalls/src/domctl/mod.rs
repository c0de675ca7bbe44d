// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations on one domain (`domctl.h`): those a PV toolstack uses all the time. Those on vCPUs, devices
//! and for debugging are in the modules below.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, Virq};
use crate::macros::{flags, open_enum, payload};
use crate::memory::Vmemrange;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

mod command;
pub mod debug;
pub mod device;
pub mod vcpu;

pub use command::DomctlCmd;

/// What [`Domctl::interface_version`] must be.
#[doc(alias = "XEN_DOMCTL_INTERFACE_VERSION")]
pub const DOMCTL_INTERFACE_VERSION: u32 = 0x15;

/// Argument of `domctl`.
#[doc(alias = "xen_domctl")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Domctl {
    /// What to do.
    pub cmd: DomctlCmd,
    /// [`DOMCTL_INTERFACE_VERSION`].
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

/// Argument of [`DomctlCmd::GETPAGEFRAMEINFO3`].
#[doc(alias = "xen_domctl_getpageframeinfo3")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ShadowOpStats {
    /// Faults.
    pub fault_count: u32,
    /// Dirty frames.
    pub dirty_count: u32,
}

/// Argument of [`DomctlCmd::SHADOW_OP`].
#[doc(alias = "xen_domctl_shadow_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

/// Argument of [`DomctlCmd::MAX_MEM`].
#[doc(alias = "xen_domctl_max_mem")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MaxMem {
    /// In KiB.
    pub max_memkb: u64,
}

/// Argument of [`DomctlCmd::SETNODEAFFINITY`].
#[doc(alias = "xen_domctl_nodeaffinity")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Nodeaffinity {
    /// Nodes.
    pub nodemap: XenctlBitmap,
}

/// Argument of [`DomctlCmd::MAX_VCPUS`].
#[doc(alias = "xen_domctl_max_vcpus")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MaxVcpus {
    /// How many.
    pub max: u32,
}

/// Argument of [`DomctlCmd::SETDOMAINHANDLE`].
#[doc(alias = "xen_domctl_setdomainhandle")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Setdomainhandle {
    /// The UUID.
    pub handle: [u8; 16],
}

/// Argument of [`DomctlCmd::HYPERCALL_INIT`].
#[doc(alias = "xen_domctl_hypercall_init")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HypercallInit {
    /// The page.
    pub gmfn: Mfn,
}

/// Argument of [`DomctlCmd::SETTIMEOFFSET`].
#[doc(alias = "xen_domctl_settimeoffset")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settimeoffset {
    /// Added to the host's clock.
    pub time_offset_seconds: i64,
}

/// Argument of [`DomctlCmd::SET_ADDRESS_SIZE`] and [`DomctlCmd::GET_ADDRESS_SIZE`].
#[doc(alias = "xen_domctl_address_size")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AddressSize {
    /// In bits.
    pub size: u32,
}

/// Argument of [`DomctlCmd::SET_TARGET`].
#[doc(alias = "xen_domctl_set_target")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetTarget {
    /// Which domain.
    pub target: DomId,
}

/// Argument of [`DomctlCmd::SETTSCINFO`] and [`DomctlCmd::GETTSCINFO`].
#[doc(alias = "xen_domctl_tsc_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

/// Argument of [`DomctlCmd::SET_VIRQ_HANDLER`].
#[doc(alias = "xen_domctl_set_virq_handler")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct SetVirqHandler {
    /// Which.
    pub virq: Virq,
}

/// [`CpuidLeaf::subleaf`] where subleaves do not matter.
#[doc(alias = "XEN_CPUID_NO_SUBLEAF")]
pub const CPUID_NO_SUBLEAF: u32 = 0xffff_ffff;

/// What CPUID answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MsrEntry {
    /// Number.
    pub idx: u32,
    /// Zero.
    pub flags: u32,
    /// Value.
    pub val: u64,
}

/// Argument of [`DomctlCmd::GET_CPU_POLICY`] and [`DomctlCmd::SET_CPU_POLICY`].
#[doc(alias = "xen_domctl_cpu_policy")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

/// Argument of [`DomctlCmd::SET_PAGING_MEMPOOL_SIZE`].
#[doc(alias = "xen_domctl_paging_mempool")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PagingMempool {
    /// In bytes.
    pub size: u64,
}

/// Argument of [`DomctlCmd::SETVNUMAINFO`].
#[doc(alias = "xen_domctl_vnuma")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
    assert!(size_of::<Domctl>() == 0x90);
    assert!(size_of::<XenctlBitmap>() == 0x10);
    assert!(size_of::<ArchDomainconfig>() == 0x8);
    assert!(size_of::<Createdomain>() == 0x40);
    assert!(size_of::<Getdomaininfo>() == 0x70);
    assert!(size_of::<Getpageframeinfo3>() == 0x10);
    assert!(size_of::<ShadowOpStats>() == 0x8);
    assert!(size_of::<ShadowOp>() == 0x28);
    assert!(size_of::<MaxMem>() == 0x8);
    assert!(size_of::<Nodeaffinity>() == 0x10);
    assert!(size_of::<MaxVcpus>() == 0x4);
    assert!(size_of::<Setdomainhandle>() == 0x10);
    assert!(size_of::<HypercallInit>() == 0x8);
    assert!(size_of::<Settimeoffset>() == 0x8);
    assert!(size_of::<AddressSize>() == 0x4);
    assert!(size_of::<SetTarget>() == 0x2);
    assert!(size_of::<TscInfo>() == 0x18);
    assert!(size_of::<SetVirqHandler>() == 0x4);
    assert!(size_of::<CpuidLeaf>() == 0x18);
    assert!(size_of::<MsrEntry>() == 0x10);
    assert!(size_of::<CpuPolicy>() == 0x28);
    assert!(size_of::<PagingMempool>() == 0x8);
    assert!(size_of::<Vnuma>() == 0x30);
};
