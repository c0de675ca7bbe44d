// SPDX-License-Identifier: MIT OR Apache-2.0
//! `syscall` in user mode: the frame, the flags, the registers; with and without a callback.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{Frame, SYSCALL};
use guest_rt::{check_eq, guest_main, trap};

guest_main!(main);

fn main() {
    // nop; syscall
    let code = [0x90, 0x0f, 0x05];
    let regs = Frame {
        rax: 1,
        rdi: 2,
        rsi: 3,
        rdx: 4,
        r10: 5,
        r8: 6,
        r9: 7,
        rcx: 8,
        r11: 9,
        rsp: 0x7777_0008,
        rflags: 0x202 | 0x400 | 0x8d5,
        ..Frame::default()
    };
    let trap = trap::run_user_regs(&code, regs);
    check_eq!((trap.vector, trap.offset), (SYSCALL, 3), "the callback, rip behind the instruction");
    check_eq!((trap.cs(), trap.frame.ss, trap.frame.rsp), (0xe033, 0xe02b, 0x7777_0008), "cs, ss, rsp");
    check_eq!(trap.frame.rcx, trap.frame.rip, "rcx slot");
    check_eq!(trap.frame.r11, regs.rflags, "r11 slot: the flags with IF");
    check_eq!(trap.frame.rflags & !0x8d5, 0x602, "the flags of the caller, DF included");
    let args =
        (trap.frame.rax, trap.frame.rdi, trap.frame.rsi, trap.frame.rdx, trap.frame.r10, trap.frame.r8, trap.frame.r9);
    check_eq!(args, (1, 2, 3, 4, 5, 6, 7), "arguments");
    check_eq!((trap.saved_mask(), trap.mask), (0, 1), "the callback asked for masked events");
    check_eq!(trap.frame_at, trap::kernel_stack_top() - 56, "on the kernel stack");
    check_eq!(trap::register_callback(2, 0, trap::stub(SYSCALL)), 0, "a callback that leaves events open");
    let trap = trap::run_user_regs(&code, regs);
    check_eq!((trap.vector, trap.saved_mask(), trap.mask), (SYSCALL, 0, 0), "events stay open");
    check_eq!(trap::register_callback(2, 0, 0), 0, "no callback");
    let trap = trap::run_user_regs(&code, regs);
    check_eq!((trap.vector, trap.error, trap.offset, trap.cs()), (6, 0, 1, 0xe033), "#UD at the instruction");
}
