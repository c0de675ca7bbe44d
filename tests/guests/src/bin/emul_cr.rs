// SPDX-License-Identifier: MIT OR Apache-2.0
//! Control registers: reads, writes that are taken, ignored or refused; clts, smsw.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame, Trap};
use guest_rt::{check_eq, guest_main, step, trap};

guest_main!(main);

fn read(register: u8) -> u64 {
    // mov rax, crN
    let trap = trap::run(&[0x0f, 0x20, 0xc0 | register << 3]);
    check_eq!(trap.vector, DONE, "mov from cr{register}");
    trap.frame.rax
}
fn write(register: u8, value: u64) -> Trap {
    // mov crN, rax
    trap::run_regs(&[0x0f, 0x22, 0xc0 | register << 3], Frame { rax: value, ..Frame::default() })
}
fn main() {
    let cr0 = read(0);
    step!("cr0 {cr0:#x} cr4 {:#x}", read(4));
    check_eq!(cr0, 0x8005_0033, "cr0");
    check_eq!(write(0, cr0 | 8).vector, DONE, "set TS");
    check_eq!(read(0), cr0 | 8, "TS is set");
    check_eq!(trap::run(&[0x0f, 0x06]).vector, DONE, "clts");
    check_eq!(read(0), cr0, "TS is clear");
    for bit in [0, 1, 4, 5, 16, 18, 29, 30, 31] {
        let trap = write(0, cr0 ^ 1 << bit);
        check_eq!((trap.vector, trap.error), (13, 0), "cr0 bit {bit} cannot change");
    }
    check_eq!(read(0), cr0, "cr0 as before");
    let cr4 = read(4);
    check_eq!(cr4 & 0x660, 0x660, "PAE MCE OSFXSR OSXMMEXCPT");
    check_eq!(write(4, cr4).vector, DONE, "the same value");
    check_eq!(write(4, cr4 | 1 << 2).vector, DONE, "TSD");
    check_eq!(read(4), cr4 | 1 << 2, "TSD is kept");
    check_eq!(trap::run_user(&[0x0f, 0x31]).vector, 13, "rdtsc in user mode under TSD");
    check_eq!(write(4, cr4).vector, DONE, "TSD off");
    check_eq!(trap::run_user(&[0x0f, 0x31, 0xcc]).vector, 3, "rdtsc in user mode");
    check_eq!(write(4, cr4 | 1 << 18).vector, DONE, "OSXSAVE");
    check_eq!(read(4), cr4 | 1 << 18, "OSXSAVE is kept");
    let smep = write(4, cr4 | 1 << 20);
    step!("SMEP: vector {}, cr4 {:#x}", smep.vector, read(4));
    check_eq!(read(4) & 1 << 20, 0, "SMEP is not taken");
    // cr2 is the guest's own.
    let trap = trap::run_regs(&[0x48, 0x8b, 0x08], Frame { rax: 0x5678, ..Frame::default() });
    check_eq!((trap.vector, trap.cr2, read(2)), (14, 0x5678, 0x5678), "cr2 after a fault");
    check_eq!(write(2, 0x4321).vector, DONE, "write cr2");
    check_eq!(read(2), 0x4321, "cr2");
    check_eq!(write(8, 0).vector, 13, "cr8");
    check_eq!(trap::run(&[0x0f, 0x20, 0xc0 | 1 << 3]).vector, 13, "cr1");
}
