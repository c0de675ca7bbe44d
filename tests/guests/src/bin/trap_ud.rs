// SPDX-License-Identifier: MIT OR Apache-2.0
//! #UD in guest kernel mode: every field of the frame.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{self, Frame};
use guest_rt::{check_eq, guest_main};

guest_main!(main);

fn main() {
    let regs = Frame {
        rax: 1,
        rbx: 2,
        rcx: 3,
        rdx: 4,
        rsi: 5,
        rdi: 6,
        rbp: 7,
        r8: 8,
        r9: 9,
        r10: 10,
        r11: 11,
        r12: 12,
        r13: 13,
        r14: 14,
        r15: 15,
        rsp: trap::test_stack_top() - 0x105,
        ..Frame::default()
    };
    // nop; ud2
    let trap = trap::run_regs(&[0x90, 0x0f, 0x0b], regs);
    check_eq!(trap.vector, 6, "vector");
    check_eq!(trap.offset, 1, "rip is that of the instruction");
    check_eq!(trap.cs(), 0xe030, "the requested privilege level reads 0 from kernel mode");
    check_eq!(trap.frame.ss, 0xe02b, "ss");
    check_eq!(trap.frame.rsp, regs.rsp, "rsp as it was");
    check_eq!(trap.frame_at % 16, 8, "rsp is aligned to 16, then 7 words are pushed");
    check_eq!(trap.frame_at, (regs.rsp & !15) - 56, "directly below the aligned rsp");
    check_eq!(trap.frame.rflags & !0x8d5, 0x2, "IF shows the mask, which is set");
    check_eq!(trap.saved_mask(), 1, "saved upcall mask");
    check_eq!(trap.mask, 1, "the mask stays");
    let got = Frame { vector: 0, error: 0, rip: 0, cs: 0, rflags: 0, ss: 0, ..trap.frame };
    check_eq!(got, regs, "general registers, with rcx and r11 from the frame");
}
