// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_copy` between frames and grants, and what it refuses.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::grant::{PERMIT, READONLY, Side, copy, flags_v1, set_v1};
use guest_rt::{check, check_eq, grant, guest_main, memory};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (a, b) = (memory::alloc(), memory::alloc());
    for index in 0..512 {
        a.set(index, 0x0101_0101_0101_0101 * (index & 0xff));
    }
    let frame = |page: memory::Page, offset| Side { what: page.mfn, dom: DOMID_SELF, offset };
    let gref = |what, dom, offset| Side { what, dom, offset };
    check_eq!(copy(frame(a, 0), frame(b, 0), 4096, 0), 0, "a whole page");
    check!((0..512).all(|index| b.word(index) == a.word(index)), "contents");
    check_eq!(copy(frame(a, 8), frame(b, 16), 5, 0), 0, "five bytes");
    check_eq!((b.word(1), b.word(2)), (a.word(1), 0x0202_0201_0101_0101), "contents");
    check_eq!(copy(frame(a, 1), frame(b, 0), 4096, 0), -10, "beyond the source page");
    check_eq!(copy(frame(a, 0), frame(b, 4000), 97, 0), -10, "beyond the destination page");
    check_eq!(copy(frame(a, 0), frame(b, 0), 0, 0), 0, "nothing");

    set_v1(table, 8, 0, a.mfn, PERMIT | READONLY);
    set_v1(table, 9, 0, b.mfn, PERMIT);
    b.set(0, 0);
    check_eq!(copy(gref(8, 0, 24), frame(b, 0), 8, 1), 0, "from a grant");
    check_eq!(b.word(0), a.word(3), "contents");
    check_eq!(copy(frame(a, 32), gref(9, 0, 0), 8, 2), 0, "to a grant");
    check_eq!(b.word(0), a.word(4), "contents");
    check_eq!(copy(gref(8, 0, 40), gref(9, DOMID_SELF, 0), 8, 3), 0, "from grant to grant");
    check_eq!(b.word(0), a.word(5), "contents");
    check_eq!((flags_v1(table, 8), flags_v1(table, 9)), (PERMIT | READONLY, PERMIT), "nothing stays in use");
    check_eq!(copy(frame(b, 0), gref(8, 0, 0), 8, 2), -1, "to a read-only grant");
    check_eq!(copy(frame(a, 0), gref(30, 0, 0), 8, 2), -1, "to an empty grant");
    check_eq!(copy(frame(a, 0), gref(512 * 64, 0, 0), 8, 2), -3, "to a reference beyond the table");
    check_eq!(copy(gref(8, 77, 0), frame(b, 0), 8, 1), -2, "from no domain");
    check_eq!(copy(Side { what: a.mfn, dom: 0, offset: 0 }, frame(b, 0), 8, 0), -8, "a frame by domain number");
    check_eq!(copy(Side { what: 0xfff_ffff, dom: DOMID_SELF, offset: 0 }, frame(b, 0), 8, 0), -9, "no such frame");
    let l1 = memory::table_of(a.va, 1);
    check_eq!(copy(frame(a, 0), frame(l1, 0), 8, 0), -1, "onto a page table");
}
