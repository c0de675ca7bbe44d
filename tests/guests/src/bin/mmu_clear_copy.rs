// SPDX-License-Identifier: MIT OR Apache-2.0
//! `MMUEXT_CLEAR_PAGE` and `MMUEXT_COPY_PAGE`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE};
use guest_rt::memory::mmuext;
use guest_rt::{check, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let (a, b) = (memory::alloc(), memory::alloc());
    for index in 0..512 {
        a.set(index, index * 3 + 1);
    }
    check_eq!(mmuext(MMUEXT_COPY_PAGE, b.mfn, a.mfn), 0, "copy");
    for index in 0..512 {
        check_eq!(b.word(index), index * 3 + 1, "copied word");
    }
    check_eq!(mmuext(MMUEXT_CLEAR_PAGE, b.mfn, 0), 0, "clear");
    check!((0..512).all(|index| b.word(index) == 0), "all zero");
    check_eq!(a.word(7), 22, "the source is as it was");
    let table = memory::table_of(a.va, 1);
    check_eq!(mmuext(MMUEXT_CLEAR_PAGE, table.mfn, 0), EINVAL, "a page table");
    check_eq!(mmuext(MMUEXT_COPY_PAGE, table.mfn, a.mfn), EINVAL, "onto a page table");
    check_eq!(mmuext(MMUEXT_COPY_PAGE, b.mfn, table.mfn), 0, "from a page table");
    check_eq!(b.word(0), table.word(0), "its contents");
    check_eq!(mmuext(MMUEXT_CLEAR_PAGE, 0xffff_ffff, 0), EINVAL, "no such frame");
    check_eq!(mmuext(MMUEXT_COPY_PAGE, b.mfn, 0xffff_ffff), EINVAL, "no such source");
    let (_, spare) = memory::spare();
    check_eq!(mmuext(MMUEXT_COPY_PAGE, spare, a.mfn), 0, "onto an unmapped page");
    check_eq!(mmuext(MMUEXT_COPY_PAGE, b.mfn, spare), 0, "and back");
    check_eq!(b.word(9), 28, "contents");
}
