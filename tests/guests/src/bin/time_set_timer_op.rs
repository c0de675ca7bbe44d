// SPDX-License-Identifier: MIT OR Apache-2.0
//! The older `set_timer_op`: fires VIRQ_TIMER at an absolute time, 0 cancels.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::call;
use guest_rt::time::{now_ns, poll};
use guest_rt::{abi, check, check_eq, event, guest_main, need, step, time};

guest_main!(main);

fn set(at: u64) -> i64 {
    call(abi::HC_SET_TIMER_OP, [at, 0, 0, 0, 0])
}
fn main() {
    guest_rt::hypercall::vcpu_op0(abi::VCPUOP_STOP_PERIODIC_TIMER, 0);
    event::clear_all();
    let port = event::bind_virq(abi::VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    let start = now_ns();
    check_eq!(set(start + 10_000_000), 0, "in 10 ms");
    check_eq!(poll(&mut [port], start + 5_000_000_000), 0, "wait");
    check!(event::take_pending(port), "it fired");
    let took = now_ns() - start;
    step!("took {took} ns");
    check!((10_000_000..3_000_000_000).contains(&took), "took {took} ns");
    check_eq!(set(now_ns() + 10_000_000), 0, "in 10 ms");
    check_eq!(set(0), 0, "cancelled");
    time::sleep_ns(30_000_000);
    check!(!event::pending(port), "nothing");
    check_eq!(set(now_ns() - 1), 0, "in the past");
    check_eq!(poll(&mut [port], now_ns() + 2_000_000_000), 0, "wait");
    check!(event::take_pending(port), "fires at once");
}
