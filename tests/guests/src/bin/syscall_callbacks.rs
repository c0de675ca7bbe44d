// SPDX-License-Identifier: MIT OR Apache-2.0
//! `callback_op` and `set_callbacks`: types, flags, refusals.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, ENOSYS};
use guest_rt::hypercall::call;
use guest_rt::{abi, check_eq, guest_main, trap};

guest_main!(main);

fn main() {
    let ok = trap::stub(trap::SYSCALL);
    for kind in [0u16, 1, 2, 4, 5, 7] {
        let stub = match kind {
            0 => trap::stub(trap::EVENT),
            1 => trap::stub(trap::FAILSAFE),
            4 => trap::stub(2),
            5 => trap::stub(trap::SYSENTER),
            7 => trap::stub(trap::SYSCALL32),
            _ => ok,
        };
        check_eq!(trap::register_callback(kind, 0, stub), 0, "type {kind}");
        check_eq!(trap::register_callback(kind, 1, stub), 0, "type {kind} with masked events");
        check_eq!(trap::register_callback(kind, 0, 0x8000_0000_0000), EINVAL, "type {kind}, non-canonical");
    }
    for kind in [6u16, 8, 100] {
        check_eq!(trap::register_callback(kind, 0, ok), ENOSYS, "unknown type {kind}");
    }
    check_eq!(trap::register_callback(3, 0, ok), ENOSYS, "sysenter_deprecated");
    let unregister = |kind: u32| guest_rt::hypercall::op(abi::HC_CALLBACK_OP, 1, &mut [kind]);
    check_eq!(unregister(4), 0, "unregister nmi");
    check_eq!(unregister(4), 0, "twice");
    for kind in [0, 1, 2, 5, 7] {
        check_eq!(unregister(kind), EINVAL, "unregister type {kind}");
    }
    check_eq!(unregister(99), ENOSYS, "unregister an unknown type");
    check_eq!(guest_rt::hypercall::op(abi::HC_CALLBACK_OP, 2, &mut [0u64; 2]), ENOSYS, "unknown command");
    let (event, failsafe) = (trap::stub(trap::EVENT), trap::stub(trap::FAILSAFE));
    check_eq!(call(abi::HC_SET_CALLBACKS, [event, failsafe, ok, 0, 0]), 0, "set_callbacks");
    check_eq!(
        call(abi::HC_SET_CALLBACKS, [0x8000_0000_0000, failsafe, ok, 0, 0]),
        0,
        "a non-canonical event callback is ignored"
    );
    let trap = trap::run_user(&[0x0f, 0x05]);
    check_eq!(trap.vector, trap::SYSCALL, "the callback works");
}
