// SPDX-License-Identifier: MIT OR Apache-2.0
//! `set_trap_table`: the end of the list, bad addresses, bad pointers, clearing, masking gates.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, EINVAL};
use guest_rt::hypercall::{addr, call};
use guest_rt::trap::TrapInfo;
use guest_rt::{abi, check_eq, event, guest_main, trap};

guest_main!(main);

fn set(table: &mut [TrapInfo]) -> i64 {
    call(abi::HC_SET_TRAP_TABLE, [addr(table), 0, 0, 0, 0])
}
fn main() {
    let (ud, int80) = (trap::stub(6), trap::stub(0x80));
    check_eq!(set(&mut [TrapInfo::new(0x80, 3, 0x8000_0000_0000), TrapInfo::default()]), EINVAL, "non-canonical");
    check_eq!(call(abi::HC_SET_TRAP_TABLE, [0x10, 0, 0, 0, 0]), EFAULT, "unreadable list");
    let mut partly = [TrapInfo::new(0x80, 3, int80), TrapInfo::new(6, 0, 0x8000_0000_0000), TrapInfo::default()];
    check_eq!(set(&mut partly), EINVAL, "a bad second entry");
    let first = trap::run(&[0xcd, 0x80]).vector;
    check_eq!(first, 0x80, "the first one was taken");
    check_eq!(trap::run(&[0x0f, 0x0b]).vector, 6, "the second one was not");
    let mut both = [TrapInfo::new(0x80, 3, int80), TrapInfo::new(6, 0, ud), TrapInfo::default()];
    check_eq!(set(&mut both), 0, "two entries");
    check_eq!(trap::run(&[0xcd, 0x80]).vector, 0x80, "the first one was taken");
    // The gate's flag decides whether events are masked in the handler.
    check_eq!(set(&mut [TrapInfo::new(6, 4, ud), TrapInfo::default()]), 0, "a masking gate");
    event::set_upcall_mask(0);
    let masking = trap::run(&[0x0f, 0x0b]);
    event::set_upcall_mask(0);
    check_eq!(set(&mut [TrapInfo::new(6, 0, ud), TrapInfo::default()]), 0, "a gate that does not mask");
    let open = trap::run(&[0x0f, 0x0b]);
    event::set_upcall_mask(1);
    check_eq!((masking.mask, masking.saved_mask(), masking.frame.rflags & 0x200), (1, 0, 0x200), "masking gate");
    check_eq!((open.mask, open.saved_mask(), open.frame.rflags & 0x200), (0, 0, 0x200), "other gate");
    // NULL clears the table: int 0x80 has no handler then. Restore #GP first thing: nothing may trap in between.
    check_eq!(call(abi::HC_SET_TRAP_TABLE, [0; 5]), 0, "clear");
    check_eq!(set(&mut [TrapInfo::new(13, 0, trap::stub(13)), TrapInfo::default()]), 0, "restore #GP");
    check_eq!(trap::run(&[0xcd, 0x80]).vector, 13, "int 0x80 after clearing");
}
