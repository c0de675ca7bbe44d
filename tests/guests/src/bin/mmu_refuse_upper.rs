// SPDX-License-Identifier: MIT OR Apache-2.0
//! L2, L3 and L4 entries that `mmu_update` refuses.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, PTE_G, PTE_PCD, PTE_PSE, PTE_PWT};
use guest_rt::memory::{RW, mmu_update, walk};
use guest_rt::{abi, check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    // Room for entries: an unused address with no tables yet.
    let free = 0x100_0000_0000u64;
    let (l3, l2, l1, data) = (memory::alloc(), memory::alloc(), memory::alloc(), memory::alloc());
    l3.make_ro();
    l2.make_ro();
    l1.make_ro();
    let l4_entry = walk(free, 4);
    check_eq!(l4_entry.value, 0, "the slot is free");
    check_eq!(mmu_update(l4_entry.maddr, data.maddr() | RW), EINVAL, "an L3 that is mapped writable");
    check_eq!(mmu_update(l4_entry.maddr, l3.maddr() | RW), 0, "an L3");
    check_eq!(mmu_update(l3.maddr(), data.maddr() | RW), EINVAL, "an L2 that is mapped writable");
    check_eq!(mmu_update(l3.maddr(), l2.maddr() | RW | PTE_PSE), EINVAL, "1 GiB page");
    check_eq!(mmu_update(l3.maddr(), l2.maddr() | RW), 0, "an L2");
    check_eq!(mmu_update(l2.maddr(), data.maddr() | RW), EINVAL, "an L1 that is mapped writable");
    check_eq!(mmu_update(l2.maddr(), l1.maddr() | RW | PTE_PSE), EINVAL, "2 MiB page");
    check_eq!(mmu_update(l2.maddr(), l1.maddr() | RW), 0, "an L1");
    for (table, target, level) in [(l3, l2, 3), (l2, l1, 2)] {
        for flag in [PTE_PCD, PTE_PWT, PTE_PSE, PTE_G] {
            let result = mmu_update(table.at(1) - table.va + table.maddr(), target.maddr() | RW | flag);
            step!("level {level} with flag {flag:#x}: {result}");
            check_eq!(result, EINVAL, "level {level} with flag {flag:#x}");
        }
    }
    check_eq!(mmu_update(l4_entry.maddr + 8, l3.maddr() | RW | PTE_PSE), EINVAL, "PSE in an L4");
    // A table at one level cannot serve at another.
    check_eq!(mmu_update(l3.maddr() + 8, l1.maddr() | RW), EINVAL, "an L1 as an L2");
    check_eq!(mmu_update(l2.maddr() + 8, l2.maddr() | RW), EINVAL, "an L2 as an L1");
    // Used tables cannot be mapped writable.
    for page in [l3, l2, l1] {
        check_eq!(page.try_rw(), abi::EBUSY, "a table in use");
    }
    check_eq!(mmu_update(l1.maddr(), data.maddr() | RW), 0, "the leaf");
    data.set(0, 0xfeed);
    check_eq!(memory::read64(free), 0xfeed, "the new mapping works");
    check_eq!(mmu_update(l4_entry.maddr, 0), 0, "take it all away");
    for page in [l3, l2, l1] {
        check_eq!(page.try_rw(), 0, "free tables");
    }
}
