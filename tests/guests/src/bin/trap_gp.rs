// SPDX-License-Identifier: MIT OR Apache-2.0
//! #GP in guest kernel mode: privileged instructions that are not emulated, bad selectors, non-canonical addresses.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::Frame;
use guest_rt::{check_eq, guest_main, step, trap};

guest_main!(main);

fn main() {
    let refused: [(&str, &[u8]); 9] = [
        ("hlt", &[0xf4]),
        ("lgdt [rax]", &[0x0f, 0x01, 0x10]),
        ("lidt [rax]", &[0x0f, 0x01, 0x18]),
        ("lldt ax", &[0x0f, 0x00, 0xd0]),
        ("ltr ax", &[0x0f, 0x00, 0xd8]),
        ("lmsw ax", &[0x0f, 0x01, 0xf0]),
        ("swapgs", &[0x0f, 0x01, 0xf8]),
        ("invlpg [rax]", &[0x0f, 0x01, 0x38]),
        ("sysret", &[0x48, 0x0f, 0x07]),
    ];
    for (name, code) in refused {
        let trap = trap::run(code);
        step!("{name}: vector {} error {:#x}", trap.vector, trap.error);
        check_eq!((trap.vector, trap.error, trap.offset), (13, 0, 0), "{name}");
    }
    // mov ds, ax with an empty descriptor of the guest's own table
    let trap = trap::run_regs(&[0x8e, 0xd8], Frame { rax: 0x28, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.offset), (13, 0x28, 0), "an empty descriptor");
    let trap = trap::run_regs(&[0x8e, 0xd8], Frame { rax: 0xf003, ..Frame::default() });
    check_eq!((trap.vector, trap.error), (13, 0xf000), "beyond the table");
    let trap = trap::run_regs(&[0x8e, 0xd8], Frame { rax: 0xe010, ..Frame::default() });
    check_eq!((trap.vector, trap.error), (13, 0xe010), "the hypervisor's data segment");
    let trap = trap::run_regs(&[0x8e, 0xd8], Frame { rax: 0xe02b, ..Frame::default() });
    check_eq!(trap.vector, trap::DONE, "the flat data segment loads");
    // mov rcx, [rax]
    let trap = trap::run_regs(&[0x48, 0x8b, 0x08], Frame { rax: 0x8000_0000_0000, ..Frame::default() });
    check_eq!((trap.vector, trap.error), (13, 0), "a non-canonical address");
}
