// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Numbers and small structs.

use crate::Facts;
use crate::macros::{c_name, table};

pub(crate) fn add(facts: &mut Facts) {
    elfnote(facts);
    errno(facts);
    hvm_op(facts);
    number(facts);
    version(facts);
    vm_assist(facts);
}

fn elfnote(facts: &mut Facts) {
    table!(facts, hypercalls::elfnote, {
        enum ElfNote {
            INFO = "XEN_ELFNOTE_INFO",
            ENTRY = "XEN_ELFNOTE_ENTRY",
            HYPERCALL_PAGE = "XEN_ELFNOTE_HYPERCALL_PAGE",
            VIRT_BASE = "XEN_ELFNOTE_VIRT_BASE",
            PADDR_OFFSET = "XEN_ELFNOTE_PADDR_OFFSET",
            XEN_VERSION = "XEN_ELFNOTE_XEN_VERSION",
            GUEST_OS = "XEN_ELFNOTE_GUEST_OS",
            GUEST_VERSION = "XEN_ELFNOTE_GUEST_VERSION",
            LOADER = "XEN_ELFNOTE_LOADER",
            PAE_MODE = "XEN_ELFNOTE_PAE_MODE",
            FEATURES = "XEN_ELFNOTE_FEATURES",
            BSD_SYMTAB = "XEN_ELFNOTE_BSD_SYMTAB",
            HV_START_LOW = "XEN_ELFNOTE_HV_START_LOW",
            L1_MFN_VALID = "XEN_ELFNOTE_L1_MFN_VALID",
            SUSPEND_CANCEL = "XEN_ELFNOTE_SUSPEND_CANCEL",
            INIT_P2M = "XEN_ELFNOTE_INIT_P2M",
            MOD_START_PFN = "XEN_ELFNOTE_MOD_START_PFN",
            SUPPORTED_FEATURES = "XEN_ELFNOTE_SUPPORTED_FEATURES",
            PHYS32_ENTRY = "XEN_ELFNOTE_PHYS32_ENTRY",
            CRASH_INFO = "XEN_ELFNOTE_CRASH_INFO",
            CRASH_REGS = "XEN_ELFNOTE_CRASH_REGS",
            DUMPCORE_NONE = "XEN_ELFNOTE_DUMPCORE_NONE",
            DUMPCORE_HEADER = "XEN_ELFNOTE_DUMPCORE_HEADER",
            DUMPCORE_XEN_VERSION = "XEN_ELFNOTE_DUMPCORE_XEN_VERSION",
            DUMPCORE_FORMAT_VERSION = "XEN_ELFNOTE_DUMPCORE_FORMAT_VERSION",
        }
    });
}

fn errno(facts: &mut Facts) {
    table!(facts, hypercalls::errno, {
        enum Errno {
            EPERM = "XEN_EPERM",
            ENOENT = "XEN_ENOENT",
            ESRCH = "XEN_ESRCH",
            EINTR = "4",
            EIO = "XEN_EIO",
            ENXIO = "XEN_ENXIO",
            E2BIG = "XEN_E2BIG",
            ENOEXEC = "XEN_ENOEXEC",
            EBADF = "XEN_EBADF",
            ECHILD = "XEN_ECHILD",
            EAGAIN = "XEN_EAGAIN",
            ENOMEM = "XEN_ENOMEM",
            EACCES = "XEN_EACCES",
            EFAULT = "XEN_EFAULT",
            EBUSY = "XEN_EBUSY",
            EEXIST = "XEN_EEXIST",
            EXDEV = "XEN_EXDEV",
            ENODEV = "XEN_ENODEV",
            ENOTDIR = "XEN_ENOTDIR",
            EISDIR = "XEN_EISDIR",
            EINVAL = "XEN_EINVAL",
            ENFILE = "XEN_ENFILE",
            EMFILE = "XEN_EMFILE",
            ENOSPC = "XEN_ENOSPC",
            EROFS = "XEN_EROFS",
            EMLINK = "XEN_EMLINK",
            EDOM = "XEN_EDOM",
            ERANGE = "XEN_ERANGE",
            EDEADLK = "XEN_EDEADLK",
            ENAMETOOLONG = "XEN_ENAMETOOLONG",
            ENOLCK = "XEN_ENOLCK",
            ENOSYS = "XEN_ENOSYS",
            ENOTEMPTY = "XEN_ENOTEMPTY",
            ENODATA = "XEN_ENODATA",
            ETIME = "XEN_ETIME",
            EBADMSG = "XEN_EBADMSG",
            EOVERFLOW = "XEN_EOVERFLOW",
            EILSEQ = "XEN_EILSEQ",
            ERESTART = "85",
            ENOTSOCK = "XEN_ENOTSOCK",
            EMSGSIZE = "XEN_EMSGSIZE",
            EOPNOTSUPP = "XEN_EOPNOTSUPP",
            EADDRINUSE = "XEN_EADDRINUSE",
            EADDRNOTAVAIL = "XEN_EADDRNOTAVAIL",
            ENOBUFS = "XEN_ENOBUFS",
            EISCONN = "XEN_EISCONN",
            ENOTCONN = "XEN_ENOTCONN",
            ETIMEDOUT = "XEN_ETIMEDOUT",
            ECONNREFUSED = "XEN_ECONNREFUSED",
        }
    });
}

fn hvm_op(facts: &mut Facts) {
    table!(facts, hypercalls::hvm_op, {
        enum HvmOp { SET_PARAM = "HVMOP_set_param", GET_PARAM = "HVMOP_get_param", FLUSH_TLBS = "HVMOP_flush_tlbs",
            PAGETABLE_DYING = "HVMOP_pagetable_dying", GET_TIME = "HVMOP_get_time", XENTRACE = "HVMOP_xentrace",
            GET_MEM_TYPE = "HVMOP_get_mem_type", SET_EVTCHN_UPCALL_VECTOR = "HVMOP_set_evtchn_upcall_vector",
            GUEST_REQUEST_VM_EVENT = "HVMOP_guest_request_vm_event", ALTP2M = "HVMOP_altp2m" }
        enum HvmParamIndex { CALLBACK_IRQ = "HVM_PARAM_CALLBACK_IRQ", STORE_PFN = "HVM_PARAM_STORE_PFN",
            STORE_EVTCHN = "HVM_PARAM_STORE_EVTCHN", CONSOLE_PFN = "HVM_PARAM_CONSOLE_PFN",
            CONSOLE_EVTCHN = "HVM_PARAM_CONSOLE_EVTCHN" }
        struct HvmParam = "struct xen_hvm_param" { domid, pad, index, value }
    });
}

fn number(facts: &mut Facts) {
    table!(facts, hypercalls::number, {
        enum HypercallNumber {
            SET_TRAP_TABLE = "__HYPERVISOR_set_trap_table",
            MMU_UPDATE = "__HYPERVISOR_mmu_update",
            SET_GDT = "__HYPERVISOR_set_gdt",
            STACK_SWITCH = "__HYPERVISOR_stack_switch",
            SET_CALLBACKS = "__HYPERVISOR_set_callbacks",
            FPU_TASKSWITCH = "__HYPERVISOR_fpu_taskswitch",
            SCHED_OP_COMPAT = "__HYPERVISOR_sched_op_compat",
            PLATFORM_OP = "__HYPERVISOR_platform_op",
            SET_DEBUGREG = "__HYPERVISOR_set_debugreg",
            GET_DEBUGREG = "__HYPERVISOR_get_debugreg",
            UPDATE_DESCRIPTOR = "__HYPERVISOR_update_descriptor",
            MEMORY_OP = "__HYPERVISOR_memory_op",
            MULTICALL = "__HYPERVISOR_multicall",
            UPDATE_VA_MAPPING = "__HYPERVISOR_update_va_mapping",
            SET_TIMER_OP = "__HYPERVISOR_set_timer_op",
            EVENT_CHANNEL_OP_COMPAT = "__HYPERVISOR_event_channel_op_compat",
            XEN_VERSION = "__HYPERVISOR_xen_version",
            CONSOLE_IO = "__HYPERVISOR_console_io",
            PHYSDEV_OP_COMPAT = "__HYPERVISOR_physdev_op_compat",
            GRANT_TABLE_OP = "__HYPERVISOR_grant_table_op",
            VM_ASSIST = "__HYPERVISOR_vm_assist",
            UPDATE_VA_MAPPING_OTHERDOMAIN = "__HYPERVISOR_update_va_mapping_otherdomain",
            IRET = "__HYPERVISOR_iret",
            VCPU_OP = "__HYPERVISOR_vcpu_op",
            SET_SEGMENT_BASE = "__HYPERVISOR_set_segment_base",
            MMUEXT_OP = "__HYPERVISOR_mmuext_op",
            XSM_OP = "__HYPERVISOR_xsm_op",
            NMI_OP = "__HYPERVISOR_nmi_op",
            SCHED_OP = "__HYPERVISOR_sched_op",
            CALLBACK_OP = "__HYPERVISOR_callback_op",
            XENOPROF_OP = "__HYPERVISOR_xenoprof_op",
            EVENT_CHANNEL_OP = "__HYPERVISOR_event_channel_op",
            PHYSDEV_OP = "__HYPERVISOR_physdev_op",
            HVM_OP = "__HYPERVISOR_hvm_op",
            SYSCTL = "__HYPERVISOR_sysctl",
            DOMCTL = "__HYPERVISOR_domctl",
            KEXEC_OP = "__HYPERVISOR_kexec_op",
            TMEM_OP = "__HYPERVISOR_tmem_op",
            ARGO_OP = "__HYPERVISOR_argo_op",
            XENPMU_OP = "__HYPERVISOR_xenpmu_op",
            DM_OP = "__HYPERVISOR_dm_op",
            HYPFS_OP = "__HYPERVISOR_hypfs_op",
            MCA = "__HYPERVISOR_mca",
            PAGING_DOMCTL_CONT = "__HYPERVISOR_arch_1",
            ARCH_2 = "__HYPERVISOR_arch_2",
            ARCH_3 = "__HYPERVISOR_arch_3",
            ARCH_4 = "__HYPERVISOR_arch_4",
            ARCH_5 = "__HYPERVISOR_arch_5",
            ARCH_6 = "__HYPERVISOR_arch_6",
            ARCH_7 = "__HYPERVISOR_arch_7",
        }
    });
}

fn version(facts: &mut Facts) {
    table!(facts, hypercalls::version, {
        enum VersionOp { VERSION = "XENVER_version", EXTRAVERSION = "XENVER_extraversion",
            COMPILE_INFO = "XENVER_compile_info", CAPABILITIES = "XENVER_capabilities",
            CHANGESET = "XENVER_changeset", PLATFORM_PARAMETERS = "XENVER_platform_parameters",
            GET_FEATURES = "XENVER_get_features", PAGESIZE = "XENVER_pagesize",
            GUEST_HANDLE = "XENVER_guest_handle", COMMANDLINE = "XENVER_commandline", BUILD_ID = "XENVER_build_id" }
        struct CompileInfo = "struct xen_compile_info" { compiler, compile_by, compile_domain, compile_date }
        struct PlatformParameters = "struct xen_platform_parameters" { virt_start }
        struct FeatureInfo = "struct xen_feature_info" { submap_idx, submap }
        struct BuildId = "struct xen_build_id" { len }
        flags Features { WRITABLE_PAGE_TABLES = "1u<<XENFEAT_writable_page_tables",
            WRITABLE_DESCRIPTOR_TABLES = "1u<<XENFEAT_writable_descriptor_tables",
            AUTO_TRANSLATED_PHYSMAP = "1u<<XENFEAT_auto_translated_physmap",
            SUPERVISOR_MODE_KERNEL = "1u<<XENFEAT_supervisor_mode_kernel",
            PAE_PGDIR_ABOVE_4GB = "1u<<XENFEAT_pae_pgdir_above_4gb",
            MMU_PT_UPDATE_PRESERVE_AD = "1u<<XENFEAT_mmu_pt_update_preserve_ad",
            HIGHMEM_ASSIST = "1u<<XENFEAT_highmem_assist",
            GNTTAB_MAP_AVAIL_BITS = "1u<<XENFEAT_gnttab_map_avail_bits",
            HVM_CALLBACK_VECTOR = "1u<<XENFEAT_hvm_callback_vector",
            HVM_SAFE_PVCLOCK = "1u<<XENFEAT_hvm_safe_pvclock", HVM_PIRQS = "1u<<XENFEAT_hvm_pirqs",
            DOM0 = "1u<<XENFEAT_dom0", MEMORY_OP_VNODE_SUPPORTED = "1u<<XENFEAT_memory_op_vnode_supported",
            ARM_SMCCC_SUPPORTED = "1u<<XENFEAT_ARM_SMCCC_supported",
            LINUX_RSDP_UNRESTRICTED = "1u<<XENFEAT_linux_rsdp_unrestricted",
            NOT_DIRECT_MAPPED = "1u<<XENFEAT_not_direct_mapped", DIRECT_MAPPED = "1u<<XENFEAT_direct_mapped" }
        consts { FEATURE_SUBMAPS = "XENFEAT_NR_SUBMAPS" }
    });
}

fn vm_assist(facts: &mut Facts) {
    table!(facts, hypercalls::vm_assist, {
        enum VmAssistCmd {
            ENABLE = "VMASST_CMD_enable",
            DISABLE = "VMASST_CMD_disable",
        }
        enum VmAssistType {
            SEGMENTS_4GB = "VMASST_TYPE_4gb_segments",
            SEGMENTS_4GB_NOTIFY = "VMASST_TYPE_4gb_segments_notify",
            WRITABLE_PAGETABLES = "VMASST_TYPE_writable_pagetables",
            PAE_EXTENDED_CR3 = "VMASST_TYPE_pae_extended_cr3",
            ARCHITECTURAL_IOPL = "VMASST_TYPE_architectural_iopl",
            RUNSTATE_UPDATE_FLAG = "VMASST_TYPE_runstate_update_flag",
            M2P_STRICT = "VMASST_TYPE_m2p_strict",
        }
    });
}
