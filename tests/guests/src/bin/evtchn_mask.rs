// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two-level masks: pending, selector and upcall bits; `EVTCHNOP_unmask`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::{abi, check, check_eq, event, guest_main, memory, need};

guest_main!(main);

fn main() {
    event::clear_all();
    let a = event::alloc_unbound(abi::DOMID_SELF, abi::DOMID_SELF).unwrap_or(0);
    let b = event::bind_interdomain(0, a).unwrap_or(0);
    need!(a != 0 && b != 0, "a pair of ports");
    check!(!event::masked(b), "ports start unmasked");
    event::clear_all();
    event::set_masked(b, true);
    check_eq!(event::send(a), 0, "send to a masked port");
    check!(event::pending(b), "it is pending");
    check_eq!((event::pending_sel(), event::upcall_pending()), (0, 0), "but nothing more");
    check_eq!(event::unmask(b), 0, "unmask");
    check!(!event::masked(b), "it is unmasked");
    check_eq!((event::pending_sel(), event::upcall_pending()), (1, 1), "and told");
    // Pending already: a second send changes nothing.
    memory::atomic64(event::vcpu_info() + 8).store(0, core::sync::atomic::Ordering::SeqCst);
    event::set_upcall_pending(0);
    check_eq!(event::send(a), 0, "send while pending");
    check_eq!((event::pending_sel(), event::upcall_pending()), (0, 0), "does not tell again");
    check_eq!(event::unmask(b), 0, "unmask what is not masked");
    check_eq!((event::pending_sel(), event::upcall_pending()), (0, 0), "does not tell either");
    check!(event::take_pending(b), "take it");
    check_eq!(event::send(a), 0, "send");
    check_eq!((event::pending_sel(), event::upcall_pending()), (1, 1), "tells again");
    // A selector bit that is still set keeps the upcall from being set again.
    event::set_upcall_pending(0);
    check!(event::take_pending(b), "take it");
    check_eq!(event::send(a), 0, "send with the selector bit still set");
    check!(event::pending(b), "pending");
    check_eq!(event::upcall_pending(), 0, "no new upcall");
    check_eq!(event::unmask(4096), abi::EINVAL, "a port beyond the range");
    check_eq!(event::unmask(b + 10), 0, "a port that is not there");
}
