// SPDX-License-Identifier: MIT OR Apache-2.0
//! cli, sti, pushf and popf under the virtual IOPL; VMASST architectural_iopl.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{call, physdev_op};
use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, event, guest_main, step, trap};

guest_main!(main);

fn main() {
    for code in [0xfa, 0xfb] {
        let trap = trap::run(&[code]);
        check_eq!((trap.vector, trap.error, trap.offset), (13, 0, 0), "cli or sti without IOPL");
    }
    check_eq!(physdev_op(6, &mut [1u32]), 0, "set_iopl 1");
    for code in [0xfa, 0xfb] {
        for mask in [0, 1] {
            event::set_upcall_mask(mask);
            let trap = trap::run(&[code]);
            check_eq!((trap.vector, event::upcall_mask()), (DONE, mask), "cli or sti: nothing happens");
        }
    }
    check_eq!(trap::run_user(&[0xfa]).vector, 13, "cli in user mode");
    // pushfq; pop rax
    let trap = trap::run(&[0x9c, 0x58]);
    step!("flags seen by pushf: {:#x}", trap.frame.rax);
    check_eq!(trap.frame.rax & 0x3200, 0x200, "pushf sees IF set and IOPL 0");
    // push 0; popfq; pushfq; pop rax
    let trap = trap::run(&[0x6a, 0x00, 0x9d, 0x9c, 0x58]);
    check_eq!(trap.frame.rax & 0x3200, 0x200, "popf cannot clear IF");
    check_eq!(trap::run(&[0x0f, 0x0b]).frame.rflags & 0x3000, 0, "the frame shows IOPL 0");
    check_eq!(call(abi::HC_VM_ASSIST, [0, 4, 0, 0, 0]), 0, "architectural_iopl");
    // With it iret sets the virtual IOPL from the frame, and frames show it.
    let frame = |rflags| Frame { cs: 0xe030, ss: 0xe02b, rflags, ..Frame::default() };
    let trap = trap::run_frame(&[0x0f, 0x0b], frame(0x3002));
    step!("frame flags with IOPL 3: {:#x}", trap.frame.rflags);
    check_eq!(trap.frame.rflags & 0x3000, 0x3000, "the frame shows IOPL 3");
    check_eq!(trap::run_frame(&[0xfa], frame(0x3002)).vector, DONE, "cli with IOPL 3");
    check_eq!(
        trap::run_frame(&[0xfa], frame(0x0002)).vector,
        DONE,
        "cli in the kernel with IOPL 0: the kernel runs in ring 0 then"
    );
    check_eq!(call(abi::HC_VM_ASSIST, [1, 4, 0, 0, 0]), 0, "off");
}
