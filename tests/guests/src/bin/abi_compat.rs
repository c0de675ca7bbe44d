// SPDX-License-Identifier: MIT OR Apache-2.0
//! The older numbers of event_channel_op and physdev_op.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::ENOSYS;
use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check_eq, event, guest_main};

guest_main!(main);

fn main() {
    event::clear_all();
    // struct evtchn_op: the command, then the arguments.
    let mut op = [abi::EVTCHNOP_ALLOC_UNBOUND as u32, 0x7ff0_7ff0, 0, 0, 0, 0, 0];
    check_eq!(call(abi::HC_EVENT_CHANNEL_OP_COMPAT, [addr(&mut op), 0, 0, 0, 0]), 0, "alloc_unbound");
    check_eq!(op[2], 1, "port");
    let mut op = [abi::EVTCHNOP_CLOSE as u32, 1, 0, 0, 0, 0, 0];
    check_eq!(call(abi::HC_EVENT_CHANNEL_OP_COMPAT, [addr(&mut op), 0, 0, 0, 0]), 0, "close");
    let mut op = [11u32, 0, 0, 0, 0, 0, 0];
    let newer = call(abi::HC_EVENT_CHANNEL_OP_COMPAT, [addr(&mut op), 0, 0, 0, 0]);
    check_eq!(newer, ENOSYS, "commands newer than the compatible call");
    check_eq!(call(abi::HC_EVENT_CHANNEL_OP_COMPAT, [0x10, 0, 0, 0, 0]), abi::EFAULT, "unreadable");
    // struct physdev_op: the command, then at 8 the arguments. 6 is set_iopl.
    let mut op = [6u64, 1, 0];
    check_eq!(call(abi::HC_PHYSDEV_OP_COMPAT, [addr(&mut op), 0, 0, 0, 0]), 0, "set_iopl");
    let mut op = [63u64, 0, 0];
    check_eq!(call(abi::HC_PHYSDEV_OP_COMPAT, [addr(&mut op), 0, 0, 0, 0]), ENOSYS, "unknown");
}
