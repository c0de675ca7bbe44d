// SPDX-License-Identifier: MIT OR Apache-2.0
//! No page is a writable mapping and a page table at once, whichever way one comes.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EBUSY, EINVAL, MMUEXT_PIN_L1, MMUEXT_UNPIN};
use guest_rt::grant::{HOST_MAP, MAP_READONLY, PERMIT, map, set_v1, unmap};
use guest_rt::memory::{RO, RW, mmuext, update_va, walk};
use guest_rt::{abi, check_eq, event, grant, guest_main, memory};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (page, second, window) = (memory::alloc(), memory::alloc(), memory::alloc());
    window.unmap();
    page.make_ro();
    // Two mappings of one frame: both must go before it may become a table.
    check_eq!(update_va(second.va, page.maddr() | RW, 6), 0, "a second, writable mapping");
    check_eq!(mmuext(MMUEXT_PIN_L1, page.mfn, 0), EINVAL, "it is in writable use");
    check_eq!(update_va(second.va, page.maddr() | RO, 6), 0, "read-only");
    check_eq!(mmuext(MMUEXT_PIN_L1, page.mfn, 0), 0, "now it may");
    check_eq!(update_va(second.va, page.maddr() | RW, 6), EBUSY, "no writable mapping of a table");
    set_v1(table, 8, 0, page.mfn, PERMIT);
    check_eq!(map(window.va, HOST_MAP, 8, 0).status, -1, "nor by a grant");
    let read_only = map(window.va, HOST_MAP | MAP_READONLY, 8, 0);
    check_eq!(read_only.status, 0, "a read-only grant map is fine");
    check_eq!(unmap(window.va, 0, read_only.handle), 0, "unmap");
    check_eq!(
        grant::copy(
            grant::Side { what: second.mfn, dom: abi::DOMID_SELF, offset: 0 },
            grant::Side { what: 8, dom: 0, offset: 0 },
            8,
            2
        ),
        -1,
        "nor may a copy write to it"
    );
    check_eq!(mmuext(abi::MMUEXT_CLEAR_PAGE, page.mfn, 0), EINVAL, "nor clear_page");
    check_eq!(event::init_control(page.mfn, 0, 0).0, EINVAL, "nor an event control block");
    check_eq!(mmuext(MMUEXT_UNPIN, page.mfn, 0), 0, "unpin");
    // A grant map holds the page writable.
    let writable = map(window.va, HOST_MAP, 8, 0);
    check_eq!(writable.status, 0, "a writable grant map");
    check_eq!(mmuext(MMUEXT_PIN_L1, page.mfn, 0), EINVAL, "it is in writable use");
    check_eq!(unmap(window.va, 0, writable.handle), 0, "unmap");
    check_eq!(mmuext(MMUEXT_PIN_L1, page.mfn, 0), 0, "free again");
    // A flag-only change must not turn a read-only mapping of a table into a writable one.
    let entry = walk(second.va, 1);
    check_eq!(memory::mmu_update(entry.maddr, entry.value | 2), EBUSY, "RW added to the entry");
    check_eq!(memory::mmu_update(entry.maddr | 2, entry.value | 2), EBUSY, "RW added, preserving A and D");
    check_eq!(walk(second.va, 1).value & 2, 0, "it stays read-only");
    check_eq!(mmuext(MMUEXT_UNPIN, page.mfn, 0), 0, "unpin");
    check_eq!(page.try_rw(), 0, "an ordinary page again");
}
