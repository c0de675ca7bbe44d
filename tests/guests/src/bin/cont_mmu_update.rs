// SPDX-License-Identifier: MIT OR Apache-2.0
//! A large batch of page-table updates, with events coming in: all done, counted, in order.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call, vcpu_op};
use guest_rt::memory::{RO, RW, walk};
use guest_rt::{abi, check_eq, event, guest_main, memory, need, step};

guest_main!(main);

fn main() {
    event::clear_all();
    let port = event::bind_virq(abi::VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    // Upcalls open and a fast timer: the hypervisor has reason to interrupt the batch.
    check_eq!(vcpu_op(abi::VCPUOP_SET_PERIODIC_TIMER, 0, &mut [1_000_000u64]), 0, "a timer");
    let page = memory::alloc();
    let entry = walk(page.va, 1).maddr;
    let list = memory::alloc_many(64);
    let count = 64 * 256;
    for index in 0..count {
        let value = if index % 2 == 0 { page.maddr() | RO } else { page.maddr() | RW };
        memory::write64(list.va + index * 16, entry);
        memory::write64(list.va + index * 16 + 8, value | (index & 7) << 9);
    }
    for round in 0..4 {
        let mut done = 0u32;
        event::set_upcall_mask(0);
        let result = call(abi::HC_MMU_UPDATE, [list.va, count, addr(&mut done), abi::DOMID_SELF, 0]);
        event::set_upcall_mask(1);
        check_eq!((result, u64::from(done)), (0, count), "round {round}");
        check_eq!(walk(page.va, 1).value & 0xe02, ((count - 1) & 7) << 9 | 2, "the last update came last");
        event::take_pending(port);
    }
    // A bad update in the middle of it: the count is exact.
    let bad = count / 2 + 3;
    memory::write64(list.va + bad * 16 + 8, page.maddr() | RW | 1 << 51);
    let mut done = 0u32;
    event::set_upcall_mask(0);
    let result = call(abi::HC_MMU_UPDATE, [list.va, count, addr(&mut done), abi::DOMID_SELF, 0]);
    event::set_upcall_mask(1);
    check_eq!((result, u64::from(done)), (abi::EPERM, bad), "stopped at the bad one");
    check_eq!(
        walk(page.va, 1).value & 0xe02,
        ((bad - 1) & 7) << 9 | ((bad - 1) & 1) << 1,
        "the one before it is in place"
    );
    step!("{} upcalls on the way", event::upcalls());
}
