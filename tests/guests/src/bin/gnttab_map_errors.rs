// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `GNTTABOP_map_grant_ref` refuses, and with which status.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::grant::{HOST_MAP, PERMIT, flags_v1, map, set_v1};
use guest_rt::{abi, check_eq, grant, guest_main, memory, step};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (page, window) = (memory::alloc(), memory::alloc());
    let refuse = |host: u64, flags: u32, gref: u32, dom: u64, status: i16, what: &str| {
        let mapped = map(host, flags, gref, dom);
        step!("{what}: {}", mapped.status);
        check_eq!((mapped.result, mapped.status), (0, status), "{what}");
    };
    set_v1(table, 8, 0, page.mfn, PERMIT);
    refuse(window.va, HOST_MAP, 20, 0, -1, "an empty entry");
    refuse(window.va, HOST_MAP, 512 * 64, 0, -3, "a reference beyond the table");
    refuse(window.va, HOST_MAP, u32::MAX, 0, -3, "the largest reference");
    refuse(window.va, HOST_MAP, 8, 77, -2, "no such domain");
    refuse(window.va, 0, 8, 0, -3, "neither host nor device map");
    refuse(0x100_0000_0000, HOST_MAP, 8, 0, -1, "an address without a page table");
    refuse(abi::HYPERVISOR_VIRT_START, HOST_MAP, 8, 0, -1, "the hypervisor's range");
    check_eq!(flags_v1(table, 8), PERMIT, "nothing is left in use");
    set_v1(table, 9, 1, page.mfn, PERMIT);
    refuse(window.va, HOST_MAP, 9, 0, -1, "a grant for another domain");
    set_v1(table, 10, 0, page.mfn, 2);
    refuse(window.va, HOST_MAP, 10, 0, -1, "an entry for transfers");
    set_v1(table, 11, 0, 0xfff_ffff, PERMIT);
    refuse(window.va, HOST_MAP, 11, 0, -9, "no such frame");
    check_eq!(flags_v1(table, 11), PERMIT, "nothing is left in use");
    let l1 = memory::table_of(page.va, 1);
    set_v1(table, 12, 0, l1.mfn, PERMIT);
    refuse(window.va, HOST_MAP, 12, 0, -1, "a page table, writable");
    check_eq!(flags_v1(table, 12), PERMIT, "nothing is left in use");
    check_eq!(memory::walk(window.va, 1).value & memory::FRAME_MASK, window.maddr(), "the window is as it was");
    // Several in one call: each has its own status, and the call as such succeeds.
    let one = |gref: u64| [window.va, 2 | gref << 32, 0, 0];
    let mut batch = [one(20), one(8), one(9)];
    check_eq!(guest_rt::hypercall::grant_table_op(0, &mut batch, 3), 0, "a batch");
    let statuses = batch.map(|op| (op[2] >> 16) as i16);
    check_eq!(statuses, [-1, 0, -1], "statuses");
    check_eq!(grant::unmap(window.va, 0, (batch[1][2] >> 32) as u32), 0, "unmap");
}
