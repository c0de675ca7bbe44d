// SPDX-License-Identifier: MIT OR Apache-2.0
//! `set_version`, `get_version`, status frames, and version 2 entries in use.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::grant::{HOST_MAP, PERMIT, map, set_version, unmap};
use guest_rt::hypercall::{addr, grant_table_op};
use guest_rt::memory::{RW, UVMF_INVLPG_ALL, update_va};
use guest_rt::{abi, check_eq, grant, guest_main, memory};

guest_main!(main);

fn get_version() -> (i64, u32) {
    let mut arg = [DOMID_SELF as u32, 0];
    (grant_table_op(abi::GNTTABOP_GET_VERSION, &mut arg, 1), arg[1])
}
fn main() {
    check_eq!(get_version(), (0, 1), "version 1 at boot");
    check_eq!(set_version(3).0, abi::EINVAL, "version 3");
    check_eq!(set_version(0).0, abi::EINVAL, "version 0");
    let table = grant::map_table();
    check_eq!(set_version(1), (0, 1), "version 1 again");
    let (page, window) = (memory::alloc(), memory::alloc());
    page.set(0, 0x5555);
    grant::set_v1(table, 8, 0, page.mfn, PERMIT);
    let mapped = map(window.va, HOST_MAP, 8, 0);
    check_eq!(mapped.status, 0, "a mapped grant");
    check_eq!(set_version(2).0, abi::EBUSY, "cannot change while grants are mapped");
    check_eq!(unmap(window.va, 0, mapped.handle), 0, "unmap");
    grant::set_v1(table, 8, 0, 0, 0);
    check_eq!(set_version(2), (0, 2), "version 2");
    check_eq!(get_version(), (0, 2), "it is 2");

    let mut frames = [0u64; 2];
    let mut arg = [1 | DOMID_SELF << 32, addr(&mut frames)];
    check_eq!(grant_table_op(abi::GNTTABOP_GET_STATUS_FRAMES, &mut arg, 1), 0, "get_status_frames");
    check_eq!((arg[0] >> 48) as i16, 0, "status");
    let status = memory::alloc();
    check_eq!(update_va(status.va, frames[0] << 12 | RW, UVMF_INVLPG_ALL), 0, "map the status frame");
    let at = table.va + 8 * 16;
    memory::write64(at + 8, page.mfn);
    memory::write32(at, u32::from(PERMIT));
    let mapped = map(window.va, HOST_MAP, 8, 0);
    check_eq!((mapped.status, memory::read64(window.va)), (0, 0x5555), "map a version 2 grant");
    check_eq!(memory::read16(status.va + 16), grant::READING | grant::WRITING, "in use, by the status word");
    check_eq!(memory::read16(at), PERMIT, "not by the entry");
    check_eq!(unmap(window.va, 0, mapped.handle), 0, "unmap");
    check_eq!(memory::read16(status.va + 16), 0, "free");
    // A sub-page grant can be copied from, not mapped.
    memory::write32(at + 4, 0x10 | 0x20 << 16);
    memory::write16(at, PERMIT | 1 << 8);
    check_eq!(map(window.va, HOST_MAP, 8, 0).status, -1, "a sub-page grant does not map");
    let source = |offset| grant::Side { what: 8, dom: 0, offset };
    let dest = grant::Side { what: memory::alloc().mfn, dom: DOMID_SELF, offset: 0 };
    check_eq!(grant::copy(source(0x10), dest, 0x20, 1), 0, "copy within it");
    check_eq!(grant::copy(source(0x10), dest, 0x21, 1), -1, "copy beyond it");
    check_eq!(grant::copy(source(0x0f), dest, 8, 1), -1, "copy before it");
    memory::write16(at, 0);
    status.unmap();
    check_eq!(set_version(1), (0, 1), "back to version 1");
}
