// SPDX-License-Identifier: MIT OR Apache-2.0
//! `SCHEDOP_block` opens the mask, sleeps until an event, and delivers it.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{SCHEDOP_BLOCK, SCHEDOP_YIELD, VIRQ_TIMER};
use guest_rt::hypercall::call;
use guest_rt::time::{now_ns, singleshot};
use guest_rt::{abi, check, check_eq, event, guest_main, need, time};

guest_main!(main);

fn main() {
    // A vCPU starts with a periodic timer.
    guest_rt::hypercall::vcpu_op0(abi::VCPUOP_STOP_PERIODIC_TIMER, 0);
    event::clear_all();
    let port = event::bind_virq(VIRQ_TIMER, 0).unwrap_or(0);
    need!(port != 0, "VIRQ_TIMER");
    let start = now_ns();
    check_eq!(singleshot(start + 20_000_000, 0), 0, "a timer");
    let upcalls = event::upcalls();
    check_eq!(call(abi::HC_SCHED_OP, [SCHEDOP_BLOCK, 0, 0, 0, 0]), 0, "block");
    check!(now_ns() - start >= 20_000_000, "it slept until the timer");
    check_eq!(event::upcalls() - upcalls, 1, "and the upcall came");
    check_eq!(event::upcall_mask(), 0, "block opened the mask");
    check!(event::pending(port), "the port is pending");
    event::set_upcall_mask(1);
    event::clear_all();
    // With something pending it does not sleep.
    check_eq!(singleshot(now_ns() - 1, 0), 0, "a timer in the past");
    time::sleep_ns(1_000_000);
    check!(event::pending(port) && event::upcall_pending() == 1, "pending");
    let start = now_ns();
    check_eq!(call(abi::HC_SCHED_OP, [SCHEDOP_BLOCK, 0, 0, 0, 0]), 0, "block");
    check!(now_ns() - start < 1_000_000_000, "returned");
    check_eq!(event::upcalls() - upcalls, 2, "with the upcall");
    event::set_upcall_mask(1);
    for _ in 0..100 {
        check_eq!(call(abi::HC_SCHED_OP, [SCHEDOP_YIELD, 0, 0, 0, 0]), 0, "yield");
    }
    check_eq!(event::upcall_mask(), 1, "yield leaves the mask alone");
}
