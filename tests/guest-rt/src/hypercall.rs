// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hypercalls by the `syscall` instruction: number in rax, arguments in rdi, rsi, rdx, r10, r8.
// UNSAFETY: the hypercall instruction itself.
#![expect(unsafe_code, reason = "the hypercall instruction itself")]

use core::arch::asm;

use crate::abi;

/// Makes hypercall `number`. Pointers in `args` may be anything a test wants to try.
#[inline]
pub fn call(number: u64, args: [u64; 5]) -> i64 {
    let result: i64;
    let [a0, a1, a2, a3, a4] = args;
    // SAFETY: `syscall` enters the hypervisor, which preserves everything but rax, rcx, r11 and perhaps the argument registers.
    // What it writes is memory the caller named; see the crate documentation for why that is the caller's business.
    unsafe {
        asm!(
            "syscall",
            inout("rax") number => result,
            inout("rdi") a0 => _,
            inout("rsi") a1 => _,
            inout("rdx") a2 => _,
            inout("r10") a3 => _,
            inout("r8") a4 => _,
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// The address of `value` as a hypercall argument.
#[inline]
pub fn addr<T: ?Sized>(value: &mut T) -> u64 {
    core::ptr::from_mut(value).cast::<u8>() as u64
}

/// A hypercall of the form `op(cmd, arg)`.
#[inline]
pub fn op<T: ?Sized>(number: u64, cmd: u64, arg: &mut T) -> i64 {
    call(number, [cmd, addr(arg), 0, 0, 0])
}

/// `sched_op`.
#[inline]
pub fn sched_op<T: ?Sized>(cmd: u64, arg: &mut T) -> i64 {
    op(abi::HC_SCHED_OP, cmd, arg)
}

/// `event_channel_op`.
#[inline]
pub fn event_channel_op<T: ?Sized>(cmd: u64, arg: &mut T) -> i64 {
    op(abi::HC_EVENT_CHANNEL_OP, cmd, arg)
}

/// `memory_op`.
#[inline]
pub fn memory_op<T: ?Sized>(cmd: u64, arg: &mut T) -> i64 {
    op(abi::HC_MEMORY_OP, cmd, arg)
}

/// `xen_version`.
pub fn xen_version<T: ?Sized>(cmd: u64, arg: &mut T) -> i64 {
    op(abi::HC_XEN_VERSION, cmd, arg)
}

/// Is this not Xen but Xenolith, of which more is asked in places?
pub fn is_xenolith() -> bool {
    const EXTRAVERSION: u64 = 1;
    let mut extra = [0_u8; 16];
    xen_version(EXTRAVERSION, &mut extra) == 0 && extra.starts_with(b"-xenolith")
}

/// `physdev_op`.
pub fn physdev_op<T: ?Sized>(cmd: u64, arg: &mut T) -> i64 {
    op(abi::HC_PHYSDEV_OP, cmd, arg)
}

/// `vcpu_op`.
pub fn vcpu_op<T: ?Sized>(cmd: u64, vcpu: u64, arg: &mut T) -> i64 {
    call(abi::HC_VCPU_OP, [cmd, vcpu, addr(arg), 0, 0])
}

/// `vcpu_op` without an argument structure.
pub fn vcpu_op0(cmd: u64, vcpu: u64) -> i64 {
    call(abi::HC_VCPU_OP, [cmd, vcpu, 0, 0, 0])
}

/// `grant_table_op` on `count` elements at `arg`.
#[inline]
pub fn grant_table_op<T: ?Sized>(cmd: u64, arg: &mut T, count: u64) -> i64 {
    call(abi::HC_GRANT_TABLE_OP, [cmd, addr(arg), count, 0, 0])
}
