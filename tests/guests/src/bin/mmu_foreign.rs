// SPDX-License-Identifier: MIT OR Apache-2.0
//! Foreign domains in `mmu_update`, `mmuext_op` and `update_va_mapping_otherdomain`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_IO, DOMID_SELF, DOMID_XEN, EINVAL, EPERM, ESRCH};
use guest_rt::hypercall::call;
use guest_rt::memory::{RO, RW, mmu_update_dom, mmuext_dom, walk};
use guest_rt::{abi, check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let (page, window) = (memory::alloc(), memory::alloc());
    let entry = walk(window.va, 1).maddr;
    let update = |value: u64, dom: u64| {
        let result = mmu_update_dom(&mut [[entry, value]], dom);
        step!("value {value:#x} dom {dom:#x}: {} {}", result.0, result.1);
        result
    };
    check_eq!(update(page.maddr() | RW, DOMID_SELF), (0, 1), "own frame as own");
    check_eq!(update(page.maddr() | RW, 0), (ESRCH, 0), "own frame by own number");
    check_eq!(update(page.maddr() | RW, 77), (ESRCH, 0), "no such domain");
    check_eq!(update(page.maddr() | RW, abi::DOMID_INVALID), (ESRCH, 0), "the invalid domain");
    check_eq!(update(page.maddr() | RW, DOMID_IO), (0, 1), "own frame as I/O: dom0 may");
    check_eq!(update(page.maddr() | RW, DOMID_XEN), (0, 1), "and as the hypervisor's");
    // The VGA window: belongs to nobody but dom0 may use it.
    check_eq!(update(0xa_0000 | RW, DOMID_IO), (0, 1), "I/O memory as I/O");
    check_eq!(update(0xa_0000 | RW, DOMID_SELF), (0, 1), "I/O memory as own");
    check_eq!(update(window.maddr() | RW, DOMID_SELF), (0, 1), "back");
    check_eq!(update(0xfee0_0000 | RW, DOMID_IO), (EPERM, 0), "the local APIC");
    let l1 = memory::table_of(window.va, 1);
    let (result, done) = mmu_update_dom(&mut [[walk(window.va, 2).maddr, l1.maddr() | RW]], DOMID_IO);
    check_eq!((result, done), (EINVAL, 0), "an L2 entry for another domain");
    let mut flush = [[abi::MMUEXT_TLB_FLUSH_LOCAL, 0, 0]];
    check_eq!(mmuext_dom(&mut flush, 0), (ESRCH, 0), "mmuext_op by own number");
    check_eq!(mmuext_dom(&mut flush, 77), (ESRCH, 0), "mmuext_op for no domain");
    check_eq!(mmuext_dom(&mut flush, DOMID_IO), (EPERM, 0), "flush for another domain");
    let other = |value, dom| call(abi::HC_UPDATE_VA_MAPPING_OTHERDOMAIN, [window.va, value, 2, dom, 0]);
    check_eq!(other(0xa_0000 | RO, DOMID_IO), 0, "otherdomain: I/O");
    check_eq!(other(window.maddr() | RO, 77), ESRCH, "otherdomain: none");
    check_eq!(other(window.maddr() | RW, DOMID_SELF), 0, "otherdomain: self");
}
