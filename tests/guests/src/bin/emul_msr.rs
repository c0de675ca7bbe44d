// SPDX-License-Identifier: MIT OR Apache-2.0
//! `rdmsr` and `wrmsr`: segment bases, EFER, PAT, TSC_AUX, APIC_BASE, unknown ones.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame, Trap};
use guest_rt::{check, check_eq, guest_main, step, trap};

guest_main!(main);

fn rdmsr(index: u64) -> Trap {
    trap::run_regs(&[0x0f, 0x32], Frame { rcx: index, ..Frame::default() })
}
fn wrmsr(index: u64, value: u64) -> Trap {
    trap::run_regs(&[0x0f, 0x30], Frame { rcx: index, rax: value & 0xffff_ffff, rdx: value >> 32, ..Frame::default() })
}
fn read(index: u64) -> u64 {
    let trap = rdmsr(index);
    check_eq!((trap.vector, trap.frame.rax >> 32, trap.frame.rdx >> 32), (DONE, 0, 0), "rdmsr {index:#x}");
    trap.frame.rdx << 32 | trap.frame.rax
}
const FS: u64 = 0xc000_0100;
const GS: u64 = 0xc000_0101;
const KERNEL_GS: u64 = 0xc000_0102;
fn main() {
    for msr in [FS, GS, KERNEL_GS] {
        check_eq!(wrmsr(msr, 0xffff_8880_1234_5678).vector, DONE, "wrmsr {msr:#x}");
        check_eq!(read(msr), 0xffff_8880_1234_5678, "rdmsr {msr:#x}");
        let trap = wrmsr(msr, 0x8000_0000_0000);
        check_eq!((trap.vector, trap.error, trap.offset), (13, 0, 0), "non-canonical {msr:#x}");
        check_eq!(read(msr), 0xffff_8880_1234_5678, "unchanged {msr:#x}");
        check_eq!(wrmsr(msr, 0).vector, DONE, "wrmsr {msr:#x}");
    }
    let efer = read(0xc000_0080);
    step!("EFER {efer:#x}");
    check_eq!(efer & 0xd01, 0xd01, "SCE LME LMA NXE");
    check_eq!(wrmsr(0xc000_0080, efer).vector, DONE, "EFER, the same value");
    check_eq!(wrmsr(0xc000_0080, efer ^ 0x800).vector, 13, "EFER, another value");
    check_eq!(read(0x277), 0x0000_0501_0007_0406, "PAT");
    check_eq!(wrmsr(0x277, 0x0000_0501_0007_0406).vector, 13, "PAT cannot be written");
    check_eq!(read(0x277), 0x0000_0501_0007_0406, "PAT stays");
    let apic = read(0x1b);
    step!("APIC_BASE {apic:#x}");
    check_eq!(apic & !0x500, 0xfee0_0800, "APIC_BASE");
    let first = read(0x10);
    check!(read(0x10) > first, "the TSC advances");
    for msr in [0x1234_5678, 0x4000_0100, 0xc000_1234] {
        let (r, w) = (rdmsr(msr), wrmsr(msr, 0));
        check_eq!((r.vector, r.error, r.offset, w.vector), (13, 0, 0, 13), "unknown {msr:#x}");
    }
    for msr in [0xc000_0081, 0xc000_0082, 0x174, 0x176] {
        step!("{msr:#x}: read {} write {}", rdmsr(msr).vector, wrmsr(msr, 0).vector);
    }
    let trap = trap::run_user_regs(&[0x0f, 0x32], Frame { rcx: GS, ..Frame::default() });
    check_eq!((trap.vector, trap.error), (13, 0), "user mode may not");
}
