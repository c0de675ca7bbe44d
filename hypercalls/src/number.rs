// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Hypercall numbers: what a guest puts in `rax` (`__HYPERVISOR_*`).

use crate::macros::open_enum;

open_enum! {
    /// Which hypercall. 64 bits wide because that is the register; unlisted numbers are answered with `-ENOSYS`.
    pub struct HypercallNumber: u64 {
        /// Registers exception handlers.
        #[doc(alias = "__HYPERVISOR_set_trap_table")]
        SET_TRAP_TABLE = 0,
        /// Writes page-table entries, checked.
        #[doc(alias = "__HYPERVISOR_mmu_update")]
        MMU_UPDATE = 1,
        /// Installs descriptor-table frames.
        #[doc(alias = "__HYPERVISOR_set_gdt")]
        SET_GDT = 2,
        /// Sets the kernel stack used on entry from user mode.
        #[doc(alias = "__HYPERVISOR_stack_switch")]
        STACK_SWITCH = 3,
        /// Registers event, failsafe and syscall entry points (older form of `callback_op`).
        #[doc(alias = "__HYPERVISOR_set_callbacks")]
        SET_CALLBACKS = 4,
        /// Sets or clears the virtual `CR0.TS`.
        #[doc(alias = "__HYPERVISOR_fpu_taskswitch")]
        FPU_TASKSWITCH = 5,
        /// Older `sched_op`.
        #[doc(alias = "__HYPERVISOR_sched_op_compat")]
        SCHED_OP_COMPAT = 6,
        /// Control domain: platform services.
        #[doc(alias = "__HYPERVISOR_platform_op")]
        PLATFORM_OP = 7,
        /// Writes a debug register.
        #[doc(alias = "__HYPERVISOR_set_debugreg")]
        SET_DEBUGREG = 8,
        /// Reads a debug register.
        #[doc(alias = "__HYPERVISOR_get_debugreg")]
        GET_DEBUGREG = 9,
        /// Writes one GDT or LDT descriptor, checked.
        #[doc(alias = "__HYPERVISOR_update_descriptor")]
        UPDATE_DESCRIPTOR = 10,
        /// Memory reservations and memory maps.
        #[doc(alias = "__HYPERVISOR_memory_op")]
        MEMORY_OP = 12,
        /// Runs a list of hypercalls.
        #[doc(alias = "__HYPERVISOR_multicall")]
        MULTICALL = 13,
        /// Writes the L1 entry of an address of the caller.
        #[doc(alias = "__HYPERVISOR_update_va_mapping")]
        UPDATE_VA_MAPPING = 14,
        /// Sets the vCPU's one-shot timer.
        #[doc(alias = "__HYPERVISOR_set_timer_op")]
        SET_TIMER_OP = 15,
        /// Older `event_channel_op`.
        #[doc(alias = "__HYPERVISOR_event_channel_op_compat")]
        EVENT_CHANNEL_OP_COMPAT = 16,
        /// Version, features and capabilities.
        #[doc(alias = "__HYPERVISOR_xen_version")]
        XEN_VERSION = 17,
        /// The emergency console.
        #[doc(alias = "__HYPERVISOR_console_io")]
        CONSOLE_IO = 18,
        /// Older `physdev_op`.
        #[doc(alias = "__HYPERVISOR_physdev_op_compat")]
        PHYSDEV_OP_COMPAT = 19,
        /// Sharing of pages.
        #[doc(alias = "__HYPERVISOR_grant_table_op")]
        GRANT_TABLE_OP = 20,
        /// Switches optional behaviour on or off.
        #[doc(alias = "__HYPERVISOR_vm_assist")]
        VM_ASSIST = 21,
        /// As `UPDATE_VA_MAPPING`, for another domain's frame.
        #[doc(alias = "__HYPERVISOR_update_va_mapping_otherdomain")]
        UPDATE_VA_MAPPING_OTHERDOMAIN = 22,
        /// Returns from an exception.
        #[doc(alias = "__HYPERVISOR_iret")]
        IRET = 23,
        /// vCPU life cycle, timers and shared areas.
        #[doc(alias = "__HYPERVISOR_vcpu_op")]
        VCPU_OP = 24,
        /// Sets the FS or GS base, or the user GS selector.
        #[doc(alias = "__HYPERVISOR_set_segment_base")]
        SET_SEGMENT_BASE = 25,
        /// Pinning, base pointers, flushes.
        #[doc(alias = "__HYPERVISOR_mmuext_op")]
        MMUEXT_OP = 26,
        /// Security module.
        #[doc(alias = "__HYPERVISOR_xsm_op")]
        XSM_OP = 27,
        /// NMI callback.
        #[doc(alias = "__HYPERVISOR_nmi_op")]
        NMI_OP = 28,
        /// Yield, block, shut down, poll.
        #[doc(alias = "__HYPERVISOR_sched_op")]
        SCHED_OP = 29,
        /// Registers entry points.
        #[doc(alias = "__HYPERVISOR_callback_op")]
        CALLBACK_OP = 30,
        /// Profiling.
        #[doc(alias = "__HYPERVISOR_xenoprof_op")]
        XENOPROF_OP = 31,
        /// Event channels.
        #[doc(alias = "__HYPERVISOR_event_channel_op")]
        EVENT_CHANNEL_OP = 32,
        /// Interrupts and PCI devices.
        #[doc(alias = "__HYPERVISOR_physdev_op")]
        PHYSDEV_OP = 33,
        /// Mostly for hardware-assisted guests.
        #[doc(alias = "__HYPERVISOR_hvm_op")]
        HVM_OP = 34,
        /// Toolstack: about the whole host.
        #[doc(alias = "__HYPERVISOR_sysctl")]
        SYSCTL = 35,
        /// Toolstack: about one domain.
        #[doc(alias = "__HYPERVISOR_domctl")]
        DOMCTL = 36,
        /// Crash kernels.
        #[doc(alias = "__HYPERVISOR_kexec_op")]
        KEXEC_OP = 37,
        /// Removed.
        #[doc(alias = "__HYPERVISOR_tmem_op")]
        TMEM_OP = 38,
        /// Messages between domains.
        #[doc(alias = "__HYPERVISOR_argo_op")]
        ARGO_OP = 39,
        /// Performance counters.
        #[doc(alias = "__HYPERVISOR_xenpmu_op")]
        XENPMU_OP = 40,
        /// Device models.
        #[doc(alias = "__HYPERVISOR_dm_op")]
        DM_OP = 41,
        /// Hypervisor file system.
        #[doc(alias = "__HYPERVISOR_hypfs_op")]
        HYPFS_OP = 42,
        /// Machine checks (the first architecture-specific number).
        #[doc(alias = "__HYPERVISOR_mca")]
        MCA = 48,
        /// Xen's internal continuation of a domctl; guests do not call it.
        #[doc(alias = "__HYPERVISOR_arch_1")]
        PAGING_DOMCTL_CONT = 49,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_2")]
        ARCH_2 = 50,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_3")]
        ARCH_3 = 51,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_4")]
        ARCH_4 = 52,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_5")]
        ARCH_5 = 53,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_6")]
        ARCH_6 = 54,
        /// Unused.
        #[doc(alias = "__HYPERVISOR_arch_7")]
        ARCH_7 = 55,
    }
}
