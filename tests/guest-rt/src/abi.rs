// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of the ABI, as in Xen's public headers.
#![forbid(unsafe_code)]

/// Constants that are documented by their C name.
macro_rules! numbers {
    ($ty:ty; $($name:ident = $value:expr, $c:literal;)*) => {
        $(#[doc = concat!("`", $c, "`")] pub const $name: $ty = $value;)*
    };
}

// xen.h: hypercall numbers.
numbers! { u64;
    HC_SET_TRAP_TABLE = 0, "__HYPERVISOR_set_trap_table";
    HC_MMU_UPDATE = 1, "__HYPERVISOR_mmu_update";
    HC_SET_GDT = 2, "__HYPERVISOR_set_gdt";
    HC_STACK_SWITCH = 3, "__HYPERVISOR_stack_switch";
    HC_SET_CALLBACKS = 4, "__HYPERVISOR_set_callbacks";
    HC_FPU_TASKSWITCH = 5, "__HYPERVISOR_fpu_taskswitch";
    HC_SCHED_OP_COMPAT = 6, "__HYPERVISOR_sched_op_compat";
    HC_PLATFORM_OP = 7, "__HYPERVISOR_platform_op";
    HC_SET_DEBUGREG = 8, "__HYPERVISOR_set_debugreg";
    HC_GET_DEBUGREG = 9, "__HYPERVISOR_get_debugreg";
    HC_UPDATE_DESCRIPTOR = 10, "__HYPERVISOR_update_descriptor";
    HC_MEMORY_OP = 12, "__HYPERVISOR_memory_op";
    HC_MULTICALL = 13, "__HYPERVISOR_multicall";
    HC_UPDATE_VA_MAPPING = 14, "__HYPERVISOR_update_va_mapping";
    HC_SET_TIMER_OP = 15, "__HYPERVISOR_set_timer_op";
    HC_EVENT_CHANNEL_OP_COMPAT = 16, "__HYPERVISOR_event_channel_op_compat";
    HC_XEN_VERSION = 17, "__HYPERVISOR_xen_version";
    HC_CONSOLE_IO = 18, "__HYPERVISOR_console_io";
    HC_PHYSDEV_OP_COMPAT = 19, "__HYPERVISOR_physdev_op_compat";
    HC_GRANT_TABLE_OP = 20, "__HYPERVISOR_grant_table_op";
    HC_VM_ASSIST = 21, "__HYPERVISOR_vm_assist";
    HC_UPDATE_VA_MAPPING_OTHERDOMAIN = 22, "__HYPERVISOR_update_va_mapping_otherdomain";
    HC_IRET = 23, "__HYPERVISOR_iret";
    HC_VCPU_OP = 24, "__HYPERVISOR_vcpu_op";
    HC_SET_SEGMENT_BASE = 25, "__HYPERVISOR_set_segment_base";
    HC_MMUEXT_OP = 26, "__HYPERVISOR_mmuext_op";
    HC_NMI_OP = 28, "__HYPERVISOR_nmi_op";
    HC_SCHED_OP = 29, "__HYPERVISOR_sched_op";
    HC_CALLBACK_OP = 30, "__HYPERVISOR_callback_op";
    HC_EVENT_CHANNEL_OP = 32, "__HYPERVISOR_event_channel_op";
    HC_PHYSDEV_OP = 33, "__HYPERVISOR_physdev_op";
    HC_HVM_OP = 34, "__HYPERVISOR_hvm_op";
    HC_SYSCTL = 35, "__HYPERVISOR_sysctl";
    HC_DOMCTL = 36, "__HYPERVISOR_domctl";
    CONSOLEIO_WRITE = 0, "CONSOLEIO_write";
    CONSOLEIO_READ = 1, "CONSOLEIO_read";
}

// errno.h, negated as hypercalls return them.
numbers! { i64;
    EPERM = -1, "XEN_EPERM";
    ENOENT = -2, "XEN_ENOENT";
    ESRCH = -3, "XEN_ESRCH";
    EIO = -5, "XEN_EIO";
    ENXIO = -6, "XEN_ENXIO";
    E2BIG = -7, "XEN_E2BIG";
    ENOMEM = -12, "XEN_ENOMEM";
    EACCES = -13, "XEN_EACCES";
    EFAULT = -14, "XEN_EFAULT";
    EBUSY = -16, "XEN_EBUSY";
    EEXIST = -17, "XEN_EEXIST";
    ENODEV = -19, "XEN_ENODEV";
    EINVAL = -22, "XEN_EINVAL";
    ENOSPC = -28, "XEN_ENOSPC";
    EDOM = -33, "XEN_EDOM";
    ERANGE = -34, "XEN_ERANGE";
    ENODATA = -61, "XEN_ENODATA";
    ENOSYS = -38, "XEN_ENOSYS";
    EOPNOTSUPP = -95, "XEN_EOPNOTSUPP";
    EADDRNOTAVAIL = -99, "XEN_EADDRNOTAVAIL";
    ENOBUFS = -105, "XEN_ENOBUFS";
}

// sched.h, vcpu.h, event_channel.h, grant_table.h, memory.h: sub-operations.
numbers! { u64;
    SCHEDOP_YIELD = 0, "SCHEDOP_yield";
    SCHEDOP_BLOCK = 1, "SCHEDOP_block";
    SCHEDOP_SHUTDOWN = 2, "SCHEDOP_shutdown";
    SCHEDOP_POLL = 3, "SCHEDOP_poll";
    VCPUOP_INITIALISE = 0, "VCPUOP_initialise";
    VCPUOP_UP = 1, "VCPUOP_up";
    VCPUOP_DOWN = 2, "VCPUOP_down";
    VCPUOP_IS_UP = 3, "VCPUOP_is_up";
    VCPUOP_GET_RUNSTATE_INFO = 4, "VCPUOP_get_runstate_info";
    VCPUOP_REGISTER_RUNSTATE = 5, "VCPUOP_register_runstate_memory_area";
    VCPUOP_SET_PERIODIC_TIMER = 6, "VCPUOP_set_periodic_timer";
    VCPUOP_STOP_PERIODIC_TIMER = 7, "VCPUOP_stop_periodic_timer";
    VCPUOP_SET_SINGLESHOT_TIMER = 8, "VCPUOP_set_singleshot_timer";
    VCPUOP_STOP_SINGLESHOT_TIMER = 9, "VCPUOP_stop_singleshot_timer";
    VCPUOP_REGISTER_VCPU_INFO = 10, "VCPUOP_register_vcpu_info";
    VCPUOP_SEND_NMI = 11, "VCPUOP_send_nmi";
    VCPUOP_GET_PHYSID = 12, "VCPUOP_get_physid";
    VCPUOP_REGISTER_TIME = 13, "VCPUOP_register_vcpu_time_memory_area";
    EVTCHNOP_BIND_INTERDOMAIN = 0, "EVTCHNOP_bind_interdomain";
    EVTCHNOP_BIND_VIRQ = 1, "EVTCHNOP_bind_virq";
    EVTCHNOP_BIND_PIRQ = 2, "EVTCHNOP_bind_pirq";
    EVTCHNOP_CLOSE = 3, "EVTCHNOP_close";
    EVTCHNOP_SEND = 4, "EVTCHNOP_send";
    EVTCHNOP_STATUS = 5, "EVTCHNOP_status";
    EVTCHNOP_ALLOC_UNBOUND = 6, "EVTCHNOP_alloc_unbound";
    EVTCHNOP_BIND_IPI = 7, "EVTCHNOP_bind_ipi";
    EVTCHNOP_BIND_VCPU = 8, "EVTCHNOP_bind_vcpu";
    EVTCHNOP_UNMASK = 9, "EVTCHNOP_unmask";
    EVTCHNOP_RESET = 10, "EVTCHNOP_reset";
    EVTCHNOP_INIT_CONTROL = 11, "EVTCHNOP_init_control";
    EVTCHNOP_EXPAND_ARRAY = 12, "EVTCHNOP_expand_array";
    EVTCHNOP_SET_PRIORITY = 13, "EVTCHNOP_set_priority";
    GNTTABOP_MAP_GRANT_REF = 0, "GNTTABOP_map_grant_ref";
    GNTTABOP_UNMAP_GRANT_REF = 1, "GNTTABOP_unmap_grant_ref";
    GNTTABOP_SETUP_TABLE = 2, "GNTTABOP_setup_table";
    GNTTABOP_COPY = 5, "GNTTABOP_copy";
    GNTTABOP_QUERY_SIZE = 6, "GNTTABOP_query_size";
    GNTTABOP_UNMAP_AND_REPLACE = 7, "GNTTABOP_unmap_and_replace";
    GNTTABOP_SET_VERSION = 8, "GNTTABOP_set_version";
    GNTTABOP_GET_STATUS_FRAMES = 9, "GNTTABOP_get_status_frames";
    GNTTABOP_GET_VERSION = 10, "GNTTABOP_get_version";
    GNTTABOP_SWAP_GRANT_REF = 11, "GNTTABOP_swap_grant_ref";
    GNTTABOP_CACHE_FLUSH = 12, "GNTTABOP_cache_flush";
    XENMEM_DECREASE_RESERVATION = 1, "XENMEM_decrease_reservation";
    XENMEM_MAXIMUM_RAM_PAGE = 2, "XENMEM_maximum_ram_page";
    XENMEM_CURRENT_RESERVATION = 3, "XENMEM_current_reservation";
    XENMEM_MAXIMUM_RESERVATION = 4, "XENMEM_maximum_reservation";
    XENMEM_POPULATE_PHYSMAP = 6, "XENMEM_populate_physmap";
    XENMEM_MEMORY_MAP = 9, "XENMEM_memory_map";
    XENMEM_MACHINE_MEMORY_MAP = 10, "XENMEM_machine_memory_map";
    XENMEM_EXCHANGE = 11, "XENMEM_exchange";
    XENMEM_MACHPHYS_MAPPING = 12, "XENMEM_machphys_mapping";
    MMUEXT_PIN_L1 = 0, "MMUEXT_PIN_L1_TABLE";
    MMUEXT_PIN_L2 = 1, "MMUEXT_PIN_L2_TABLE";
    MMUEXT_PIN_L3 = 2, "MMUEXT_PIN_L3_TABLE";
    MMUEXT_PIN_L4 = 3, "MMUEXT_PIN_L4_TABLE";
    MMUEXT_UNPIN = 4, "MMUEXT_UNPIN_TABLE";
    MMUEXT_NEW_BASEPTR = 5, "MMUEXT_NEW_BASEPTR";
    MMUEXT_TLB_FLUSH_LOCAL = 6, "MMUEXT_TLB_FLUSH_LOCAL";
    MMUEXT_INVLPG_LOCAL = 7, "MMUEXT_INVLPG_LOCAL";
    MMUEXT_TLB_FLUSH_MULTI = 8, "MMUEXT_TLB_FLUSH_MULTI";
    MMUEXT_INVLPG_MULTI = 9, "MMUEXT_INVLPG_MULTI";
    MMUEXT_TLB_FLUSH_ALL = 10, "MMUEXT_TLB_FLUSH_ALL";
    MMUEXT_INVLPG_ALL = 11, "MMUEXT_INVLPG_ALL";
    MMUEXT_FLUSH_CACHE = 12, "MMUEXT_FLUSH_CACHE";
    MMUEXT_SET_LDT = 13, "MMUEXT_SET_LDT";
    MMUEXT_NEW_USER_BASEPTR = 15, "MMUEXT_NEW_USER_BASEPTR";
    MMUEXT_CLEAR_PAGE = 16, "MMUEXT_CLEAR_PAGE";
    MMUEXT_COPY_PAGE = 17, "MMUEXT_COPY_PAGE";
    DOMID_SELF = 0x7ff0, "DOMID_SELF";
    DOMID_IO = 0x7ff1, "DOMID_IO";
    DOMID_XEN = 0x7ff2, "DOMID_XEN";
    DOMID_INVALID = 0x7ff4, "DOMID_INVALID";
    FLAT_KERNEL_CS = 0xe033, "FLAT_KERNEL_CS64";
    FLAT_USER_CS32 = 0xe023, "FLAT_USER_CS32";
    FLAT_KERNEL_SS = 0xe02b, "FLAT_KERNEL_SS64";
    HYPERVISOR_VIRT_START = 0xffff_8000_0000_0000, "HYPERVISOR_VIRT_START";
    HYPERVISOR_VIRT_END = 0xffff_8800_0000_0000, "HYPERVISOR_VIRT_END";
    VGCF_IN_SYSCALL = 0x100, "VGCF_in_syscall";
}

numbers! { u32;
    SHUTDOWN_POWEROFF = 0, "SHUTDOWN_poweroff";
    SHUTDOWN_REBOOT = 1, "SHUTDOWN_reboot";
    VIRQ_TIMER = 0, "VIRQ_TIMER";
    VIRQ_DEBUG = 1, "VIRQ_DEBUG";
    VIRQ_CONSOLE = 2, "VIRQ_CONSOLE";
    VIRQ_DOM_EXC = 3, "VIRQ_DOM_EXC";
}

// Page-table entry bits (SDM volume 3, 4.5), and Xen's own.
numbers! { u64;
    PTE_P = 1, "_PAGE_PRESENT";
    PTE_RW = 2, "_PAGE_RW";
    PTE_US = 4, "_PAGE_USER";
    PTE_PWT = 8, "_PAGE_PWT";
    PTE_PCD = 0x10, "_PAGE_PCD";
    PTE_A = 0x20, "_PAGE_ACCESSED";
    PTE_D = 0x40, "_PAGE_DIRTY";
    PTE_PSE = 0x80, "_PAGE_PSE";
    PTE_G = 0x100, "_PAGE_GLOBAL";
    PTE_GUEST_KERNEL = 1 << 52, "_PAGE_GUEST_KERNEL";
    PTE_NX = 1 << 63, "_PAGE_NX";
}
