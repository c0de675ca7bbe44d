// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes to live L1 entries by plain instructions: emulated when the entry is good.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{PTE_G, PTE_GUEST_KERNEL, PTE_US};
use guest_rt::hypercall::call;
use guest_rt::memory::{RO, RW, walk};
use guest_rt::trap::{DONE, Frame};
use guest_rt::{abi, check_eq, guest_main, memory, trap};

guest_main!(main);

fn main() {
    let (page, other) = (memory::alloc(), memory::alloc());
    let entry = walk(page.va, 1);
    let kernel = |value: u64| value & !PTE_US;
    let (rw, ro) = (page.maddr() | RW, page.maddr() | RO);
    let run =
        |code: &[u8], rax: u64, rcx: u64| trap::run_regs(code, Frame { rbx: entry.va, rax, rcx, ..Frame::default() });
    let look = || walk(page.va, 1).value;
    // mov [rbx], rcx
    let mov = [0x48, 0x89, 0x0b];
    check_eq!(call(abi::HC_VM_ASSIST, [1, 2, 0, 0, 0]), 0, "writable_pagetables off");
    check_eq!(run(&mov, 0, ro).vector, DONE, "mov without the assist is emulated just the same");
    check_eq!((look(), run(&mov, 0, rw).vector), (ro | PTE_G, DONE), "and back");
    check_eq!(call(abi::HC_VM_ASSIST, [0, 2, 0, 0, 0]), 0, "writable_pagetables on");

    check_eq!(run(&mov, 0, ro).vector, DONE, "mov");
    check_eq!(look(), ro | PTE_G, "mov: the entry is there, adjusted");
    check_eq!(run(&mov, 0, kernel(rw)).vector, DONE, "mov");
    check_eq!(look(), rw | PTE_GUEST_KERNEL, "a kernel entry, adjusted");
    // xchg [rbx], rcx
    let trap = run(&[0x48, 0x87, 0x0b], 0, 0);
    check_eq!(
        (trap.vector, trap.frame.rcx & !0x60),
        (DONE, (rw | PTE_GUEST_KERNEL) & !0x60),
        "xchg gives the old value"
    );
    check_eq!(look(), 0, "xchg");
    // lock cmpxchg [rbx], rcx
    let cmpxchg = [0xf0, 0x48, 0x0f, 0xb1, 0x0b];
    let trap = run(&cmpxchg, 1, rw);
    check_eq!((trap.vector, trap.frame.rax, trap.frame.rflags & 0x40), (DONE, 0, 0), "cmpxchg that does not match");
    let trap = run(&cmpxchg, 0, rw);
    check_eq!((trap.vector, trap.frame.rflags & 0x40, look()), (DONE, 0x40, rw | PTE_G), "cmpxchg that matches");
    // lock btr qword [rbx], 1
    let trap = run(&[0xf0, 0x48, 0x0f, 0xba, 0x33, 0x01], 0, 0);
    check_eq!((trap.vector, trap.frame.rflags & 1, look()), (DONE, 1, ro | PTE_G), "btr");
    // lock bts qword [rbx], 1
    let trap = run(&[0xf0, 0x48, 0x0f, 0xba, 0x2b, 0x01], 0, 0);
    check_eq!((trap.vector, trap.frame.rflags & 1, look()), (DONE, 0, rw | PTE_G), "bts");
    // lock and byte [rbx], 0xfd
    let trap = run(&[0xf0, 0x80, 0x23, 0xfd], 0, 0);
    check_eq!((trap.vector, look()), (DONE, ro | PTE_G), "and, one byte");
    // lock or qword [rbx], 2
    let trap = run(&[0xf0, 0x48, 0x83, 0x0b, 0x02], 0, 0);
    check_eq!((trap.vector, look()), (DONE, rw | PTE_G), "or");
    // and [rbx], rcx
    let trap = run(&[0x48, 0x21, 0x0b], 0, !2);
    check_eq!((trap.vector, look()), (DONE, ro | PTE_G), "and, from a register");
    // mov dword [rbx], ecx: the low half alone
    let trap = run(&[0x89, 0x0b], 0, rw);
    check_eq!((trap.vector, look()), (DONE, rw | PTE_G), "mov of four bytes");
    // mov qword [rbx], 0
    let trap = run(&[0x48, 0xc7, 0x03, 0, 0, 0, 0], 0, 0);
    check_eq!((trap.vector, look()), (DONE, 0), "mov of an immediate");
    check_eq!(run(&mov, 0, other.maddr() | RO).vector, DONE, "another frame");
    check_eq!(memory::read64(page.va), 0, "is mapped");

    let table = memory::table_of(page.va, 1);
    let trap = run(&mov, 0, table.maddr() | RW);
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 3, entry.va), "a refused entry faults");
    check_eq!(look() & !0x60, (other.maddr() | RO | PTE_G) & !0x60, "and changes nothing");
    // Only L1 tables are emulated, and only for the kernel.
    let l2 = walk(page.va, 2);
    let trap = trap::run_regs(&mov, Frame { rbx: l2.va, rcx: l2.value, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 3, l2.va), "an L2");
    let trap = trap::run_user_regs(&mov, Frame { rbx: entry.va, rcx: rw, ..Frame::default() });
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 7, entry.va), "user mode");
    // mov [rbx + 4], rcx: across entries
    let trap = run(&[0x48, 0x89, 0x4b, 0x04], 0, 0);
    check_eq!((trap.vector, trap.error, trap.cr2), (14, 3, entry.va + 4), "a misaligned write");
    check_eq!(run(&mov, 0, rw).vector, DONE, "restore");
}
