// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations on one domain (`domctl.h`): the commands, and the operations a PV toolstack uses all the time.
//! Those on vCPUs, devices and for debugging are in the modules below.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, Virq};
use crate::macros::{flags, open_enum, payload};
use crate::memory::Vmemrange;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub mod debug;
pub mod device;
pub mod vcpu;

/// What [`Domctl::interface_version`] must be.
#[doc(alias = "XEN_DOMCTL_INTERFACE_VERSION")]
pub const DOMCTL_INTERFACE_VERSION: u32 = 0x15;

open_enum! {
    /// [`Domctl::cmd`].
    pub struct DomctlCmd: u32 {
        /// Makes a domain ([`Createdomain`]).
        #[doc(alias = "XEN_DOMCTL_createdomain")]
        CREATEDOMAIN = 1,
        /// Destroys it.
        #[doc(alias = "XEN_DOMCTL_destroydomain")]
        DESTROYDOMAIN = 2,
        /// Keeps it from running.
        #[doc(alias = "XEN_DOMCTL_pausedomain")]
        PAUSEDOMAIN = 3,
        /// Undoes one pause.
        #[doc(alias = "XEN_DOMCTL_unpausedomain")]
        UNPAUSEDOMAIN = 4,
        /// Describes it ([`Getdomaininfo`]).
        #[doc(alias = "XEN_DOMCTL_getdomaininfo")]
        GETDOMAININFO = 5,
        /// Where a vCPU may run ([`vcpu::Vcpuaffinity`]).
        #[doc(alias = "XEN_DOMCTL_setvcpuaffinity")]
        SETVCPUAFFINITY = 9,
        /// Dirty tracking ([`ShadowOp`]).
        #[doc(alias = "XEN_DOMCTL_shadow_op")]
        SHADOW_OP = 10,
        /// Limits its memory ([`MaxMem`]).
        #[doc(alias = "XEN_DOMCTL_max_mem")]
        MAX_MEM = 11,
        /// Sets a vCPU's state ([`vcpu::Vcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_setvcpucontext")]
        SETVCPUCONTEXT = 12,
        /// Reads a vCPU's state ([`vcpu::Vcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_getvcpucontext")]
        GETVCPUCONTEXT = 13,
        /// Describes a vCPU ([`vcpu::Getvcpuinfo`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuinfo")]
        GETVCPUINFO = 14,
        /// Sets the number of vCPUs ([`MaxVcpus`]).
        #[doc(alias = "XEN_DOMCTL_max_vcpus")]
        MAX_VCPUS = 15,
        /// Scheduling parameters ([`vcpu::SchedulerOp`]).
        #[doc(alias = "XEN_DOMCTL_scheduler_op")]
        SCHEDULER_OP = 16,
        /// Sets its UUID ([`Setdomainhandle`]).
        #[doc(alias = "XEN_DOMCTL_setdomainhandle")]
        SETDOMAINHANDLE = 17,
        /// For debuggers ([`debug::Setdebugging`]).
        #[doc(alias = "XEN_DOMCTL_setdebugging")]
        SETDEBUGGING = 18,
        /// Lets it use an interrupt ([`device::IrqPermission`]).
        #[doc(alias = "XEN_DOMCTL_irq_permission")]
        IRQ_PERMISSION = 19,
        /// Lets it map device memory ([`device::IomemPermission`]).
        #[doc(alias = "XEN_DOMCTL_iomem_permission")]
        IOMEM_PERMISSION = 20,
        /// Lets it use ports ([`device::IoportPermission`]).
        #[doc(alias = "XEN_DOMCTL_ioport_permission")]
        IOPORT_PERMISSION = 21,
        /// Fills a hypercall page ([`HypercallInit`]).
        #[doc(alias = "XEN_DOMCTL_hypercall_init")]
        HYPERCALL_INIT = 22,
        /// Shifts its wall clock ([`Settimeoffset`]).
        #[doc(alias = "XEN_DOMCTL_settimeoffset")]
        SETTIMEOFFSET = 24,
        /// Where a vCPU may run ([`vcpu::Vcpuaffinity`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuaffinity")]
        GETVCPUAFFINITY = 25,
        /// Obsolete.
        #[doc(alias = "XEN_DOMCTL_real_mode_area")]
        REAL_MODE_AREA = 26,
        /// Undoes a shutdown for suspend.
        #[doc(alias = "XEN_DOMCTL_resumedomain")]
        RESUMEDOMAIN = 27,
        /// Presses a button ([`debug::Sendtrigger`]).
        #[doc(alias = "XEN_DOMCTL_sendtrigger")]
        SENDTRIGGER = 28,
        /// Obsolete ([`debug::Subscribe`]).
        #[doc(alias = "XEN_DOMCTL_subscribe")]
        SUBSCRIBE = 29,
        /// HVM ([`debug::Hvmcontext`]).
        #[doc(alias = "XEN_DOMCTL_gethvmcontext")]
        GETHVMCONTEXT = 33,
        /// HVM ([`debug::Hvmcontext`]).
        #[doc(alias = "XEN_DOMCTL_sethvmcontext")]
        SETHVMCONTEXT = 34,
        /// 32 or 64 ([`AddressSize`]).
        #[doc(alias = "XEN_DOMCTL_set_address_size")]
        SET_ADDRESS_SIZE = 35,
        /// 32 or 64 ([`AddressSize`]).
        #[doc(alias = "XEN_DOMCTL_get_address_size")]
        GET_ADDRESS_SIZE = 36,
        /// Gives it a device ([`device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_assign_device")]
        ASSIGN_DEVICE = 37,
        /// HVM ([`device::BindPtIrq`]).
        #[doc(alias = "XEN_DOMCTL_bind_pt_irq")]
        BIND_PT_IRQ = 38,
        /// Maps device memory; translated guests ([`device::MemoryMapping`]).
        #[doc(alias = "XEN_DOMCTL_memory_mapping")]
        MEMORY_MAPPING = 39,
        /// Maps ports; HVM ([`device::IoportMapping`]).
        #[doc(alias = "XEN_DOMCTL_ioport_mapping")]
        IOPORT_MAPPING = 40,
        /// More of a vCPU's state ([`vcpu::ExtVcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_set_ext_vcpucontext")]
        SET_EXT_VCPUCONTEXT = 42,
        /// More of a vCPU's state ([`vcpu::ExtVcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_get_ext_vcpucontext")]
        GET_EXT_VCPUCONTEXT = 43,
        /// Obsolete.
        #[doc(alias = "XEN_DOMCTL_set_opt_feature")]
        SET_OPT_FEATURE = 44,
        /// Whether a device could be given ([`device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_test_assign_device")]
        TEST_ASSIGN_DEVICE = 45,
        /// Which domain it serves ([`SetTarget`]).
        #[doc(alias = "XEN_DOMCTL_set_target")]
        SET_TARGET = 46,
        /// Takes a device away ([`device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_deassign_device")]
        DEASSIGN_DEVICE = 47,
        /// HVM ([`device::BindPtIrq`]).
        #[doc(alias = "XEN_DOMCTL_unbind_pt_irq")]
        UNBIND_PT_IRQ = 48,
        /// Which devices go together ([`device::GetDeviceGroup`]).
        #[doc(alias = "XEN_DOMCTL_get_device_group")]
        GET_DEVICE_GROUP = 50,
        /// Single steps ([`debug::DebugOp`]).
        #[doc(alias = "XEN_DOMCTL_debug_op")]
        DEBUG_OP = 54,
        /// HVM ([`debug::HvmcontextPartial`]).
        #[doc(alias = "XEN_DOMCTL_gethvmcontext_partial")]
        GETHVMCONTEXT_PARTIAL = 55,
        /// Introspection ([`debug::VmEventOp`]).
        #[doc(alias = "XEN_DOMCTL_vm_event_op")]
        VM_EVENT_OP = 56,
        /// HVM ([`debug::MemSharingOp`]).
        #[doc(alias = "XEN_DOMCTL_mem_sharing_op")]
        MEM_SHARING_OP = 57,
        /// Reads the time-stamp mode ([`TscInfo`]).
        #[doc(alias = "XEN_DOMCTL_gettscinfo")]
        GETTSCINFO = 59,
        /// Sets it ([`TscInfo`]).
        #[doc(alias = "XEN_DOMCTL_settscinfo")]
        SETTSCINFO = 60,
        /// Types of frames ([`Getpageframeinfo3`]).
        #[doc(alias = "XEN_DOMCTL_getpageframeinfo3")]
        GETPAGEFRAMEINFO3 = 61,
        /// Sets a vCPU's XSAVE state ([`vcpu::Vcpuextstate`]).
        #[doc(alias = "XEN_DOMCTL_setvcpuextstate")]
        SETVCPUEXTSTATE = 62,
        /// Reads it ([`vcpu::Vcpuextstate`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuextstate")]
        GETVCPUEXTSTATE = 63,
        /// Introspection ([`debug::SetAccessRequired`]).
        #[doc(alias = "XEN_DOMCTL_set_access_required")]
        SET_ACCESS_REQUIRED = 64,
        /// HVM ([`debug::AuditP2m`]).
        #[doc(alias = "XEN_DOMCTL_audit_p2m")]
        AUDIT_P2M = 65,
        /// Who gets a global virtual interrupt ([`SetVirqHandler`]).
        #[doc(alias = "XEN_DOMCTL_set_virq_handler")]
        SET_VIRQ_HANDLER = 66,
        /// HVM ([`debug::SetBrokenPageP2m`]).
        #[doc(alias = "XEN_DOMCTL_set_broken_page_p2m")]
        SET_BROKEN_PAGE_P2M = 67,
        /// NUMA nodes ([`Nodeaffinity`]).
        #[doc(alias = "XEN_DOMCTL_setnodeaffinity")]
        SETNODEAFFINITY = 68,
        /// NUMA nodes ([`Nodeaffinity`]).
        #[doc(alias = "XEN_DOMCTL_getnodeaffinity")]
        GETNODEAFFINITY = 69,
        /// Arm ([`debug::Cacheflush`]).
        #[doc(alias = "XEN_DOMCTL_cacheflush")]
        CACHEFLUSH = 71,
        /// Reads a vCPU's MSRs ([`vcpu::VcpuMsrs`]).
        #[doc(alias = "XEN_DOMCTL_get_vcpu_msrs")]
        GET_VCPU_MSRS = 72,
        /// Sets them ([`vcpu::VcpuMsrs`]).
        #[doc(alias = "XEN_DOMCTL_set_vcpu_msrs")]
        SET_VCPU_MSRS = 73,
        /// Virtual NUMA ([`Vnuma`]).
        #[doc(alias = "XEN_DOMCTL_setvnumainfo")]
        SETVNUMAINFO = 74,
        /// Cache monitoring ([`debug::PsrCmtOp`]).
        #[doc(alias = "XEN_DOMCTL_psr_cmt_op")]
        PSR_CMT_OP = 75,
        /// Introspection ([`debug::MonitorOp`]).
        #[doc(alias = "XEN_DOMCTL_monitor_op")]
        MONITOR_OP = 77,
        /// Cache allocation ([`debug::PsrAlloc`]).
        #[doc(alias = "XEN_DOMCTL_psr_alloc")]
        PSR_ALLOC = 78,
        /// Starts afresh with its memory kept.
        #[doc(alias = "XEN_DOMCTL_soft_reset")]
        SOFT_RESET = 79,
        /// Arm ([`debug::VuartOp`]).
        #[doc(alias = "XEN_DOMCTL_vuart_op")]
        VUART_OP = 81,
        /// Reads CPUID and MSR policy ([`CpuPolicy`]).
        #[doc(alias = "XEN_DOMCTL_get_cpu_policy")]
        GET_CPU_POLICY = 82,
        /// Sets them ([`CpuPolicy`]).
        #[doc(alias = "XEN_DOMCTL_set_cpu_policy")]
        SET_CPU_POLICY = 83,
        /// Processor trace ([`debug::VmtraceOp`]).
        #[doc(alias = "XEN_DOMCTL_vmtrace_op")]
        VMTRACE_OP = 84,
        /// HVM ([`PagingMempool`]).
        #[doc(alias = "XEN_DOMCTL_get_paging_mempool_size")]
        GET_PAGING_MEMPOOL_SIZE = 85,
        /// HVM ([`PagingMempool`]).
        #[doc(alias = "XEN_DOMCTL_set_paging_mempool_size")]
        SET_PAGING_MEMPOOL_SIZE = 86,
        /// Debugger ([`debug::GdbsxMemio`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_guestmemio")]
        GDBSX_GUESTMEMIO = 1000,
        /// Debugger ([`debug::GdbsxPauseunpVcpu`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_pausevcpu")]
        GDBSX_PAUSEVCPU = 1001,
        /// Debugger ([`debug::GdbsxPauseunpVcpu`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_unpausevcpu")]
        GDBSX_UNPAUSEVCPU = 1002,
        /// Debugger ([`debug::GdbsxDomstatus`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_domstatus")]
        GDBSX_DOMSTATUS = 1003,
    }
}

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
