// SPDX-License-Identifier: MIT OR Apache-2.0
//! `domctl`: what a toolstack chooses for a domain: clocks, nodes, shares, rights, CPU features; and what is refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{E2BIG, EEXIST, EFAULT, EINVAL, ENODEV, ENOSYS, EOPNOTSUPP, EPERM, ERANGE};
use guest_rt::control::{createdomain, domctl};
use guest_rt::memory::Page;
use guest_rt::{check_eq, event, guest_main, memory};

guest_main!(main);

const DOM: u64 = 100;
const NOTHING: u32 = u32::MAX;

fn main() {
    check_eq!(createdomain(DOM).call(), 0, "createdomain");
    check_eq!(domctl(15, DOM).set32(0, 1).call(), 0, "max_vcpus");
    let page = memory::alloc();
    clocks();
    nodes(page);
    shares();
    rights();
    refusals();
    events();
    policy(page);
    check_eq!(domctl(2, DOM).call(), 0, "destroydomain");
}

fn clocks() {
    let set = |dom: u64, mode: u32| domctl(60, dom).set32(0, mode).call();
    check_eq!(set(DOM, 0), 0, "settscinfo: default");
    check_eq!(set(DOM, 3), EINVAL, "settscinfo: the mode that is gone");
    check_eq!(set(DOM, 4), EINVAL, "settscinfo: an unknown mode");
    check_eq!(set(0, 0), EINVAL, "settscinfo of oneself");
    check_eq!(set(DOM, 2), 0, "settscinfo: never emulated");
    let mut info = domctl(59, DOM);
    check_eq!(info.call(), 0, "gettscinfo");
    check_eq!((info.get32(0), info.get32(4), info.get32(8), info.get64(16)), (2, 0, 1, 0), "what was set");
    check_eq!(domctl(59, 0).call(), EINVAL, "gettscinfo of oneself");
    check_eq!(domctl(24, DOM).set64(0, 3600).call(), 0, "settimeoffset");
    check_eq!(domctl(17, DOM).set64(0, 5).call(), 0, "setdomainhandle");
    check_eq!(domctl(35, DOM).set32(0, 32).call(), EOPNOTSUPP, "set_address_size 32");
    check_eq!(domctl(35, DOM).set32(0, 16).call(), EINVAL, "set_address_size 16");
    check_eq!(domctl(35, DOM).set32(0, 64).call(), 0, "set_address_size 64");
    let mut size = domctl(36, DOM);
    check_eq!((size.call(), size.get32(0)), (0, 64), "get_address_size");
}

fn nodes(page: Page) {
    let map = |cmd: u64| domctl(cmd, DOM).set64(0, page.va).set32(8, 8).call();
    memory::write64(page.va, 0);
    check_eq!(map(68), EINVAL, "setnodeaffinity: none");
    memory::write64(page.va, 2);
    check_eq!(map(68), EINVAL, "setnodeaffinity: one that is not there");
    memory::write64(page.va, 1);
    check_eq!(map(68), 0, "setnodeaffinity");
    memory::write64(page.va, 0);
    check_eq!((map(69), memory::read64(page.va)), (0, 1), "getnodeaffinity");
}

fn shares() {
    const CREDIT2: u32 = 6;
    let op = |scheduler: u32, cmd: u32, value: u32| {
        let mut op = domctl(16, DOM).set32(0, scheduler).set32(4, cmd).set32(8, value);
        (op.call(), op.get32(8))
    };
    check_eq!(op(CREDIT2, 1, 0), (0, 256), "the usual weight, no cap");
    check_eq!(op(CREDIT2, 0, 512 | 50 << 16).0, 0, "another weight, and a cap");
    check_eq!(op(CREDIT2, 1, 0), (0, 512 | 50 << 16), "are kept");
    for (scheduler, cmd) in [(5, 1), (CREDIT2, 2), (CREDIT2, 3), (CREDIT2, 9)] {
        check_eq!(op(scheduler, cmd, 0).0, EINVAL, "scheduler {scheduler}, command {cmd}");
    }
}

fn rights() {
    let ports = |first: u32, count: u32| domctl(21, DOM).set32(0, first).set32(4, count).set32(8, 1).call();
    check_eq!(ports(0x80, 1), 0, "ioport_permission");
    check_eq!(ports(0x80, 0), EINVAL, "ioport_permission of none");
    check_eq!(ports(0xffff, 2), EINVAL, "ioport_permission beyond the last");
    check_eq!(ports(0x20, 1), EPERM, "ioport_permission of what one may not use");
    let frames = |first: u64, count: u64| domctl(20, DOM).set64(0, first).set64(8, count).set32(16, 1).call();
    check_eq!(frames(0xa0, 1), 0, "iomem_permission");
    check_eq!(frames(0xa0, 0), EINVAL, "iomem_permission of none");
    check_eq!(frames(u64::MAX, 2), EINVAL, "iomem_permission around the end");
    check_eq!(frames(0xfee00, 1), EPERM, "iomem_permission of what one may not use");
    check_eq!(frames(1 << 40, 1), EPERM, "iomem_permission beyond the machine");
    let irq = |pirq: u32| domctl(19, DOM).set32(0, pirq).set32(4, 1).call();
    check_eq!(irq(9), EPERM, "irq_permission of what is not mapped");
    check_eq!(irq(1 << 20), EINVAL, "irq_permission of what cannot be");
}

fn refusals() {
    let expected = [
        ("assign_device", 37, EOPNOTSUPP),
        ("test_assign_device", 45, EOPNOTSUPP),
        ("deassign_device", 47, EOPNOTSUPP),
        ("get_device_group", 50, EOPNOTSUPP),
        ("ioport_mapping", 40, EOPNOTSUPP),
        ("monitor_op", 77, EOPNOTSUPP),
        ("get_paging_mempool_size", 85, EOPNOTSUPP),
        ("set_paging_mempool_size", 86, EOPNOTSUPP),
        ("bind_pt_irq", 38, EINVAL),
        ("unbind_pt_irq", 48, EINVAL),
        ("memory_mapping", 39, EINVAL),
        ("shadow_op", 10, EINVAL),
        ("gethvmcontext", 33, EINVAL),
        ("sethvmcontext", 34, EINVAL),
        ("debug_op", 54, EINVAL),
        ("gethvmcontext_partial", 55, EINVAL),
        ("set_broken_page_p2m", 67, EINVAL),
        ("setvnumainfo", 74, EINVAL),
        ("soft_reset", 79, EINVAL),
        ("vmtrace_op", 84, EINVAL),
        ("psr_cmt_op", 75, ENODEV),
        ("psr_alloc", 78, ENODEV),
        ("vm_event_op", 56, ENOSYS),
        ("mem_sharing_op", 57, ENOSYS),
        ("audit_p2m", 65, ENOSYS),
        ("vuart_op", 81, ENOSYS),
        ("gdbsx_domstatus", 1003, ENOSYS),
        ("number 6", 6, ENOSYS),
        ("set_llc_colors, of a later interface version", 89, ENOSYS),
        ("number 99", 99, ENOSYS),
    ];
    for (what, cmd, errno) in expected {
        check_eq!(domctl(cmd, DOM).call(), errno, "{what}");
    }
}

fn events() {
    check_eq!(event::alloc_unbound(DOM, 0), Ok(1), "alloc_unbound in it, for us");
    check_eq!(event::alloc_unbound(99, 0), Err(guest_rt::abi::ESRCH), "alloc_unbound in nobody");
    check_eq!(event::alloc_unbound(DOM, 99), Ok(2), "alloc_unbound in it, for nobody");
    let port = event::bind_interdomain(DOM, 1);
    check_eq!(port.is_ok(), true, "bind to its port");
    check_eq!(event::bind_interdomain(DOM, 1), Err(EINVAL), "twice");
    check_eq!(event::bind_interdomain(DOM, 2), Err(EINVAL), "bind to a port that waits for another");
    check_eq!(event::send(port.unwrap_or(0)), 0, "send");
    let handler = |virq: u32| domctl(66, DOM).set32(0, virq).call();
    check_eq!(handler(4), 0, "set_virq_handler");
    check_eq!(handler(0), EINVAL, "set_virq_handler of one that each vCPU has");
    check_eq!(handler(99), EINVAL, "set_virq_handler of one that is not");
}

fn policy(page: Page) {
    let set = |leaves: u32, list: u64, msrs: u32, msr_list: u64| {
        let mut op = domctl(83, DOM).set32(0, leaves).set32(4, msrs).set64(8, list).set64(16, msr_list);
        (op.call(), op.get32(0x18), op.get32(0x1c), op.get32(0x20))
    };
    let leaf = |leaf: u32, subleaf: u32, eax: u32| {
        for (offset, word) in [(0, leaf), (4, subleaf), (8, eax)] {
            memory::write32(page.va + offset, word);
        }
        set(1, page.va, 0, 0)
    };
    let mut sizes = domctl(82, DOM);
    check_eq!((sizes.call(), sizes.get32(4)), (0, 2), "get_cpu_policy: how much there may be");
    check_eq!(sizes.get32(0) > 20, true, "a list of leaves");
    check_eq!(set(0, 0, 0, 0).0, 0, "set_cpu_policy: nothing");
    check_eq!(leaf(0xe, NOTHING, 0), (ERANGE, 0xe, NOTHING, NOTHING), "a leaf that guests do not have");
    check_eq!(leaf(1, 0, 0), (ERANGE, 1, 0, NOTHING), "a subleaf where there are none");
    check_eq!(leaf(0, NOTHING, 0x7fff), (EINVAL, 0, NOTHING, NOTHING), "more leaves than the machine has");
    check_eq!(set(1, 0x10, 0, 0), (EFAULT, NOTHING, NOTHING, NOTHING), "an unreadable list");
    check_eq!(set(5000, page.va, 0, 0), (E2BIG, NOTHING, NOTHING, NOTHING), "too long a list");
    let msr = |index: u32, flags: u32| {
        memory::write32(page.va, index);
        memory::write32(page.va + 4, flags);
        memory::write64(page.va + 8, 0);
        set(0, 0, 1, page.va)
    };
    check_eq!(msr(0x277, 0), (ERANGE, NOTHING, NOTHING, 0x277), "an MSR of no policy");
    check_eq!(msr(0xce, 1), (EINVAL, NOTHING, NOTHING, 0xce), "flags of an MSR");
    check_eq!(domctl(83, 0).call(), EINVAL, "set_cpu_policy of oneself");
    check_eq!(domctl(4, DOM).call(), 0, "unpausedomain");
    check_eq!(domctl(83, DOM).call(), EEXIST, "set_cpu_policy of one that may run");
}
