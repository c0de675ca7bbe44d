// SPDX-License-Identifier: MIT OR Apache-2.0
//! Map and unmap grants of one's own: the entry, the data, the bits in use, errors of unmap.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::grant::{HOST_MAP, MAP_READONLY, PERMIT, READING, READONLY, WRITING, flags_v1, map, set_v1, unmap};
use guest_rt::memory::walk;
use guest_rt::trap::Frame;
use guest_rt::{abi, check, check_eq, grant, guest_main, memory, step, trap};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (page, window) = (memory::alloc(), memory::alloc());
    page.set(0, 0xabcd);
    // Mapping over a present entry would leave the old translation in the TLB.
    window.unmap();
    set_v1(table, 8, 0, page.mfn, PERMIT);
    let first = map(window.va, HOST_MAP, 8, 0);
    step!("{first:x?}");
    check_eq!((first.result, first.status), (0, 0), "map");
    check_eq!(first.dev_bus_addr, page.maddr(), "machine address");
    check_eq!(memory::read64(window.va), 0xabcd, "the data");
    memory::write64(window.va + 8, 0x77);
    check_eq!(page.word(1), 0x77, "writes arrive");
    check_eq!(flags_v1(table, 8), PERMIT | READING | WRITING, "the entry is in use");
    check_eq!(
        walk(window.va, 1).value & !0x0fff_0000_0000_0f18,
        page.maddr() | 0x67 | abi::PTE_NX,
        "the entry: no execution"
    );
    let window2 = memory::alloc();
    window2.unmap();
    let second = map(window2.va, HOST_MAP | MAP_READONLY, 8, 0);
    check_eq!(second.status, 0, "map once more");
    check_eq!(map(window2.va, HOST_MAP, 8, abi::DOMID_SELF).status, -2, "the granter is told by number");
    check!(second.handle != first.handle, "another handle");
    // mov [rax], rcx
    let trap = trap::run_regs(&[0x48, 0x89, 0x08], Frame { rax: window2.va, ..Frame::default() });
    check_eq!((trap.vector, trap.error), (14, 3), "a read-only mapping");

    check_eq!(unmap(window2.va, 0, first.handle), -1, "the handle of the other mapping");
    check_eq!(unmap(window.va + 0x1000_0000, 0, first.handle), -1, "another address");
    check_eq!(unmap(window.va, 0, 0x7fff), -4, "no such handle");
    check_eq!(unmap(window.va, 0, first.handle), 0, "unmap");
    check_eq!(flags_v1(table, 8), PERMIT | READING, "only a reader is left");
    check_eq!(unmap(window.va, 0, first.handle), -4, "unmap twice");
    check_eq!(walk(window.va, 1).value, 0, "the entry is gone");
    check_eq!(unmap(window2.va, 0, second.handle), 0, "unmap the second");
    check_eq!(flags_v1(table, 8), PERMIT, "nobody uses it");

    set_v1(table, 9, 0, page.mfn, PERMIT | READONLY);
    check_eq!(map(window.va, HOST_MAP, 9, 0).status, -1, "writable map of a read-only grant");
    let third = map(window.va, HOST_MAP | MAP_READONLY, 9, 0);
    check_eq!(third.status, 0, "read-only map of it");
    check_eq!(flags_v1(table, 9), PERMIT | READONLY | READING, "reading");
    check_eq!(unmap(window.va, 0, third.handle), 0, "unmap");
}
