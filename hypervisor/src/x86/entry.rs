// SPDX-License-Identifier: MIT OR Apache-2.0
//! The assembly entry points (`entry.S`) and their addresses.
// UNSAFETY: includes the assembly and takes addresses of its symbols.
#![expect(unsafe_code, reason = "assembly entry points")]

use crate::x86::percpu::CpuId;

#[cfg(target_os = "none")]
mod symbols {
    use crate::config::MAX_CPUS;
    use crate::x86::regs;

    core::arch::global_asm!(
        include_str!("entry.S"),
        vector = const regs::OFFSET_VECTOR,
        rip = const regs::OFFSET_RIP,
        cs = const regs::OFFSET_CS,
        rax = const regs::OFFSET_RAX,
        rcx = const regs::OFFSET_RCX,
        r11 = const regs::OFFSET_R11,
        rflags = const regs::OFFSET_RFLAGS,
        go_sysret = const regs::GO_SYSRET,
        rsp = const regs::OFFSET_RSP,
        stack = const regs::OFFSET_STACK,
        sysret = const regs::EXIT_SYSRET,
        syscall_vector = const regs::VECTOR_SYSCALL,
        cstar_vector = const regs::VECTOR_CSTAR,
        sysenter_vector = const regs::VECTOR_SYSENTER,
        max_cpus = const MAX_CPUS,
        options(att_syntax)
    );
    unsafe extern "C" {
        pub(super) static entry_vectors: [u8; 4096];
        pub(super) static entry_debug: u8;
        pub(super) static entry_nmi: u8;
        pub(super) static entry_double_fault: u8;
        pub(super) static entry_machine_check: u8;
        pub(super) static entry_sysenter: u8;
        pub(super) static entry_syscall: [u8; 32 * MAX_CPUS];
        pub(super) static entry_cstar: [u8; 32 * MAX_CPUS];
        pub(super) static syscall_slots: [[core::sync::atomic::AtomicU64; 8]; MAX_CPUS];
    }
}

/// On the host there is no assembly: the addresses are zero and nothing is ever loaded from them.
#[cfg(not(target_os = "none"))]
#[expect(non_upper_case_globals, reason = "named like the assembly symbols they stand for")]
mod symbols {
    use crate::config::MAX_CPUS;
    use core::sync::atomic::AtomicU64;
    pub(super) static entry_vectors: [u8; 4096] = [0; 4096];
    pub(super) static entry_debug: u8 = 0;
    pub(super) static entry_nmi: u8 = 0;
    pub(super) static entry_double_fault: u8 = 0;
    pub(super) static entry_machine_check: u8 = 0;
    pub(super) static entry_sysenter: u8 = 0;
    pub(super) static entry_syscall: [u8; 32 * MAX_CPUS] = [0; 32 * MAX_CPUS];
    pub(super) static entry_cstar: [u8; 32 * MAX_CPUS] = [0; 32 * MAX_CPUS];
    pub(super) static syscall_slots: [[AtomicU64; 8]; MAX_CPUS] =
        [const { [const { AtomicU64::new(0) }; 8] }; MAX_CPUS];
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident, $symbol:ident) => {
        $(#[$doc])*
        pub(crate) fn $name() -> u64 {
            core::ptr::addr_of!(symbols::$symbol) as u64
        }
    };
}

address!(/// #DB.
    debug, entry_debug);
address!(/// NMI.
    nmi, entry_nmi);
address!(/// #DF.
    double_fault, entry_double_fault);
address!(/// #MC.
    machine_check, entry_machine_check);
address!(/// SYSENTER.
    sysenter, entry_sysenter);

/// Stub of an ordinary vector.
pub(crate) fn vector(vector: usize) -> u64 {
    core::ptr::addr_of!(symbols::entry_vectors) as u64 + 16 * vector as u64
}

/// SYSCALL entry of a CPU (LSTAR).
pub(crate) fn syscall(cpu: CpuId) -> u64 {
    core::ptr::addr_of!(symbols::entry_syscall) as u64 + 32 * cpu.index() as u64
}

/// Compatibility-mode SYSCALL entry of a CPU (CSTAR).
pub(crate) fn cstar(cpu: CpuId) -> u64 {
    core::ptr::addr_of!(symbols::entry_cstar) as u64 + 32 * cpu.index() as u64
}

/// Address of a CPU's syscall slot, for SYSENTER_ESP.
pub(crate) fn syscall_slot(cpu: CpuId) -> u64 {
    core::ptr::addr_of!(symbols::syscall_slots) as u64 + 64 * cpu.index() as u64
}

/// Where SYSCALL saves the guest's registers on a CPU from now on.
#[inline]
pub(crate) fn set_syscall_slot(cpu: CpuId, end_of_regs: u64) {
    #[cfg_attr(not(target_os = "none"), expect(unused_unsafe, reason = "a plain static on the host"))]
    // SAFETY: the array lives in the image; the slot is an atomic word.
    unsafe {
        symbols::syscall_slots[cpu.index()][0].store(end_of_regs, core::sync::atomic::Ordering::Relaxed);
    }
}
