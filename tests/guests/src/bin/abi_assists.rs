// SPDX-License-Identifier: MIT OR Apache-2.0
//! `vm_assist`: every type a PV guest may switch, and those it may not.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::EINVAL;
use guest_rt::hypercall::call;
use guest_rt::{abi, check_eq, guest_main};

guest_main!(main);

fn main() {
    for kind in 0..40u64 {
        let enable = call(abi::HC_VM_ASSIST, [0, kind, 0, 0, 0]);
        let disable = call(abi::HC_VM_ASSIST, [1, kind, 0, 0, 0]);
        let known = [0, 1, 2, 3, 4, 5, 32].contains(&kind);
        let want = if known { 0 } else { EINVAL };
        check_eq!((enable, disable), (want, want), "type {kind}");
    }
    check_eq!(call(abi::HC_VM_ASSIST, [0, 1 << 20, 0, 0, 0]), EINVAL, "a huge type");
}
