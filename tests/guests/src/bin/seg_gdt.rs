// SPDX-License-Identifier: MIT OR Apache-2.0
//! `set_gdt` and `update_descriptor`: what is accepted, how it is rewritten, how selectors then behave.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::EINVAL;
use guest_rt::hypercall::{addr, call};
use guest_rt::memory::Page;
use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn set_gdt(frames: &mut [u64], entries: u64) -> i64 {
    call(abi::HC_SET_GDT, [addr(frames), entries, 0, 0, 0])
}
fn update(page: Page, index: u64, descriptor: u64) -> i64 {
    call(abi::HC_UPDATE_DESCRIPTOR, [page.maddr() + index * 8, descriptor, 0, 0, 0])
}
fn load_es(selector: u64) -> (u64, u64) {
    // mov es, ax
    let trap = trap::run_regs(&[0x8e, 0xc0], Frame { rax: selector, ..Frame::default() });
    (trap.vector, trap.error)
}
const CODE64: u64 = 0x00af_9b00_0000_ffff;
const DATA: u64 = 0x00cf_9300_0000_ffff;
const DPL3: u64 = 3 << 45;
fn main() {
    let gdt = memory::alloc();
    gdt.set(2, CODE64);
    gdt.set(3, DATA);
    gdt.set(4, DATA | DPL3);
    gdt.set(5, (DATA | DPL3) & !(1 << 47));
    check_eq!(set_gdt(&mut [gdt.mfn], 512), EINVAL, "a page that is mapped writable");
    gdt.make_ro();
    check_eq!(set_gdt(&mut [gdt.mfn], 0xe000 / 8 + 1), EINVAL, "too many entries");
    check_eq!(set_gdt(&mut [0xfff_ffff], 512), EINVAL, "no such frame");
    check_eq!(set_gdt(&mut [gdt.mfn], 512), 0, "set_gdt");
    check_eq!(gdt.try_rw(), abi::EBUSY, "the page is in use");
    check_eq!((gdt.word(2), gdt.word(3)), (CODE64 | DPL3, DATA | DPL3), "privilege levels are raised");
    check_eq!(gdt.word(5), (DATA | DPL3) & !(1 << 47), "absent descriptors stay");
    check_eq!(load_es(0x1b), (DONE, 0), "the data descriptor loads");
    check_eq!(load_es(0x23), (DONE, 0), "the other one too");
    check_eq!(load_es(0x2b), (11, 0x28), "an absent one: #NP");
    check_eq!(load_es(0x33), (13, 0x30), "an empty one: #GP");
    check_eq!(load_es(0x1000 + 3), (13, 0x1000), "the next page is empty");
    check_eq!(load_es(0xe02b), (DONE, 0), "the reserved ones are there");
    check_eq!(load_es(0), (DONE, 0), "null");
    // The guest's own code segment: entered as 0x10, runs as 0x13, shows as 0x10 from kernel mode.
    let trap = trap::run_frame(&[0x8c, 0xc8, 0x0f, 0x0b], Frame { cs: 0x10, ss: 0x18, rflags: 2, ..Frame::default() });
    check_eq!((trap.vector, trap.cs(), trap.frame.rax & 0xffff), (6, 0x10, 0x13), "kernel code segment");
    check_eq!(trap.frame.ss, 0x1b, "ss");
    let trap = trap::run_user_regs(&[0x0f, 0x0b], Frame { cs: 0x13, ss: 0x1b, ..Frame::default() });
    check_eq!((trap.vector, trap.cs(), trap.frame.ss), (6, 0x13, 0x1b), "the same from user mode");

    check_eq!(update(gdt, 6, DATA), 0, "update_descriptor");
    check_eq!((gdt.word(6), load_es(0x33)), (DATA | DPL3, (DONE, 0)), "it is there, with its level raised");
    let tss = 0x0000_8900_0000_0067;
    let ldt = 0x0000_8200_0000_0067;
    let interrupt_gate = 0x0000_8e00_0010_0000;
    for (name, descriptor) in [("TSS", tss), ("LDT", ldt), ("interrupt gate", interrupt_gate)] {
        check_eq!(update(gdt, 7, descriptor), EINVAL, "{name}");
        check_eq!(gdt.word(7), 0, "{name}: nothing written");
    }
    check_eq!(update(gdt, 7, tss & !(1 << 47)), 0, "an absent TSS is only bits");
    check_eq!(update(gdt, 7, 0), 0, "empty");
    check_eq!(call(abi::HC_UPDATE_DESCRIPTOR, [gdt.maddr() + 4, 0, 0, 0, 0]), EINVAL, "misaligned");
    check_eq!(call(abi::HC_UPDATE_DESCRIPTOR, [0xfff_ffff_f000, 0, 0, 0, 0]), EINVAL, "no such frame");
    let l1 = memory::table_of(gdt.va, 1);
    check_eq!(update(l1, 0, 0), EINVAL, "a page table");
    let plain = memory::alloc();
    check_eq!((update(plain, 1, DATA), plain.word(1)), (0, DATA | DPL3), "a plain page");

    let bad = memory::alloc();
    bad.set(9, tss);
    bad.make_ro();
    check_eq!(set_gdt(&mut [bad.mfn], 512), EINVAL, "a page with a TSS in it");
    check_eq!(load_es(0x1b), (DONE, 0), "the old table stays");
    check_eq!(set_gdt(&mut [], 0), 0, "no table");
    check_eq!(load_es(0x1b), (13, 0x18), "it is gone");
    check_eq!(gdt.try_rw(), 0, "the page is free");
}
