// SPDX-License-Identifier: MIT OR Apache-2.0
//! TLB flushes: a changed entry is seen after each kind of flush, bad arguments are refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::EINVAL;
use guest_rt::hypercall::addr;
use guest_rt::memory::{RW, mmu_update, mmuext, walk};
use guest_rt::{abi, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let (page, a, b) = (memory::alloc(), memory::alloc(), memory::alloc());
    a.set(0, 0xaaaa);
    b.set(0, 0xbbbb);
    let entry = walk(page.va, 1).maddr;
    let mut mask = [1u64; 1];
    let mask = addr(&mut mask);
    let flushes = [
        (abi::MMUEXT_TLB_FLUSH_LOCAL, 0, 0),
        (abi::MMUEXT_INVLPG_LOCAL, page.va, 0),
        (abi::MMUEXT_TLB_FLUSH_MULTI, 0, mask),
        (abi::MMUEXT_INVLPG_MULTI, page.va, mask),
        (abi::MMUEXT_TLB_FLUSH_ALL, 0, 0),
        (abi::MMUEXT_INVLPG_ALL, page.va, 0),
    ];
    for (cmd, arg1, arg2) in flushes {
        for (target, want) in [(a, 0xaaaa), (b, 0xbbbb)] {
            check_eq!(mmu_update(entry, target.maddr() | RW), 0, "update");
            check_eq!(mmuext(cmd, arg1, arg2), 0, "flush {cmd}");
            check_eq!(page.word(0), want, "after flush {cmd}");
        }
    }
    // update_va_mapping's own flags: TLB_FLUSH and INVLPG, local and for all.
    for flags in [1, 2, 5, 6] {
        for (target, want) in [(a, 0xaaaa), (b, 0xbbbb)] {
            check_eq!(memory::update_va(page.va, target.maddr() | RW, flags), 0, "update with flags {flags}");
            check_eq!(page.word(0), want, "after flags {flags}");
        }
    }
    check_eq!(mmuext(abi::MMUEXT_TLB_FLUSH_MULTI, 0, 0x10), EINVAL, "an unreadable mask");
    check_eq!(mmuext(abi::MMUEXT_INVLPG_LOCAL, 0x8000_0000_0000, 0), 0, "a non-canonical address is ignored");
    check_eq!(mmuext(abi::MMUEXT_INVLPG_ALL, abi::HYPERVISOR_VIRT_START, 0), 0, "so is the hypervisor's range");
}
