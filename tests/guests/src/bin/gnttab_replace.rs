// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_unmap_and_replace` moves another mapping into the place of the grant; device maps.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::grant::{DEVICE_MAP, HOST_MAP, PERMIT, map, set_v1, unmap};
use guest_rt::hypercall::grant_table_op;
use guest_rt::memory::walk;
use guest_rt::{abi, check_eq, grant, guest_main, memory};

guest_main!(main);

fn main() {
    let table = grant::map_table();
    let (page, window, other) = (memory::alloc(), memory::alloc(), memory::alloc());
    page.set(0, 1);
    other.set(0, 2);
    window.unmap();
    set_v1(table, 8, 0, page.mfn, PERMIT);
    let mapped = map(window.va, HOST_MAP, 8, 0);
    check_eq!((mapped.status, window.word(0)), (0, 1), "map");
    let mut arg = [window.va, other.va, u64::from(mapped.handle)];
    check_eq!(grant_table_op(abi::GNTTABOP_UNMAP_AND_REPLACE, &mut arg, 1), 0, "unmap_and_replace");
    check_eq!((arg[2] >> 32) as i16, 0, "status");
    check_eq!(window.word(0), 2, "the other page is here now");
    check_eq!(walk(other.va, 1).value, 0, "and no longer there");
    check_eq!(grant::flags_v1(table, 8), PERMIT, "the grant is free");

    let device = map(0, DEVICE_MAP, 8, 0);
    check_eq!((device.status, device.dev_bus_addr), (0, page.maddr()), "device map");
    check_eq!(grant::flags_v1(table, 8), PERMIT | grant::READING | grant::WRITING, "in use");
    check_eq!(unmap(0, page.maddr() + 0x1000, device.handle), -6, "wrong bus address");
    check_eq!(unmap(0, page.maddr(), device.handle), 0, "unmap");
    check_eq!(grant::flags_v1(table, 8), PERMIT, "free");
}
