// SPDX-License-Identifier: MIT OR Apache-2.0
//! Delivery: at the exit of hypercalls and on iret, only while unmasked; the frame of the upcall.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::hypercall::call;
use guest_rt::trap::{EVENT, Frame};
use guest_rt::{abi, check_eq, event, guest_main, need, trap};

guest_main!(main);

static SEEN: AtomicU64 = AtomicU64::new(0);
static CS: AtomicU64 = AtomicU64::new(0);
static FLAGS: AtomicU64 = AtomicU64::new(0);
static MASK: AtomicU64 = AtomicU64::new(0);
fn hook(frame: &mut Frame) -> bool {
    if frame.vector != EVENT {
        return false;
    }
    SEEN.fetch_add(1, Ordering::SeqCst);
    CS.store(frame.cs, Ordering::SeqCst);
    FLAGS.store(frame.rflags, Ordering::SeqCst);
    MASK.store(u64::from(event::upcall_mask()), Ordering::SeqCst);
    event::clear_all();
    true
}
fn seen() -> u64 {
    SEEN.load(Ordering::SeqCst)
}
fn main() {
    event::clear_all();
    trap::set_hook(Some(hook));
    let a = event::alloc_unbound(abi::DOMID_SELF, abi::DOMID_SELF).unwrap_or(0);
    let b = event::bind_interdomain(0, a).unwrap_or(0);
    need!(a != 0 && b != 0, "a pair of ports");
    event::clear_all();
    check_eq!(event::send(a), 0, "send while masked");
    check_eq!(seen(), 0, "nothing yet");
    event::set_upcall_mask(0);
    check_eq!(seen(), 0, "opening the mask is no exit");
    call(abi::HC_XEN_VERSION, [0; 5]);
    check_eq!(seen(), 1, "delivered at the exit of xen_version");
    check_eq!(event::upcall_mask(), 0, "the mask is open again after the iret");
    check_eq!(CS.load(Ordering::SeqCst), 0xe030, "cs of the frame, saved mask 0");
    check_eq!(FLAGS.load(Ordering::SeqCst) & 0x200, 0x200, "IF in the frame");
    check_eq!(MASK.load(Ordering::SeqCst), 1, "masked in the handler");
    check_eq!(event::send(a), 0, "send while open");
    check_eq!(seen(), 2, "delivered at the exit of the send itself");
    event::set_upcall_mask(1);
    check_eq!(event::send(a), 0, "send while masked");
    check_eq!(seen(), 2, "nothing");
    // An iret that opens the mask delivers: the hook sees it before the ud2 does.
    let trap = trap::run_frame(&[0x0f, 0x0b], Frame { cs: 0xe030, ss: 0xe02b, rflags: 0x202, ..Frame::default() });
    check_eq!((trap.vector, seen()), (6, 3), "delivered by iret");
    check_eq!(event::send(a), 0, "send while masked");
    let trap = trap::run_user(&[0x0f, 0x0b]);
    check_eq!((trap.vector, trap.cs(), seen()), (6, 0xe033, 4), "delivered on the way to user mode");
    check_eq!(CS.load(Ordering::SeqCst), 0xe033, "interrupted in user mode");
    // sti and cli do not touch the mask; they are refused without an I/O privilege level.
    check_eq!(event::send(a), 0, "send while masked");
    check_eq!(trap::run(&[0xfb]).vector, 13, "sti");
    check_eq!(seen(), 4, "nothing");
}
