// SPDX-License-Identifier: MIT OR Apache-2.0
//! Decrease and populate the reservation, many pages in one call, with events coming in.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call, memory_op, vcpu_op};
use guest_rt::memory::{m2p, p2m};
use guest_rt::{abi, check, check_eq, event, guest_main, memory, need, step};

guest_main!(main);

fn current() -> i64 {
    memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [abi::DOMID_SELF])
}
fn main() {
    event::clear_all();
    let port = event::bind_virq(abi::VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    check_eq!(vcpu_op(abi::VCPUOP_SET_PERIODIC_TIMER, 0, &mut [1_000_000u64]), 0, "a timer");
    let count = 4096u64;
    let list = memory::alloc_many(8);
    let pages = memory::start_info_word(memory::start_info::NR_PAGES);
    let first = pages - count;
    for index in 0..count {
        memory::write64(list.va + index * 8, p2m(first + index));
    }
    let before = current();
    check_eq!(before as u64, pages, "current_reservation at boot");
    let mut reservation = [list.va, count, 0, abi::DOMID_SELF];
    event::set_upcall_mask(0);
    check_eq!(memory_op(abi::XENMEM_DECREASE_RESERVATION, &mut reservation) as u64, count, "decrease");
    event::set_upcall_mask(1);
    check_eq!(current() as u64, pages - count, "current_reservation");
    for index in [0, 1, count - 1] {
        check!(m2p(memory::read64(list.va + index * 8)) != first + index, "the M2P entry is gone");
    }
    check_eq!(
        call(abi::HC_MEMORY_OP, [abi::XENMEM_DECREASE_RESERVATION, addr(&mut reservation), 0, 0, 0]),
        0,
        "none of them is ours now"
    );
    for index in 0..count {
        memory::write64(list.va + index * 8, first + index);
    }
    event::set_upcall_mask(0);
    check_eq!(memory_op(abi::XENMEM_POPULATE_PHYSMAP, &mut reservation) as u64, count, "populate");
    event::set_upcall_mask(1);
    check_eq!(current(), before, "current_reservation");
    for index in 0..count {
        let mfn = memory::read64(list.va + index * 8);
        check_eq!(m2p(mfn), first + index, "M2P of page {index}");
    }
    let window = memory::alloc();
    let mfn = memory::read64(list.va);
    check_eq!(memory::update_va(window.va, mfn << 12 | memory::RW, 6), 0, "a new page maps");
    window.set(0, 0x99);
    check_eq!(window.word(0), 0x99, "and holds data");
    step!("{} upcalls on the way", event::upcalls());
}
