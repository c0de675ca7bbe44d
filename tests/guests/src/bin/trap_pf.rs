// SPDX-License-Identifier: MIT OR Apache-2.0
//! Page faults: error codes and cr2, from kernel and user mode.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::PTE_NX;
use guest_rt::memory::{RO, RW, UVMF_INVLPG_ALL};
use guest_rt::trap::Frame;
use guest_rt::{check_eq, guest_main, memory, step, trap};

guest_main!(main);

const READ: &[u8] = &[0x48, 0x8b, 0x08]; // mov rcx, [rax]
const WRITE: &[u8] = &[0x48, 0x89, 0x08]; // mov [rax], rcx
const JUMP: &[u8] = &[0xff, 0xe0]; // jmp rax
fn check(what: &str, user: bool, code: &[u8], address: u64, error: u64) {
    let regs = Frame { rax: address, ..Frame::default() };
    let trap = if user { trap::run_user_regs(code, regs) } else { trap::run_regs(code, regs) };
    step!("{what}: vector {} error {:#x} cr2 {:#x}", trap.vector, trap.error, trap.cr2);
    check_eq!((trap.vector, trap.error, trap.cr2), (14, error, address), "{what}");
    let kernel_cs = if user { 0xe033 } else { 0xe030 };
    check_eq!(trap.cs(), kernel_cs, "{what}: cs");
}
fn main() {
    let page = memory::alloc();
    for (user, bit) in [(false, 0), (true, 4)] {
        memory::must(memory::update_va(page.va, 0, UVMF_INVLPG_ALL), "unmap");
        check("read of an absent page", user, READ, page.va + 0x123, bit);
        check("write to an absent page", user, WRITE, page.va + 0xff8, bit | 2);
        check("jump to an absent page", user, JUMP, page.va, bit | 0x10);
        memory::must(memory::update_va(page.va, page.maddr() | RO, UVMF_INVLPG_ALL), "map read-only");
        check("write to a read-only page", user, WRITE, page.va + 8, bit | 3);
        memory::must(memory::update_va(page.va, page.maddr() | RW | PTE_NX, UVMF_INVLPG_ALL), "map without execution");
        check("jump to a page without execution", user, JUMP, page.va, bit | 0x11);
    }
    check("read where nothing is mapped at all", false, READ, 0x40_0000_0000, 0);
    check("kernel read of the hypervisor's memory", false, READ, 0xffff_8300_0000_0000, 1);
    check("user read of the hypervisor's memory", true, READ, 0xffff_8300_0000_0000, 5);
}
