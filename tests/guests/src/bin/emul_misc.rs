// SPDX-License-Identifier: MIT OR Apache-2.0
//! rdtsc, rdtscp, xgetbv and xsetbv, wbinvd, sgdt and friends, native cpuid.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame};
use guest_rt::{check, check_eq, guest_main, memory, step, time, trap};

guest_main!(main);

const XSETBV: &[u8] = &[0x0f, 0x01, 0xd1];
fn main() {
    let (first, second) = (time::tsc(), time::tsc());
    check!(second > first, "rdtsc advances");
    // wrmsr TSC_AUX; rdtscp
    let regs = Frame { rcx: 0xc000_0103, rax: 0x55, ..Frame::default() };
    check_eq!(trap::run_regs(&[0x0f, 0x30], regs).vector, DONE, "write TSC_AUX");
    let trap = trap::run(&[0x0f, 0x01, 0xf9]);
    check_eq!((trap.vector, trap.frame.rcx), (DONE, 0x55), "rdtscp");
    check_eq!(trap::run(&[0x0f, 0x09]).vector, DONE, "wbinvd");
    check_eq!(trap::run(&[0x0f, 0x08]).vector, 13, "invd");
    // mov rax, cr4; or eax, 1 << 18; mov cr4, rax
    check_eq!(trap::run(&[0x0f, 0x20, 0xe0, 0x0d, 0, 0, 4, 0, 0x0f, 0x22, 0xe0]).vector, DONE, "OSXSAVE");
    // xor ecx, ecx; xgetbv
    let xcr0 = trap::run(&[0x31, 0xc9, 0x0f, 0x01, 0xd0]);
    step!("xcr0 {:#x}", xcr0.frame.rax);
    check_eq!((xcr0.vector, xcr0.frame.rax & 1), (DONE, 1), "xgetbv");
    let xsetbv = |index: u64, value: u64| trap::run_regs(XSETBV, Frame { rcx: index, rax: value, ..Frame::default() });
    check_eq!(xsetbv(0, 3).vector, DONE, "x87 and SSE");
    check_eq!(trap::run(&[0x31, 0xc9, 0x0f, 0x01, 0xd0]).frame.rax, 3, "xcr0 is 3");
    check_eq!(xsetbv(0, 7).vector, DONE, "and AVX");
    for (index, value, what) in
        [(0, 0, "without x87"), (0, 2, "without x87"), (0, 5, "AVX without SSE"), (0, 1 << 62, "LWP"), (1, 1, "xcr1")]
    {
        let trap = xsetbv(index, value);
        check_eq!((trap.vector, trap.error, trap.offset), (13, 0, 0), "xsetbv {what}");
    }
    check_eq!(trap::run(&[0x31, 0xc9, 0x0f, 0x01, 0xd0]).frame.rax, 7, "xcr0 is 7");
    let page = memory::alloc();
    let at = Frame { rax: page.va, ..Frame::default() };
    check_eq!(trap::run_regs(&[0x0f, 0x01, 0x00], at).vector, DONE, "sgdt runs natively");
    check_eq!(page.word(0) & 0xffff, 0xefff, "the limit covers the reserved entries");
    check_eq!(trap::run_regs(&[0x0f, 0x01, 0x08], at).vector, DONE, "sidt");
    check_eq!(trap::run(&[0x0f, 0x01, 0xe0]).vector, DONE, "smsw");
    // mov ax, cs; mov cx, ss
    let trap = trap::run(&[0x8c, 0xc8, 0x8c, 0xd1]);
    check_eq!((trap.frame.rax & 0xffff, trap.frame.rcx & 0xffff), (0xe033, 0xe02b), "selectors in kernel mode");
    for (name, code) in
        [("monitor", &[0x0f, 0x01, 0xc8][..]), ("vmcall", &[0x0f, 0x01, 0xc1]), ("rdpmc", &[0x0f, 0x33])]
    {
        let trap = trap::run(code);
        step!("{name}: vector {} error {:#x}", trap.vector, trap.error);
        check!(trap.vector == 6 || trap.vector == 13, "{name} is refused");
    }
}
