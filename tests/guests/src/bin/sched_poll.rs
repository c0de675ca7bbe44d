// SPDX-License-Identifier: MIT OR Apache-2.0
//! `SCHEDOP_poll`: timeouts, pending ports, masked ports, many ports, errors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, EINVAL};
use guest_rt::hypercall::sched_op;
use guest_rt::time::{now_ns, poll};
use guest_rt::{abi, check, check_eq, event, guest_main, need};

guest_main!(main);

fn main() {
    event::clear_all();
    let start = now_ns();
    check_eq!(poll(&mut [], start + 20_000_000), 0, "no ports, a timeout");
    check!(now_ns() - start >= 20_000_000, "it waited");
    let start = now_ns();
    check_eq!(poll(&mut [], start - 1), 0, "a timeout in the past");
    check!(now_ns() - start < 500_000_000, "returns at once");
    let a = event::alloc_unbound(abi::DOMID_SELF, abi::DOMID_SELF).unwrap_or(0);
    let b = event::bind_interdomain(0, a).unwrap_or(0);
    need!(a != 0 && b != 0, "a pair of ports");
    event::clear_all();
    event::set_masked(b, true);
    check_eq!(event::send(a), 0, "send to a masked port");
    check_eq!(poll(&mut [b], 0), 0, "pending is enough, masked or not");
    check!(event::pending(b), "polling does not take it");
    check_eq!(poll(&mut [a, b], 0), 0, "one of two is pending");
    let start = now_ns();
    check_eq!(poll(&mut [a], start + 20_000_000), 0, "a port that is not pending");
    check!(now_ns() - start >= 20_000_000, "waits for the timeout");
    let mut many = [a; 129];
    check_eq!(poll(&mut many, now_ns() + 1), EINVAL, "129 ports");
    check_eq!(poll(&mut many[..128], now_ns() + 1), 0, "128 ports");
    check_eq!(poll(&mut [5000], now_ns() + 1), EINVAL, "a port beyond the range");
    check_eq!(poll(&mut [0], now_ns() + 1_000_000), EINVAL, "port 0");
    check_eq!(sched_op(abi::SCHEDOP_POLL, &mut [0x10u64, 1, 0]), EFAULT, "unreadable ports");
    check_eq!(
        guest_rt::hypercall::call(abi::HC_SCHED_OP, [abi::SCHEDOP_POLL, 0x10, 0, 0, 0]),
        EFAULT,
        "unreadable argument"
    );
}
