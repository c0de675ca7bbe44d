// SPDX-License-Identifier: MIT OR Apache-2.0
//! 32-bit user code: `int 0x80`, `syscall` and `sysenter` with their own callbacks.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{Frame, SYSCALL32, SYSENTER, Trap};
use guest_rt::{abi, check, check_eq, guest_main, memory, step, trap};

guest_main!(main);

const LOW: u64 = 0x40_0000;
fn run32(code: &[u8]) -> Trap {
    let frame = Frame {
        cs: abi::FLAT_USER_CS32,
        ss: abi::FLAT_KERNEL_SS,
        rflags: 0x202,
        rip: LOW,
        rsp: LOW + 0x1ff0,
        rax: 20,
        rbx: 3,
        rbp: 4,
        ..Frame::default()
    };
    trap::run_frame(code, frame)
}
fn main() {
    memory::map_user(LOW, &[memory::page_of(trap::code_page()), memory::alloc()]);
    let trap = run32(&[0x90, 0x0f, 0x0b]);
    check_eq!((trap.vector, trap.frame.rip, trap.cs()), (6, LOW + 1, 0xe023), "#UD in 32-bit code");
    // inc eax is one byte in 32-bit code; push eax uses the stack
    let trap = run32(&[0x40, 0x50, 0xcc]);
    check_eq!((trap.vector, trap.frame.rax, trap.frame.rsp), (3, 21, LOW + 0x1fec), "it runs as 32-bit code");

    check_eq!(run32(&[0xcd, 0x80]).vector, 13, "int 0x80 without a handler");
    check_eq!(trap::set_gate(0x80, 3, trap::stub(0x80)), 0, "gate 0x80");
    let trap = run32(&[0xcd, 0x80]);
    check_eq!((trap.vector, trap.frame.rip, trap.cs(), trap.frame.ss), (0x80, LOW + 2, 0xe023, 0xe02b), "int 0x80");
    check_eq!((trap.frame.rax, trap.frame.rbx, trap.frame.rbp), (20, 3, 4), "registers");

    let amd = {
        // xor eax, eax; cpuid
        let trap = trap::run(&[0x31, 0xc0, 0x0f, 0xa2]);
        trap.frame.rbx as u32 == 0x6874_7541
    };
    step!("vendor: {}", if amd { "AMD" } else { "other" });
    let syscall = [0x90, 0x0f, 0x05];
    let sysenter = [0x90, 0x0f, 0x34];
    let trap = run32(&syscall);
    step!("syscall without a callback: vector {} rip {:#x}", trap.vector, trap.frame.rip);
    check_eq!((trap.vector, trap.frame.rip, trap.cs()), (6, LOW + 1, 0xe023), "syscall without a callback");
    check_eq!(trap::register_callback(7, 1, trap::stub(SYSCALL32)), 0, "syscall32 callback");
    check_eq!(trap::register_callback(5, 1, trap::stub(SYSENTER)), 0, "sysenter callback");
    let trap = run32(&syscall);
    if amd {
        check_eq!((trap.vector, trap.frame.rip, trap.cs()), (SYSCALL32, LOW + 3, 0xe023), "syscall");
        check_eq!((trap.frame.rax, trap.frame.rbx, trap.frame.rsp), (20, 3, LOW + 0x1ff0), "registers");
        check_eq!((trap.mask, trap.saved_mask()), (1, 0), "events are masked");
    } else {
        check_eq!((trap.vector, trap.frame.rip), (6, LOW + 1), "syscall is not there in 32-bit code");
    }
    let trap = run32(&sysenter);
    step!("sysenter: vector {} error {:#x} rip {:#x}", trap.vector, trap.error, trap.frame.rip);
    // AMD processors have no sysenter in long mode, and Xen leaves its MSRs alone there; QEMU's would work.
    if !amd || trap.vector == SYSENTER {
        check_eq!((trap.vector, trap.cs(), trap.frame.rip, trap.frame.rsp), (SYSENTER, 3, 0, 0), "sysenter");
        check_eq!((trap.mask, trap.frame.rflags & 0x200), (1, 0x200), "events are masked");
    } else {
        check!(trap.vector == 6 || trap.vector == 13, "sysenter is not there in long mode");
    }
}
