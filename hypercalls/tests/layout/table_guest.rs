// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What guests use.

use crate::Facts;
use crate::macros::{c_name, table};

pub(crate) fn add(facts: &mut Facts) {
    callback(facts);
    console(facts);
    event_channel(facts);
    grant_table(facts);
    memory(facts);
    mmu(facts);
    multicall(facts);
    nmi(facts);
    sched(facts);
    shared_info(facts);
    start_info(facts);
    trap(facts);
    vcpu(facts);
}

fn callback(facts: &mut Facts) {
    table!(facts, hypercalls::callback, {
        enum CallbackOp { REGISTER = "CALLBACKOP_register", UNREGISTER = "CALLBACKOP_unregister" }
        enum CallbackType { EVENT = "CALLBACKTYPE_event", FAILSAFE = "CALLBACKTYPE_failsafe",
            SYSCALL = "CALLBACKTYPE_syscall", SYSENTER_DEPRECATED = "CALLBACKTYPE_sysenter_deprecated",
            NMI = "CALLBACKTYPE_nmi", SYSENTER = "CALLBACKTYPE_sysenter", SYSCALL32 = "CALLBACKTYPE_syscall32" }
        flags CallbackFlags { MASK_EVENTS = "CALLBACKF_mask_events" }
        struct CallbackRegister = "struct callback_register" { callback_type = "type", flags, address }
        struct CallbackUnregister = "struct callback_unregister" { callback_type = "type", _unused }
    });
}

fn console(facts: &mut Facts) {
    table!(facts, hypercalls::console, {
        enum ConsoleIo {
            WRITE = "CONSOLEIO_write",
            READ = "CONSOLEIO_read",
        }
    });
}

fn event_channel(facts: &mut Facts) {
    table!(facts, hypercalls::event_channel, {
        enum EventChannelOp { BIND_INTERDOMAIN = "EVTCHNOP_bind_interdomain", BIND_VIRQ = "EVTCHNOP_bind_virq",
            BIND_PIRQ = "EVTCHNOP_bind_pirq", CLOSE = "EVTCHNOP_close", SEND = "EVTCHNOP_send",
            STATUS = "EVTCHNOP_status", ALLOC_UNBOUND = "EVTCHNOP_alloc_unbound", BIND_IPI = "EVTCHNOP_bind_ipi",
            BIND_VCPU = "EVTCHNOP_bind_vcpu", UNMASK = "EVTCHNOP_unmask", RESET = "EVTCHNOP_reset",
            INIT_CONTROL = "EVTCHNOP_init_control", EXPAND_ARRAY = "EVTCHNOP_expand_array",
            SET_PRIORITY = "EVTCHNOP_set_priority" }
        struct EvtchnAllocUnbound = "struct evtchn_alloc_unbound" { dom, remote_dom, port }
        struct EvtchnBindInterdomain = "struct evtchn_bind_interdomain" { remote_dom, remote_port, local_port }
        struct EvtchnBindVirq = "struct evtchn_bind_virq" { virq, vcpu, port }
        flags BindPirqFlags { WILL_SHARE = "BIND_PIRQ__WILL_SHARE" }
        struct EvtchnBindPirq = "struct evtchn_bind_pirq" { pirq, flags, port }
        struct EvtchnBindIpi = "struct evtchn_bind_ipi" { vcpu, port }
        struct EvtchnClose = "struct evtchn_close" { port }
        struct EvtchnSend = "struct evtchn_send" { port }
        enum EvtchnState { CLOSED = "EVTCHNSTAT_closed", UNBOUND = "EVTCHNSTAT_unbound",
            INTERDOMAIN = "EVTCHNSTAT_interdomain", PIRQ = "EVTCHNSTAT_pirq", VIRQ = "EVTCHNSTAT_virq",
            IPI = "EVTCHNSTAT_ipi" }
        struct EvtchnStatus = "struct evtchn_status" { dom, port, status, vcpu, u }
        struct EvtchnStatusUnbound = "__typeof__(((struct evtchn_status *)0)->u.unbound)" { dom }
        struct EvtchnStatusInterdomain = "__typeof__(((struct evtchn_status *)0)->u.interdomain)" { dom, port }
        struct EvtchnBindVcpu = "struct evtchn_bind_vcpu" { port, vcpu }
        struct EvtchnUnmask = "struct evtchn_unmask" { port }
        struct EvtchnReset = "struct evtchn_reset" { dom }
        struct EvtchnInitControl = "struct evtchn_init_control" { control_gfn, offset, vcpu, link_bits, _pad }
        struct EvtchnExpandArray = "struct evtchn_expand_array" { array_gfn }
        struct EvtchnSetPriority = "struct evtchn_set_priority" { port, priority }
        struct EvtchnOp = "struct evtchn_op" { cmd, u }
        consts { TWO_LEVEL_CHANNELS = "EVTCHN_2L_NR_CHANNELS", FIFO_PRIORITY_MAX = "EVTCHN_FIFO_PRIORITY_MAX",
            FIFO_PRIORITY_DEFAULT = "EVTCHN_FIFO_PRIORITY_DEFAULT", FIFO_PRIORITY_MIN = "EVTCHN_FIFO_PRIORITY_MIN",
            FIFO_MAX_QUEUES = "EVTCHN_FIFO_MAX_QUEUES", FIFO_LINK_BITS = "EVTCHN_FIFO_LINK_BITS",
            FIFO_LINK_MASK = "EVTCHN_FIFO_LINK_MASK", FIFO_CHANNELS = "EVTCHN_FIFO_NR_CHANNELS" }
        flags EventWord { PENDING = "1u<<EVTCHN_FIFO_PENDING", MASKED = "1u<<EVTCHN_FIFO_MASKED",
            LINKED = "1u<<EVTCHN_FIFO_LINKED", BUSY = "1u<<EVTCHN_FIFO_BUSY" }
        struct EvtchnFifoControlBlock = "struct evtchn_fifo_control_block" { ready, _rsvd, head }
    });
}

fn grant_table(facts: &mut Facts) {
    table!(facts, hypercalls::grant_table, {
        flags GrantFlags { INVALID = "GTF_invalid", PERMIT_ACCESS = "GTF_permit_access",
            ACCEPT_TRANSFER = "GTF_accept_transfer", TRANSITIVE = "GTF_transitive", TYPE_MASK = "GTF_type_mask",
            READONLY = "GTF_readonly", READING = "GTF_reading", WRITING = "GTF_writing", PWT = "GTF_PWT",
            PCD = "GTF_PCD", PAT = "GTF_PAT", SUB_PAGE = "GTF_sub_page" }
        consts { TRANSFER_COMMITTED = "GTF_transfer_committed", TRANSFER_COMPLETED = "GTF_transfer_completed" }
        struct GrantEntryV1 = "struct grant_entry_v1" { flags, domid, frame }
        struct GrantEntryHeader = "struct grant_entry_header" { flags, domid }
        struct GrantEntryV2 = "union grant_entry_v2" { hdr }
        enum GrantTableOp { MAP_GRANT_REF = "GNTTABOP_map_grant_ref", UNMAP_GRANT_REF = "GNTTABOP_unmap_grant_ref",
            SETUP_TABLE = "GNTTABOP_setup_table", DUMP_TABLE = "GNTTABOP_dump_table",
            TRANSFER = "GNTTABOP_transfer", COPY = "GNTTABOP_copy", QUERY_SIZE = "GNTTABOP_query_size",
            UNMAP_AND_REPLACE = "GNTTABOP_unmap_and_replace", SET_VERSION = "GNTTABOP_set_version",
            GET_STATUS_FRAMES = "GNTTABOP_get_status_frames", GET_VERSION = "GNTTABOP_get_version",
            SWAP_GRANT_REF = "GNTTABOP_swap_grant_ref", CACHE_FLUSH = "GNTTABOP_cache_flush" }
        enum GrantStatus { OKAY = "GNTST_okay", GENERAL_ERROR = "GNTST_general_error",
            BAD_DOMAIN = "GNTST_bad_domain", BAD_GNTREF = "GNTST_bad_gntref", BAD_HANDLE = "GNTST_bad_handle",
            BAD_VIRT_ADDR = "GNTST_bad_virt_addr", BAD_DEV_ADDR = "GNTST_bad_dev_addr",
            NO_DEVICE_SPACE = "GNTST_no_device_space", PERMISSION_DENIED = "GNTST_permission_denied",
            BAD_PAGE = "GNTST_bad_page", BAD_COPY_ARG = "GNTST_bad_copy_arg",
            ADDRESS_TOO_BIG = "GNTST_address_too_big", EAGAIN = "GNTST_eagain", NO_SPACE = "GNTST_no_space" }
        flags MapFlags { DEVICE_MAP = "GNTMAP_device_map", HOST_MAP = "GNTMAP_host_map",
            READONLY = "GNTMAP_readonly", APPLICATION_MAP = "GNTMAP_application_map",
            CONTAINS_PTE = "GNTMAP_contains_pte", GUEST_AVAIL_MASK = "GNTMAP_guest_avail_mask" }
        struct GnttabMapGrantRef = "struct gnttab_map_grant_ref" { host_addr, flags, ref_ = "ref", dom, status,
            handle, dev_bus_addr }
        struct GnttabUnmapGrantRef = "struct gnttab_unmap_grant_ref" { host_addr, dev_bus_addr, handle, status }
        struct GnttabSetupTable = "struct gnttab_setup_table" { dom, nr_frames, status, frame_list }
        struct GnttabDumpTable = "struct gnttab_dump_table" { dom, status }
        struct GnttabTransfer = "struct gnttab_transfer" { mfn, domid, ref_ = "ref", status }
        flags CopyFlags { SOURCE_GREF = "GNTCOPY_source_gref", DEST_GREF = "GNTCOPY_dest_gref" }
        struct GnttabCopyPtr = "struct gnttab_copy_ptr" { u, domid, offset }
        struct GnttabCopy = "struct gnttab_copy" { source, dest, len, flags, status }
        struct GnttabQuerySize = "struct gnttab_query_size" { dom, nr_frames, max_nr_frames, status }
        struct GnttabUnmapAndReplace = "struct gnttab_unmap_and_replace" { host_addr, new_addr, handle, status }
        struct GnttabSetVersion = "struct gnttab_set_version" { version }
        struct GnttabGetStatusFrames = "struct gnttab_get_status_frames" { nr_frames, dom, status, frame_list }
        struct GnttabGetVersion = "struct gnttab_get_version" { dom, pad, version }
        struct GnttabSwapGrantRef = "struct gnttab_swap_grant_ref" { ref_a, ref_b, status }
        struct GnttabCacheFlush = "struct gnttab_cache_flush" { offset, length, op }
    });
}

fn memory(facts: &mut Facts) {
    table!(facts, hypercalls::memory, {
        enum MemoryOp { INCREASE_RESERVATION = "XENMEM_increase_reservation",
            DECREASE_RESERVATION = "XENMEM_decrease_reservation", MAXIMUM_RAM_PAGE = "XENMEM_maximum_ram_page",
            CURRENT_RESERVATION = "XENMEM_current_reservation", MAXIMUM_RESERVATION = "XENMEM_maximum_reservation",
            MACHPHYS_MFN_LIST = "XENMEM_machphys_mfn_list", POPULATE_PHYSMAP = "XENMEM_populate_physmap",
            ADD_TO_PHYSMAP = "XENMEM_add_to_physmap", MEMORY_MAP = "XENMEM_memory_map",
            MACHINE_MEMORY_MAP = "XENMEM_machine_memory_map", EXCHANGE = "XENMEM_exchange",
            MACHPHYS_MAPPING = "XENMEM_machphys_mapping", SET_MEMORY_MAP = "XENMEM_set_memory_map",
            MAXIMUM_GPFN = "XENMEM_maximum_gpfn", REMOVE_FROM_PHYSMAP = "XENMEM_remove_from_physmap",
            SET_POD_TARGET = "XENMEM_set_pod_target", GET_POD_TARGET = "XENMEM_get_pod_target",
            GET_SHARING_FREED_PAGES = "XENMEM_get_sharing_freed_pages",
            GET_SHARING_SHARED_PAGES = "XENMEM_get_sharing_shared_pages", PAGING_OP = "XENMEM_paging_op",
            ACCESS_OP = "XENMEM_access_op", SHARING_OP = "XENMEM_sharing_op",
            ADD_TO_PHYSMAP_BATCH = "XENMEM_add_to_physmap_batch",
            MACHPHYS_COMPAT_MFN_LIST = "XENMEM_machphys_compat_mfn_list", GET_VNUMAINFO = "XENMEM_get_vnumainfo",
            RESERVED_DEVICE_MEMORY_MAP = "XENMEM_reserved_device_memory_map",
            ACQUIRE_RESOURCE = "XENMEM_acquire_resource" }
        flags MemFlags { POPULATE_ON_DEMAND = "XENMEMF_populate_on_demand",
            EXACT_NODE_REQUEST = "XENMEMF_exact_node_request", VNODE = "XENMEMF_vnode" }
        struct MemoryReservation = "struct xen_memory_reservation" { extent_start, nr_extents, extent_order,
            mem_flags, domid }
        struct MemoryExchange = "struct xen_memory_exchange" { in_ = "in", out, nr_exchanged }
        struct MemoryDomain = "struct xen_memory_domain" { domid }
        struct MachphysMfnList = "struct xen_machphys_mfn_list" { max_extents, extent_start, nr_extents }
        struct MachphysMapping = "struct xen_machphys_mapping" { v_start, v_end, max_mfn }
        enum MapSpace { SHARED_INFO = "XENMAPSPACE_shared_info", GRANT_TABLE = "XENMAPSPACE_grant_table",
            GMFN = "XENMAPSPACE_gmfn", GMFN_RANGE = "XENMAPSPACE_gmfn_range",
            GMFN_FOREIGN = "XENMAPSPACE_gmfn_foreign", DEV_MMIO = "XENMAPSPACE_dev_mmio" }
        struct AddToPhysmap = "struct xen_add_to_physmap" { domid, size, space, idx, gpfn }
        struct AddToPhysmapBatch = "struct xen_add_to_physmap_batch" { domid, space, size,
            foreign_domid = "u.foreign_domid", idxs, gpfns, errs }
        struct RemoveFromPhysmap = "struct xen_remove_from_physmap" { domid, gpfn }
        struct MemoryMap = "struct xen_memory_map" { nr_entries, buffer }
        struct ForeignMemoryMap = "struct xen_foreign_memory_map" { domid, map }
        struct PodTarget = "struct xen_pod_target" { target_pages, tot_pages, pod_cache_pages, pod_entries, domid }
        struct ReservedDeviceMemory = "struct xen_reserved_device_memory" { start_pfn, nr_pages }
        struct ReservedDeviceMemoryMap = "struct xen_reserved_device_memory_map" { flags, nr_entries, buffer,
            dev = "dev.pci" }
        enum ResourceType { IOREQ_SERVER = "XENMEM_resource_ioreq_server",
            GRANT_TABLE = "XENMEM_resource_grant_table", VMTRACE_BUF = "XENMEM_resource_vmtrace_buf" }
        struct MemAcquireResource = "struct xen_mem_acquire_resource" { domid, resource_type = "type", id,
            nr_frames, pad, frame, frame_list }
        struct Vmemrange = "struct xen_vmemrange" { start, end, flags, nid }
        struct VnumaTopologyInfo = "struct xen_vnuma_topology_info" { domid, pad, nr_vnodes, nr_vcpus,
            nr_vmemranges, vdistance = "vdistance.h", vcpu_to_vnode = "vcpu_to_vnode.h", vmemrange = "vmemrange.h" }
    });
}

fn mmu(facts: &mut Facts) {
    table!(facts, hypercalls::mmu, {
        consts { HYPERVISOR_VIRT_START = "HYPERVISOR_VIRT_START", HYPERVISOR_VIRT_END = "HYPERVISOR_VIRT_END",
            MACH2PHYS_VIRT_START = "MACH2PHYS_VIRT_START", MACH2PHYS_VIRT_END = "MACH2PHYS_VIRT_END",
            MACH2PHYS_NR_ENTRIES = "MACH2PHYS_NR_ENTRIES" }
        enum MmuUpdateCmd { NORMAL_PT_UPDATE = "MMU_NORMAL_PT_UPDATE", MACHPHYS_UPDATE = "MMU_MACHPHYS_UPDATE",
            PT_UPDATE_PRESERVE_AD = "MMU_PT_UPDATE_PRESERVE_AD",
            PT_UPDATE_NO_TRANSLATE = "MMU_PT_UPDATE_NO_TRANSLATE" }
        struct MmuUpdate = "struct mmu_update" { ptr, val }
        enum MmuextCmd { PIN_L1_TABLE = "MMUEXT_PIN_L1_TABLE", PIN_L2_TABLE = "MMUEXT_PIN_L2_TABLE",
            PIN_L3_TABLE = "MMUEXT_PIN_L3_TABLE", PIN_L4_TABLE = "MMUEXT_PIN_L4_TABLE",
            UNPIN_TABLE = "MMUEXT_UNPIN_TABLE", NEW_BASEPTR = "MMUEXT_NEW_BASEPTR",
            TLB_FLUSH_LOCAL = "MMUEXT_TLB_FLUSH_LOCAL", INVLPG_LOCAL = "MMUEXT_INVLPG_LOCAL",
            TLB_FLUSH_MULTI = "MMUEXT_TLB_FLUSH_MULTI", INVLPG_MULTI = "MMUEXT_INVLPG_MULTI",
            TLB_FLUSH_ALL = "MMUEXT_TLB_FLUSH_ALL", INVLPG_ALL = "MMUEXT_INVLPG_ALL",
            FLUSH_CACHE = "MMUEXT_FLUSH_CACHE", SET_LDT = "MMUEXT_SET_LDT",
            NEW_USER_BASEPTR = "MMUEXT_NEW_USER_BASEPTR", CLEAR_PAGE = "MMUEXT_CLEAR_PAGE",
            COPY_PAGE = "MMUEXT_COPY_PAGE", FLUSH_CACHE_GLOBAL = "MMUEXT_FLUSH_CACHE_GLOBAL",
            MARK_SUPER = "MMUEXT_MARK_SUPER", UNMARK_SUPER = "MMUEXT_UNMARK_SUPER" }
        struct MmuextOp = "struct mmuext_op" { cmd, arg1, arg2 }
        enum UvmFlush { NONE = "UVMF_NONE", TLB_FLUSH = "UVMF_TLB_FLUSH", INVLPG = "UVMF_INVLPG" }
        consts { UVMF_FLUSHTYPE_MASK = "UVMF_FLUSHTYPE_MASK", UVMF_LOCAL = "UVMF_LOCAL", UVMF_ALL = "UVMF_ALL" }
    });
}

fn multicall(facts: &mut Facts) {
    table!(facts, hypercalls::multicall, {
        struct MulticallEntry = "struct multicall_entry" { op, result, args }
    });
}

fn nmi(facts: &mut Facts) {
    table!(facts, hypercalls::nmi, {
        flags NmiReason { IO_ERROR = "XEN_NMIREASON_io_error", PCI_SERR = "XEN_NMIREASON_pci_serr",
            UNKNOWN = "XEN_NMIREASON_unknown" }
        enum NmiOp { REGISTER_CALLBACK = "XENNMI_register_callback",
            UNREGISTER_CALLBACK = "XENNMI_unregister_callback" }
        struct NmiCallback = "struct xennmi_callback" { handler_address, pad }
    });
}

fn sched(facts: &mut Facts) {
    table!(facts, hypercalls::sched, {
        enum SchedOp { YIELD = "SCHEDOP_yield", BLOCK = "SCHEDOP_block", SHUTDOWN = "SCHEDOP_shutdown",
            POLL = "SCHEDOP_poll", REMOTE_SHUTDOWN = "SCHEDOP_remote_shutdown",
            SHUTDOWN_CODE = "SCHEDOP_shutdown_code", WATCHDOG = "SCHEDOP_watchdog",
            PIN_OVERRIDE = "SCHEDOP_pin_override" }
        enum ShutdownReason { POWEROFF = "SHUTDOWN_poweroff", REBOOT = "SHUTDOWN_reboot",
            SUSPEND = "SHUTDOWN_suspend", CRASH = "SHUTDOWN_crash", WATCHDOG = "SHUTDOWN_watchdog",
            SOFT_RESET = "SHUTDOWN_soft_reset" }
        struct SchedShutdown = "struct sched_shutdown" { reason }
        struct SchedPoll = "struct sched_poll" { ports, nr_ports, timeout }
        struct SchedRemoteShutdown = "struct sched_remote_shutdown" { domain_id, reason }
        struct SchedWatchdog = "struct sched_watchdog" { id, timeout }
        struct SchedPinOverride = "struct sched_pin_override" { pcpu }
    });
}

fn shared_info(facts: &mut Facts) {
    table!(facts, hypercalls::shared_info, {
        consts { LEGACY_MAX_VCPUS = "XEN_LEGACY_MAX_VCPUS" }
        flags TimeFlags { TSC_STABLE = "XEN_PVCLOCK_TSC_STABLE_BIT", GUEST_STOPPED = "XEN_PVCLOCK_GUEST_STOPPED" }
        struct VcpuTimeInfo = "struct vcpu_time_info" { version, pad0, tsc_timestamp, system_time,
            tsc_to_system_mul, tsc_shift, flags, pad1 }
        struct ArchVcpuInfo = "struct arch_vcpu_info" { cr2, pad }
        struct VcpuInfo = "struct vcpu_info" { evtchn_upcall_pending, evtchn_upcall_mask, evtchn_pending_sel, arch,
            time }
        struct ArchSharedInfo = "struct arch_shared_info" { max_pfn, pfn_to_mfn_frame_list_list, nmi_reason,
            p2m_cr3, p2m_vaddr, p2m_generation }
        struct SharedInfo = "struct shared_info" { vcpu_info, evtchn_pending, evtchn_mask, wc_version, wc_sec,
            wc_nsec, wc_sec_hi, arch }
    });
}

fn start_info(facts: &mut Facts) {
    table!(facts, hypercalls::start_info, {
        consts { MAX_GUEST_CMDLINE = "MAX_GUEST_CMDLINE" }
        flags StartInfoFlags { PRIVILEGED = "SIF_PRIVILEGED", INITDOMAIN = "SIF_INITDOMAIN",
            MULTIBOOT_MOD = "SIF_MULTIBOOT_MOD", MOD_START_PFN = "SIF_MOD_START_PFN",
            VIRT_P2M_4TOOLS = "SIF_VIRT_P2M_4TOOLS", PM_MASK = "SIF_PM_MASK" }
        struct StartInfo = "struct start_info" { magic, nr_pages, shared_info, flags, store_mfn, store_evtchn,
            console, pt_base, nr_pt_frames, mfn_list, mod_start, mod_len, cmd_line, first_p2m_pfn, nr_p2m_frames }
        struct ConsoleDomU = "__typeof__(((struct start_info *)0)->console.domU)" { mfn, evtchn }
        struct ConsoleDom0 = "__typeof__(((struct start_info *)0)->console.dom0)" { info_off, info_size }
        struct MultibootModList = "struct xen_multiboot_mod_list" { mod_start, mod_end, cmdline, pad }
        enum VgaType { TEXT_MODE_3 = "XEN_VGATYPE_TEXT_MODE_3", VESA_LFB = "XEN_VGATYPE_VESA_LFB",
            EFI_LFB = "XEN_VGATYPE_EFI_LFB" }
        struct VgaConsoleInfo = "struct dom0_vga_console_info" { video_type, u }
        struct VgaTextMode = "__typeof__(((struct dom0_vga_console_info *)0)->u.text_mode_3)" { font_height,
            cursor_x, cursor_y, rows, columns }
        struct VgaFrameBuffer = "__typeof__(((struct dom0_vga_console_info *)0)->u.vesa_lfb)" { width, height,
            bytes_per_line, bits_per_pixel, lfb_base, lfb_size, red_pos, red_size, green_pos, green_size, blue_pos,
            blue_size, rsvd_pos, rsvd_size, gbl_caps, mode_attrs, pad, ext_lfb_base }
    });
}

fn trap(facts: &mut Facts) {
    table!(facts, hypercalls::trap, {
        struct TrapInfo = "struct trap_info" { vector, flags, cs, address }
        struct IretContext = "struct iret_context" { rax, r11, rcx, flags, rip, cs, rflags, rsp, ss }
        enum SegmentBase { FS = "SEGBASE_FS", GS_USER = "SEGBASE_GS_USER", GS_KERNEL = "SEGBASE_GS_KERNEL",
            GS_USER_SEL = "SEGBASE_GS_USER_SEL" }
        consts { FLAT_RING3_CS32 = "FLAT_RING3_CS32", FLAT_RING3_CS64 = "FLAT_RING3_CS64",
            FLAT_RING3_DS32 = "FLAT_RING3_DS32", FLAT_RING3_DS64 = "FLAT_RING3_DS64",
            FLAT_RING3_SS64 = "FLAT_RING3_SS64", FLAT_KERNEL_CS = "FLAT_KERNEL_CS",
            FLAT_KERNEL_DS = "FLAT_KERNEL_DS", FLAT_KERNEL_SS = "FLAT_KERNEL_SS", FLAT_USER_CS = "FLAT_USER_CS",
            FLAT_USER_SS = "FLAT_USER_SS" }
        consts { FIRST_RESERVED_GDT_PAGE = "FIRST_RESERVED_GDT_PAGE",
            FIRST_RESERVED_GDT_BYTE = "FIRST_RESERVED_GDT_BYTE",
            FIRST_RESERVED_GDT_ENTRY = "FIRST_RESERVED_GDT_ENTRY" }
    });
}

fn vcpu(facts: &mut Facts) {
    table!(facts, hypercalls::vcpu, {
        enum VcpuOp { INITIALISE = "VCPUOP_initialise", UP = "VCPUOP_up", DOWN = "VCPUOP_down",
            IS_UP = "VCPUOP_is_up", GET_RUNSTATE_INFO = "VCPUOP_get_runstate_info",
            REGISTER_RUNSTATE_MEMORY_AREA = "VCPUOP_register_runstate_memory_area",
            SET_PERIODIC_TIMER = "VCPUOP_set_periodic_timer", STOP_PERIODIC_TIMER = "VCPUOP_stop_periodic_timer",
            SET_SINGLESHOT_TIMER = "VCPUOP_set_singleshot_timer",
            STOP_SINGLESHOT_TIMER = "VCPUOP_stop_singleshot_timer",
            REGISTER_VCPU_INFO = "VCPUOP_register_vcpu_info", SEND_NMI = "VCPUOP_send_nmi",
            GET_PHYSID = "VCPUOP_get_physid",
            REGISTER_VCPU_TIME_MEMORY_AREA = "VCPUOP_register_vcpu_time_memory_area" }
        enum Runstate { RUNNING = "RUNSTATE_running", RUNNABLE = "RUNSTATE_runnable", BLOCKED = "RUNSTATE_blocked",
            OFFLINE = "RUNSTATE_offline" }
        struct VcpuRunstateInfo = "struct vcpu_runstate_info" { state, state_entry_time, time }
        consts { RUNSTATE_UPDATE = "XEN_RUNSTATE_UPDATE" }
        struct VcpuRegisterRunstateMemoryArea = "struct vcpu_register_runstate_memory_area" { addr }
        struct VcpuSetPeriodicTimer = "struct vcpu_set_periodic_timer" { period_ns }
        flags SingleshotFlags { FUTURE = "VCPU_SSHOTTMR_future" }
        struct VcpuSetSingleshotTimer = "struct vcpu_set_singleshot_timer" { timeout_abs_ns, flags }
        struct VcpuRegisterVcpuInfo = "struct vcpu_register_vcpu_info" { mfn, offset, rsvd }
        struct VcpuGetPhysid = "struct vcpu_get_physid" { phys_id }
        struct VcpuRegisterTimeMemoryArea = "struct vcpu_register_time_memory_area" { addr }
        struct CpuUserRegs = "struct cpu_user_regs" { r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx,
            rsi, rdi, error_code, entry_vector, rip, cs, _pad0, saved_upcall_mask, _pad1, rflags, rsp, ss, _pad2,
            es, _pad3, ds, _pad4, fs, _pad5, gs, _pad6 }
        flags ContextFlags { I387_VALID = "VGCF_i387_valid", IN_KERNEL = "VGCF_in_kernel",
            FAILSAFE_DISABLES_EVENTS = "VGCF_failsafe_disables_events",
            SYSCALL_DISABLES_EVENTS = "VGCF_syscall_disables_events", ONLINE = "VGCF_online",
            IN_SYSCALL = "VGCF_in_syscall" }
        struct VcpuGuestContext = "struct vcpu_guest_context" { fpu_ctxt, flags, user_regs, trap_ctxt, ldt_base,
            ldt_ents, gdt_frames, gdt_ents, kernel_ss, kernel_sp, ctrlreg, debugreg, event_callback_eip,
            failsafe_callback_eip, syscall_callback_eip, vm_assist, fs_base, gs_base_kernel, gs_base_user }
    });
}
