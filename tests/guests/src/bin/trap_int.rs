// SPDX-License-Identifier: MIT OR Apache-2.0
//! `int n` from kernel and user mode: the gate's privilege level, int 0x80, and the #GP for the others.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::{check, check_eq, guest_main, trap};

guest_main!(main);

const INT_80: &[u8] = &[0xcd, 0x80];
const INT_41: &[u8] = &[0xcd, 0x41];
fn main() {
    let trap = trap::run(INT_80);
    check_eq!((trap.vector, trap.error, trap.offset), (13, 0x402, 0), "int 0x80 without a handler, kernel");
    let trap = trap::run_user(INT_80);
    check_eq!((trap.vector, trap.error, trap.offset), (13, 0x402, 0), "int 0x80 without a handler, user");
    check_eq!(trap::set_gate(0x80, 3, trap::stub(0x80)), 0, "gate 0x80");
    let trap = trap::run(INT_80);
    check_eq!((trap.vector, trap.offset, trap.cs(), trap.mask), (0x80, 2, 0xe030, 1), "int 0x80, kernel");
    let trap = trap::run_user(INT_80);
    check_eq!((trap.vector, trap.offset, trap.cs(), trap.mask), (0x80, 2, 0xe033, 0), "int 0x80, user");
    check_eq!(trap::set_gate(0x80, 3 | 4, trap::stub(0x80)), 0, "gate 0x80 that masks events");
    let trap = trap::run_user(INT_80);
    check_eq!((trap.vector, trap.mask, trap.saved_mask()), (0x80, 1, 0), "int 0x80 masks events");

    let refused = trap::run(INT_41);
    check_eq!((refused.vector, refused.offset), (13, 0), "int 0x41 without a handler");
    // QEMU 7.2 (TCG) reports 16 * vector + 2 in long mode, where the processor reports 8 * vector + 2. The hypervisor can only
    // go by the error code, so the gate that counts is the one it names.
    check!([0x20a, 0x412].contains(&refused.error), "error code {:#x}", refused.error);
    let seen = (refused.error >> 3) as u8;
    for (dpl, kernel, user) in [(0, false, false), (1, true, false), (2, true, false), (3, true, true)] {
        check_eq!(trap::set_gate(seen, dpl, trap::stub(0x81)), 0, "gate 0x41");
        for (open, trap) in [(kernel, trap::run(INT_41)), (user, trap::run_user(INT_41))] {
            let want = if open { (0x81, 0, 2) } else { (13, refused.error, 0) };
            check_eq!((trap.vector, trap.error, trap.offset), want, "int 0x41 by dpl {dpl}");
        }
    }
}
