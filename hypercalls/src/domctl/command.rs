// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The commands of `domctl`; in brackets what [`super::Domctl::u`] holds.

use crate::macros::open_enum;

open_enum! {
    /// [`super::Domctl::cmd`].
    pub struct DomctlCmd: u32 {
        /// Makes a domain ([`super::Createdomain`]).
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
        /// Describes it ([`super::Getdomaininfo`]).
        #[doc(alias = "XEN_DOMCTL_getdomaininfo")]
        GETDOMAININFO = 5,
        /// Where a vCPU may run ([`super::vcpu::Vcpuaffinity`]).
        #[doc(alias = "XEN_DOMCTL_setvcpuaffinity")]
        SETVCPUAFFINITY = 9,
        /// Dirty tracking ([`super::ShadowOp`]).
        #[doc(alias = "XEN_DOMCTL_shadow_op")]
        SHADOW_OP = 10,
        /// Limits its memory ([`super::MaxMem`]).
        #[doc(alias = "XEN_DOMCTL_max_mem")]
        MAX_MEM = 11,
        /// Sets a vCPU's state ([`super::vcpu::Vcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_setvcpucontext")]
        SETVCPUCONTEXT = 12,
        /// Reads a vCPU's state ([`super::vcpu::Vcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_getvcpucontext")]
        GETVCPUCONTEXT = 13,
        /// Describes a vCPU ([`super::vcpu::Getvcpuinfo`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuinfo")]
        GETVCPUINFO = 14,
        /// Sets the number of vCPUs ([`super::MaxVcpus`]).
        #[doc(alias = "XEN_DOMCTL_max_vcpus")]
        MAX_VCPUS = 15,
        /// Scheduling parameters ([`super::vcpu::SchedulerOp`]).
        #[doc(alias = "XEN_DOMCTL_scheduler_op")]
        SCHEDULER_OP = 16,
        /// Sets its UUID ([`super::Setdomainhandle`]).
        #[doc(alias = "XEN_DOMCTL_setdomainhandle")]
        SETDOMAINHANDLE = 17,
        /// For debuggers ([`super::debug::Setdebugging`]).
        #[doc(alias = "XEN_DOMCTL_setdebugging")]
        SETDEBUGGING = 18,
        /// Lets it use an interrupt ([`super::device::IrqPermission`]).
        #[doc(alias = "XEN_DOMCTL_irq_permission")]
        IRQ_PERMISSION = 19,
        /// Lets it map device memory ([`super::device::IomemPermission`]).
        #[doc(alias = "XEN_DOMCTL_iomem_permission")]
        IOMEM_PERMISSION = 20,
        /// Lets it use ports ([`super::device::IoportPermission`]).
        #[doc(alias = "XEN_DOMCTL_ioport_permission")]
        IOPORT_PERMISSION = 21,
        /// Fills a hypercall page ([`super::HypercallInit`]).
        #[doc(alias = "XEN_DOMCTL_hypercall_init")]
        HYPERCALL_INIT = 22,
        /// Shifts its wall clock ([`super::Settimeoffset`]).
        #[doc(alias = "XEN_DOMCTL_settimeoffset")]
        SETTIMEOFFSET = 24,
        /// Where a vCPU may run ([`super::vcpu::Vcpuaffinity`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuaffinity")]
        GETVCPUAFFINITY = 25,
        /// Obsolete.
        #[doc(alias = "XEN_DOMCTL_real_mode_area")]
        REAL_MODE_AREA = 26,
        /// Undoes a shutdown for suspend.
        #[doc(alias = "XEN_DOMCTL_resumedomain")]
        RESUMEDOMAIN = 27,
        /// Presses a button ([`super::debug::Sendtrigger`]).
        #[doc(alias = "XEN_DOMCTL_sendtrigger")]
        SENDTRIGGER = 28,
        /// Obsolete ([`super::debug::Subscribe`]).
        #[doc(alias = "XEN_DOMCTL_subscribe")]
        SUBSCRIBE = 29,
        /// HVM ([`super::debug::Hvmcontext`]).
        #[doc(alias = "XEN_DOMCTL_gethvmcontext")]
        GETHVMCONTEXT = 33,
        /// HVM ([`super::debug::Hvmcontext`]).
        #[doc(alias = "XEN_DOMCTL_sethvmcontext")]
        SETHVMCONTEXT = 34,
        /// 32 or 64 ([`super::AddressSize`]).
        #[doc(alias = "XEN_DOMCTL_set_address_size")]
        SET_ADDRESS_SIZE = 35,
        /// 32 or 64 ([`super::AddressSize`]).
        #[doc(alias = "XEN_DOMCTL_get_address_size")]
        GET_ADDRESS_SIZE = 36,
        /// Gives it a device ([`super::device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_assign_device")]
        ASSIGN_DEVICE = 37,
        /// HVM ([`super::device::BindPtIrq`]).
        #[doc(alias = "XEN_DOMCTL_bind_pt_irq")]
        BIND_PT_IRQ = 38,
        /// Maps device memory; translated guests ([`super::device::MemoryMapping`]).
        #[doc(alias = "XEN_DOMCTL_memory_mapping")]
        MEMORY_MAPPING = 39,
        /// Maps ports; HVM ([`super::device::IoportMapping`]).
        #[doc(alias = "XEN_DOMCTL_ioport_mapping")]
        IOPORT_MAPPING = 40,
        /// More of a vCPU's state ([`super::vcpu::ExtVcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_set_ext_vcpucontext")]
        SET_EXT_VCPUCONTEXT = 42,
        /// More of a vCPU's state ([`super::vcpu::ExtVcpucontext`]).
        #[doc(alias = "XEN_DOMCTL_get_ext_vcpucontext")]
        GET_EXT_VCPUCONTEXT = 43,
        /// Obsolete.
        #[doc(alias = "XEN_DOMCTL_set_opt_feature")]
        SET_OPT_FEATURE = 44,
        /// Whether a device could be given ([`super::device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_test_assign_device")]
        TEST_ASSIGN_DEVICE = 45,
        /// Which domain it serves ([`super::SetTarget`]).
        #[doc(alias = "XEN_DOMCTL_set_target")]
        SET_TARGET = 46,
        /// Takes a device away ([`super::device::AssignDevice`]).
        #[doc(alias = "XEN_DOMCTL_deassign_device")]
        DEASSIGN_DEVICE = 47,
        /// HVM ([`super::device::BindPtIrq`]).
        #[doc(alias = "XEN_DOMCTL_unbind_pt_irq")]
        UNBIND_PT_IRQ = 48,
        /// Which devices go together ([`super::device::GetDeviceGroup`]).
        #[doc(alias = "XEN_DOMCTL_get_device_group")]
        GET_DEVICE_GROUP = 50,
        /// Single steps ([`super::debug::DebugOp`]).
        #[doc(alias = "XEN_DOMCTL_debug_op")]
        DEBUG_OP = 54,
        /// HVM ([`super::debug::HvmcontextPartial`]).
        #[doc(alias = "XEN_DOMCTL_gethvmcontext_partial")]
        GETHVMCONTEXT_PARTIAL = 55,
        /// Introspection ([`super::debug::VmEventOp`]).
        #[doc(alias = "XEN_DOMCTL_vm_event_op")]
        VM_EVENT_OP = 56,
        /// HVM ([`super::debug::MemSharingOp`]).
        #[doc(alias = "XEN_DOMCTL_mem_sharing_op")]
        MEM_SHARING_OP = 57,
        /// Reads the time-stamp mode ([`super::TscInfo`]).
        #[doc(alias = "XEN_DOMCTL_gettscinfo")]
        GETTSCINFO = 59,
        /// Sets it ([`super::TscInfo`]).
        #[doc(alias = "XEN_DOMCTL_settscinfo")]
        SETTSCINFO = 60,
        /// Types of frames ([`super::Getpageframeinfo3`]).
        #[doc(alias = "XEN_DOMCTL_getpageframeinfo3")]
        GETPAGEFRAMEINFO3 = 61,
        /// Sets a vCPU's XSAVE state ([`super::vcpu::Vcpuextstate`]).
        #[doc(alias = "XEN_DOMCTL_setvcpuextstate")]
        SETVCPUEXTSTATE = 62,
        /// Reads it ([`super::vcpu::Vcpuextstate`]).
        #[doc(alias = "XEN_DOMCTL_getvcpuextstate")]
        GETVCPUEXTSTATE = 63,
        /// Introspection ([`super::debug::SetAccessRequired`]).
        #[doc(alias = "XEN_DOMCTL_set_access_required")]
        SET_ACCESS_REQUIRED = 64,
        /// HVM ([`super::debug::AuditP2m`]).
        #[doc(alias = "XEN_DOMCTL_audit_p2m")]
        AUDIT_P2M = 65,
        /// Who gets a global virtual interrupt ([`super::SetVirqHandler`]).
        #[doc(alias = "XEN_DOMCTL_set_virq_handler")]
        SET_VIRQ_HANDLER = 66,
        /// HVM ([`super::debug::SetBrokenPageP2m`]).
        #[doc(alias = "XEN_DOMCTL_set_broken_page_p2m")]
        SET_BROKEN_PAGE_P2M = 67,
        /// NUMA nodes ([`super::Nodeaffinity`]).
        #[doc(alias = "XEN_DOMCTL_setnodeaffinity")]
        SETNODEAFFINITY = 68,
        /// NUMA nodes ([`super::Nodeaffinity`]).
        #[doc(alias = "XEN_DOMCTL_getnodeaffinity")]
        GETNODEAFFINITY = 69,
        /// Arm ([`super::debug::Cacheflush`]).
        #[doc(alias = "XEN_DOMCTL_cacheflush")]
        CACHEFLUSH = 71,
        /// Reads a vCPU's MSRs ([`super::vcpu::VcpuMsrs`]).
        #[doc(alias = "XEN_DOMCTL_get_vcpu_msrs")]
        GET_VCPU_MSRS = 72,
        /// Sets them ([`super::vcpu::VcpuMsrs`]).
        #[doc(alias = "XEN_DOMCTL_set_vcpu_msrs")]
        SET_VCPU_MSRS = 73,
        /// Virtual NUMA ([`super::Vnuma`]).
        #[doc(alias = "XEN_DOMCTL_setvnumainfo")]
        SETVNUMAINFO = 74,
        /// Cache monitoring ([`super::debug::PsrCmtOp`]).
        #[doc(alias = "XEN_DOMCTL_psr_cmt_op")]
        PSR_CMT_OP = 75,
        /// Introspection ([`super::debug::MonitorOp`]).
        #[doc(alias = "XEN_DOMCTL_monitor_op")]
        MONITOR_OP = 77,
        /// Cache allocation ([`super::debug::PsrAlloc`]).
        #[doc(alias = "XEN_DOMCTL_psr_alloc")]
        PSR_ALLOC = 78,
        /// Starts afresh with its memory kept.
        #[doc(alias = "XEN_DOMCTL_soft_reset")]
        SOFT_RESET = 79,
        /// Arm ([`super::debug::VuartOp`]).
        #[doc(alias = "XEN_DOMCTL_vuart_op")]
        VUART_OP = 81,
        /// Reads CPUID and MSR policy ([`super::CpuPolicy`]).
        #[doc(alias = "XEN_DOMCTL_get_cpu_policy")]
        GET_CPU_POLICY = 82,
        /// Sets them ([`super::CpuPolicy`]).
        #[doc(alias = "XEN_DOMCTL_set_cpu_policy")]
        SET_CPU_POLICY = 83,
        /// Processor trace ([`super::debug::VmtraceOp`]).
        #[doc(alias = "XEN_DOMCTL_vmtrace_op")]
        VMTRACE_OP = 84,
        /// HVM ([`super::PagingMempool`]).
        #[doc(alias = "XEN_DOMCTL_get_paging_mempool_size")]
        GET_PAGING_MEMPOOL_SIZE = 85,
        /// HVM ([`super::PagingMempool`]).
        #[doc(alias = "XEN_DOMCTL_set_paging_mempool_size")]
        SET_PAGING_MEMPOOL_SIZE = 86,
        /// Debugger ([`super::debug::GdbsxMemio`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_guestmemio")]
        GDBSX_GUESTMEMIO = 1000,
        /// Debugger ([`super::debug::GdbsxPauseunpVcpu`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_pausevcpu")]
        GDBSX_PAUSEVCPU = 1001,
        /// Debugger ([`super::debug::GdbsxPauseunpVcpu`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_unpausevcpu")]
        GDBSX_UNPAUSEVCPU = 1002,
        /// Debugger ([`super::debug::GdbsxDomstatus`]).
        #[doc(alias = "XEN_DOMCTL_gdbsx_domstatus")]
        GDBSX_DOMSTATUS = 1003,
    }
}
