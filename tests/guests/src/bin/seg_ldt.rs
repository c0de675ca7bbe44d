// SPDX-License-Identifier: MIT OR Apache-2.0
//! `MMUEXT_SET_LDT`: pages are taken when a descriptor is first used.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EBUSY, EINVAL, MMUEXT_SET_LDT};
use guest_rt::memory::mmuext;
use guest_rt::trap::{DONE, Frame, Trap};
use guest_rt::{check_eq, guest_main, memory, step, trap};

guest_main!(main);

fn load_es(selector: u64) -> Trap {
    // mov es, ax
    trap::run_regs(&[0x8e, 0xc0], Frame { rax: selector, ..Frame::default() })
}
const DATA: u64 = 0x00cf_9300_0000_ffff;
fn main() {
    check_eq!(load_es(0x07).vector, 13, "no LDT");
    let ldt = memory::alloc_many(2);
    let second = memory::page_of(ldt.va + 4096);
    ldt.set(0, DATA);
    ldt.set(1, DATA);
    second.set(0, DATA);
    check_eq!(mmuext(MMUEXT_SET_LDT, ldt.va + 8, 512), EINVAL, "misaligned");
    check_eq!(mmuext(MMUEXT_SET_LDT, ldt.va, 8193), EINVAL, "too many entries");
    check_eq!(mmuext(MMUEXT_SET_LDT, ldt.va, 1024), 0, "set");
    let trap = load_es(0x0f);
    step!("writable page: vector {} error {:#x} cr2 {:#x}", trap.vector, trap.error, trap.cr2);
    check_eq!((trap.vector, trap.cr2), (14, ldt.va + 8), "a page that is mapped writable cannot be used");
    ldt.make_ro();
    check_eq!(load_es(0x0f).vector, DONE, "it loads");
    check_eq!(ldt.word(1), DATA | 3 << 45, "with its level raised");
    check_eq!(ldt.try_rw(), EBUSY, "the page is in use");
    check_eq!(second.try_rw(), 0, "the second one is not yet");
    second.make_ro();
    check_eq!(load_es(0x1007).vector, DONE, "now it is");
    check_eq!(second.try_rw(), EBUSY, "in use");
    let trap = load_es(0x2007);
    check_eq!((trap.vector, trap.error), (13, 0x2004), "beyond the limit");
    // lsl ecx, ax
    let trap = trap::run_regs(&[0x0f, 0x03, 0xc8], Frame { rax: 0x0f, ..Frame::default() });
    check_eq!((trap.vector, trap.frame.rcx, trap.frame.rflags & 0x40), (DONE, 0xffff_ffff, 0x40), "lsl");
    check_eq!(mmuext(MMUEXT_SET_LDT, 0, 0), 0, "none");
    check_eq!((ldt.try_rw(), second.try_rw()), (0, 0), "the pages are free");
    check_eq!(load_es(0x0f).vector, 13, "no LDT");
    check_eq!(load_es(0).vector, DONE, "null");
}
