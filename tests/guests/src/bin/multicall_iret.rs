// SPDX-License-Identifier: MIT OR Apache-2.0
//! The iret hypercall as an entry of a multicall ends it: entries behind it do not run.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, guest_main, memory, step, trap};

guest_main!(main);

fn main() {
    let list = memory::alloc();
    let entry = |index: u64, op: u64, arg: u64| {
        list.set(index * 8, op);
        list.set(index * 8 + 1, 0x5a5a);
        list.set(index * 8 + 2, arg);
    };
    entry(0, abi::HC_XEN_VERSION, 7);
    entry(1, abi::HC_IRET, 0);
    entry(2, abi::HC_XEN_VERSION, 7);
    let stack = memory::alloc();
    // rax, r11, rcx, flags, rip, cs, rflags, rsp, ss
    let frame = [0x1111, 0x2222, 0x3333, 0, trap::code_page() + 9, 0xe030, 0x2, stack.va + 0x800, 0xe02b];
    for (index, word) in frame.iter().enumerate() {
        stack.set(index as u64, *word);
    }
    // mov eax, 13; syscall; ud2
    let code = [0xb8, 13, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b];
    let regs = Frame { rdi: list.va, rsi: 3, rsp: stack.va, rbx: 9, ..Frame::default() };
    let trap = trap::run_regs(&code, regs);
    step!("rax {:#x} rcx {:#x} r11 {:#x}", trap.frame.rax, trap.frame.rcx, trap.frame.r11);
    check_eq!(trap.vector, DONE, "went on where the frame says");
    check_eq!(
        (trap.frame.rsp, trap.frame.rbx, trap.frame.rcx),
        (stack.va + 0x800, 9, 0x3333),
        "with its stack and registers"
    );
    check_eq!(list.word(1), 4096, "the entry before it ran");
    check_eq!(list.word(17), 0x5a5a, "the entry behind it did not");
}
