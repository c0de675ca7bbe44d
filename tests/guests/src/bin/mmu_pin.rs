// SPDX-License-Identifier: MIT OR Apache-2.0
//! Pin and unpin at every level, and the errors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, MMUEXT_PIN_L1, MMUEXT_PIN_L2, MMUEXT_PIN_L3, MMUEXT_PIN_L4, MMUEXT_UNPIN};
use guest_rt::memory::{RW, mmuext};
use guest_rt::{abi, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let pins = [MMUEXT_PIN_L1, MMUEXT_PIN_L2, MMUEXT_PIN_L3, MMUEXT_PIN_L4];
    for pin in pins {
        let page = memory::alloc();
        check_eq!(mmuext(pin, page.mfn, 0), EINVAL, "a page that is mapped writable");
        page.make_ro();
        check_eq!(mmuext(MMUEXT_UNPIN, page.mfn, 0), EINVAL, "unpin what is not pinned");
        check_eq!(mmuext(pin, page.mfn, 0), 0, "pin level {pin}");
        check_eq!(mmuext(pin, page.mfn, 0), EINVAL, "pin again");
        check_eq!(page.try_rw(), abi::EBUSY, "a pinned table cannot be writable");
        for other in pins {
            if other != pin {
                check_eq!(mmuext(other, page.mfn, 0), EINVAL, "pin at another level");
            }
        }
        check_eq!(mmuext(MMUEXT_UNPIN, page.mfn, 0), 0, "unpin");
        check_eq!(mmuext(MMUEXT_UNPIN, page.mfn, 0), EINVAL, "unpin again");
        check_eq!(page.try_rw(), 0, "free again");
    }
    // A tree: pinning the top types all below it.
    let (l4, l3, l2, l1, data) = (memory::alloc(), memory::alloc(), memory::alloc(), memory::alloc(), memory::alloc());
    l4.set(3, l3.maddr() | RW);
    l3.set(5, l2.maddr() | RW);
    l2.set(7, l1.maddr() | RW);
    l1.set(9, data.maddr() | RW);
    for table in [l4, l3, l2] {
        table.make_ro();
    }
    check_eq!(mmuext(MMUEXT_PIN_L4, l4.mfn, 0), EINVAL, "the L1 is still writable");
    check_eq!(l3.try_rw(), 0, "nothing was kept of the attempt");
    l3.make_ro();
    l1.make_ro();
    check_eq!(mmuext(MMUEXT_PIN_L4, l4.mfn, 0), 0, "pin the tree");
    for table in [l4, l3, l2, l1] {
        check_eq!(table.try_rw(), abi::EBUSY, "all are tables");
    }
    check_eq!(mmuext(MMUEXT_PIN_L1, data.mfn, 0), EINVAL, "the data page is in writable use");
    check_eq!(mmuext(MMUEXT_PIN_L1, l1.mfn, 0), 0, "pin the L1 on its own");
    check_eq!(mmuext(MMUEXT_UNPIN, l4.mfn, 0), 0, "unpin the tree");
    for table in [l4, l3, l2] {
        check_eq!(table.try_rw(), 0, "free");
    }
    check_eq!(l1.try_rw(), abi::EBUSY, "but for the L1, pinned on its own");
    check_eq!(mmuext(MMUEXT_UNPIN, l1.mfn, 0), 0, "unpin the L1");
    check_eq!(l1.try_rw(), 0, "free");
    check_eq!(mmuext(MMUEXT_PIN_L1, 0xffff_ffff, 0), EINVAL, "no such frame");
    let bad = memory::alloc();
    bad.set(0, 1 << 51 | RW);
    bad.make_ro();
    check_eq!(mmuext(MMUEXT_PIN_L1, bad.mfn, 0), abi::EPERM, "a table with an entry that is refused");
    check_eq!(bad.try_rw(), 0, "stays a plain page");
}
