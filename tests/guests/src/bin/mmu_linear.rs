// SPDX-License-Identifier: MIT OR Apache-2.0
//! Page tables that map page tables: an L4 in itself read-only (or refused, which changes nothing), never writable.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EBUSY, EINVAL};
use guest_rt::memory::{Page, RO, RW, VIRT_BASE, mmu_update, table_of, update_va};
use guest_rt::{check_eq, guest_main, memory, step, trap};

guest_main!(main);

fn main() {
    let l4 = table_of(VIRT_BASE, 4);
    let slot = 400u64;
    let before = l4.word(slot);
    let writable = mmu_update(l4.maddr() + slot * 8, l4.maddr() | RW);
    let read_only = mmu_update(l4.maddr() + slot * 8, l4.maddr() | RO);
    step!("L4 in itself: writable {writable}, read-only {read_only}");
    check_eq!(writable, EINVAL, "an L4 as its own L3, writable");
    if read_only == EINVAL {
        // Xenolith refuses them on purpose, as Xen built without PV_LINEAR_PT does: no kernel in use needs them, and most
        // page-type advisories do.
        check_eq!(l4.word(slot), before, "a refused entry changes nothing");
    } else {
        check_eq!(read_only, 0, "an L4 as its own L3, read-only");
        through_itself(&l4, slot);
    }
    let l1 = table_of(VIRT_BASE, 1);
    let page = memory::alloc();
    check_eq!(update_va(page.va, l1.maddr() | RW, 6), EBUSY, "an L1 mapped writable");
    check_eq!(update_va(page.va, l1.maddr() | RO, 6), 0, "an L1 mapped read-only");
    check_eq!(page.word(0), l1.word(0), "its contents");
    check_eq!(update_va(page.va, page.maddr() | RW, 6), 0, "back");
}

/// The recursive slot shows the L4 itself at its end.
fn through_itself(l4: &Page, slot: u64) {
    let own = 0xffff_0000_0000_0000 | slot << 39 | slot << 30 | slot << 21 | slot << 12;
    check_eq!(memory::read64(own + slot * 8), l4.word(slot), "the L4 seen through itself");
    let trap = trap::run_regs(&[0x48, 0x89, 0x08], trap::Frame { rax: own, ..trap::Frame::default() });
    check_eq!((trap.vector, trap.cr2), (14, own), "it cannot be written through there");
    check_eq!(mmu_update(l4.maddr() + slot * 8, 0), 0, "away with it");
}
