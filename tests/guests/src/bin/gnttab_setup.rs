// SPDX-License-Identifier: MIT OR Apache-2.0
//! Grant-table set-up: sizes, frames, mapping, errors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::DOMID_SELF;
use guest_rt::grant::{query_size, setup_table};
use guest_rt::memory::{RW, UVMF_INVLPG_ALL, update_va};
use guest_rt::{abi, check, check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let (result, frames, most, status) = query_size(DOMID_SELF);
    step!("{frames} frames of at most {most}");
    check_eq!((result, status), (0, 0), "query_size");
    check_eq!((frames, most), (1, 64), "one frame at boot, 64 by default");
    check_eq!(query_size(0), (0, 1, 64, 0), "by number");
    check_eq!(query_size(77).3, -2, "no such domain");
    let (result, status, list) = setup_table(DOMID_SELF, 1);
    check_eq!((result, status), (0, 0), "setup_table of one frame");
    let (result, status, three) = setup_table(DOMID_SELF, 3);
    check_eq!((result, status), (0, 0), "setup_table of three frames");
    check_eq!(three[0], list[0], "the first stays");
    check!(three[1] != 0 && three[2] != 0 && three[1] != three[2], "new frames: {three:x?}");
    check_eq!(query_size(DOMID_SELF).1, 3, "the table grew");
    check_eq!(setup_table(DOMID_SELF, 65).1, -1, "more than allowed");
    check_eq!(setup_table(77, 1).1, -2, "no such domain");
    check_eq!(query_size(DOMID_SELF).1, 3, "it did not grow");
    for mfn in &three[..3] {
        let window = memory::alloc();
        check_eq!(update_va(window.va, mfn << 12 | RW, UVMF_INVLPG_ALL), 0, "a grant frame maps like an own one");
        check!((0..512).all(|index| window.word(index) == 0), "it is empty");
        window.set(511, 0x1234);
        check_eq!(window.word(511), 0x1234, "and writable");
        window.set(511, 0);
    }
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, three[0], 0), abi::EINVAL, "it is no page table");
    check_eq!(guest_rt::hypercall::grant_table_op(99, &mut [0u64; 4], 1), abi::ENOSYS, "unknown operation");
    check_eq!(
        guest_rt::hypercall::call(abi::HC_GRANT_TABLE_OP, [2, 0x10, 1, 0, 0]),
        abi::EFAULT,
        "unreadable argument"
    );
}
