// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bits the hypervisor adds to entries of a guest: US and bit 52, G for user pages, A in an L4.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{PTE_A, PTE_D, PTE_G, PTE_GUEST_KERNEL, PTE_P, PTE_RW, PTE_US};
use guest_rt::memory::{mmu_update, update_va, walk};
use guest_rt::{abi, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let page = memory::alloc();
    let maddr = page.maddr();
    let look = || walk(page.va, 1).value;
    check_eq!(update_va(page.va, maddr | PTE_P | PTE_RW, 2), 0, "a kernel page");
    check_eq!(look(), maddr | PTE_P | PTE_RW | PTE_US | PTE_GUEST_KERNEL, "US and bit 52");
    check_eq!(update_va(page.va, maddr | PTE_P | PTE_RW | PTE_US, 2), 0, "a user page");
    check_eq!(look(), maddr | PTE_P | PTE_RW | PTE_US | PTE_G, "G");
    check_eq!(update_va(page.va, maddr | PTE_P | PTE_G, 2), 0, "a global kernel page");
    check_eq!(look() & !PTE_A, maddr | PTE_P | PTE_US | PTE_GUEST_KERNEL | PTE_G, "G is kept");
    check_eq!(update_va(page.va, maddr | PTE_P | PTE_RW | PTE_A | PTE_D | 0xe00, 2), 0, "available bits");
    check_eq!(
        look(),
        maddr | PTE_P | PTE_RW | PTE_A | PTE_D | 0xe00 | PTE_US | PTE_GUEST_KERNEL,
        "available bits stay"
    );
    check_eq!(update_va(page.va, 0x1234_5000 | PTE_RW, 2), 0, "an absent entry");
    check_eq!(look(), 0x1234_5000 | PTE_RW, "is stored as it is");
    check_eq!(update_va(page.va, maddr | PTE_P | PTE_RW, 2), 0, "back");

    let free = 0x100_0000_0000u64;
    let (l3, l2, l1) = (memory::alloc(), memory::alloc(), memory::alloc());
    for table in [l3, l2, l1] {
        table.make_ro();
    }
    let flags = PTE_P | PTE_RW;
    let l4_entry = walk(free, 4).maddr;
    check_eq!(mmu_update(l4_entry, l3.maddr() | flags), 0, "L4");
    check_eq!(walk(free, 4).value, l3.maddr() | flags | PTE_US | PTE_A, "US and A in an L4");
    check_eq!(mmu_update(l3.maddr(), l2.maddr() | flags), 0, "L3");
    check_eq!(l3.word(0), l2.maddr() | flags | PTE_US, "US in an L3");
    check_eq!(mmu_update(l2.maddr(), l1.maddr() | flags), 0, "L2");
    check_eq!(l2.word(0), l1.maddr() | flags | PTE_US, "US in an L2");
    // The same happens to entries that are there when a page becomes a table.
    let data = memory::alloc();
    let table = memory::alloc();
    table.set(7, data.maddr() | flags);
    table.set(8, data.maddr() | flags | PTE_US);
    table.make_ro();
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, table.mfn, 0), 0, "pin as an L1");
    check_eq!(table.word(7), data.maddr() | flags | PTE_US | PTE_GUEST_KERNEL, "a kernel entry");
    check_eq!(table.word(8), data.maddr() | flags | PTE_US | PTE_G, "a user entry");
}
