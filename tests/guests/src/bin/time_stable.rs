// SPDX-License-Identifier: MIT OR Apache-2.0
//! The second copy of the clock, by virtual address; and where the hypervisor says that all vCPUs' clocks agree, as Xenolith does, they do.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use guest_rt::hypercall::{is_xenolith, vcpu_op};
use guest_rt::{abi, check, check_eq, event, guest_main, memory, step, time, vcpu};

guest_main!(main);

const EFAULT: i64 = 14;
/// `XEN_PVCLOCK_TSC_STABLE_BIT`.
const STABLE: u8 = 1;
const VCPU_INFO_BYTES: u64 = 64;
/// The latest time that was read anywhere.
static LATEST: AtomicU64 = AtomicU64::new(0);
static OTHER_IS_DONE: AtomicBool = AtomicBool::new(false);

/// Reads vCPU `id`'s clock on it: it must not be behind what had been read before.
fn look(id: u64) {
    let latest = LATEST.load(Ordering::SeqCst);
    let now = time::time_info(event::vcpu_info() + id * VCPU_INFO_BYTES).at(time::tsc());
    check!(now >= latest, "vCPU {id} reads {now} after {latest} had been read");
    LATEST.fetch_max(now, Ordering::SeqCst);
}

fn other(id: u64) {
    for _ in 0..5000 {
        look(id);
    }
    OTHER_IS_DONE.store(true, Ordering::SeqCst);
}

fn main() {
    let page = memory::alloc();
    let mut area = [page.at(4)];
    check_eq!(vcpu_op(abi::VCPUOP_REGISTER_TIME, 0, &mut area), 0, "register the area");
    // An update may come between the two.
    let same = || {
        let (first, second) = (time::time_info(event::vcpu_info()), time::time_info(page.at(0)));
        (first.tsc, first.system_ns, first.mul, first.shift, first.flags)
            == (second.tsc, second.system_ns, second.mul, second.shift, second.flags)
    };
    check!((0..5).any(|_| same()), "the area has the clock");
    let mut unmapped = [0x1000_u64];
    check_eq!(
        vcpu_op(abi::VCPUOP_REGISTER_TIME, 0, &mut unmapped),
        0,
        "an unmapped area is taken, and stays unwritten"
    );
    let mut hypervisors = [0xffff_8000_0000_0000_u64];
    check_eq!(vcpu_op(abi::VCPUOP_REGISTER_TIME, 0, &mut hypervisors), -EFAULT, "the hypervisor's memory is not");

    let stable = time::time_info(event::vcpu_info()).flags & STABLE != 0;
    check!(stable || !is_xenolith(), "in QEMU, whose CPUs have one counter, clocks agree");
    if !stable || !vcpu::exists(1) {
        step!("nothing is promised about other vCPUs");
        return;
    }
    vcpu::start(1, other);
    let end = time::now_ns() + 10_000_000_000;
    while !OTHER_IS_DONE.load(Ordering::SeqCst) {
        look(0);
        check!(time::now_ns() < end, "vCPU 1 does not come to its end");
    }
}
