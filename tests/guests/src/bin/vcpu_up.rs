// SPDX-License-Identifier: MIT OR Apache-2.0
//! A second vCPU: its registers, its state, up, down, up again.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::hypercall::vcpu_op0;
use guest_rt::{abi, check, check_eq, guest_main, skip, time, vcpu};

guest_main!(main);

static RUNS: AtomicU64 = AtomicU64::new(0);
static ID: AtomicU64 = AtomicU64::new(0);
fn ap(id: u64) {
    ID.store(id, Ordering::SeqCst);
    loop {
        RUNS.fetch_add(1, Ordering::SeqCst);
        vcpu_op0(abi::VCPUOP_DOWN, id);
    }
}
fn wait(what: &str, done: impl Fn() -> bool) {
    let limit = time::now_ns() + 5_000_000_000;
    while !done() {
        check!(time::now_ns() < limit, "waited 5 s for: {what}");
        time::sleep_ns(1_000_000);
    }
}
fn main() {
    if !vcpu::exists(1) {
        skip!("only one vCPU");
    }
    vcpu::start(1, ap);
    wait("it runs", || RUNS.load(Ordering::SeqCst) == 1);
    check_eq!(ID.load(Ordering::SeqCst), 1, "rdi arrived");
    wait("it is down", || vcpu_op0(abi::VCPUOP_IS_UP, 1) == 0);
    for round in 2..5 {
        check_eq!(vcpu_op0(abi::VCPUOP_UP, 1), 0, "up");
        wait("it goes on behind its VCPUOP_down", || RUNS.load(Ordering::SeqCst) == round);
        wait("it is down", || vcpu_op0(abi::VCPUOP_IS_UP, 1) == 0);
    }
    time::sleep_ns(10_000_000);
    check_eq!(RUNS.load(Ordering::SeqCst), 4, "it does not run while down");
    let mut info = [0u64; 6];
    check_eq!(guest_rt::hypercall::vcpu_op(abi::VCPUOP_GET_RUNSTATE_INFO, 1, &mut info), 0, "get_runstate_info");
    check_eq!(info[0] as u32, 3, "offline");
    check!(info[2] > 0 && info[5] > 0, "it ran and was offline");
}
