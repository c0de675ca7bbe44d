// SPDX-License-Identifier: MIT OR Apache-2.0
//! Multicalls: every entry runs, 64-bit results, nesting refused, unknown calls, bad arrays.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, EINVAL, ENOSYS};
use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, guest_main, memory};

guest_main!(main);

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Entry {
    op: u64,
    result: i64,
    args: [u64; 6],
}
fn entry(op: u64, args: &[u64]) -> Entry {
    let mut entry = Entry { op, result: 0x5a5a, args: [0; 6] };
    entry.args[..args.len()].copy_from_slice(args);
    entry
}
fn multicall(list: &mut [Entry]) -> i64 {
    let count = list.len() as u64;
    call(abi::HC_MULTICALL, [addr(list), count, 0, 0, 0])
}
fn main() {
    let page = memory::alloc();
    let mut list = [
        entry(abi::HC_XEN_VERSION, &[0]),
        entry(99, &[]),
        entry(abi::HC_MULTICALL, &[0x10, 1]),
        entry(abi::HC_UPDATE_VA_MAPPING, &[page.va, page.maddr() | memory::RO, 2]),
        entry(abi::HC_UPDATE_VA_MAPPING, &[0x100_0000_0000, page.maddr() | memory::RW, 0]),
        entry(abi::HC_UPDATE_VA_MAPPING, &[page.va, page.maddr() | memory::RW, 2]),
        entry(abi::HC_GET_DEBUGREG, &[7]),
        entry(abi::HC_XEN_VERSION, &[7]),
    ];
    check_eq!(multicall(&mut list), 0, "multicall");
    let results = list.map(|entry| entry.result);
    check_eq!(results, [4 << 16 | 17, ENOSYS, EINVAL, 0, EINVAL, 0, 0x400, 4096], "results");
    check_eq!(list[5].args[0], page.va, "arguments stay");
    check_eq!(multicall(&mut []), 0, "an empty list");
    check_eq!(call(abi::HC_MULTICALL, [0x1000, 1, 0, 0, 0]), EFAULT, "an unreadable list");
    check_eq!(call(abi::HC_MULTICALL, [abi::HYPERVISOR_VIRT_START, 1, 0, 0, 0]), EFAULT, "the hypervisor's memory");
    let mut updates = [[memory::walk(page.va, 1).maddr, page.maddr() | memory::RW]];
    let mut done = 77u32;
    let args = [addr(&mut updates), 1, addr(&mut done), abi::DOMID_SELF];
    let mut list = [entry(abi::HC_MMU_UPDATE, &args)];
    check_eq!((multicall(&mut list), list[0].result, done), (0, 0, 1), "mmu_update in a multicall");
    let mut many = [entry(abi::HC_XEN_VERSION, &[7]); 300];
    check_eq!(multicall(&mut many), 0, "a long list");
    check!(many.iter().all(|entry| entry.result == 4096), "all of it");
    // Writing results needs a writable list.
    let list = memory::alloc();
    list.set(0, abi::HC_XEN_VERSION);
    list.set(2, 7);
    list.make_ro();
    let result = call(abi::HC_MULTICALL, [list.va, 1, 0, 0, 0]);
    check_eq!((result, list.word(1)), (EFAULT, 0), "a read-only list");
}
