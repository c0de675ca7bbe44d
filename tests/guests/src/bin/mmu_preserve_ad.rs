// SPDX-License-Identifier: MIT OR Apache-2.0
//! `MMU_PT_UPDATE_PRESERVE_AD`: accessed and dirty bits survive, other commands are refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{ENOSYS, PTE_A, PTE_D, PTE_G, PTE_P, PTE_RW, PTE_US};
use guest_rt::memory::{mmu_update, update_va, walk};
use guest_rt::{check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let page = memory::alloc();
    let entry = walk(page.va, 1).maddr;
    let flags = PTE_P | PTE_RW | PTE_US;
    check_eq!(update_va(page.va, page.maddr() | flags, 2), 0, "a clean entry");
    check_eq!(walk(page.va, 1).value, page.maddr() | flags | PTE_G, "neither accessed nor dirty");
    page.set(0, 1);
    check_eq!(walk(page.va, 1).value, page.maddr() | flags | PTE_G | PTE_A | PTE_D, "accessed and dirty");
    check_eq!(mmu_update(entry | 2, page.maddr() | flags | 0x200), 0, "preserve");
    check_eq!(walk(page.va, 1).value, page.maddr() | flags | PTE_G | PTE_A | PTE_D | 0x200, "both stayed");
    check_eq!(mmu_update(entry, page.maddr() | flags), 0, "a normal update");
    check_eq!(walk(page.va, 1).value, page.maddr() | flags | PTE_G, "both are gone");
    check_eq!(mmu_update(entry | 3, page.maddr() | flags | 0x400), 0, "no_translate");
    check_eq!(walk(page.va, 1).value, page.maddr() | flags | PTE_G | 0x400, "is a normal update here");
    check_eq!(mmu_update(entry + 4, page.maddr() | flags), ENOSYS, "a pointer off by four is an unknown command");
}
