// SPDX-License-Identifier: MIT OR Apache-2.0
//! Traps from user mode: the kernel stack, cs, the mask, kernel mode restored.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::call;
use guest_rt::trap::Frame;
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn main() {
    // nop; ud2
    let code = [0x90, 0x0f, 0x0b];
    let trap = trap::run_user_regs(&code, Frame { rsp: 0x1234_5678, rbx: 77, rcx: 88, r11: 99, ..Frame::default() });
    check_eq!((trap.vector, trap.offset, trap.cs(), trap.frame.ss), (6, 1, 0xe033, 0xe02b), "#UD in user mode");
    check_eq!((trap.frame.rsp, trap.frame.rbx, trap.frame.rcx, trap.frame.r11), (0x1234_5678, 77, 88, 99), "registers");
    check_eq!(trap.frame_at, trap::kernel_stack_top() - 56, "the frame is at the top of the registered stack");
    check_eq!((trap.saved_mask(), trap.mask, trap.frame.rflags & 0x200), (0, 0, 0x200), "mask");
    let odd = trap::kernel_stack_top() - 0x103;
    check_eq!(call(abi::HC_STACK_SWITCH, [abi::FLAT_KERNEL_SS, odd, 0, 0, 0]), 0, "stack_switch");
    let trap = trap::run_user(&code);
    check_eq!(trap.frame_at, (odd & !15) - 56, "an odd stack is aligned down");
    check_eq!(
        call(abi::HC_STACK_SWITCH, [abi::FLAT_KERNEL_SS, trap::kernel_stack_top(), 0, 0, 0]),
        0,
        "stack_switch back"
    );
    // hlt, cli, in al, 0x80, mov rax, cr0: #GP in user mode
    for code in [&[0xf4][..], &[0xfa], &[0xe4, 0x80], &[0x0f, 0x20, 0xc0], &[0x0f, 0x32], &[0x0f, 0x30]] {
        let trap = trap::run_user(code);
        check_eq!((trap.vector, trap.error, trap.offset, trap.cs()), (13, 0, 0, 0xe033), "privileged {code:x?}");
    }
    // A user page fault with a user L4 that lacks the address: low memory.
    let trap = trap::run_user_regs(&[0x48, 0x8b, 0x08], Frame { rax: 0x5000, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 4, 0x5000), "user page fault");
    // The kernel's own low half is not the user's: the p2m list is mapped for the kernel only.
    let list = memory::start_info_word(memory::start_info::MFN_LIST);
    let trap = trap::run_user_regs(&[0x48, 0x8b, 0x08], Frame { rax: list, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 4, list), "user read of a kernel-only address");
}
