// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cache attributes and NX in L1 entries: dom0 may use all of them on its own memory.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{PTE_NX, PTE_PCD, PTE_PSE, PTE_PWT};
use guest_rt::memory::{RW, update_va, walk};
use guest_rt::{check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let page = memory::alloc();
    let attributes = PTE_PWT | PTE_PCD | PTE_PSE | PTE_NX;
    // Bit 7 is PAT in an L1. With this PAT: WB, WT, UC-, UC, WC, WP, UC, UC.
    for flags in [0, PTE_PWT, PTE_PCD, PTE_PCD | PTE_PWT, PTE_PSE, PTE_PSE | PTE_PWT, PTE_NX] {
        let result = update_va(page.va, page.maddr() | RW | flags, 6);
        let got = walk(page.va, 1).value & attributes;
        step!("flags {flags:#x}: {result}, entry {got:#x}");
        check_eq!((result, got), (0, flags), "flags {flags:#x}");
        page.set(0, flags);
        check_eq!(page.word(0), flags, "it works");
        // Two types at once are not kept: back to write-back in between.
        check_eq!(update_va(page.va, page.maddr() | RW, 6), 0, "write-back");
    }
}
