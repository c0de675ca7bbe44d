// SPDX-License-Identifier: MIT OR Apache-2.0
//! `EVTCHNOP_reset`: closes every port, leaves FIFO, keeps working.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::hypercall::event_channel_op;
use guest_rt::{abi, check, check_eq, event, guest_main, memory};

guest_main!(main);

fn reset() -> i64 {
    event_channel_op(abi::EVTCHNOP_RESET, &mut [DOMID_SELF as u32])
}
fn main() {
    event::clear_all();
    for port in 1..=10 {
        check_eq!(event::bind_ipi(0), Ok(port), "ports");
    }
    check_eq!(event::send(4), 0, "send");
    check_eq!(reset(), 0, "reset");
    for port in 1..=10 {
        check_eq!(event::status(DOMID_SELF, port).map(|s| s.status), Ok(0), "port {port} is closed");
    }
    check!(!event::pending(4), "nothing pending");
    check_eq!(event::bind_ipi(0), Ok(1), "ports start over");
    let control = memory::alloc();
    check_eq!(event::init_control(control.mfn, 0, 0).0, 0, "FIFO");
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, control.mfn, 0), abi::EINVAL, "the control block is in use");
    check_eq!(reset(), 0, "reset");
    control.make_ro();
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, control.mfn, 0), 0, "the control block is free");
    check_eq!(memory::mmuext(abi::MMUEXT_UNPIN, control.mfn, 0), 0, "unpin");
    event::clear_all();
    let port = event::bind_ipi(0).unwrap_or(0);
    check_eq!((port, event::send(port)), (1, 0), "a port");
    check!(event::pending(port), "two-level again");
    check_eq!(control.try_rw(), 0, "writable");
    check_eq!(event::init_control(control.mfn, 0, 0), (0, 17), "and FIFO again");
}
