// SPDX-License-Identifier: MIT OR Apache-2.0
//! All 4095 ports of the two-level ABI, then the error; the words and selectors they use.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, ENOSPC};
use guest_rt::{check, check_eq, event, guest_main};

guest_main!(main);

fn main() {
    event::clear_all();
    let first = event::alloc_unbound(DOMID_SELF, DOMID_SELF);
    check_eq!(first, Ok(1), "the first port");
    for port in 2..4096 {
        check_eq!(event::bind_ipi(0), Ok(port), "ports in order");
    }
    check_eq!(event::bind_ipi(0), Err(ENOSPC), "no more");
    check_eq!(event::alloc_unbound(DOMID_SELF, DOMID_SELF), Err(ENOSPC), "of no kind");
    for port in [63, 64, 4000, 4095] {
        event::clear_all();
        check_eq!(event::send(port), 0, "send {port}");
        check!(event::pending(port), "pending {port}");
        check_eq!(event::pending_sel(), 1 << (port / 64), "selector of {port}");
    }
    check_eq!(event::close(2000), 0, "close one");
    check_eq!(event::bind_ipi(0), Ok(2000), "it is the next to be given out");
}
