// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mapping changed by one vCPU is seen by the other after a flush for both.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::memory::{RW, mmu_update, mmuext, walk};
use guest_rt::{abi, check, check_eq, guest_main, memory, skip, time, vcpu};

guest_main!(main);

static WINDOW: AtomicU64 = AtomicU64::new(0);
static SEEN: AtomicU64 = AtomicU64::new(0);
static LOOPS: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicU64 = AtomicU64::new(0);
fn ap(_: u64) {
    let window = WINDOW.load(Ordering::SeqCst);
    while STOP.load(Ordering::SeqCst) == 0 {
        SEEN.store(memory::read64(window), Ordering::SeqCst);
        LOOPS.fetch_add(1, Ordering::SeqCst);
        guest_rt::hypercall::call(abi::HC_SCHED_OP, [abi::SCHEDOP_YIELD, 0, 0, 0, 0]);
    }
}
fn settle() {
    let loops = LOOPS.load(Ordering::SeqCst);
    let limit = time::now_ns() + 5_000_000_000;
    while LOOPS.load(Ordering::SeqCst) < loops + 2 {
        check!(time::now_ns() < limit, "vCPU 1 does not run");
        time::sleep_ns(100_000);
    }
}
fn main() {
    if !vcpu::exists(1) {
        skip!("only one vCPU");
    }
    let (window, a, b) = (memory::alloc(), memory::alloc(), memory::alloc());
    a.set(0, 0xaaaa);
    b.set(0, 0xbbbb);
    let entry = walk(window.va, 1).maddr;
    check_eq!(mmu_update(entry, a.maddr() | RW), 0, "first mapping");
    check_eq!(mmuext(abi::MMUEXT_INVLPG_LOCAL, window.va, 0), 0, "flush");
    WINDOW.store(window.va, Ordering::SeqCst);
    vcpu::start(1, ap);
    settle();
    check_eq!(SEEN.load(Ordering::SeqCst), 0xaaaa, "the first mapping");
    let mut mask = [3u64];
    let mask = guest_rt::hypercall::addr(&mut mask);
    let flushes = [
        (abi::MMUEXT_TLB_FLUSH_ALL, 0, 0),
        (abi::MMUEXT_INVLPG_ALL, window.va, 0),
        (abi::MMUEXT_TLB_FLUSH_MULTI, 0, mask),
        (abi::MMUEXT_INVLPG_MULTI, window.va, mask),
    ];
    for (cmd, arg1, arg2) in flushes {
        for (page, want) in [(b, 0xbbbb), (a, 0xaaaa)] {
            check_eq!(mmu_update(entry, page.maddr() | RW), 0, "update");
            check_eq!(mmuext(cmd, arg1, arg2), 0, "flush {cmd}");
            settle();
            check_eq!(SEEN.load(Ordering::SeqCst), want, "vCPU 1 after flush {cmd}");
        }
    }
    for (page, want) in [(b, 0xbbbb), (a, 0xaaaa)] {
        check_eq!(memory::update_va(window.va, page.maddr() | RW, 6), 0, "update_va_mapping with INVLPG | ALL");
        settle();
        check_eq!(SEEN.load(Ordering::SeqCst), want, "vCPU 1 after update_va_mapping");
    }
    STOP.store(1, Ordering::SeqCst);
}
