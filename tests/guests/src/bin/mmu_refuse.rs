// SPDX-License-Identifier: MIT OR Apache-2.0
//! L1 entries that `update_va_mapping` and `mmu_update` refuse, and the errors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EBUSY, EINVAL, EPERM};
use guest_rt::memory::{RO, RW, mmu_update, update_va, walk};
use guest_rt::{check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let page = memory::alloc();
    let entry = walk(page.va, 1);
    let refuse = |value: u64, error: i64, what: &str| {
        let by_va = update_va(page.va, value, 0);
        let by_entry = mmu_update(entry.maddr, value);
        step!("{what}: {by_va} {by_entry}");
        check_eq!((by_va, by_entry), (error, error), "{what}");
        check_eq!(walk(page.va, 1).value, entry.value, "{what}: the entry stays");
    };
    let table = memory::table_of(page.va, 1);
    refuse(table.maddr() | RW, EBUSY, "a page table, writable");
    for level in 2..=4 {
        refuse(memory::table_of(page.va, level).maddr() | RW, EBUSY, "a higher page table, writable");
    }
    refuse(page.maddr() | RW | 1 << 51, EPERM, "an address beyond the machine");
    refuse(0xf_ffff_ffff_f000 | RW, EINVAL, "the largest address");
    for bit in 59..62 {
        let result = update_va(page.va, page.maddr() | RW | 1 << bit, 0);
        step!("available bit {bit}: {result}");
        check_eq!(result, 0, "available bit {bit}");
    }
    memory::must(update_va(page.va, page.maddr() | RW, 0), "restore");
    // A frame of the hypervisor: the ones behind its own tables are found through the M2P mapping of this L4.
    let l4 = memory::table_of(page.va, 4);
    let m2p_l3 = (l4.word(256) & memory::FRAME_MASK) >> 12;
    for flags in [RO, RW] {
        let result = update_va(page.va, m2p_l3 << 12 | flags, 0);
        step!("a frame of the hypervisor, flags {flags:#x}: {result}");
        check_eq!(result, EBUSY, "a frame of the hypervisor");
    }
    check_eq!(update_va(page.va, table.maddr() | RO, 0), 0, "a page table, read-only");
    check_eq!(update_va(page.va, page.maddr() | RW, 0), 0, "and back");
}
