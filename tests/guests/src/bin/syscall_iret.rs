// SPDX-License-Identifier: MIT OR Apache-2.0
//! Returning to user mode: by sysret and by iretq, flags and registers, and the failures of the way back.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{Frame, SYSCALL};
use guest_rt::{abi, check, check_eq, guest_main, memory, step, trap};

guest_main!(main);

// syscall
const SYSCALL_CODE: &[u8] = &[0x0f, 0x05];
fn go(frame: Frame) -> guest_rt::trap::Trap {
    memory::setup_user();
    trap::run_frame(SYSCALL_CODE, Frame { rcx: 0x1111, r11: 0x2222, rax: 0x33, ..frame })
}
fn main() {
    let frame = Frame { cs: 0xe033, ss: 0xe02b, rflags: 0x202, ..Frame::default() };
    let trap = trap::run_frame(&[0x0f, 0x0b], {
        memory::setup_user();
        Frame { rcx: 0x1111, r11: 0x2222, ..frame }
    });
    check_eq!((trap.vector, trap.frame.rcx, trap.frame.r11), (6, 0x1111, 0x2222), "iretq brings rcx and r11");
    let trap = trap::run_frame(&[0x0f, 0x0b], Frame { rcx: 0x1111, r11: 0x2222, error: abi::VGCF_IN_SYSCALL, ..frame });
    check_eq!((trap.vector, trap.frame.rcx, trap.frame.r11), (6, trap.frame.rip, 0x202), "sysret brings rip and flags");
    check_eq!((trap.cs(), trap.frame.ss), (0xe033, 0xe02b), "sysret selectors");
    let trap = go(Frame { rflags: 0x246 | 0x4_0000 | 0x3000, ..frame });
    check_eq!((trap.vector, trap.frame.r11), (SYSCALL, 0x246 | 0x4_0000), "user flags without IOPL");
    // IF clear in a frame for user mode masks events, and user mode runs all the same.
    let trap = go(Frame { rflags: 0x002, ..frame });
    check_eq!(
        (trap.vector, trap.frame.rflags & 0x200, trap.saved_mask()),
        (SYSCALL, 0, 1),
        "events masked in user mode"
    );
    let trap = go(Frame { rip: 0x8000_0000_0000, ..frame });
    check_eq!((trap.vector, trap.error, trap.frame.rip), (13, 0, 0x8000_0000_0000), "non-canonical rip, by iretq");
    step!("cs {:#x}", trap.frame.cs);
    let trap = go(Frame { rip: 0x8000_0000_0000, error: abi::VGCF_IN_SYSCALL, ..frame });
    step!("by sysret: vector {} cs {:#x}", trap.vector, trap.frame.cs);
    check_eq!((trap.vector, trap.error, trap.frame.rip), (13, 0, 0x8000_0000_0000), "non-canonical rip, by sysret");
    let trap = go(Frame { cs: 0x2b, ..frame });
    check_eq!((trap.vector, trap.error, trap.frame.rip), (13, 0x28, trap::code_page()), "an empty code selector");
    let trap = go(Frame { ss: 0x2b, ..frame });
    step!("bad ss: vector {} error {:#x}", trap.vector, trap.error);
    check_eq!((trap.vector, trap.error), (13, 0x28), "an empty stack selector");
    let trap = go(Frame { rip: 0x1234_5000, ..frame });
    check_eq!(
        (trap.vector, trap.error, trap.cr2, trap.cs()),
        (14, 0x14, 0x1234_5000, 0xe033),
        "an unmapped rip faults in user mode"
    );
    let trap = go(Frame { rflags: 0x302, ..frame });
    check!(trap.vector == 1 || trap.vector == SYSCALL, "TF into user mode");
    check_eq!(go(frame).vector, SYSCALL, "still alive");
}
