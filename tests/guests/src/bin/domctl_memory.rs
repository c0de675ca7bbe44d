// SPDX-License-Identifier: MIT OR Apache-2.0
//! A control domain gives another one memory, maps it, makes page tables of it, and asks what it is.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, E2BIG, EBUSY, EFAULT, EINVAL, EPERM, ESRCH};
use guest_rt::control::{createdomain, domctl};
use guest_rt::hypercall::{addr, call, memory_op};
use guest_rt::memory::{Page, RO, RW, mmu_update_dom, mmuext_dom, walk};
use guest_rt::{abi, check_eq, guest_main, memory};

guest_main!(main);

const DOM: u64 = 100;
const NONE: u64 = 99;
const CLAIM: u64 = 24;
const ACQUIRE_RESOURCE: u64 = 28;
const GRANT_TABLE: u64 = 1;

fn main() {
    check_eq!(createdomain(DOM).call(), 0, "createdomain");
    check_eq!(domctl(15, DOM).set32(0, 1).call(), 0, "max_vcpus");
    let page = memory::alloc();
    limits(page);
    claims(page);
    let frames = populated(page);
    maps(page, frames);
    tables(frames);
    types(page, frames);
    grant_frames(page);
    large(page);
    check_eq!(domctl(2, DOM).call(), 0, "destroydomain");
}

fn max_mem(dom: u64, kib: u64) -> i64 {
    domctl(11, dom).set64(0, kib).call()
}

fn limits(page: Page) {
    memory::write64(page.va, 0);
    check_eq!(memory_op(abi::XENMEM_POPULATE_PHYSMAP, &mut [page.va, 1, 0, DOM]), 0, "populate without a limit");
    check_eq!(memory_op(CLAIM, &mut [0, 10, 0, DOM]), EINVAL, "claim without a limit");
    check_eq!(max_mem(NONE, 1024), ESRCH, "max_mem of nobody");
    check_eq!(max_mem(DOM, 1024), 0, "max_mem");
    check_eq!(memory_op(abi::XENMEM_MAXIMUM_RESERVATION, &mut [DOM]), 256, "maximum_reservation");
    check_eq!(memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [DOM]), 0, "current_reservation");
    check_eq!(memory_op(14, &mut [DOM]), 0, "maximum_gpfn");
}

fn claims(page: Page) {
    let outstanding = || {
        let mut info = domctl(5, DOM);
        check_eq!(info.call(), 0, "getdomaininfo");
        info.get64(0x18)
    };
    check_eq!(memory_op(CLAIM, &mut [0, 10, 0, DOM]), 0, "claim");
    check_eq!(outstanding(), 10, "what is claimed");
    check_eq!(memory_op(CLAIM, &mut [0, 11, 0, DOM]), EINVAL, "a second claim");
    check_eq!(memory_op(CLAIM, &mut [0, 0, 0, DOM]), 0, "no claim");
    check_eq!(outstanding(), 0, "nothing is claimed");
    check_eq!(memory_op(CLAIM, &mut [0, 257, 0, DOM]), EINVAL, "a claim beyond the limit");
    check_eq!(memory_op(CLAIM, &mut [page.va, 10, 0, DOM]), EINVAL, "a claim with a list");
    check_eq!(memory_op(CLAIM, &mut [0, 10, 0, NONE]), EINVAL, "a claim of nobody");
    check_eq!(memory_op(CLAIM, &mut [0, 10, 0, DOMID_SELF]), EINVAL, "a claim by DOMID_SELF");
}

/// Gives it eight pages; the first three.
fn populated(page: Page) -> [u64; 3] {
    let populate = |list: u64, order: u64, dom: u64, count: u64| {
        memory_op(abi::XENMEM_POPULATE_PHYSMAP, &mut [list, count, order, dom])
    };
    for pfn in 0..8 {
        memory::write64(page.va + 8 * pfn, pfn);
    }
    check_eq!(populate(page.va, 0, DOM, 8), 8, "populate");
    let frames = [0, 1, 2].map(|index| memory::read64(page.va + 8 * index));
    check_eq!(frames.map(memory::m2p), [0, 1, 2], "their guest frame numbers");
    let other = page.va + 0x100;
    memory::write64(other, 512);
    check_eq!(populate(other, 9, DOM, 1), 0, "populate: more than the limit");
    check_eq!(populate(other, 13, DOM, 1), 0, "populate: too large");
    check_eq!(populate(other, 0, NONE, 1), 0, "populate: nobody");
    check_eq!(memory_op(0, &mut [other, 1, 0, DOM]), 1, "increase_reservation");
    check_eq!(memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [DOM]), 9, "nine pages");
    check_eq!(max_mem(DOM, 4), 0, "a limit below what it has");
    check_eq!(memory_op(abi::XENMEM_MAXIMUM_RESERVATION, &mut [DOM]), 1, "is one");
    check_eq!(memory_op(0, &mut [other + 8, 1, 0, DOM]), 0, "no more pages");
    check_eq!(max_mem(DOM, 8192), 0, "a higher one");
    check_eq!(memory_op(abi::XENMEM_DECREASE_RESERVATION, &mut [other, 1, 0, DOM]), 1, "decrease_reservation");
    check_eq!(memory_op(abi::XENMEM_DECREASE_RESERVATION, &mut [other, 1, 0, DOM]), 0, "the same page again");
    frames
}

fn maps(page: Page, [first, second, _]: [u64; 3]) {
    let window = memory::alloc();
    let entry = walk(window.va, 1).maddr;
    let map = |value: u64, dom: u64| {
        let result = mmu_update_dom(&mut [[entry, value]], dom);
        memory::must(memory::mmuext(abi::MMUEXT_TLB_FLUSH_LOCAL, 0, 0), "flush");
        result
    };
    check_eq!(map(first << 12 | RW, DOM), (0, 1), "map its page");
    check_eq!(memory::read64(window.va), 0, "which is cleared");
    memory::write64(window.va, 0x1234);
    check_eq!(map(second << 12 | RW, DOMID_SELF), (EBUSY, 0), "its page as one's own");
    check_eq!(map(second << 12 | RW, NONE), (ESRCH, 0), "its page as nobody's");
    check_eq!(map(page.mfn << 12 | RW, DOM), (EBUSY, 0), "one's own as its");
    check_eq!(map(0xf_ffff << 12 | RW, DOM), (EPERM, 0), "no memory");
    let mut info = domctl(5, DOM);
    check_eq!(info.call(), 0, "getdomaininfo");
    check_eq!(map(info.get64(0x30) << 12 | RW, DOM), (0, 1), "its shared info page");
    check_eq!(map(first << 12 | RO, DOM), (0, 1), "the first page again");
    check_eq!(memory::read64(window.va), 0x1234, "with what was written");
    let bad = [[entry, second << 12 | RO], [entry, page.mfn << 12 | RO], [entry, first << 12 | RO]];
    check_eq!(mmu_update_dom(&mut bad.clone(), DOM), (EBUSY, 1), "a list stops at the first that fails");
    check_eq!(map(0, DOM), (0, 1), "unmap");
    check_eq!(mmu_update_dom(&mut [[second << 12 | 1, 77]], DOM), (0, 1), "its guest frame number");
    check_eq!(memory::m2p(second), 77, "is changed");
    check_eq!(mmu_update_dom(&mut [[page.mfn << 12 | 1, 77]], DOM), (EINVAL, 0), "not of a page that is not its");
    check_eq!(mmu_update_dom(&mut [[second << 12, 0]], DOM | (DOM + 1) << 16), (0, 1), "a word of its page");
    check_eq!(mmu_update_dom(&mut [[second << 12, 0]], DOM | (NONE + 1) << 16), (ESRCH, 0), "a table of nobody");
}

fn tables([first, second, third]: [u64; 3]) {
    let op = |cmd: u64, arg1: u64, arg2: u64| mmuext_dom(&mut [[cmd, arg1, arg2]], DOM);
    const PIN_L4: u64 = 3;
    const UNPIN: u64 = 4;
    check_eq!(op(abi::MMUEXT_CLEAR_PAGE, first, 0), (0, 1), "clear_page");
    check_eq!(op(abi::MMUEXT_COPY_PAGE, third, first), (0, 1), "copy_page");
    check_eq!(op(0, third, 0), (0, 1), "pin an L1");
    check_eq!(op(PIN_L4, second, 0), (0, 1), "pin an L4");
    check_eq!(op(PIN_L4, second, 0), (EINVAL, 0), "twice");
    check_eq!(op(UNPIN, first, 0), (EINVAL, 0), "unpin what is not pinned");
    check_eq!(op(abi::MMUEXT_TLB_FLUSH_LOCAL, 0, 0), (EPERM, 0), "flush its TLB");
    let window = memory::alloc();
    let entry = walk(window.va, 1).maddr;
    check_eq!(mmu_update_dom(&mut [[entry, second << 12 | RW]], DOM), (EBUSY, 0), "write to its L4");
    check_eq!(mmu_update_dom(&mut [[entry, second << 12 | RO]], DOM), (0, 1), "read its L4");
    check_eq!(mmu_update_dom(&mut [[entry, window.maddr() | RW]], DOMID_SELF), (0, 1), "back");
}

fn types(page: Page, [first, second, third]: [u64; 3]) {
    let list = page.va + 0x200;
    for (index, mfn) in (0..).zip([first, second, page.mfn, third]) {
        memory::write64(list + 8 * index, mfn);
    }
    let info = |count: u64, list: u64| domctl(61, DOM).set64(0, count).set64(8, list).call();
    check_eq!(info(4, list), 0, "getpageframeinfo3");
    let types = [0, 1, 2, 3].map(|index| memory::read64(list + 8 * index));
    check_eq!(types, [0, 0xc000_0000, 0xf000_0000, 0x9000_0000], "data, a pinned L4, not its page, a pinned L1");
    check_eq!(info(1025, list), E2BIG, "getpageframeinfo3 of too many");
    check_eq!(info(1, 0x10), EFAULT, "getpageframeinfo3, unreadable");
    let fill = |mfn: u64| domctl(22, DOM).set64(0, mfn).call();
    check_eq!(fill(first), 0, "hypercall_init");
    check_eq!(fill(second), EPERM, "hypercall_init of a table");
    check_eq!(fill(page.mfn), EINVAL, "hypercall_init of a page that is not its");
}

/// libxl populates by the largest pages there are, and each call is an entry of a multicall, which takes its part of the time first.
fn large(page: Page) {
    let pfn = page.va + 0xa00;
    memory::write64(pfn, 512);
    let mut request = [pfn, 1, 9, DOM];
    let mut list = [[abi::HC_MEMORY_OP, 77, abi::XENMEM_POPULATE_PHYSMAP, addr(&mut request), 0, 0, 0, 0]];
    check_eq!(call(abi::HC_MULTICALL, [addr(&mut list), 1, 0, 0, 0]), 0, "multicall");
    check_eq!(list[0][1], 1, "populate 2 MiB in a multicall");
}

fn grant_frames(page: Page) {
    let list = page.va + 0x900;
    let acquire = |dom: u64, kind: u64, id: u64, count: u64, frame: u64, list: u64| {
        let mut request = [dom | kind << 16 | id << 32, count, frame, list];
        (memory_op(ACQUIRE_RESOURCE, &mut request), request[1] as u32)
    };
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 0, 0, 0), (0, 64), "how many shared frames there may be");
    check_eq!(acquire(DOM, GRANT_TABLE, 1, 0, 0, 0), (0, 8), "how many status frames");
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 1, 0, list).0, 0, "the first shared frame");
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 2, 3, list).0, 0, "two more");
    check_eq!(acquire(DOM, GRANT_TABLE, 1, 1, 0, list).0, EINVAL, "status frames in version 1");
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 1, 64, list).0, EINVAL, "beyond the limit");
    check_eq!(acquire(DOM, GRANT_TABLE, 2, 1, 0, list).0, EINVAL, "no such frames");
    check_eq!(acquire(DOM, 0, 0, 1, 0, list).0, EINVAL, "an ioreq server");
    check_eq!(acquire(0, GRANT_TABLE, 0, 1, 0, list).0, EPERM, "one's own");
    check_eq!(acquire(NONE, GRANT_TABLE, 0, 1, 0, list).0, ESRCH, "nobody's");
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 0, 0, list).0, EINVAL, "none of them");
    check_eq!(acquire(DOM, GRANT_TABLE, 0, 1, 0, 0).0, EINVAL, "without a list");
}
