// SPDX-License-Identifier: MIT OR Apache-2.0
//! One-shot timers: future, past, replaced, stopped, other vCPUs, and without a bound VIRQ.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, ENOENT, VIRQ_TIMER};
use guest_rt::hypercall::{vcpu_op, vcpu_op0};
use guest_rt::time::{now_ns, poll, singleshot};
use guest_rt::{abi, check, check_eq, event, guest_main, need, step, time, vcpu};

guest_main!(main);

fn main() {
    // A vCPU starts with a periodic timer.
    vcpu_op0(abi::VCPUOP_STOP_PERIODIC_TIMER, 0);
    event::clear_all();
    check_eq!(singleshot(now_ns() + 1_000_000, 0), 0, "a timer nobody listens to");
    time::sleep_ns(5_000_000);
    let port = event::bind_virq(VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    check!(!event::pending(port), "it is lost");
    let start = now_ns();
    check_eq!(singleshot(start + 20_000_000, 0), 0, "in 20 ms");
    check!(!event::pending(port), "not yet");
    check_eq!(poll(&mut [port], 0), 0, "wait for it");
    check!(event::take_pending(port), "it fired");
    let took = now_ns() - start;
    step!("20 ms timer took {took} ns");
    check!(took >= 20_000_000, "not too early: {took} ns");
    time::sleep_ns(30_000_000);
    check!(!event::pending(port), "once only");
    check_eq!(singleshot(now_ns() - 1000, 0), 0, "in the past");
    check_eq!(poll(&mut [port], now_ns() + 1_000_000_000), 0, "wait");
    check!(event::take_pending(port), "fires at once");
    check_eq!(singleshot(now_ns() - 1000, 1), 0, "in the past, with VCPU_SSHOTTMR_future");
    check_eq!(poll(&mut [port], now_ns() + 1_000_000_000), 0, "wait");
    check!(event::take_pending(port), "fires all the same");
    check_eq!(singleshot(now_ns() + 10_000_000, 0), 0, "a timer");
    check_eq!(singleshot(now_ns() + 60_000_000_000, 0), 0, "replaced by a later one");
    time::sleep_ns(30_000_000);
    check!(!event::pending(port), "the first one is gone");
    check_eq!(singleshot(now_ns() + 10_000_000, 0), 0, "a timer");
    check_eq!(vcpu_op0(abi::VCPUOP_STOP_SINGLESHOT_TIMER, 0), 0, "stopped");
    time::sleep_ns(30_000_000);
    check!(!event::pending(port), "it is gone");
    check_eq!(vcpu_op(abi::VCPUOP_SET_SINGLESHOT_TIMER, 31, &mut [0u64, 0]), ENOENT, "no such vCPU");
    if vcpu::exists(1) {
        check_eq!(vcpu_op(abi::VCPUOP_SET_SINGLESHOT_TIMER, 1, &mut [0u64, 0]), EINVAL, "another vCPU");
        check_eq!(vcpu_op0(abi::VCPUOP_STOP_SINGLESHOT_TIMER, 1), EINVAL, "another vCPU");
    }
}
