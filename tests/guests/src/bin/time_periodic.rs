// SPDX-License-Identifier: MIT OR Apache-2.0
//! Periodic timers: rate, limits, stopping.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, VCPUOP_SET_PERIODIC_TIMER, VCPUOP_STOP_PERIODIC_TIMER, VIRQ_TIMER};
use guest_rt::hypercall::{vcpu_op, vcpu_op0};
use guest_rt::time::now_ns;
use guest_rt::{check, check_eq, event, guest_main, need, step, time};

guest_main!(main);

fn main() {
    check_eq!(vcpu_op0(VCPUOP_STOP_PERIODIC_TIMER, 0), 0, "stop what may run from the start");
    event::clear_all();
    let port = event::bind_virq(VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    time::sleep_ns(50_000_000);
    check!(!event::pending(port), "no timer runs");
    check_eq!(vcpu_op(VCPUOP_SET_PERIODIC_TIMER, 0, &mut [999_999u64]), EINVAL, "under a millisecond");
    check_eq!(vcpu_op(VCPUOP_SET_PERIODIC_TIMER, 0, &mut [u64::MAX]), EINVAL, "beyond the range");
    check_eq!(vcpu_op(VCPUOP_SET_PERIODIC_TIMER, 0, &mut [10_000_000u64]), 0, "every 10 ms");
    let start = now_ns();
    for _ in 0..10 {
        // The timer stands still while the vCPU is blocked, so wait by running.
        let limit = now_ns() + 2_000_000_000;
        while !event::take_pending(port) {
            check!(now_ns() < limit, "a tick within two seconds");
        }
    }
    let took = now_ns() - start;
    step!("ten ticks took {took} ns");
    check!(took > 50_000_000 && took < 2_000_000_000, "ten ticks took {took} ns");
    check_eq!(vcpu_op0(VCPUOP_STOP_PERIODIC_TIMER, 0), 0, "stop");
    event::take_pending(port);
    time::sleep_ns(50_000_000);
    check!(!event::pending(port), "no more ticks");
}
