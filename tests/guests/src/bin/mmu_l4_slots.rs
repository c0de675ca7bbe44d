// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hypervisor's slots of an L4 cannot be written, the guest's can.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::EINVAL;
use guest_rt::memory::{RW, VIRT_BASE, mmu_update, table_of};
use guest_rt::{check, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let l4 = table_of(VIRT_BASE, 4);
    let l3 = memory::alloc();
    l3.make_ro();
    for slot in 256..272 {
        let before = l4.word(slot);
        check_eq!(mmu_update(l4.maddr() + slot * 8, l3.maddr() | RW), EINVAL, "slot {slot}");
        check_eq!(mmu_update(l4.maddr() + slot * 8, 0), EINVAL, "slot {slot} with nothing");
        check_eq!(l4.word(slot), before, "slot {slot} stays");
    }
    for slot in [2, 255, 272, 510] {
        check_eq!(l4.word(slot), 0, "slot {slot} is empty");
        check_eq!(mmu_update(l4.maddr() + slot * 8, l3.maddr() | RW), 0, "slot {slot}");
        check_eq!(mmu_update(l4.maddr() + slot * 8, 0), 0, "slot {slot} emptied");
    }
    check!(l4.word(256) & 1 == 1, "the machine-to-physical table is there");
}
