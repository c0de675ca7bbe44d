// SPDX-License-Identifier: MIT OR Apache-2.0
//! `swap_grant_ref`, `cache_flush`, and table growth under live entries.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::grant::{HOST_MAP, PERMIT, map, set_v1, setup_table, unmap};
use guest_rt::hypercall::grant_table_op;
use guest_rt::{abi, check_eq, grant, guest_main, memory, step};

guest_main!(main);

fn swap(a: u32, b: u32) -> i16 {
    let mut arg = [a, b, 0x7fff];
    memory::must(grant_table_op(abi::GNTTABOP_SWAP_GRANT_REF, &mut arg, 1), "swap_grant_ref");
    arg[2] as i16
}
fn main() {
    let table = grant::map_table();
    let (a, b, window) = (memory::alloc(), memory::alloc(), memory::alloc());
    window.unmap();
    a.set(0, 0xa);
    b.set(0, 0xb);
    set_v1(table, 8, 0, a.mfn, PERMIT);
    set_v1(table, 9, 3, b.mfn, PERMIT | grant::READONLY);
    check_eq!(swap(8, 9), 0, "swap");
    check_eq!(table.word(9), u64::from(PERMIT) | a.mfn << 32, "entry 9 is what 8 was");
    check_eq!(table.word(8), u64::from(PERMIT | grant::READONLY) | 3 << 16 | b.mfn << 32, "entry 8 is what 9 was");
    check_eq!(swap(8, 8), 0, "with itself");
    check_eq!(swap(8, 512 * 64), -3, "beyond the table");
    let mapped = map(window.va, HOST_MAP, 9, 0);
    check_eq!((mapped.status, window.word(0)), (0, 0xa), "map");
    check_eq!(swap(8, 9), -12, "an entry in use: try again");
    let (_, status, _) = setup_table(DOMID_SELF, 2);
    check_eq!(
        (status, grant::flags_v1(table, 9)),
        (0, PERMIT | grant::READING | grant::WRITING),
        "growth leaves it alone"
    );
    check_eq!(unmap(window.va, 0, mapped.handle), 0, "unmap");
    let mut flush = [a.maddr(), 4096 << 16 | 1 << 32];
    let result = grant_table_op(abi::GNTTABOP_CACHE_FLUSH, &mut flush, 1);
    step!("cache_flush {result}");
    let mut flush = [a.maddr(), 4097 << 16 | 1 << 32];
    check_eq!(grant_table_op(abi::GNTTABOP_CACHE_FLUSH, &mut flush, 1), abi::EINVAL, "more than a page");
}
