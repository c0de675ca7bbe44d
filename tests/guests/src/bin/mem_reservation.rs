// SPDX-License-Identifier: MIT OR Apache-2.0
//! `decrease_reservation` and `populate_physmap`: pages in use, bad frames, orders, whole reservations.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, EFAULT};
use guest_rt::hypercall::{addr, call, memory_op};
use guest_rt::memory::m2p;
use guest_rt::{abi, check_eq, guest_main, memory, step};

guest_main!(main);

fn reserve(cmd: u64, list: &mut [u64], order: u64, dom: u64) -> i64 {
    memory_op(cmd, &mut [addr(list), list.len() as u64, order, dom])
}
fn main() {
    let decrease = |list: &mut [u64]| reserve(abi::XENMEM_DECREASE_RESERVATION, list, 0, DOMID_SELF);
    let populate = |list: &mut [u64]| reserve(abi::XENMEM_POPULATE_PHYSMAP, list, 0, DOMID_SELF);
    let (a, b) = (memory::spare(), memory::spare());
    check_eq!(decrease(&mut [a.1]), 1, "a spare page");
    check_eq!(decrease(&mut [a.1]), 0, "again");
    check_eq!(decrease(&mut [0xfff_ffff]), 0, "no such frame");
    check_eq!(decrease(&mut [b.1, 0xfff_ffff, b.1]), 1, "the first is done, the second is not");
    let l1 = memory::table_of(memory::VIRT_BASE, 1);
    let failed = decrease(&mut [l1.mfn]);
    step!("a page table: {failed}");
    let mut list = [a.0, b.0];
    check_eq!(populate(&mut list), 2, "populate both");
    check_eq!((m2p(list[0]), m2p(list[1])), (a.0, b.0), "M2P");
    check_eq!(populate(&mut []), 0, "none");
    check_eq!(reserve(abi::XENMEM_POPULATE_PHYSMAP, &mut [a.0], 30, DOMID_SELF), 0, "an order beyond all limits");
    check_eq!(reserve(abi::XENMEM_POPULATE_PHYSMAP, &mut [a.0], 0, 77), 0, "no such domain");
    check_eq!(reserve(abi::XENMEM_DECREASE_RESERVATION, &mut [list[0]], 0, 77), 0, "no such domain");
    check_eq!(
        call(abi::HC_MEMORY_OP, [abi::XENMEM_POPULATE_PHYSMAP, 0x10, 0, 0, 0]),
        0,
        "an unreadable argument: none done"
    );
    check_eq!(call(abi::HC_MEMORY_OP, [abi::XENMEM_EXCHANGE, 0x10, 0, 0, 0]), EFAULT, "exchange says it");
}
