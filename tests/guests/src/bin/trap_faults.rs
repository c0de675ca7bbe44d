// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exceptions without much ado: #DE, #BP, #NM, #MF, and where rip points.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::call;
use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn main() {
    // xor ecx, ecx; div ecx
    let trap = trap::run(&[0x31, 0xc9, 0xf7, 0xf1]);
    check_eq!((trap.vector, trap.error, trap.offset), (0, 0, 2), "#DE");
    // nop; int3
    let trap = trap::run(&[0x90, 0xcc]);
    check_eq!((trap.vector, trap.error, trap.offset), (3, 0, 2), "int3: rip behind it");
    let trap = trap::run(&[0x90, 0xcd, 0x03]);
    check_eq!((trap.vector, trap.error, trap.offset), (3, 0, 3), "int 3: rip behind it");
    let trap = trap::run_user(&[0x90, 0xcc]);
    check_eq!((trap.vector, trap.error, trap.offset, trap.cs()), (3, 0, 2, 0xe033), "int3 in user mode");

    check_eq!(call(abi::HC_FPU_TASKSWITCH, [1, 0, 0, 0, 0]), 0, "fpu_taskswitch(1)");
    check_eq!(trap::run(&[0x0f, 0x20, 0xc0]).frame.rax & 8, 8, "cr0 shows TS");
    // fninit
    let trap = trap::run(&[0xdb, 0xe3]);
    check_eq!((trap.vector, trap.offset), (7, 0), "#NM while TS is set");
    check_eq!(trap::run(&[0x0f, 0x20, 0xc0]).frame.rax & 8, 0, "the exception cleared TS");
    check_eq!(call(abi::HC_FPU_TASKSWITCH, [1, 0, 0, 0, 0]), 0, "once more");
    // clts; fninit
    check_eq!(trap::run(&[0x0f, 0x06, 0xdb, 0xe3]).vector, DONE, "clts opens the FPU");
    check_eq!(call(abi::HC_FPU_TASKSWITCH, [1, 0, 0, 0, 0]), 0, "again");
    check_eq!(call(abi::HC_FPU_TASKSWITCH, [0, 0, 0, 0, 0]), 0, "fpu_taskswitch(0)");
    check_eq!(trap::run(&[0xdb, 0xe3]).vector, DONE, "so does fpu_taskswitch(0)");

    let scratch = memory::alloc();
    let regs = Frame { rax: scratch.va, ..Frame::default() };
    scratch.set(0, 0x0000_0000_0000_037b);
    // fninit; fldcw [rax]; fld1; fldz; fdivp; fwait
    let trap = trap::run_regs(&[0xdb, 0xe3, 0xd9, 0x28, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b], regs);
    check_eq!((trap.vector, trap.error, trap.offset), (16, 0, 10), "#MF at the next FPU instruction");
}
