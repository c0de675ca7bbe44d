// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sysctl`: CPU policies and feature sets, the CPU pool, the scheduler, and what is refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EACCES, EBUSY, EINVAL, ENOBUFS, ENOENT, ENOSYS, ESRCH};
use guest_rt::control::sysctl;
use guest_rt::memory::Page;
use guest_rt::{check, check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let page = memory::alloc();
    policies(page);
    features(page);
    pools(page);
    scheduler();
    for number in [0, 5, 12, 15, 24, 28, 30, 99] {
        check_eq!(sysctl(number).call(), ENOSYS, "sysctl {number}");
    }
    check_eq!(sysctl(3).version(0x14).call(), EACCES, "another interface version");
    let mut heap = sysctl(9).set32(8, u32::MAX);
    check_eq!(heap.call(), 0, "availheap");
    check!(heap.get64(16) > 0 && heap.get64(16).is_multiple_of(4096), "some free pages");
}

fn policies(page: Page) {
    let policy = |index: u32, leaves: u32, list: u64| {
        let mut op = sysctl(29).set32(0, index).set32(4, leaves).set64(16, list);
        (op.call(), op.get32(4), op.get32(8))
    };
    let (result, leaves, msrs) = policy(4, 0, 0);
    step!("{leaves} leaves, {msrs} registers");
    check_eq!((result, msrs), (0, 2), "get_cpu_policy: how much there may be");
    check!(leaves > 20, "a list of leaves");
    for index in [0, 1, 2] {
        check_eq!(policy(index, 0, 0).0, 0, "policy {index}");
    }
    check_eq!(policy(6, 0, 0).0, EINVAL, "no such policy");
    check_eq!(policy(4, 1, page.va).0, ENOBUFS, "no room");
    check_eq!(sysctl(29).set32(0, 4).set32(12, 1).call(), EINVAL, "the reserved field");
    let (result, count, _) = policy(4, 4096 / 24, page.va);
    check_eq!(result, 0, "the default policy of PV guests");
    check!(count <= leaves && count > 10, "leaves");
    check_eq!((memory::read32(page.va), memory::read32(page.va + 4)), (0, u32::MAX), "the first leaf has no subleaves");
}

fn features(page: Page) {
    let set = |index: u32, room: u32, list: u64| {
        let mut op = sysctl(26).set32(0, index).set32(4, room).set64(8, list);
        (op.call(), op.get32(4))
    };
    let (result, words) = set(2, 0, 0);
    check_eq!(result, 0, "get_cpu_featureset: how long");
    check!(words >= 13, "words");
    check_eq!(set(2, 3, page.va), (ENOBUFS, 3), "no room for all");
    check_eq!(set(6, 100, page.va).0, EINVAL, "no such set");
    check_eq!(set(1, 100, page.va), (0, words), "the host's");
    check!(memory::read32(page.va) >> 25 & 1 != 0, "which has SSE");
}

fn pools(page: Page) {
    let pool = |op: u32, id: u32| {
        let mut op = sysctl(18).set32(0, op).set32(4, id).set64(0x18, page.va).set32(0x20, 8);
        (op.call(), op.get32(4), op.get32(8), op.get32(0x14))
    };
    memory::write64(page.va, 0);
    check_eq!(pool(3, 0), (0, 0, 6, 1), "cpupool info: credit2, one domain");
    check!(memory::read8(page.va) & 1 != 0, "the first CPU");
    check_eq!(pool(3, 1).0, ENOENT, "no other pool");
    check_eq!(pool(7, 0).0, 0, "free CPUs");
    check_eq!(memory::read8(page.va), 0, "there are none");
    check_eq!(pool(2, 0).0, EBUSY, "destroy the pool");
    check_eq!(pool(2, 5).0, ENOENT, "destroy another");
    check_eq!(pool(9, 0).0, ENOSYS, "an unknown command");
}

fn scheduler() {
    const CREDIT2: u32 = 6;
    let op = |cmd: u32, scheduler: u32, pool: u32, value: u32| {
        let mut op = sysctl(19).set32(0, pool).set32(4, scheduler).set32(8, cmd).set32(16, value);
        (op.call(), op.get32(16))
    };
    let (result, usual) = op(1, CREDIT2, 0, 0);
    step!("rate limit {usual} us");
    check_eq!(result, 0, "getinfo");
    check_eq!(op(0, CREDIT2, 0, 2000).0, 0, "putinfo");
    check_eq!(op(1, CREDIT2, 0, 0), (0, 2000), "is kept");
    check_eq!(op(0, CREDIT2, 0, 50).0, EINVAL, "too little");
    check_eq!(op(0, CREDIT2, 0, 1_000_000).0, EINVAL, "too much");
    check_eq!(op(0, CREDIT2, 0, 0).0, 0, "none at all");
    check_eq!(op(0, CREDIT2, 0, usual).0, 0, "as before");
    check_eq!(op(2, CREDIT2, 0, 0).0, EINVAL, "an unknown command");
    check_eq!(op(1, 5, 0, 0).0, EINVAL, "another scheduler");
    check_eq!(op(1, CREDIT2, 1, 0).0, ESRCH, "another pool");
}
