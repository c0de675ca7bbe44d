// SPDX-License-Identifier: MIT OR Apache-2.0
//! `mmu_update` and `mmuext_op`: how many are done, the first error ends it, empty and huge counts.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, EFAULT, EINVAL, ENOSYS, EPERM, MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_UNPIN};
use guest_rt::hypercall::{addr, call};
use guest_rt::memory::{RO, RW, mmu_update_dom, mmuext_dom, walk};
use guest_rt::{abi, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let (a, b, c) = (memory::alloc(), memory::alloc(), memory::alloc());
    let at = |page: memory::Page| walk(page.va, 1).maddr;
    let mut updates = [[at(a), a.maddr() | RO], [at(b), b.maddr() | RW | 1 << 51], [at(c), c.maddr() | RO]];
    check_eq!(mmu_update_dom(&mut updates, DOMID_SELF), (EPERM, 1), "the second is bad");
    check_eq!(walk(a.va, 1).value & 2, 0, "the first one was done");
    check_eq!(walk(c.va, 1).value & 2, 2, "the third one was not");
    updates[1][1] = b.maddr() | RO;
    check_eq!(mmu_update_dom(&mut updates, DOMID_SELF), (0, 3), "all good");
    check_eq!(mmu_update_dom(&mut [], DOMID_SELF), (0, 0), "none");
    let no_count = call(abi::HC_MMU_UPDATE, [addr(&mut updates), 3, 0, DOMID_SELF, 0]);
    check_eq!(no_count, 0, "a null pointer for the count");
    check_eq!(call(abi::HC_MMU_UPDATE, [0x10, 1, 0, DOMID_SELF, 0]), EFAULT, "unreadable updates");

    let good = [MMUEXT_TLB_FLUSH_LOCAL, 0, 0];
    check_eq!(mmuext_dom(&mut [good, [MMUEXT_UNPIN, a.mfn, 0], good], DOMID_SELF), (EINVAL, 1), "the second is bad");
    check_eq!(mmuext_dom(&mut [good, good], DOMID_SELF), (0, 2), "all good");
    check_eq!(mmuext_dom(&mut [[99, 0, 0]], DOMID_SELF), (ENOSYS, 0), "an unknown operation");
    check_eq!(mmuext_dom(&mut [[14, 0, 0]], DOMID_SELF), (ENOSYS, 0), "the unused number");
    check_eq!(mmuext_dom(&mut [[19, a.mfn, 0]], DOMID_SELF).0, abi::EOPNOTSUPP, "mark_super");
    check_eq!(call(abi::HC_MMUEXT_OP, [0x10, 1, 0, DOMID_SELF, 0]), EFAULT, "unreadable operations");
}
