// SPDX-License-Identifier: MIT OR Apache-2.0
//! A trap inside a trap handler, and events inside one.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::trap::Frame;
use guest_rt::{check, check_eq, guest_main, memory, trap};

guest_main!(main);

static DEPTH: AtomicU64 = AtomicU64::new(0);
static INNER_AT: AtomicU64 = AtomicU64::new(0);
static OUTER_AT: AtomicU64 = AtomicU64::new(0);
fn hook(frame: &mut Frame) -> bool {
    if frame.vector == 14 {
        // The inner one: skip `mov rcx, [rax]`.
        INNER_AT.store(core::ptr::from_ref(frame) as u64, Ordering::SeqCst);
        DEPTH.fetch_add(0x10, Ordering::SeqCst);
        check_eq!(frame.cs & 0xffff, 0xe030, "the inner trap came from kernel mode");
        frame.rip += 3;
        return true;
    }
    if frame.vector == 6 {
        OUTER_AT.store(core::ptr::from_ref(frame) as u64, Ordering::SeqCst);
        DEPTH.fetch_add(1, Ordering::SeqCst);
        // What is read is whatever the register held: the hook skips the instruction.
        memory::read64(0x6_0000_0000);
        frame.rip += 2;
        frame.rbx = 0x1234;
        return true;
    }
    false
}
fn main() {
    trap::set_hook(Some(hook));
    // ud2; ud2, in kernel mode and (one level up) in user mode
    let trap = trap::run(&[0x0f, 0x0b, 0x0f, 0x0b]);
    check_eq!((trap.vector, DEPTH.load(Ordering::SeqCst)), (trap::DONE, 0x22), "two traps with one inside each");
    check_eq!(trap.frame.rbx, 0x1234, "the changed register arrived");
    let (inner, outer) = (INNER_AT.load(Ordering::SeqCst), OUTER_AT.load(Ordering::SeqCst));
    check!(inner < outer && outer - inner < 0x1000, "the inner frame is below the outer one");
    let trap = trap::run_user(&[0x0f, 0x0b, 0xcc]);
    check_eq!((trap.vector, trap.cs(), DEPTH.load(Ordering::SeqCst)), (3, 0xe033, 0x33), "the same from user mode");
    check_eq!(trap.frame.rbx, 0x1234, "and back to user mode");
}
