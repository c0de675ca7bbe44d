// SPDX-License-Identifier: MIT OR Apache-2.0
//! An event raised inside a multicall is delivered behind it, and stack_switch inside one takes effect.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, event, guest_main, need, trap};

guest_main!(main);

fn main() {
    event::clear_all();
    let mut port = [event::bind_ipi(0).unwrap_or(0)];
    need!(port[0] != 0, "a port");
    let new_stack = trap::kernel_stack_top() - 0x1000;
    let send = [abi::HC_EVENT_CHANNEL_OP, 0x55, abi::EVTCHNOP_SEND, addr(&mut port), 0, 0, 0, 0];
    let stack = [abi::HC_STACK_SWITCH, 0x55, abi::FLAT_KERNEL_SS, new_stack, 0, 0, 0, 0];
    let mut list = [send, stack, send];
    event::set_upcall_mask(0);
    let before = event::upcalls();
    check_eq!(call(abi::HC_MULTICALL, [addr(&mut list), 3, 0, 0, 0]), 0, "multicall");
    let after = event::upcalls();
    event::set_upcall_mask(1);
    check_eq!((list[0][1], list[1][1], list[2][1]), (0, 0, 0), "results");
    check_eq!(after - before, 1, "one upcall for the event");
    check!(event::pending(port[0]), "pending");
    let trap = trap::run_user(&[0x0f, 0x0b]);
    check_eq!(trap.frame_at, new_stack - 56, "the new stack is used");
}
