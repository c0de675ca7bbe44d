// SPDX-License-Identifier: MIT OR Apache-2.0
//! Port input and output: virtual IOPL, the I/O bitmap, user mode, string instructions.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::physdev_op;
use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check, check_eq, guest_main, memory, step, trap};

guest_main!(main);

// in al, dx
const IN: &[u8] = &[0xec];
fn main() {
    let cmos = |index: u8| {
        // mov al, index; out 0x70, al; in al, 0x71
        trap::run(&[0xb0, index, 0xe6, 0x70, 0xe4, 0x71])
    };
    let refused = cmos(0x0a);
    check_eq!((refused.vector, refused.error, refused.offset), (13, 0, 2), "no IOPL: out is refused");
    check_eq!(physdev_op(6, &mut [4u32]), abi::EINVAL, "set_iopl 4");
    check_eq!(physdev_op(6, &mut [1u32]), 0, "set_iopl 1");
    let trap = cmos(0x0a);
    step!("RTC register A {:#x}", trap.frame.rax & 0xff);
    check_eq!(trap.vector, DONE, "kernel mode may now");
    check_eq!(trap.frame.rax & 0x70, 0x20, "RTC divider");
    let dx = |port: u64| Frame { rdx: port, rax: 0x1122_3344_5566_7788, ..Frame::default() };
    let trap = trap::run_regs(IN, dx(0x71));
    check_eq!((trap.vector, trap.frame.rax >> 8), (DONE, 0x11_2233_4455_6677), "in al leaves the rest of rax");
    // in eax, dx from a port nobody has
    let trap = trap::run_regs(&[0xed], dx(0xeee0));
    check_eq!((trap.vector, trap.frame.rax), (DONE, 0xffff_ffff), "in eax clears the upper half");
    // The interrupt controller belongs to the hypervisor: reads as ones, writes vanish.
    let trap = trap::run_regs(IN, dx(0x21));
    check_eq!((trap.vector, trap.frame.rax & 0xff), (DONE, 0xff), "a port that is not dom0's");
    check_eq!(trap::run_regs(&[0xee], dx(0x21)).vector, DONE, "a write to it vanishes");
    // PCI: mov dx, 0xcf8; mov eax, 0x80000000; out dx, eax; mov dx, 0xcfc; in eax, dx
    let pci = [0x66, 0xba, 0xf8, 0x0c, 0xb8, 0, 0, 0, 0x80, 0xef, 0x66, 0xba, 0xfc, 0x0c, 0xed];
    let trap = trap::run(&pci);
    step!("host bridge {:#x}", trap.frame.rax);
    check_eq!((trap.vector, trap.frame.rax & 0xffff), (DONE, 0x8086), "PCI configuration");
    // rep insb from the RTC: three bytes
    let page = memory::alloc();
    let regs = Frame { rdx: 0x71, rdi: page.va + 8, rcx: 3, ..Frame::default() };
    let trap = trap::run_regs(&[0xf3, 0x6c], regs);
    check_eq!((trap.vector, trap.frame.rcx, trap.frame.rdi), (DONE, 0, page.va + 11), "rep insb");
    check!(page.word(1) & 0xffff_ffff_ff00_0000 == 0, "three bytes");

    let trap = trap::run_user_regs(IN, dx(0x71));
    check_eq!((trap.vector, trap.error), (13, 0), "user mode with IOPL 1");
    check_eq!(physdev_op(6, &mut [3u32]), 0, "set_iopl 3");
    let user = [0xec, 0xcc];
    let trap = trap::run_user_regs(&user, dx(0x71));
    check_eq!((trap.vector, trap.frame.rax >> 8), (3, 0x11_2233_4455_6677), "user mode with IOPL 3");
    check_eq!(physdev_op(6, &mut [0u32]), 0, "set_iopl 0");
    // The bitmap: a clear bit allows.
    let bitmap = memory::alloc_many(2);
    for word in 0..1024 {
        memory::write64(bitmap.va + word * 8, u64::MAX);
    }
    memory::write64(bitmap.va + 8, !(1 << (0x71 - 64)));
    check_eq!(physdev_op(7, &mut [bitmap.va, 65536]), 0, "set_iobitmap");
    let trap = trap::run_user_regs(&user, dx(0x71));
    check_eq!(trap.vector, 3, "user mode, allowed by the bitmap");
    let trap = trap::run_user_regs(&user, dx(0x72));
    check_eq!((trap.vector, trap.error), (13, 0), "user mode, not allowed");
    check_eq!(physdev_op(7, &mut [bitmap.va, 65537]), abi::EINVAL, "too many ports");
    check_eq!(physdev_op(7, &mut [0u64, 0]), 0, "no bitmap");
    check_eq!(trap::run_user_regs(&user, dx(0x71)).vector, 13, "user mode again not");
}
