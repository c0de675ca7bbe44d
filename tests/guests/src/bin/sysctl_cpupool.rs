// SPDX-License-Identifier: MIT OR Apache-2.0
//! `sysctl`: CPU pools: how they come and go, whose CPUs they have, and which domains.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EADDRNOTAVAIL, EBUSY, EEXIST, EINVAL, ENODEV, ENOENT, EPERM, ESRCH};
use guest_rt::control::{createdomain, domctl, sysctl};
use guest_rt::memory::{self, Page};
use guest_rt::{check_eq, guest_main, need};

guest_main!(main);

const CREATE: u32 = 1;
const DESTROY: u32 = 2;
const INFO: u32 = 3;
const ADD: u32 = 4;
const REMOVE: u32 = 5;
const MOVE: u32 = 6;
const FREE: u32 = 7;

/// `XEN_DOMCTL_setvcpuaffinity` and `getvcpuaffinity`.
const SET: u64 = 9;
const GET: u64 = 25;

const CREDIT2: u32 = 6;
const ANY: u32 = u32::MAX;
const DOM: u32 = 100;
const OTHER: u32 = 101;

/// What a call returns, the pool's number, how many domains it has, and its CPUs.
type Answer = (i64, u32, u32, u64);

fn main() {
    let page = memory::alloc();
    need!(info(page, 0) == (0, 0, 1, 3), "two CPUs, both in pool 0");
    making(page);
    cpus(page);
    domains(page);
    affinities(page);
    limits();
    for dom in [DOM, OTHER] {
        check_eq!(domctl(2, dom.into()).call(), 0, "destroydomain");
    }
    check_eq!(pool(page, DESTROY, 1, 0, 0).0, EBUSY, "destroy a pool with a CPU");
    check_eq!(pool(page, REMOVE, 1, 0, ANY).0, 0, "its last CPU goes with its last domain");
    check_eq!(pool(page, REMOVE, 1, 0, ANY).0, EINVAL, "and there is no other");
    check_eq!(pool(page, DESTROY, 1, 0, 0).0, 0, "destroy the pool");
    check_eq!(pool(page, ADD, 0, 0, 1).0, 0, "the CPU is back");
    check_eq!(info(page, 0).3, 3, "all CPUs");
    many(page);
}

/// So many vCPUs that the call has to be continued; the last domain is told all the same.
fn many(page: Page) {
    check_eq!(createdomain(DOM.into()).set32(0x1c, 128).call(), 0, "createdomain");
    check_eq!(domctl(15, DOM.into()).set32(0, 128).call(), 0, "128 vCPUs");
    check_eq!(createdomain(OTHER.into()).call(), 0, "createdomain");
    check_eq!(domctl(15, OTHER.into()).set32(0, 1).call(), 0, "one vCPU");
    check_eq!(affinity(page, SET, 2, 1).0, 0, "bound to the CPU that goes");
    check_eq!(pool(page, REMOVE, 0, 0, 1).0, 0, "remove");
    check_eq!(affinity(page, GET, 0, 1).1, 3, "bound no more");
    check_eq!(pool(page, ADD, 0, 0, 1).0, 0, "add");
    for dom in [DOM, OTHER] {
        check_eq!(domctl(2, dom.into()).call(), 0, "destroydomain");
    }
}

fn pool(page: Page, cmd: u32, id: u32, dom: u32, cpu: u32) -> Answer {
    memory::write64(page.va, 0);
    let mut op = sysctl(18).set32(0, cmd).set32(4, id).set32(8, CREDIT2).set32(12, dom).set32(16, cpu);
    op = op.set64(0x18, page.va).set32(0x20, 8);
    (op.call(), op.get32(4), op.get32(0x14), memory::read64(page.va))
}

fn info(page: Page, id: u32) -> Answer {
    pool(page, INFO, id, 0, 0)
}

fn making(page: Page) {
    check_eq!(pool(page, CREATE, ANY, 0, 0), (0, 1, 0, 0), "create: the next number");
    check_eq!(pool(page, CREATE, 1, 0, 0).0, EEXIST, "create: a number that is taken");
    check_eq!(sysctl(18).set32(0, CREATE).set32(4, ANY).set32(8, 99).call(), ENOENT, "create: an unknown scheduler");
    check_eq!(pool(page, CREATE, 5, 0, 0), (0, 5, 0, 0), "create: a number of one's own");
    check_eq!(pool(page, CREATE, ANY, 0, 0), (0, 6, 0, 0), "create: the one behind it");
    check_eq!(info(page, 2), (0, 5, 0, 0), "info: the next pool");
    check_eq!(info(page, 7).0, ENOENT, "info: behind the last");
    for id in [5, 6] {
        check_eq!(pool(page, DESTROY, id, 0, 0).0, 0, "destroy {id}");
    }
    check_eq!(pool(page, DESTROY, 5, 0, 0).0, ENOENT, "destroy again");
}

/// The second CPU goes from pool 0 to pool 1, by way of being free.
fn cpus(page: Page) {
    check_eq!(pool(page, ADD, 1, 0, 1).0, ENODEV, "add a CPU that is in use");
    check_eq!(pool(page, ADD, 1, 0, 99).0, EINVAL, "add a CPU that is not there");
    check_eq!(pool(page, ADD, 1, 0, ANY).0, ENODEV, "add any: none is free");
    check_eq!(pool(page, ADD, 9, 0, 1).0, ENOENT, "add to no pool");
    check_eq!(pool(page, REMOVE, 9, 0, 1).0, ENOENT, "remove from no pool");
    check_eq!(pool(page, REMOVE, 0, 0, 99).0, EINVAL, "remove a CPU that is not there");
    check_eq!(pool(page, REMOVE, 1, 0, 1).0, EADDRNOTAVAIL, "remove another pool's CPU");
    check_eq!(pool(page, REMOVE, 1, 0, ANY).0, EINVAL, "remove any of none");
    check_eq!(pool(page, REMOVE, 0, 0, 1).0, 0, "remove");
    check_eq!(pool(page, FREE, 0, 0, 0).3, 2, "it is free");
    check_eq!(info(page, 0), (0, 0, 1, 1), "and not in the pool");
    check_eq!(pool(page, REMOVE, 0, 0, 1).0, EADDRNOTAVAIL, "remove again");
    check_eq!(pool(page, REMOVE, 0, 0, 0).0, EINVAL, "remove what dom0 runs on");
    check_eq!(pool(page, REMOVE, 0, 0, ANY).0, EINVAL, "whatever it is");
    check_eq!(createdomain(DOM.into()).set32(0x34, 1).call(), ENODEV, "createdomain in a pool without CPUs");
    check_eq!(createdomain(OTHER.into()).call(), 0, "createdomain in pool 0");
    check_eq!(pool(page, MOVE, 1, OTHER, 0).0, ENOENT, "move to a pool without CPUs");
    check_eq!(pool(page, ADD, 1, 0, ANY).0, 0, "add any");
    check_eq!(info(page, 1), (0, 1, 0, 2), "there is one");
    check_eq!(pool(page, ADD, 1, 0, ANY).0, ENODEV, "add any more");
}

fn domains(page: Page) {
    check_eq!(pool(page, MOVE, 1, 0, 0).0, EPERM, "move oneself");
    check_eq!(pool(page, MOVE, 1, 999, 0).0, ESRCH, "move nobody");
    check_eq!(pool(page, MOVE, 9, OTHER, 0).0, ENOENT, "move to no pool");
    check_eq!(createdomain(DOM.into()).set32(0x34, 9).call(), ESRCH, "createdomain in no pool");
    check_eq!(createdomain(DOM.into()).set32(0x34, 1).call(), 0, "createdomain in pool 1");
    for dom in [DOM, OTHER] {
        check_eq!(domctl(15, dom.into()).set32(0, 1).call(), 0, "max_vcpus");
    }
    check_eq!(info(page, 1).2, 1, "one domain");
    check_eq!(pool(page, MOVE, 1, OTHER, 0).0, 0, "move");
    check_eq!(pool(page, MOVE, 1, OTHER, 0).0, 0, "move to where it is");
    check_eq!((info(page, 0).2, info(page, 1).2), (1, 2), "two domains");
    let mut seen = domctl(5, OTHER.into());
    check_eq!((seen.call(), seen.get32(92)), (0, 1), "getdomaininfo");
    check_eq!(pool(page, REMOVE, 1, 0, 1).0, EBUSY, "remove the only CPU of domains");
    check_eq!(pool(page, REMOVE, 1, 0, ANY).0, EBUSY, "whatever it is");
    check_eq!(pool(page, DESTROY, 1, 0, 0).0, EBUSY, "destroy a pool with domains");
}

/// Both maps of the other domain's vCPU: set to `map` those that `flags` name, or read.
fn affinity(page: Page, cmd: u64, map: u64, flags: u32) -> (i64, u64, u64) {
    let maps = [page.va, page.va + 8];
    maps.into_iter().for_each(|va| memory::write64(va, map));
    let mut op = domctl(cmd, OTHER.into()).set32(4, flags).set64(8, maps[0]).set32(16, 8);
    op = op.set64(24, maps[1]).set32(32, 8);
    (op.call(), memory::read64(maps[0]), memory::read64(maps[1]))
}

/// What is set may have CPUs of other pools, but not only such; what takes effect is this pool's.
fn affinities(page: Page) {
    let affinity = |cmd: u64, map: u64, flags: u32| affinity(page, cmd, map, flags);
    check_eq!(affinity(GET, 0, 3), (0, 3, 3), "everywhere");
    check_eq!(affinity(SET, 1, 1).0, EINVAL, "hard: only another pool's CPU");
    check_eq!(affinity(SET, 3, 1), (0, 2, 3), "hard: what takes effect");
    check_eq!(affinity(SET, 1, 2), (0, 1, 0), "soft: only another pool's CPU has no effect");
    check_eq!(affinity(SET, 2, 1).0, 0, "hard: this pool's CPU");
    check_eq!(affinity(GET, 0, 3), (0, 2, 1), "what was set");
    check_eq!(pool(page, MOVE, 0, OTHER, 0).0, 0, "move");
    check_eq!(affinity(GET, 0, 3), (0, 3, 3), "everywhere again");
}

/// Each pool has its own limit on preemptions.
fn limits() {
    let limit = |cmd: u32, pool: u32, value: u32| {
        let mut op = sysctl(19).set32(0, pool).set32(4, CREDIT2).set32(8, cmd).set32(16, value);
        (op.call(), op.get32(16))
    };
    let usual = limit(1, 0, 0).1;
    check_eq!(limit(1, 1, 0), (0, usual), "a new pool has the usual one");
    check_eq!(limit(0, 1, 7000).0, 0, "another one");
    check_eq!((limit(1, 1, 0), limit(1, 0, 0)), ((0, 7000), (0, usual)), "is kept, and only there");
}
