// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What the toolstack uses.

use crate::Facts;
use crate::macros::{c_name, table};

pub(crate) fn add(facts: &mut Facts) {
    domctl(facts);
    hypfs(facts);
    domctl_debug(facts);
    domctl_device(facts);
    domctl_vcpu(facts);
    sysctl(facts);
    sysctl_cpu(facts);
    sysctl_power(facts);
}

fn hypfs(facts: &mut Facts) {
    table!(facts, hypercalls::hypfs, {
        enum HypfsOp { GET_VERSION = "XEN_HYPFS_OP_get_version", READ = "XEN_HYPFS_OP_read",
            WRITE_CONTENTS = "XEN_HYPFS_OP_write_contents" }
        enum HypfsType { DIR = "XEN_HYPFS_TYPE_DIR", BLOB = "XEN_HYPFS_TYPE_BLOB", STRING = "XEN_HYPFS_TYPE_STRING",
            UINT = "XEN_HYPFS_TYPE_UINT", INT = "XEN_HYPFS_TYPE_INT", BOOL = "XEN_HYPFS_TYPE_BOOL" }
        consts { VERSION = "XEN_HYPFS_VERSION", MAX_PATH_LEN = "XEN_HYPFS_MAX_PATHLEN" }
        struct HypfsDirentry = "struct xen_hypfs_direntry" { kind = "type", encoding, pad, content_len, max_write_len }
    });
}

fn domctl(facts: &mut Facts) {
    table!(facts, hypercalls::domctl, {
        enum DomctlCmd { CREATEDOMAIN = "XEN_DOMCTL_createdomain", DESTROYDOMAIN = "XEN_DOMCTL_destroydomain",
            PAUSEDOMAIN = "XEN_DOMCTL_pausedomain", UNPAUSEDOMAIN = "XEN_DOMCTL_unpausedomain",
            GETDOMAININFO = "XEN_DOMCTL_getdomaininfo", SETVCPUAFFINITY = "XEN_DOMCTL_setvcpuaffinity",
            SHADOW_OP = "XEN_DOMCTL_shadow_op", MAX_MEM = "XEN_DOMCTL_max_mem",
            SETVCPUCONTEXT = "XEN_DOMCTL_setvcpucontext", GETVCPUCONTEXT = "XEN_DOMCTL_getvcpucontext",
            GETVCPUINFO = "XEN_DOMCTL_getvcpuinfo", MAX_VCPUS = "XEN_DOMCTL_max_vcpus",
            SCHEDULER_OP = "XEN_DOMCTL_scheduler_op", SETDOMAINHANDLE = "XEN_DOMCTL_setdomainhandle",
            SETDEBUGGING = "XEN_DOMCTL_setdebugging", IRQ_PERMISSION = "XEN_DOMCTL_irq_permission",
            IOMEM_PERMISSION = "XEN_DOMCTL_iomem_permission", IOPORT_PERMISSION = "XEN_DOMCTL_ioport_permission",
            HYPERCALL_INIT = "XEN_DOMCTL_hypercall_init", SETTIMEOFFSET = "XEN_DOMCTL_settimeoffset",
            GETVCPUAFFINITY = "XEN_DOMCTL_getvcpuaffinity", REAL_MODE_AREA = "XEN_DOMCTL_real_mode_area",
            RESUMEDOMAIN = "XEN_DOMCTL_resumedomain", SENDTRIGGER = "XEN_DOMCTL_sendtrigger",
            SUBSCRIBE = "XEN_DOMCTL_subscribe", GETHVMCONTEXT = "XEN_DOMCTL_gethvmcontext",
            SETHVMCONTEXT = "XEN_DOMCTL_sethvmcontext", SET_ADDRESS_SIZE = "XEN_DOMCTL_set_address_size",
            GET_ADDRESS_SIZE = "XEN_DOMCTL_get_address_size", ASSIGN_DEVICE = "XEN_DOMCTL_assign_device",
            BIND_PT_IRQ = "XEN_DOMCTL_bind_pt_irq", MEMORY_MAPPING = "XEN_DOMCTL_memory_mapping",
            IOPORT_MAPPING = "XEN_DOMCTL_ioport_mapping", SET_EXT_VCPUCONTEXT = "XEN_DOMCTL_set_ext_vcpucontext",
            GET_EXT_VCPUCONTEXT = "XEN_DOMCTL_get_ext_vcpucontext", SET_OPT_FEATURE = "XEN_DOMCTL_set_opt_feature",
            TEST_ASSIGN_DEVICE = "XEN_DOMCTL_test_assign_device", SET_TARGET = "XEN_DOMCTL_set_target",
            DEASSIGN_DEVICE = "XEN_DOMCTL_deassign_device", UNBIND_PT_IRQ = "XEN_DOMCTL_unbind_pt_irq",
            GET_DEVICE_GROUP = "XEN_DOMCTL_get_device_group", DEBUG_OP = "XEN_DOMCTL_debug_op",
            GETHVMCONTEXT_PARTIAL = "XEN_DOMCTL_gethvmcontext_partial", VM_EVENT_OP = "XEN_DOMCTL_vm_event_op",
            MEM_SHARING_OP = "XEN_DOMCTL_mem_sharing_op", GETTSCINFO = "XEN_DOMCTL_gettscinfo",
            SETTSCINFO = "XEN_DOMCTL_settscinfo", GETPAGEFRAMEINFO3 = "XEN_DOMCTL_getpageframeinfo3",
            SETVCPUEXTSTATE = "XEN_DOMCTL_setvcpuextstate", GETVCPUEXTSTATE = "XEN_DOMCTL_getvcpuextstate",
            SET_ACCESS_REQUIRED = "XEN_DOMCTL_set_access_required", AUDIT_P2M = "XEN_DOMCTL_audit_p2m",
            SET_VIRQ_HANDLER = "XEN_DOMCTL_set_virq_handler",
            SET_BROKEN_PAGE_P2M = "XEN_DOMCTL_set_broken_page_p2m", SETNODEAFFINITY = "XEN_DOMCTL_setnodeaffinity",
            GETNODEAFFINITY = "XEN_DOMCTL_getnodeaffinity", CACHEFLUSH = "XEN_DOMCTL_cacheflush",
            GET_VCPU_MSRS = "XEN_DOMCTL_get_vcpu_msrs", SET_VCPU_MSRS = "XEN_DOMCTL_set_vcpu_msrs",
            SETVNUMAINFO = "XEN_DOMCTL_setvnumainfo", PSR_CMT_OP = "XEN_DOMCTL_psr_cmt_op",
            MONITOR_OP = "XEN_DOMCTL_monitor_op", PSR_ALLOC = "XEN_DOMCTL_psr_alloc",
            SOFT_RESET = "XEN_DOMCTL_soft_reset", VUART_OP = "XEN_DOMCTL_vuart_op",
            GET_CPU_POLICY = "XEN_DOMCTL_get_cpu_policy", SET_CPU_POLICY = "XEN_DOMCTL_set_cpu_policy",
            VMTRACE_OP = "XEN_DOMCTL_vmtrace_op", GET_PAGING_MEMPOOL_SIZE = "XEN_DOMCTL_get_paging_mempool_size",
            SET_PAGING_MEMPOOL_SIZE = "XEN_DOMCTL_set_paging_mempool_size",
            GDBSX_GUESTMEMIO = "XEN_DOMCTL_gdbsx_guestmemio", GDBSX_PAUSEVCPU = "XEN_DOMCTL_gdbsx_pausevcpu",
            GDBSX_UNPAUSEVCPU = "XEN_DOMCTL_gdbsx_unpausevcpu", GDBSX_DOMSTATUS = "XEN_DOMCTL_gdbsx_domstatus" }
        enum PageFrameType { NOTAB = "XEN_DOMCTL_PFINFO_NOTAB", L1TAB = "XEN_DOMCTL_PFINFO_L1TAB",
            L2TAB = "XEN_DOMCTL_PFINFO_L2TAB", L3TAB = "XEN_DOMCTL_PFINFO_L3TAB", L4TAB = "XEN_DOMCTL_PFINFO_L4TAB",
            LTABTYPE_MASK = "XEN_DOMCTL_PFINFO_LTABTYPE_MASK", LPINTAB = "XEN_DOMCTL_PFINFO_LPINTAB",
            BROKEN = "XEN_DOMCTL_PFINFO_BROKEN", XALLOC = "XEN_DOMCTL_PFINFO_XALLOC",
            XTAB = "XEN_DOMCTL_PFINFO_XTAB" }
        struct Getpageframeinfo3 = "struct xen_domctl_getpageframeinfo3" { num, array }
        enum ShadowCmd { OFF = "XEN_DOMCTL_SHADOW_OP_OFF", ENABLE_TEST = "XEN_DOMCTL_SHADOW_OP_ENABLE_TEST",
            ENABLE_LOGDIRTY = "XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY", CLEAN = "XEN_DOMCTL_SHADOW_OP_CLEAN",
            PEEK = "XEN_DOMCTL_SHADOW_OP_PEEK", GET_ALLOCATION = "XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION",
            SET_ALLOCATION = "XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION", ENABLE = "XEN_DOMCTL_SHADOW_OP_ENABLE" }
        struct ShadowOpStats = "struct xen_domctl_shadow_op_stats" { fault_count, dirty_count }
        struct ShadowOp = "struct xen_domctl_shadow_op" { op, mode, mb, dirty_bitmap, pages, stats }
        struct MaxMem = "struct xen_domctl_max_mem" { max_memkb }
        struct Nodeaffinity = "struct xen_domctl_nodeaffinity" { nodemap }
        struct PagingMempool = "struct xen_domctl_paging_mempool" { size }
        struct Vnuma = "struct xen_domctl_vnuma" { nr_vnodes, nr_vmemranges, nr_vcpus, pad, vdistance,
            vcpu_to_vnode, vnode_to_pnode, vmemrange }
        struct TscInfo = "struct xen_domctl_tsc_info" { tsc_mode, gtsc_khz, incarnation, pad, elapsed_nsec }
        consts { CPUID_NO_SUBLEAF = "XEN_CPUID_NO_SUBLEAF" }
        struct CpuidLeaf = "xen_cpuid_leaf_t" { leaf, subleaf, a, b, c, d }
        struct MsrEntry = "xen_msr_entry_t" { idx, flags, val }
        struct CpuPolicy = "struct xen_domctl_cpu_policy" { nr_leaves, nr_msrs, leaves, msrs, err_leaf, err_subleaf,
            err_msr }
        consts { DOMCTL_INTERFACE_VERSION = "XEN_DOMCTL_INTERFACE_VERSION" }
        struct Domctl = "struct xen_domctl" { cmd, interface_version, domain, _pad, u }
        struct XenctlBitmap = "struct xenctl_bitmap" { bitmap, nr_bits }
        flags EmulationFlags { LAPIC = "XEN_X86_EMU_LAPIC", HPET = "XEN_X86_EMU_HPET", PM = "XEN_X86_EMU_PM",
            RTC = "XEN_X86_EMU_RTC", IOAPIC = "XEN_X86_EMU_IOAPIC", PIC = "XEN_X86_EMU_PIC",
            VGA = "XEN_X86_EMU_VGA", IOMMU = "XEN_X86_EMU_IOMMU", PIT = "XEN_X86_EMU_PIT",
            USE_PIRQ = "XEN_X86_EMU_USE_PIRQ", VPCI = "XEN_X86_EMU_VPCI" }
        struct ArchDomainconfig = "struct xen_arch_domainconfig" { emulation_flags, misc_flags }
        flags CreateFlags { HVM = "XEN_DOMCTL_CDF_hvm", HAP = "XEN_DOMCTL_CDF_hap",
            S3_INTEGRITY = "XEN_DOMCTL_CDF_s3_integrity", OOS_OFF = "XEN_DOMCTL_CDF_oos_off",
            XS_DOMAIN = "XEN_DOMCTL_CDF_xs_domain", IOMMU = "XEN_DOMCTL_CDF_iommu",
            NESTED_VIRT = "XEN_DOMCTL_CDF_nested_virt", VPMU = "XEN_DOMCTL_CDF_vpmu" }
        struct Createdomain = "struct xen_domctl_createdomain" { ssidref, handle, flags, iommu_opts, max_vcpus,
            max_evtchn_port, max_grant_frames, max_maptrack_frames, grant_opts, vmtrace_size, cpupool_id, arch }
        flags DominfFlags { DYING = "XEN_DOMINF_dying", HVM_GUEST = "XEN_DOMINF_hvm_guest",
            SHUTDOWN = "XEN_DOMINF_shutdown", PAUSED = "XEN_DOMINF_paused", BLOCKED = "XEN_DOMINF_blocked",
            RUNNING = "XEN_DOMINF_running", DEBUGGED = "XEN_DOMINF_debugged", XS_DOMAIN = "XEN_DOMINF_xs_domain",
            HAP = "XEN_DOMINF_hap", SHUTDOWN_MASK = "XEN_DOMINF_shutdownmask<<XEN_DOMINF_shutdownshift" }
        consts { DOMINF_SHUTDOWN_SHIFT = "XEN_DOMINF_shutdownshift" }
        struct Getdomaininfo = "struct xen_domctl_getdomaininfo" { domain, pad1, flags, tot_pages, max_pages,
            outstanding_pages, shr_pages, paged_pages, shared_info_frame, cpu_time, nr_online_vcpus, max_vcpu_id,
            ssidref, handle, cpupool, gpaddr_bits, pad2, arch_config }
        struct MaxVcpus = "struct xen_domctl_max_vcpus" { max }
        struct Setdomainhandle = "struct xen_domctl_setdomainhandle" { handle }
        struct HypercallInit = "struct xen_domctl_hypercall_init" { gmfn }
        struct Settimeoffset = "struct xen_domctl_settimeoffset" { time_offset_seconds }
        struct AddressSize = "struct xen_domctl_address_size" { size }
        struct SetTarget = "struct xen_domctl_set_target" { target }
        struct SetVirqHandler = "struct xen_domctl_set_virq_handler" { virq }
    });
}

fn domctl_debug(facts: &mut Facts) {
    table!(facts, hypercalls::domctl::debug, {
        struct Setdebugging = "struct xen_domctl_setdebugging" { enable }
        struct Sendtrigger = "struct xen_domctl_sendtrigger" { trigger, vcpu }
        struct Subscribe = "struct xen_domctl_subscribe" { port }
        struct Hvmcontext = "struct xen_domctl_hvmcontext" { size, buffer }
        struct HvmcontextPartial = "struct xen_domctl_hvmcontext_partial" { record_type = "type", instance, bufsz,
            buffer }
        struct DebugOp = "struct xen_domctl_debug_op" { op, vcpu }
        struct GdbsxMemio = "struct xen_domctl_gdbsx_memio" { pgd3val, gva, uva, len, gwr, remain }
        struct GdbsxPauseunpVcpu = "struct xen_domctl_gdbsx_pauseunp_vcpu" { vcpu }
        struct GdbsxDomstatus = "struct xen_domctl_gdbsx_domstatus" { paused, vcpu_id, vcpu_ev }
        struct VmEventOp = "struct xen_domctl_vm_event_op" { op, mode, u }
        struct MemSharingOp = "struct xen_domctl_mem_sharing_op" { op, enable = "u.enable" }
        struct SetAccessRequired = "struct xen_domctl_set_access_required" { access_required }
        struct AuditP2m = "struct xen_domctl_audit_p2m" { orphans, m2p_bad, p2m_bad }
        struct SetBrokenPageP2m = "struct xen_domctl_set_broken_page_p2m" { pfn }
        struct Cacheflush = "struct xen_domctl_cacheflush" { start_pfn, nr_pfns }
        struct PsrCmtOp = "struct xen_domctl_psr_cmt_op" { cmd, data }
        struct MonitorOp = "struct xen_domctl_monitor_op" { op, event, u }
        struct PsrAlloc = "struct xen_domctl_psr_alloc" { cmd, target, data }
        struct VuartOp = "struct xen_domctl_vuart_op" { cmd, uart_type = "type", gfn, console_domid, _pad = "pad",
            evtchn }
        struct VmtraceOp = "struct xen_domctl_vmtrace_op" { cmd, vcpu, key, value }
    });
}

fn domctl_device(facts: &mut Facts) {
    table!(facts, hypercalls::domctl::device, {
        struct IrqPermission = "struct xen_domctl_irq_permission" { pirq, allow_access, pad }
        struct IomemPermission = "struct xen_domctl_iomem_permission" { first_mfn, nr_mfns, allow_access }
        struct IoportPermission = "struct xen_domctl_ioport_permission" { first_port, nr_ports, allow_access }
        enum DeviceKind { PCI = "XEN_DOMCTL_DEV_PCI", DT = "XEN_DOMCTL_DEV_DT" }
        struct AssignDevice = "struct xen_domctl_assign_device" { dev, flags, u }
        struct GetDeviceGroup = "struct xen_domctl_get_device_group" { machine_sbdf, max_sdevs, num_sdevs,
            sdev_array }
        struct BindPtIrq = "struct xen_domctl_bind_pt_irq" { machine_irq, irq_type, u }
        struct MemoryMapping = "struct xen_domctl_memory_mapping" { first_gfn, first_mfn, nr_mfns, add_mapping,
            padding }
        struct IoportMapping = "struct xen_domctl_ioport_mapping" { first_gport, first_mport, nr_ports, add_mapping
            }
    });
}

fn domctl_vcpu(facts: &mut Facts) {
    table!(facts, hypercalls::domctl::vcpu, {
        struct Vcpucontext = "struct xen_domctl_vcpucontext" { vcpu, ctxt }
        struct Getvcpuinfo = "struct xen_domctl_getvcpuinfo" { vcpu, online, blocked, running, cpu_time, cpu }
        flags AffinityFlags { HARD = "XEN_VCPUAFFINITY_HARD", SOFT = "XEN_VCPUAFFINITY_SOFT",
            FORCE = "XEN_VCPUAFFINITY_FORCE" }
        struct Vcpuaffinity = "struct xen_domctl_vcpuaffinity" { vcpu, flags, cpumap_hard, cpumap_soft }
        enum SchedulerId { CREDIT = "XEN_SCHEDULER_CREDIT", CREDIT2 = "XEN_SCHEDULER_CREDIT2",
            ARINC653 = "XEN_SCHEDULER_ARINC653", RTDS = "XEN_SCHEDULER_RTDS", NULL = "XEN_SCHEDULER_NULL" }
        enum SchedulerCmd { PUTINFO = "XEN_DOMCTL_SCHEDOP_putinfo", GETINFO = "XEN_DOMCTL_SCHEDOP_getinfo",
            PUTVCPUINFO = "XEN_DOMCTL_SCHEDOP_putvcpuinfo", GETVCPUINFO = "XEN_DOMCTL_SCHEDOP_getvcpuinfo" }
        struct SchedCredit = "struct xen_domctl_sched_credit" { weight, cap }
        struct SchedRtds = "struct xen_domctl_sched_rtds" { period, budget, flags }
        struct SchedparamVcpu = "struct xen_domctl_schedparam_vcpu" { u, vcpuid }
        struct SchedVcpus = "__typeof__(((struct xen_domctl_scheduler_op *)0)->u.v)" { vcpus, nr_vcpus, padding }
        struct SchedulerOp = "struct xen_domctl_scheduler_op" { sched_id, cmd, u }
        struct ExtVcpucontext = "struct xen_domctl_ext_vcpucontext" { vcpu, size, syscall32_callback_eip,
            sysenter_callback_eip, syscall32_callback_cs, sysenter_callback_cs, syscall32_disables_events,
            sysenter_disables_events, vmce }
        struct Vcpuextstate = "struct xen_domctl_vcpuextstate" { vcpu, xfeature_mask, size, buffer }
        struct VcpuMsr = "struct xen_domctl_vcpu_msr" { index, reserved, value }
        struct VcpuMsrs = "struct xen_domctl_vcpu_msrs" { vcpu, msr_count, msrs }
    });
}

fn sysctl(facts: &mut Facts) {
    table!(facts, hypercalls::sysctl, {
        consts { INVALID_CORE_ID = "XEN_INVALID_CORE_ID", INVALID_SOCKET_ID = "XEN_INVALID_SOCKET_ID",
            INVALID_NODE_ID = "XEN_INVALID_NODE_ID", INVALID_DEV = "XEN_INVALID_DEV" }
        struct Cputopo = "struct xen_sysctl_cputopo" { core, socket, node }
        struct Cputopoinfo = "struct xen_sysctl_cputopoinfo" { num_cpus, cputopo }
        struct Meminfo = "struct xen_sysctl_meminfo" { memsize, memfree }
        struct Numainfo = "struct xen_sysctl_numainfo" { num_nodes, meminfo, distance }
        enum CpupoolCmd { CREATE = "XEN_SYSCTL_CPUPOOL_OP_CREATE", DESTROY = "XEN_SYSCTL_CPUPOOL_OP_DESTROY",
            INFO = "XEN_SYSCTL_CPUPOOL_OP_INFO", ADDCPU = "XEN_SYSCTL_CPUPOOL_OP_ADDCPU",
            RMCPU = "XEN_SYSCTL_CPUPOOL_OP_RMCPU", MOVEDOMAIN = "XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN",
            FREEINFO = "XEN_SYSCTL_CPUPOOL_OP_FREEINFO" }
        consts { CPUPOOL_PAR_ANY = "XEN_SYSCTL_CPUPOOL_PAR_ANY" }
        struct CpupoolOp = "struct xen_sysctl_cpupool_op" { op, cpupool_id, sched_id, domid, cpu, n_dom, cpumap }
        struct Pcitopoinfo = "struct xen_sysctl_pcitopoinfo" { num_devs, devs, nodes }
        struct TbufOp = "struct xen_sysctl_tbuf_op" { cmd, cpu_mask, evt_mask, buffer_mfn, size }
        struct PerfcOp = "struct xen_sysctl_perfc_op" { cmd, nr_counters, nr_vals, desc, val }
        struct PerfcDesc = "struct xen_sysctl_perfc_desc" { name, nr_vals }
        struct LockprofData = "struct xen_sysctl_lockprof_data" { name, lock_type = "type", idx, lock_cnt,
            block_cnt, lock_time, block_time }
        struct LockprofOp = "struct xen_sysctl_lockprof_op" { cmd, max_elem, nr_elem, time, data }
        struct CoverageOp = "struct xen_sysctl_coverage_op" { cmd, size, buffer }
        struct LivepatchOp = "struct xen_sysctl_livepatch_op" { cmd, pad, u }
        consts { SYSCTL_INTERFACE_VERSION = "XEN_SYSCTL_INTERFACE_VERSION" }
        enum SysctlCmd { READCONSOLE = "XEN_SYSCTL_readconsole", TBUF_OP = "XEN_SYSCTL_tbuf_op",
            PHYSINFO = "XEN_SYSCTL_physinfo", SCHED_ID = "XEN_SYSCTL_sched_id", PERFC_OP = "XEN_SYSCTL_perfc_op",
            GETDOMAININFOLIST = "XEN_SYSCTL_getdomaininfolist", DEBUG_KEYS = "XEN_SYSCTL_debug_keys",
            GETCPUINFO = "XEN_SYSCTL_getcpuinfo", AVAILHEAP = "XEN_SYSCTL_availheap",
            GET_PMSTAT = "XEN_SYSCTL_get_pmstat", CPU_HOTPLUG = "XEN_SYSCTL_cpu_hotplug",
            PM_OP = "XEN_SYSCTL_pm_op", PAGE_OFFLINE_OP = "XEN_SYSCTL_page_offline_op",
            LOCKPROF_OP = "XEN_SYSCTL_lockprof_op", CPUTOPOINFO = "XEN_SYSCTL_cputopoinfo",
            NUMAINFO = "XEN_SYSCTL_numainfo", CPUPOOL_OP = "XEN_SYSCTL_cpupool_op",
            SCHEDULER_OP = "XEN_SYSCTL_scheduler_op", COVERAGE_OP = "XEN_SYSCTL_coverage_op",
            PSR_CMT_OP = "XEN_SYSCTL_psr_cmt_op", PCITOPOINFO = "XEN_SYSCTL_pcitopoinfo",
            PSR_ALLOC = "XEN_SYSCTL_psr_alloc", GET_CPU_LEVELLING_CAPS = "XEN_SYSCTL_get_cpu_levelling_caps",
            GET_CPU_FEATURESET = "XEN_SYSCTL_get_cpu_featureset", LIVEPATCH_OP = "XEN_SYSCTL_livepatch_op",
            GET_CPU_POLICY = "XEN_SYSCTL_get_cpu_policy" }
        struct Sysctl = "struct xen_sysctl" { cmd, interface_version, u }
        struct Readconsole = "struct xen_sysctl_readconsole" { clear, incremental, pad0, pad1, index, buffer, count
            }
        flags PhysCaps { HVM = "XEN_SYSCTL_PHYSCAP_hvm", PV = "XEN_SYSCTL_PHYSCAP_pv",
            DIRECTIO = "XEN_SYSCTL_PHYSCAP_directio", HAP = "XEN_SYSCTL_PHYSCAP_hap",
            SHADOW = "XEN_SYSCTL_PHYSCAP_shadow", IOMMU_HAP_PT_SHARE = "XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share",
            VMTRACE = "XEN_SYSCTL_PHYSCAP_vmtrace", VPMU = "XEN_SYSCTL_PHYSCAP_vpmu",
            GNTTAB_V1 = "XEN_SYSCTL_PHYSCAP_gnttab_v1", GNTTAB_V2 = "XEN_SYSCTL_PHYSCAP_gnttab_v2" }
        struct Physinfo = "struct xen_sysctl_physinfo" { threads_per_core, cores_per_socket, nr_cpus, max_cpu_id,
            nr_nodes, max_node_id, cpu_khz, capabilities, arch_capabilities, pad, total_pages, free_pages,
            scrub_pages, outstanding_pages, max_mfn, hw_cap }
        struct SysctlSchedId = "struct xen_sysctl_sched_id" { sched_id }
        struct Getdomaininfolist = "struct xen_sysctl_getdomaininfolist" { first_domain, max_domains, buffer,
            num_domains }
        struct DebugKeys = "struct xen_sysctl_debug_keys" { keys, nr_keys }
        struct SysctlCpuinfo = "struct xen_sysctl_cpuinfo" { idletime }
        struct Getcpuinfo = "struct xen_sysctl_getcpuinfo" { max_cpus, info, nr_cpus }
        struct Availheap = "struct xen_sysctl_availheap" { min_bitwidth, max_bitwidth, node, avail_bytes }
        struct PageOfflineOp = "struct xen_sysctl_page_offline_op" { cmd, start, end, status }
        struct CreditSchedule = "struct xen_sysctl_credit_schedule" { tslice_ms, ratelimit_us, vcpu_migr_delay_us }
        struct Credit2Schedule = "struct xen_sysctl_credit2_schedule" { ratelimit_us }
        struct SysctlSchedulerOp = "struct xen_sysctl_scheduler_op" { cpupool_id, sched_id, cmd, u }
    });
}

fn sysctl_cpu(facts: &mut Facts) {
    table!(facts, hypercalls::sysctl::cpu, {
        flags LevellingCaps { FAULTING = "XEN_SYSCTL_CPU_LEVELCAP_faulting", ECX = "XEN_SYSCTL_CPU_LEVELCAP_ecx",
            EDX = "XEN_SYSCTL_CPU_LEVELCAP_edx", EXTD_ECX = "XEN_SYSCTL_CPU_LEVELCAP_extd_ecx",
            EXTD_EDX = "XEN_SYSCTL_CPU_LEVELCAP_extd_edx", XSAVE_EAX = "XEN_SYSCTL_CPU_LEVELCAP_xsave_eax",
            THERMAL_ECX = "XEN_SYSCTL_CPU_LEVELCAP_thermal_ecx", L7S0_EAX = "XEN_SYSCTL_CPU_LEVELCAP_l7s0_eax",
            L7S0_EBX = "XEN_SYSCTL_CPU_LEVELCAP_l7s0_ebx" }
        struct CpuLevellingCaps = "struct xen_sysctl_cpu_levelling_caps" { caps }
        enum FeaturesetIndex { RAW = "XEN_SYSCTL_cpu_featureset_raw", HOST = "XEN_SYSCTL_cpu_featureset_host",
            PV = "XEN_SYSCTL_cpu_featureset_pv", HVM = "XEN_SYSCTL_cpu_featureset_hvm",
            PV_MAX = "XEN_SYSCTL_cpu_featureset_pv_max", HVM_MAX = "XEN_SYSCTL_cpu_featureset_hvm_max" }
        struct CpuFeatureset = "struct xen_sysctl_cpu_featureset" { index, nr_features, features }
        enum CpuPolicyIndex { RAW = "XEN_SYSCTL_cpu_policy_raw", HOST = "XEN_SYSCTL_cpu_policy_host",
            PV_MAX = "XEN_SYSCTL_cpu_policy_pv_max", HVM_MAX = "XEN_SYSCTL_cpu_policy_hvm_max",
            PV_DEFAULT = "XEN_SYSCTL_cpu_policy_pv_default", HVM_DEFAULT = "XEN_SYSCTL_cpu_policy_hvm_default" }
        struct SysctlCpuPolicy = "struct xen_sysctl_cpu_policy" { index, nr_leaves, nr_msrs, _rsvd, leaves, msrs }
        struct SysctlPsrCmtOp = "struct xen_sysctl_psr_cmt_op" { cmd, flags, data = "u.data" }
        struct SysctlPsrAlloc = "struct xen_sysctl_psr_alloc" { cmd, target, u }
    });
}

fn sysctl_power(facts: &mut Facts) {
    table!(facts, hypercalls::sysctl::power, {
        struct PmPxVal = "struct pm_px_val" { freq, residency, count }
        struct PmPxStat = "struct pm_px_stat" { total, usable, last, cur, trans_pt, pt }
        struct PmCxStat = "struct pm_cx_stat" { nr, last, idle_time, triggers, residencies, nr_pc, nr_cc, pc, cc }
        enum PmstatType { GET_MAX_PX = "PMSTAT_get_max_px", GET_PXSTAT = "PMSTAT_get_pxstat",
            RESET_PXSTAT = "PMSTAT_reset_pxstat", GET_MAX_CX = "PMSTAT_get_max_cx",
            GET_CXSTAT = "PMSTAT_get_cxstat", RESET_CXSTAT = "PMSTAT_reset_cxstat" }
        struct GetPmstat = "struct xen_sysctl_get_pmstat" { stat_type = "type", cpuid, u }
        enum CpuHotplugOp { ONLINE = "XEN_SYSCTL_CPU_HOTPLUG_ONLINE", OFFLINE = "XEN_SYSCTL_CPU_HOTPLUG_OFFLINE",
            SMT_ENABLE = "XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE", SMT_DISABLE = "XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE" }
        struct CpuHotplug = "struct xen_sysctl_cpu_hotplug" { cpu, op }
        struct SetCpufreqPara = "struct xen_set_cpufreq_para" { ctrl_type, ctrl_value }
        struct SetCpufreqGov = "struct xen_set_cpufreq_gov" { scaling_governor }
        struct GetCpufreqPara = "struct xen_get_cpufreq_para" { cpu_num, freq_num, gov_num, affected_cpus,
            scaling_available_frequencies, scaling_available_governors, scaling_driver, cpuinfo_cur_freq,
            cpuinfo_max_freq, cpuinfo_min_freq, scaling_cur_freq, scaling_governor, scaling_max_freq,
            scaling_min_freq, u, turbo_enabled }
        enum PmCmd { GET_CPUFREQ_PARA = "GET_CPUFREQ_PARA", SET_CPUFREQ_GOV = "SET_CPUFREQ_GOV",
            SET_CPUFREQ_PARA = "SET_CPUFREQ_PARA", GET_CPUFREQ_AVGFREQ = "GET_CPUFREQ_AVGFREQ",
            SET_SCHED_OPT_SMT = "XEN_SYSCTL_pm_op_set_sched_opt_smt",
            GET_MAX_CSTATE = "XEN_SYSCTL_pm_op_get_max_cstate", SET_MAX_CSTATE = "XEN_SYSCTL_pm_op_set_max_cstate",
            SET_VCPU_MIGRATION_DELAY = "XEN_SYSCTL_pm_op_set_vcpu_migration_delay",
            GET_VCPU_MIGRATION_DELAY = "XEN_SYSCTL_pm_op_get_vcpu_migration_delay",
            ENABLE_TURBO = "XEN_SYSCTL_pm_op_enable_turbo", DISABLE_TURBO = "XEN_SYSCTL_pm_op_disable_turbo" }
        struct PmOp = "struct xen_sysctl_pm_op" { cmd, cpuid, u }
    });
}
