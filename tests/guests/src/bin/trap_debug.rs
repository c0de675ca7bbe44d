// SPDX-License-Identifier: MIT OR Apache-2.0
//! #DB: single step, breakpoints, and the debug registers by hypercall and by instruction.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, ENODEV, EPERM};
use guest_rt::hypercall::call;
use guest_rt::trap::Frame;
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn set(reg: u64, value: u64) -> i64 {
    call(abi::HC_SET_DEBUGREG, [reg, value, 0, 0, 0])
}
fn get(reg: u64) -> u64 {
    call(abi::HC_GET_DEBUGREG, [reg, 0, 0, 0, 0]) as u64
}
fn main() {
    check_eq!((get(6), get(7)), (0xffff_0ff0, 0x400), "dr6 and dr7 at boot");
    // nop; nop with TF, kernel and user
    let trap = trap::run_regs(&[0x90, 0x90], Frame { rflags: 0x102, ..Frame::default() });
    check_eq!((trap.vector, trap.offset, get(6)), (1, 1, 0xffff_4ff0), "single step, kernel");
    check_eq!(set(6, 0), 0, "clear dr6");
    check_eq!(get(6), 0xffff_0ff0, "fixed bits of dr6");
    let trap = trap::run_user_regs(&[0x90, 0x90], Frame { rflags: 0x302, ..Frame::default() });
    check_eq!((trap.vector, trap.offset, trap.cs(), get(6)), (1, 1, 0xe033, 0xffff_4ff0), "single step, user");
    check_eq!(set(6, 0), 0, "clear dr6");

    let code = trap::code_page();
    check_eq!(set(0, code + 1), 0, "breakpoint address");
    check_eq!(set(7, 0x3), 0, "an execution breakpoint");
    check_eq!((get(0), get(7)), (code + 1, 0x403), "dr0 and dr7 read back");
    let trap = trap::run(&[0x90, 0x90]);
    check_eq!((trap.vector, trap.offset, get(6)), (1, 1, 0xffff_0ff1), "execution breakpoint, before the instruction");
    check_eq!(set(6, 0), 0, "clear dr6");
    let page = memory::alloc();
    check_eq!(set(1, page.va + 8), 0, "data address");
    check_eq!(set(7, 0xd0_000c), 0, "8 bytes... a 4-byte write breakpoint in dr1");
    // mov [rax], rcx; nop
    let trap = trap::run_regs(&[0x48, 0x89, 0x08, 0x90], Frame { rax: page.va + 8, ..Frame::default() });
    check_eq!((trap.vector, trap.offset, get(6)), (1, 3, 0xffff_0ff2), "data breakpoint, behind the instruction");
    check_eq!(set(7, 0), 0, "off");
    check_eq!(set(6, 0), 0, "clear dr6");

    check_eq!(set(0, abi::HYPERVISOR_VIRT_START), EPERM, "an address of the hypervisor");
    check_eq!(set(0, 0x8000_0000_0000), EPERM, "a non-canonical address");
    check_eq!(set(7, 1 << 32), EINVAL, "upper half of dr7");
    check_eq!(set(6, 1 << 32), EINVAL, "upper half of dr6");
    check_eq!(set(8, 0), ENODEV, "no such register");
    check_eq!(set(7, 0x2000), EPERM, "GD");
    // mov rax, dr7; mov dr0, rax
    check_eq!(trap::run(&[0x0f, 0x21, 0xf8]).frame.rax, 0x400, "mov from dr7");
    let trap = trap::run_regs(&[0x0f, 0x23, 0xc0], Frame { rax: 0x1000, ..Frame::default() });
    check_eq!((trap.vector, get(0)), (trap::DONE, 0x1000), "mov to dr0");
}
