// SPDX-License-Identifier: MIT OR Apache-2.0
//! `update_va_mapping`: map, unmap, and what it refuses.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{self, EINVAL};
use guest_rt::memory::{self, RO, RW, UVMF_INVLPG_ALL, update_va, walk};
use guest_rt::trap::{self, Frame};
use guest_rt::{check_eq, guest_main};

guest_main!(main);

fn main() {
    let (page, other) = (memory::alloc(), memory::alloc());
    other.set(0, 0x1234);

    check_eq!(update_va(page.va, other.maddr() | RO, UVMF_INVLPG_ALL), 0, "map another frame read-only");
    check_eq!(page.word(0), 0x1234, "it is that frame");
    // mov [rax], rcx
    let trap = trap::run_regs(&[0x48, 0x89, 0x08], Frame { rax: page.va + 8, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 3, page.va + 8), "a write faults: present, write, kernel");

    check_eq!(update_va(page.va, 0, UVMF_INVLPG_ALL), 0, "unmap");
    // mov rcx, [rax]
    let trap = trap::run_regs(&[0x48, 0x8b, 0x08], Frame { rax: page.va, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 0, page.va), "a read faults: absent, read, kernel");

    check_eq!(update_va(page.va, page.maddr() | RW, 2), 0, "map it back");
    check_eq!(walk(page.va, 1).value & !0x60, (page.maddr() | RW | abi::PTE_G) & !0x60, "the entry, with G added");

    let free = 0x10_0000_0000;
    check_eq!(update_va(free, page.maddr() | RW, 0), EINVAL, "no page table for the address");
    check_eq!(update_va(abi::HYPERVISOR_VIRT_START, page.maddr() | RW, 0), EINVAL, "the hypervisor's range");
}
