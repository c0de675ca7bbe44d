// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register file of a vCPU as the entry code saves it, and the offsets that assembly uses.
#![forbid(unsafe_code)]

use core::mem::{offset_of, size_of};

/// Value of [`GuestRegs::vector`] for an entry by SYSCALL from 64-bit code.
pub(crate) const VECTOR_SYSCALL: u64 = 0x100;
/// Value of [`GuestRegs::vector`] for an entry by SYSCALL from 32-bit code (AMD).
pub(crate) const VECTOR_CSTAR: u64 = 0x101;
/// Value of [`GuestRegs::vector`] for an entry by SYSENTER.
pub(crate) const VECTOR_SYSENTER: u64 = 0x102;
/// Put into [`GuestRegs::vector`] to leave by SYSRET: rcx and r11 are lost, cs and ss become flat.
pub(crate) const EXIT_SYSRET: u64 = 0x200;
/// Put into [`GuestRegs::vector`] to leave by IRETQ.
pub(crate) const EXIT_IRET: u64 = 0;

/// What the fast entry of a system call answers to assembly: something waits, complete the register file and look.
pub(crate) const GO_LEAVE: u32 = 0;
/// Leave by SYSRET, as [`EXIT_SYSRET`], at once.
pub(crate) const GO_SYSRET: u32 = 1;
/// Leave by IRETQ at once; rcx and r11 are in the register file.
pub(crate) const GO_IRET: u32 = 2;

/// General registers, how we got in, and the hardware's frame: lowest address first, in the order of the pushes.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct GuestRegs {
    pub(crate) r15: u64,
    pub(crate) r14: u64,
    pub(crate) r13: u64,
    pub(crate) r12: u64,
    pub(crate) rbp: u64,
    pub(crate) rbx: u64,
    pub(crate) r11: u64,
    pub(crate) rcx: u64,
    pub(crate) rax: u64,
    pub(crate) r10: u64,
    pub(crate) r9: u64,
    pub(crate) r8: u64,
    pub(crate) rdx: u64,
    pub(crate) rsi: u64,
    pub(crate) rdi: u64,
    /// Vector of the entry, or how to leave.
    pub(crate) vector: u64,
    pub(crate) error_code: u64,
    pub(crate) rip: u64,
    pub(crate) cs: u64,
    pub(crate) rflags: u64,
    pub(crate) rsp: u64,
    pub(crate) ss: u64,
}

/// A register file with the room that entry code needs around it; lives inside the vCPU.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct EntryArea {
    /// A fault on the final IRETQ nests its frame below the rip slot.
    nested: [u64; 32],
    pub(crate) regs: GuestRegs,
    /// Stack of the CPU that runs this vCPU; entry code switches to it.
    pub(crate) stack: u64,
}

#[cfg(target_os = "none")]
pub(crate) const OFFSET_VECTOR: usize = offset_of!(GuestRegs, vector);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_RIP: usize = offset_of!(GuestRegs, rip);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_CS: usize = offset_of!(GuestRegs, cs);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_RAX: usize = offset_of!(GuestRegs, rax);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_RCX: usize = offset_of!(GuestRegs, rcx);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_R11: usize = offset_of!(GuestRegs, r11);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_RFLAGS: usize = offset_of!(GuestRegs, rflags);
#[cfg(target_os = "none")]
pub(crate) const OFFSET_RSP: usize = offset_of!(GuestRegs, rsp);
pub(crate) const OFFSET_STACK: usize = offset_of!(EntryArea, stack) - offset_of!(EntryArea, regs);

// The processor aligns RSP0 down to 16 before it pushes (SDM vol. 3A 6.14.2); a gap would shift the frame.
const _: () = assert!((offset_of!(EntryArea, regs) + size_of::<GuestRegs>()).is_multiple_of(16));
const _: () = assert!(OFFSET_STACK == size_of::<GuestRegs>());
// entry.S gets from the slot of rax to the end of the preserved registers by two words, to those of rcx and r11 itself.
const _: () = assert!(offset_of!(GuestRegs, rax) == 8 * 8 && offset_of!(GuestRegs, vector) == 8 * 15);

impl EntryArea {
    /// Where the processor starts pushing: RSP0 while the vCPU runs. The area must not move until it is off the CPU.
    pub(crate) fn end_of_regs(&self) -> u64 {
        core::ptr::from_ref(&self.stack) as u64
    }
}

impl GuestRegs {
    /// General register by its number in instruction encodings (rax 0, rcx 1, ... r15 15).
    pub(crate) fn gpr(&self, number: u8) -> u64 {
        match number & 15 {
            0 => self.rax,
            1 => self.rcx,
            2 => self.rdx,
            3 => self.rbx,
            4 => self.rsp,
            5 => self.rbp,
            6 => self.rsi,
            7 => self.rdi,
            8 => self.r8,
            9 => self.r9,
            10 => self.r10,
            11 => self.r11,
            12 => self.r12,
            13 => self.r13,
            14 => self.r14,
            _ => self.r15,
        }
    }

    /// Mutable form of [`Self::gpr`].
    pub(crate) fn gpr_mut(&mut self, number: u8) -> &mut u64 {
        match number & 15 {
            0 => &mut self.rax,
            1 => &mut self.rcx,
            2 => &mut self.rdx,
            3 => &mut self.rbx,
            4 => &mut self.rsp,
            5 => &mut self.rbp,
            6 => &mut self.rsi,
            7 => &mut self.rdi,
            8 => &mut self.r8,
            9 => &mut self.r9,
            10 => &mut self.r10,
            11 => &mut self.r11,
            12 => &mut self.r12,
            13 => &mut self.r13,
            14 => &mut self.r14,
            _ => &mut self.r15,
        }
    }
}
