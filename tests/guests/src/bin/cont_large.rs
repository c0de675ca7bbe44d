// SPDX-License-Identifier: MIT OR Apache-2.0
//! The largest requests there are, whole and right: extents of 2 MiB, exchanges of as much, long lists of copies and of calls, full
//! tables pinned, thousands of ports reset. `cargo xtask bench latency` measures how long each keeps interrupts off.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::control::{createdomain, domctl};
use guest_rt::grant::{self, Side};
use guest_rt::hypercall::{addr, call, event_channel_op, grant_table_op, is_xenolith, memory_op};
use guest_rt::memory::{self, PAGE, Page, RO, RW, m2p, mmuext, p2m};
use guest_rt::{abi, check, check_eq, event, guest_main, step};

guest_main!(main);

/// Of domctl.
const DESTROYDOMAIN: u64 = 2;
const GETDOMAININFO: u64 = 5;
/// In its answer.
const FLAGS: usize = 4;
const MAX_VCPU_ID: usize = 68;
const MAX_MEM: u64 = 11;
const MAX_VCPUS_COMMAND: u64 = 15;
/// Pages of an extent of order 9.
const LARGE: u64 = 512;
const LARGE_ORDER: u64 = 9;
/// Elements of long lists.
const MANY: u64 = 2048;

fn main() {
    extents();
    exchange();
    page_operations();
    copies();
    calls();
    tables();
    ports();
    domain(false);
    domain(true);
}

/// A domain of as many vCPUs as there may be, with memory, from its making to its end.
///
/// `keep`: a page of it is in use when it ends, and let go of later.
fn domain(keep: bool) {
    const DOM: u64 = 33;
    const MAX_VCPUS: u32 = 128;
    check_eq!(createdomain(DOM).set32(0x1c, MAX_VCPUS).call(), 0, "createdomain");
    check_eq!(domctl(MAX_VCPUS_COMMAND, DOM).set32(0, MAX_VCPUS).call(), 0, "128 vCPUs");
    check_eq!(domctl(MAX_MEM, DOM).set64(0, 64 << 10).call(), 0, "max_mem");
    let list = memory::alloc_many(4);
    for index in 0..2 * LARGE {
        memory::write64(list.va + index * 8, index);
    }
    let populated = memory_op(abi::XENMEM_POPULATE_PHYSMAP, &mut [list.va, 2 * LARGE, 0, DOM]) as u64;
    check_eq!(populated, 2 * LARGE, "single pages");
    memory::write64(list.va, 2 * LARGE);
    check_eq!(memory_op(abi::XENMEM_POPULATE_PHYSMAP, &mut [list.va, 1, LARGE_ORDER, DOM]), 1, "an extent");
    let window = keep.then(memory::alloc);
    if let Some(window) = window {
        let entry = memory::walk(window.va, 1).maddr;
        let mapped = memory::mmu_update_dom(&mut [[entry, memory::read64(list.va) << 12 | RO]], DOM);
        check_eq!(mapped, (0, 1), "a page of it is mapped");
    }
    check_eq!(domctl(DESTROYDOMAIN, DOM).call(), 0, "destroydomain");
    if let Some(window) = window {
        let mut info = domctl(GETDOMAININFO, DOM);
        let result = info.call();
        check_eq!(
            (result, info.get32(FLAGS) & 1, info.get32(MAX_VCPU_ID)),
            (0, 1, MAX_VCPUS - 1),
            "dying, with its vCPUs"
        );
        memory::must(
            memory::update_va(window.va, window.maddr() | RW, memory::UVMF_INVLPG_ALL),
            "the window as it was",
        );
    }
    // On Xen it takes a moment.
    for _ in 0..1_000_000 {
        let mut info = domctl(GETDOMAININFO, DOM);
        if info.call() != 0 || info.domain() != DOM {
            return;
        }
    }
    check!(false, "the domain stays");
}

fn reserve(cmd: u64, list: u64, count: u64, order: u64) -> u64 {
    memory_op(cmd, &mut [list, count, order, DOMID_SELF]) as u64
}

/// Every page of the extent at `mfn` through a window: are they full of `old`, if that is promised, and now of `new`?
fn refill(window: Page, mfn: u64, old: Option<u64>, new: u64) {
    for frame in mfn..mfn + LARGE {
        check_eq!(memory::update_va(window.va, frame << 12 | RW, memory::UVMF_INVLPG_ALL), 0, "map frame {frame:#x}");
        for word in [0, 1, 255, 511] {
            check_eq!(window.word(word), old.unwrap_or(window.word(word)), "word {word} of frame {frame:#x}");
            window.set(word, new);
        }
    }
    memory::must(memory::update_va(window.va, window.maddr() | RW, memory::UVMF_INVLPG_ALL), "the window as it was");
}

/// Two extents of 2 MiB come, are written to and go, twice: they come full of zeros.
fn extents() {
    let first = memory::start_info_word(memory::start_info::NR_PAGES) - 3 * LARGE;
    // Xen gives a domain back what it had, as it was; Xenolith's pages are always full of zeros.
    let zero = is_xenolith().then_some(0);
    let list = memory::alloc_many(4);
    let window = memory::alloc();
    for index in 0..2 * LARGE {
        memory::write64(list.va + index * 8, p2m(first + index));
    }
    check_eq!(reserve(abi::XENMEM_DECREASE_RESERVATION, list.va, 2 * LARGE, 0), 2 * LARGE, "single pages go");
    for round in 0..2 {
        for index in 0..2 {
            memory::write64(list.va + index * 8, first + index * LARGE);
        }
        check_eq!(reserve(abi::XENMEM_POPULATE_PHYSMAP, list.va, 2, LARGE_ORDER), 2, "round {round}: extents come");
        for index in 0..2 {
            let mfn = memory::read64(list.va + index * 8);
            check_eq!(mfn % LARGE, 0, "aligned");
            check_eq!(
                (m2p(mfn), m2p(mfn + LARGE - 1)),
                (first + index * LARGE, first + index * LARGE + LARGE - 1),
                "M2P"
            );
            refill(window, mfn, zero, 0x5a5a + round);
        }
        check_eq!(reserve(abi::XENMEM_DECREASE_RESERVATION, list.va, 2, LARGE_ORDER), 2, "round {round}: extents go");
    }
}

/// 512 single pages for one extent of 2 MiB, and back.
fn exchange() {
    let first = memory::start_info_word(memory::start_info::NR_PAGES) - LARGE;
    let (singles, large) = (memory::alloc(), memory::alloc());
    let window = memory::alloc();
    for index in 0..LARGE {
        singles.set(index, p2m(first + index));
    }
    large.set(0, first);
    let swap = |from: Page, count: u64, order: u64, to: Page, to_count: u64, to_order: u64| {
        let mut arg = [from.va, count, order, DOMID_SELF, to.va, to_count, to_order, DOMID_SELF, 0];
        let result = memory_op(abi::XENMEM_EXCHANGE, &mut arg);
        check_eq!((result, arg[8]), (0, count), "{count} of order {order} for {to_count} of order {to_order}");
    };
    swap(singles, LARGE, 0, large, 1, LARGE_ORDER);
    refill(window, large.word(0), is_xenolith().then_some(0), 0x77);
    for index in 0..LARGE {
        singles.set(index, first + index);
    }
    swap(large, 1, LARGE_ORDER, singles, LARGE, 0);
    check_eq!((m2p(singles.word(0)), m2p(singles.word(LARGE - 1))), (first, first + LARGE - 1), "M2P");
}

fn page_operations() {
    let (source, target) = (memory::alloc(), memory::alloc());
    source.set(9, 28);
    let list = memory::alloc_many((MANY * 24).div_ceil(PAGE));
    for (cmd, want) in [(abi::MMUEXT_CLEAR_PAGE, 0), (abi::MMUEXT_COPY_PAGE, 28)] {
        for index in 0..MANY {
            for (word, value) in [cmd, target.mfn, source.mfn].into_iter().enumerate() {
                memory::write64(list.va + index * 24 + word as u64 * 8, value);
            }
        }
        let mut done = 0u32;
        let result = call(abi::HC_MMUEXT_OP, [list.va, MANY, addr(&mut done), DOMID_SELF, 0]);
        check_eq!((result, u64::from(done), target.word(9)), (0, MANY, want), "operation {cmd}");
    }
}

fn copies() {
    let table = grant::map_table();
    let (source, target) = (memory::alloc(), memory::alloc());
    source.set(511, 3);
    grant::set_v1(table, 9, 0, source.mfn, grant::PERMIT);
    let side = |what, dom: u64| [what, dom];
    let ([s0, s1], [d0, d1]) = (side(9, 0), side(target.mfn, DOMID_SELF));
    let list = memory::alloc_many((MANY * 40).div_ceil(PAGE));
    for index in 0..MANY {
        for (word, value) in [s0, s1, d0, d1, PAGE | 1 << 16 | 0x7fff << 32].into_iter().enumerate() {
            memory::write64(list.va + index * 40 + word as u64 * 8, value);
        }
    }
    check_eq!(call(abi::HC_GRANT_TABLE_OP, [abi::GNTTABOP_COPY, list.va, MANY, 0, 0]), 0, "copies");
    check_eq!(target.word(511), 3, "copied");
    let status = |index: u64| (memory::read64(list.va + index * 40 + 32) >> 32) as i16;
    check_eq!((status(0), status(MANY - 1)), (0, 0), "the first and the last");
    let one = Side { what: 9, dom: 0, offset: 0 };
    check_eq!(grant::copy(one, Side { what: target.mfn, dom: DOMID_SELF, offset: 0 }, 8, 1), 0, "one more");
    let mut list = [[0u32, 0, 0, 0xffff]; 64];
    list.iter_mut().for_each(|query| query[0] = DOMID_SELF as u32);
    step!("64 questions at once: {}", grant_table_op(abi::GNTTABOP_QUERY_SIZE, &mut list, 1));
}

/// A list of calls each of which is long by itself.
fn calls() {
    let page = memory::alloc();
    let entry = memory::walk(page.va, 1).maddr;
    let updates = memory::alloc_many(4);
    let per_call = 4 * PAGE / 16;
    for index in 0..per_call {
        memory::write64(updates.va + index * 16, entry);
        memory::write64(updates.va + index * 16 + 8, page.maddr() | if index % 2 == 0 { RO } else { RW });
    }
    const CALLS: u64 = 64;
    let list = memory::alloc();
    for index in 0..CALLS {
        for (word, value) in [abi::HC_MMU_UPDATE, 1, updates.va, per_call, 0, DOMID_SELF, 0, 0].into_iter().enumerate()
        {
            list.set(index * 8 + word as u64, value);
        }
    }
    check_eq!(call(abi::HC_MULTICALL, [list.va, CALLS, 0, 0, 0]), 0, "calls");
    check_eq!((list.word(1), list.word((CALLS - 1) * 8 + 1)), (0, 0), "their results");
}

/// An L2 full of full L1s, pinned and unpinned; and one L1 by itself.
fn tables() {
    const TABLES: u64 = 64;
    let data = memory::alloc();
    let l2 = memory::alloc();
    for index in 0..TABLES {
        let l1 = memory::alloc();
        for entry in 0..512 {
            l1.set(entry, data.maddr() | RO);
        }
        l1.make_ro();
        for copy in 0..512 / TABLES {
            l2.set(copy * TABLES + index, l1.maddr() | RW);
        }
    }
    l2.make_ro();
    for round in 0..2 {
        check_eq!(mmuext(abi::MMUEXT_PIN_L2, l2.mfn, 0), 0, "round {round}: pin");
        check_eq!(mmuext(abi::MMUEXT_UNPIN, l2.mfn, 0), 0, "round {round}: unpin");
    }
    check_eq!(l2.try_rw(), 0, "no table any more");
}

fn ports() {
    event::clear_all();
    let mut last = 0;
    for _ in 0..MANY {
        match event::alloc_unbound(DOMID_SELF, DOMID_SELF) {
            Ok(port) => last = port,
            Err(_) => break,
        }
    }
    step!("ports up to {last}");
    check_eq!(event_channel_op(abi::EVTCHNOP_RESET, &mut [DOMID_SELF as u32]), 0, "reset");
    check_eq!(event::status(DOMID_SELF, last).map(|status| status.status), Ok(0), "the last one is closed");
}
