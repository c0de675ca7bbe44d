// SPDX-License-Identifier: MIT OR Apache-2.0
//! The iret hypercall in kernel mode: flags, the upcall mask, rcx and r11, selectors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, guest_main, step, trap};

guest_main!(main);

const NOP: &[u8] = &[0x90];
const UD2: &[u8] = &[0x0f, 0x0b];
fn go(code: &[u8], rflags: u64, cs: u64) -> guest_rt::trap::Trap {
    trap::run_frame(code, Frame { cs, ss: 0xe02b, rflags, rcx: 0x1111, r11: 0x2222, rax: 0x3333, ..Frame::default() })
}
fn main() {
    let trap = go(UD2, 0x202, 0xe030);
    check_eq!((trap.mask, trap.frame.rflags & 0x200), (0, 0x200), "IF in the frame opens events");
    check_eq!(
        (trap.frame.rcx, trap.frame.r11, trap.frame.rax),
        (0x1111, 0x2222, 0x3333),
        "rcx, r11 and rax come from the frame"
    );
    let trap = go(UD2, 0x002, 0xe030);
    check_eq!((trap.mask, trap.frame.rflags & 0x200), (1, 0), "no IF masks events");
    // Arithmetic flags, DF and ID go through, IOPL does not.
    let flags = 0x002 | 0xcd5 | 0x3000 | 0x20_0000;
    let trap = go(UD2, flags, 0xe030);
    check_eq!(trap.frame.rflags & 0x3f_7fd5, 0x20_0cd5, "IOPL is cleared, the rest stays");
    let trap = go(UD2, 0x4_0002, 0xe030);
    check_eq!(trap.frame.rflags & 0x4_0000, 0x4_0000, "AC goes through");
    let trap = go(NOP, 0x102, 0xe030);
    check_eq!((trap.vector, trap.offset), (1, 1), "TF single-steps");
    check_eq!(trap.frame.rflags & 0x100, 0x100, "and shows in the frame");
    let trap = go(UD2, 0x002, 0xe030);
    check_eq!(trap.frame.rflags & 0x100, 0, "TF is gone");
    // A kernel selector with a privilege level other than 3 stays in kernel mode.
    for cs in [0xe030, 0xe031, 0xe032] {
        let trap = go(UD2, 0x002, cs);
        check_eq!((trap.vector, trap.cs()), (6, 0xe030), "cs {cs:#x} is kernel mode");
    }
    // A bad code selector faults as if at the target.
    let trap = go(NOP, 0x002, 0x28);
    step!("bad cs: vector {} error {:#x} offset {} cs {:#x}", trap.vector, trap.error, trap.offset, trap.frame.cs);
    check_eq!((trap.vector, trap.error, trap.offset), (13, 0x28, 0), "a bad code selector");
    let trap =
        trap::run_frame(NOP, Frame { cs: 0xe030, ss: 0xe02b, rflags: 2, rip: 0x8000_0000_0000, ..Frame::default() });
    step!("bad rip: vector {} error {:#x} rip {:#x}", trap.vector, trap.error, trap.frame.rip);
    check_eq!((trap.vector, trap.error, trap.frame.rip), (13, 0, 0x8000_0000_0000), "a non-canonical rip");
    // VGCF_in_syscall leaves as sysret does: rcx is rip, r11 is rflags.
    let frame =
        Frame { cs: 0xe030, ss: 0xe02b, rflags: 0x2, rcx: 5, r11: 6, error: abi::VGCF_IN_SYSCALL, ..Frame::default() };
    let trap = trap::run_frame(UD2, frame);
    check_eq!((trap.frame.rcx, trap.frame.r11), (trap.frame.rip, 0x202), "in_syscall");
    check_eq!(go(NOP, 2, 0xe030).vector, DONE, "still alive");
}
