// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTMAP_contains_pte` and `GNTMAP_application_map`: mapping through the machine address of an entry.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{PTE_GUEST_KERNEL, PTE_RW, PTE_US};
use guest_rt::grant::{APPLICATION_MAP, CONTAINS_PTE, HOST_MAP, MAP_READONLY, PERMIT, map, set_v1, unmap};
use guest_rt::memory::walk;
use guest_rt::{check_eq, grant, guest_main, memory, step, trap};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (page, window) = (memory::alloc(), memory::alloc());
    page.set(3, 0x3333);
    set_v1(table, 8, 0, page.mfn, PERMIT);
    let entry = walk(window.va, 1);
    window.unmap();
    let flags = HOST_MAP | CONTAINS_PTE;
    let mapped = map(entry.maddr, flags, 8, 0);
    check_eq!(mapped.status, 0, "map");
    check_eq!(window.word(3), 0x3333, "the data");
    let value = walk(window.va, 1).value;
    step!("entry {value:#x}");
    check_eq!(
        value & (memory::FRAME_MASK | PTE_RW | PTE_US | PTE_GUEST_KERNEL),
        page.maddr() | PTE_RW | PTE_US | PTE_GUEST_KERNEL,
        "a kernel mapping"
    );
    check_eq!(unmap(window.va, 0, mapped.handle), -1, "unmap by the wrong kind of address");
    check_eq!(unmap(entry.maddr + 8, 0, mapped.handle), -1, "unmap by another entry");
    check_eq!(unmap(entry.maddr, 0, mapped.handle), 0, "unmap");
    check_eq!(walk(window.va, 1).value, 0, "the entry is gone");

    let mapped = map(entry.maddr, flags | APPLICATION_MAP | MAP_READONLY | 1 << 16, 8, 0);
    check_eq!(mapped.status, 0, "map for user mode, with an available bit");
    let value = walk(window.va, 1).value;
    step!("entry {value:#x}");
    check_eq!(
        value & (memory::FRAME_MASK | PTE_RW | PTE_US | PTE_GUEST_KERNEL),
        page.maddr() | PTE_US,
        "a user mapping"
    );
    check_eq!(value >> 9 & 7, 1, "the available bit");
    // mov rcx, [rax]; int3
    let regs = trap::Frame { rax: window.at(3), ..trap::Frame::default() };
    let trap = trap::run_user_regs(&[0x48, 0x8b, 0x08, 0xcc], regs);
    check_eq!((trap.vector, trap.frame.rcx), (3, 0x3333), "user mode reads it");
    check_eq!(unmap(entry.maddr, 0, mapped.handle), 0, "unmap");

    check_eq!(map(entry.maddr + 4, flags, 8, 0).status, -1, "a misaligned entry");
    check_eq!(map(page.maddr(), flags, 8, 0).status, -1, "a page that is no table");
    check_eq!(map(0xfff_ffff_f000, flags, 8, 0).status, -1, "no such frame");
    let l2 = walk(window.va, 2);
    check_eq!(map(l2.maddr, flags, 8, 0).status, -1, "an L2");
}
