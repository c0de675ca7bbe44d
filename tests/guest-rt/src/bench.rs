// SPDX-License-Identifier: MIT OR Apache-2.0
//! Measuring: the time-stamp counter, and loops whose guest side is a handful of instructions.
//!
//! Under QEMU's `-icount shift=0` the counter counts instructions executed, so a loop's difference divided by its length is what an
//! operation costs, the guest's own part included.
// UNSAFETY: instructions, and handlers that stand in for the runtime's.
#![expect(unsafe_code, reason = "instructions, and handlers that stand in for the runtime's")]

use core::arch::{asm, global_asm};
use core::sync::atomic::AtomicU64;

use crate::abi;
use crate::trap::{self, SYSCALL};

global_asm!(
    r#"
    .macro bench_tsc
    rdtsc
    shl rdx, 32
    or rax, rdx
    .endm

    // The handler of page faults: skips the faulting instruction, which has three bytes.
    .balign 16
    .type bench_fault, @function
bench_fault:
    pop rcx
    pop r11
    mov qword ptr [rsp], 0
    add qword ptr [rsp + 8], 3
    push rcx
    push r11
    push rax
    mov eax, {iret}
    syscall
    ud2
    .size bench_fault, . - bench_fault

    // bench_faults(address, count): so many page faults by kernel reads of an address.
    .balign 16
    .type bench_faults, @function
bench_faults:
    mov rax, [rdi]
    dec rsi
    jnz bench_faults
    ret
    .size bench_faults, . - bench_faults

    // Handlers of system calls of user mode: 1 goes back at once, 0 ends bench_user. The first goes back as Linux's short way does
    // (sysret), the second all the way (iretq), noting the time right before.
    .macro bench_syscall_handler flags, note
    pop rcx
    pop r11
    test eax, eax
    jz bench_user_end
    push \flags
    push rcx
    push r11
    push rax
    .if \note
    bench_tsc
    mov r14, rax
    .endif
    mov eax, {iret}
    syscall
    ud2
    .endm
    .balign 16
    .type bench_syscall, @function
bench_syscall:
    bench_syscall_handler 0x100, 0
    .size bench_syscall, . - bench_syscall
    .balign 16
    .type bench_syscall_full, @function
bench_syscall_full:
    bench_syscall_handler 0, 1
    .size bench_syscall_full, . - bench_syscall_full

    // bench_user(code, count, address, stack): runs one of the loops below in user mode; what it has in r13 at its end.
    .balign 16
    .type bench_user, @function
bench_user:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rip + {back}], rsp
    mov rbx, rdx
    push {user_ss}
    push rcx
    push 0x202
    push {user_cs}
    push rdi
    push 0
    push 0
    push 0
    push 0
    mov eax, {iret}
    syscall
    ud2
bench_user_end:
    mov rsp, [rip + {back}]
    mov rax, r13
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
    .size bench_user, . - bench_user

    // User loops: rsi = count, rbx = an address that faults.
    .balign 16
    .type bench_user_syscalls, @function
bench_user_syscalls:
    bench_tsc
    mov r13, rax
1:  mov eax, 1
    syscall
    dec rsi
    jnz 1b
    bench_tsc
    sub rax, r13
    mov r13, rax
    xor eax, eax
    syscall
    ud2
    .size bench_user_syscalls, . - bench_user_syscalls

    .balign 16
    .type bench_user_faults, @function
bench_user_faults:
    bench_tsc
    mov r13, rax
1:  mov rax, [rbx]
    dec rsi
    jnz 1b
    bench_tsc
    sub rax, r13
    mov r13, rax
    xor eax, eax
    syscall
    ud2
    .size bench_user_faults, . - bench_user_faults

    .balign 16
    .type bench_user_arrivals, @function
bench_user_arrivals:
    xor r13d, r13d
1:  mov eax, 1
    syscall
    bench_tsc
    sub rax, r14
    add r13, rax
    dec rsi
    jnz 1b
    xor eax, eax
    syscall
    ud2
    .size bench_user_arrivals, . - bench_user_arrivals
    "#,
    iret = const abi::HC_IRET,
    user_cs = const abi::FLAT_KERNEL_CS,
    user_ss = const abi::FLAT_KERNEL_SS,
    back = sym BACK,
);

unsafe extern "C" {
    fn bench_fault();
    fn bench_faults(address: u64, count: u64);
    fn bench_syscall();
    fn bench_syscall_full();
    fn bench_user(code: u64, count: u64, address: u64, stack: u64) -> u64;
    fn bench_user_syscalls();
    fn bench_user_faults();
    fn bench_user_arrivals();
}

/// The kernel stack of `bench_user`, written by the assembly above only.
static BACK: AtomicU64 = AtomicU64::new(0);

/// The time-stamp counter.
#[inline]
pub fn tsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter.
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    u64::from(high) << 32 | u64::from(low)
}

/// The same, read after everything that comes before.
pub fn tsc_ordered() -> u64 {
    // SAFETY: a fence; no `nomem`, so that the compiler keeps it in its place.
    unsafe { asm!("lfence", options(nostack)) };
    tsc()
}

/// Ticks of `operations` calls of `operation` in a loop.
#[inline(always)]
pub fn time(operations: u64, mut operation: impl FnMut()) -> u64 {
    let start = tsc();
    for _ in 0..operations {
        operation();
    }
    tsc() - start
}

/// `wrmsr` of FS_BASE, which the hypervisor emulates.
#[inline(always)]
pub fn wrmsr_fs_base(value: u64) {
    // SAFETY: the runtime and the tests use no FS.
    unsafe {
        asm!("wrmsr", in("ecx") 0xc000_0100_u32, in("eax") value as u32, in("edx") (value >> 32) as u32);
    }
}

/// `cpuid` behind the prefix that makes the hypervisor answer; the registers eax, ebx, ecx, edx.
#[inline(always)]
pub fn cpuid_forced(leaf: u32) -> [u32; 4] {
    let (eax, ebx, ecx, edx);
    // SAFETY: changes the registers named only; rbx, which the compiler keeps for itself, is put back.
    unsafe {
        asm!(
            "mov {rbx}, rbx",
            ".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2", // ud2; "xen"; cpuid
            "xchg {rbx}, rbx",
            rbx = out(reg) ebx,
            inout("eax") leaf => eax,
            inout("ecx") 0 => ecx,
            out("edx") edx,
        );
    }
    let ebx: u64 = ebx;
    [eax, ebx as u32, ecx, edx]
}

/// Ticks of `count` page faults in kernel mode at `address`, which must not be mapped: to a handler and back.
pub fn kernel_faults(address: u64, count: u64) -> u64 {
    let gate = trap::set_gate(14, 0, bench_fault as *const () as u64);
    let start = tsc();
    // SAFETY: the handler skips the access; the registers of the C ABI are kept.
    unsafe { bench_faults(address, count) };
    let ticks = tsc() - start;
    crate::memory::must(gate | trap::set_gate(14, 0, trap::stub(14)), "page-fault gate");
    ticks
}

/// A loop in user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserLoop {
    /// A system call to the guest kernel and back by the short way.
    Syscalls,
    /// A page fault to the guest kernel and back.
    Faults,
    /// The iret hypercall alone: from before it to the first instruction in user mode.
    Arrivals,
}

/// Ticks of `count` turns of a loop in user mode; `address` must not be mapped there.
pub fn user(which: UserLoop, count: u64, address: u64) -> u64 {
    crate::memory::setup_user();
    let (code, handler) = match which {
        UserLoop::Syscalls => (bench_user_syscalls as *const () as u64, bench_syscall as *const () as u64),
        UserLoop::Faults => (bench_user_faults as *const () as u64, bench_syscall as *const () as u64),
        UserLoop::Arrivals => (bench_user_arrivals as *const () as u64, bench_syscall_full as *const () as u64),
    };
    let set = trap::register_callback(2, 1, handler) | trap::set_gate(14, 0, bench_fault as *const () as u64);
    // SAFETY: comes back with the registers of the C ABI as they were; the loops use the stack of code under test.
    let ticks = unsafe { bench_user(code, count, address, trap::test_stack_top() - 0x1000) };
    let reset = trap::register_callback(2, 1, trap::stub(SYSCALL)) | trap::set_gate(14, 0, trap::stub(14));
    crate::memory::must(set | reset, "callbacks");
    ticks
}
