// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cpuid` behind the forced-emulation prefix: hypervisor leaves, hidden and shown features.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::trap::{DONE, Frame};
use guest_rt::{check, check_eq, guest_main, step, trap};

guest_main!(main);

fn cpuid(leaf: u32, sub: u32) -> [u32; 4] {
    // ud2; "xen"; cpuid
    let regs = Frame { rax: u64::from(leaf), rcx: u64::from(sub), ..Frame::default() };
    let trap = trap::run_regs(&[0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2], regs);
    check_eq!(trap.vector, DONE, "forced cpuid {leaf:#x}");
    check!(
        [trap.frame.rax, trap.frame.rbx, trap.frame.rcx, trap.frame.rdx].iter().all(|reg| reg >> 32 == 0),
        "upper halves are zero"
    );
    [trap.frame.rax as u32, trap.frame.rbx as u32, trap.frame.rcx as u32, trap.frame.rdx as u32]
}
fn main() {
    let base = cpuid(0x4000_0000, 0);
    check_eq!(base, [0x4000_0005, 0x566e_6558, 0x6558_4d4d, 0x4d4d_566e], "XenVMMXenVMM");
    check_eq!(cpuid(0x4000_0001, 0), [4 << 16 | 17, 0, 0, 0], "version");
    check_eq!(cpuid(0x4000_0002, 0), [1, 0x4000_0000, 1, 0], "one hypercall page, MSR base, PRESERVE_AD");
    let tsc = cpuid(0x4000_0003, 0);
    step!("leaf 3: {tsc:x?}");
    check_eq!((tsc[0] & 1, tsc[1], tsc[3]), (0, 0, 0), "the TSC is not emulated, default mode, no incarnation");
    let scale = cpuid(0x4000_0003, 1);
    step!("leaf 3.1: {scale:x?}");
    check_eq!((scale[0], scale[1]), (0, 0), "no offset");
    check_eq!(cpuid(0x4000_0004, 0), [0; 4], "HVM features");
    let bits = cpuid(0x4000_0005, 0)[1];
    step!("machine address width {bits}");
    check!((28..=52).contains(&bits), "machine address width");
    check_eq!(cpuid(0x4000_0006, 0), [0; 4], "beyond the last leaf");
    check_eq!(cpuid(0x4000_0100, 0), [0; 4], "no other hypervisor");

    let one = cpuid(1, 0);
    step!("leaf 1: {one:x?}");
    check_eq!(one[2] & (1 << 31 | 1 << 27 | 1 << 26), 1 << 31 | 1 << 27 | 1 << 26, "HYPERVISOR, OSXSAVE, XSAVE");
    // DTES64 MONITOR DSCPL VMX SMX TM2 XTPR PDCM PCID DCA X2APIC TSC_DEADLINE
    let hidden =
        1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 14 | 1 << 15 | 1 << 17 | 1 << 18 | 1 << 21 | 1 << 24;
    check_eq!(one[2] & hidden, 0, "leaf 1 ecx: not for PV");
    // VME PSE PGE PSE36 DS TM PBE
    check_eq!(
        one[3] & (1 << 1 | 1 << 3 | 1 << 13 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 31),
        0,
        "leaf 1 edx: not for PV"
    );
    // FPU TSC MSR PAE CX8 APIC SEP? CMOV PAT FXSR SSE SSE2
    let needed = 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 15 | 1 << 16 | 1 << 24 | 1 << 25 | 1 << 26;
    check_eq!(one[3] & needed, needed, "leaf 1 edx: always");
    let seven = cpuid(7, 0);
    step!("leaf 7: {seven:x?}");
    // TSC_ADJUST SGX SMEP INVPCID PQM MPX PQE SMAP PT
    let hidden = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 10 | 1 << 12 | 1 << 14 | 1 << 15 | 1 << 20 | 1 << 25;
    check_eq!(seven[1] & hidden, 0, "leaf 7 ebx: not for PV");
    check_eq!(seven[2] & (1 << 2 | 1 << 3 | 1 << 4 | 1 << 7 | 1 << 16), 0, "leaf 7 ecx: UMIP PKU OSPKE CET_SS LA57");
    let high = cpuid(0x8000_0001, 0);
    step!("leaf 80000001: {high:x?}");
    check_eq!(high[3] & (1 << 11 | 1 << 20 | 1 << 29), 1 << 11 | 1 << 20 | 1 << 29, "SYSCALL NX LM");
    check_eq!((high[3] >> 26 & 1, high[2] >> 2 & 1), (0, 0), "no 1 GiB pages, no SVM");
    check_eq!(cpuid(5, 0), [0; 4], "MONITOR leaf");
    check_eq!(cpuid(0xd, 1)[0] & 8, 0, "no XSAVES");
    // The prefix counts only in front of cpuid.
    let trap = trap::run(&[0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x90, 0x90]);
    check_eq!((trap.vector, trap.offset), (6, 0), "the prefix in front of another instruction");
    let trap = trap::run_user_regs(
        &[0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2, 0xcc],
        Frame { rax: 0x4000_0000, ..Frame::default() },
    );
    check_eq!((trap.vector, trap.frame.rbx, trap.offset), (3, 0x566e_6558, 8), "user mode may use it too");
}
