// SPDX-License-Identifier: MIT OR Apache-2.0
//! `VCPUOP_send_nmi`: vector 2, and no second one before the iret hypercall.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::hypercall::vcpu_op0;
use guest_rt::trap::Frame;
use guest_rt::{abi, check_eq, guest_main, trap};

guest_main!(main);

static SEEN: AtomicU64 = AtomicU64::new(0);
static DEPTH: AtomicU64 = AtomicU64::new(0);
static MOST: AtomicU64 = AtomicU64::new(0);
fn hook(frame: &mut Frame) -> bool {
    if frame.vector != 2 {
        return false;
    }
    let depth = DEPTH.fetch_add(1, Ordering::SeqCst) + 1;
    MOST.fetch_max(depth, Ordering::SeqCst);
    if SEEN.fetch_add(1, Ordering::SeqCst) == 0 {
        check_eq!(vcpu_op0(abi::VCPUOP_SEND_NMI, 0), 0, "send_nmi inside the handler");
        check_eq!(SEEN.load(Ordering::SeqCst), 1, "it has to wait for the iret");
    }
    DEPTH.fetch_sub(1, Ordering::SeqCst);
    true
}
fn main() {
    trap::set_hook(Some(hook));
    check_eq!(vcpu_op0(abi::VCPUOP_SEND_NMI, 0), 0, "send_nmi");
    check_eq!(SEEN.load(Ordering::SeqCst), 2, "both were delivered, although upcalls are masked");
    check_eq!(MOST.load(Ordering::SeqCst), 1, "one after the other");
    check_eq!(vcpu_op0(abi::VCPUOP_SEND_NMI, 31), abi::ENOENT, "no such vCPU");
}
