// SPDX-License-Identifier: MIT OR Apache-2.0
//! `MMUEXT_NEW_BASEPTR` and `MMUEXT_NEW_USER_BASEPTR`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, MMUEXT_NEW_BASEPTR, MMUEXT_NEW_USER_BASEPTR, MMUEXT_PIN_L4, MMUEXT_UNPIN, PTE_P};
use guest_rt::memory::{VIRT_BASE, mmuext, table_of, walk};
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn cr3() -> u64 {
    // mov rax, cr3
    trap::run(&[0x0f, 0x20, 0xd8]).frame.rax
}
fn main() {
    let boot = table_of(VIRT_BASE, 4);
    check_eq!(cr3(), boot.maddr(), "cr3 reads as the L4's machine address");
    let l4 = memory::alloc();
    l4.set(511, walk(VIRT_BASE, 4).value);
    l4.set(1, boot.word(1));
    // What a guest writes to the reserved slots does not matter.
    l4.set(256, 0xdead_beef_0000_0fff);
    l4.set(271, PTE_P);
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, l4.mfn, 0), EINVAL, "mapped writable");
    check_eq!(cr3(), boot.maddr(), "the old one stays");
    l4.make_ro();
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, l4.mfn, 0), 0, "without a pin");
    check_eq!(cr3(), l4.maddr(), "the new one is loaded");
    check_eq!(l4.word(256), boot.word(256), "the reserved slots hold the hypervisor's entries");
    check_eq!(l4.try_rw(), abi::EBUSY, "it is a table now");
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, l4.mfn, 0), 0, "the same again");
    check_eq!(mmuext(MMUEXT_UNPIN, l4.mfn, 0), EINVAL, "loading does not pin");
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, boot.mfn, 0), 0, "back");
    check_eq!(l4.try_rw(), 0, "free again");
    l4.make_ro();
    check_eq!(mmuext(MMUEXT_PIN_L4, l4.mfn, 0), 0, "pin");
    // mov cr3, rax
    let regs = trap::Frame { rax: l4.maddr(), ..trap::Frame::default() };
    check_eq!(trap::run_regs(&[0x0f, 0x22, 0xd8], regs).vector, trap::DONE, "mov to cr3");
    check_eq!(cr3(), l4.maddr(), "it worked");
    check_eq!(mmuext(MMUEXT_UNPIN, l4.mfn, 0), 0, "unpin while loaded");
    check_eq!(l4.try_rw(), abi::EBUSY, "still a table");
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, boot.mfn, 0), 0, "back");
    check_eq!(l4.try_rw(), 0, "free again");
    l4.make_ro();
    check_eq!(mmuext(MMUEXT_NEW_USER_BASEPTR, l4.mfn, 0), 0, "as the user L4");
    check_eq!(l4.try_rw(), abi::EBUSY, "it is a table");
    check_eq!(mmuext(MMUEXT_NEW_USER_BASEPTR, l4.mfn, 0), 0, "the same again");
    check_eq!(mmuext(MMUEXT_NEW_USER_BASEPTR, 0, 0), 0, "none");
    check_eq!(l4.try_rw(), 0, "free again");
    check_eq!(mmuext(MMUEXT_NEW_USER_BASEPTR, l4.mfn, 0), EINVAL, "mapped writable");
    check_eq!(mmuext(MMUEXT_NEW_BASEPTR, 0xffff_ffff, 0), EINVAL, "no such frame");
}
