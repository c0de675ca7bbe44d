// SPDX-License-Identifier: MIT OR Apache-2.0
//! `set_segment_base`: FS, kernel and user GS, bad addresses and selectors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::EINVAL;
use guest_rt::hypercall::call;
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn base(which: u64, value: u64) -> i64 {
    call(abi::HC_SET_SEGMENT_BASE, [which, value, 0, 0, 0])
}
// mov rax, fs:[8] and mov rax, gs:[8]
const FS: &[u8] = &[0x64, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0];
const GS: &[u8] = &[0x65, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0];
// mov rax, gs:[8]; int3
const GS_INT3: &[u8] = &[0x65, 0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0xcc];
fn main() {
    let pages: [memory::Page; 3] = core::array::from_fn(|_| memory::alloc());
    for (index, page) in pages.iter().enumerate() {
        page.set(1, 0x1000 + index as u64);
    }
    check_eq!(base(0, pages[0].va), 0, "FS");
    check_eq!(base(2, pages[1].va), 0, "kernel GS");
    check_eq!(base(1, pages[2].va), 0, "user GS");
    check_eq!((trap::run(FS).frame.rax, trap::run(GS).frame.rax), (0x1000, 0x1001), "kernel mode");
    let trap = trap::run_user(GS_INT3);
    check_eq!((trap.vector, trap.frame.rax), (3, 0x1002), "user mode has its own GS");
    check_eq!(trap::run(GS).frame.rax, 0x1001, "and the kernel's is back");
    check_eq!(trap::run(FS).frame.rax, 0x1000, "FS is the same for both");
    for which in 0..3 {
        check_eq!(base(which, 0x8000_0000_0000), EINVAL, "non-canonical base {which}");
        check_eq!(base(which, 0xffff_7fff_ffff_ffff), EINVAL, "non-canonical base {which}");
    }
    check_eq!((trap::run(FS).frame.rax, trap::run(GS).frame.rax), (0x1000, 0x1001), "nothing changed");
    check_eq!(base(3, 0xe02b), 0, "a flat user selector");
    // mov ax, gs; int3
    let trap = trap::run_user(&[0x8c, 0xe8, 0xcc]);
    check_eq!(trap.frame.rax & 0xffff, 0xe02b, "user mode sees it");
    for selector in [0x28, 0xffff, 0xe010] {
        check_eq!(base(3, selector), 0, "a bad selector is no error");
        let trap = trap::run_user(&[0x8c, 0xe8, 0xcc]);
        check_eq!(trap.frame.rax & 0xfffc, 0, "but loads null");
    }
    check_eq!(trap::run(GS).frame.rax, 0x1001, "the kernel's base stays");
    check_eq!(base(3, 0), 0, "null");
    check_eq!(base(5, 0), EINVAL, "unknown");
    // mov rax, fs:[8] with a base that is not mapped
    check_eq!(base(0, 0x100_0000_0000), 0, "an unmapped base");
    let trap = trap::run(FS);
    check_eq!((trap.vector, trap.cr2), (14, 0x100_0000_0008), "faults at the address");
}
