// SPDX-License-Identifier: MIT OR Apache-2.0
//! Allocate, bind to oneself, send, status, close.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::event::{self, Status};
use guest_rt::{check, check_eq, guest_main};

guest_main!(main);

fn main() {
    event::clear_all();
    let a = event::alloc_unbound(DOMID_SELF, DOMID_SELF);
    check_eq!(a, Ok(1), "the lowest free port");
    let unbound = Status { status: 1, vcpu: 0, detail: 0, remote_port: 0 };
    check_eq!(event::status(DOMID_SELF, 1), Ok(unbound), "status unbound, for domain 0");
    check_eq!(event::send(1), 0, "sending to an unbound port is silent");
    check!(!event::pending(1), "and does nothing");

    check_eq!(event::bind_interdomain(DOMID_SELF, 1), Ok(2), "bind to oneself");
    check!(event::pending(2), "the new end is pending at once");
    check!(!event::pending(1), "the old end is not");
    check_eq!(event::pending_sel(), 1, "selector word");
    check_eq!(event::upcall_pending(), 1, "upcall pending");
    let bound = |port| Status { status: 2, vcpu: 0, detail: 0, remote_port: port };
    check_eq!(event::status(DOMID_SELF, 1), Ok(bound(2)), "status of the first end");
    check_eq!(event::status(DOMID_SELF, 2), Ok(bound(1)), "status of the second end");

    event::clear_all();
    check_eq!(event::send(1), 0, "send");
    check!(event::pending(2) && !event::pending(1), "the other end is pending");
    check_eq!(event::send(2), 0, "send back");
    check!(event::pending(1), "so is the first");

    check_eq!(event::close(2), 0, "close");
    check!(!event::pending(2), "closing clears pending");
    check_eq!(event::status(DOMID_SELF, 1), Ok(unbound), "the peer is unbound again");
    check_eq!(event::status(DOMID_SELF, 2), Ok(Status { status: 0, vcpu: 0, detail: 0, remote_port: 0 }), "closed");
    check_eq!(event::close(1), 0, "close the peer");
    check_eq!(event::alloc_unbound(DOMID_SELF, DOMID_SELF), Ok(1), "ports are used again");
}
