// SPDX-License-Identifier: MIT OR Apache-2.0
//! HYPERVISOR_iret (23): the guest kernel's way back to what it interrupted.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::trap::IretContext;
use hypercalls::vm_assist::VmAssistType;

use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::pv::switch;
use crate::x86::context;
use crate::x86::regs::{EXIT_IRET, EXIT_SYSRET};
use crate::x86::uaccess::{Faulted, GuestWords};

const VGCF_IN_SYSCALL: u64 = 0x100;
const RFLAGS_FIXED: u64 = 2;
const RFLAGS_IF: u64 = 1 << 9;
const RFLAGS_IOPL_SHIFT: u32 = 12;
const RFLAGS_IOPL: u64 = 3 << RFLAGS_IOPL_SHIFT;
const RFLAGS_VM: u64 = 1 << 17;
/// Bits that exist.
const RFLAGS_KNOWN: u64 = 0x003f_ffd7;

/// The words that the guest kernel left at its stack pointer.
#[inline(always)]
fn frame(address: u64) -> Result<IretContext, Faulted> {
    let (words, rax) = GuestWords::<9>::at(address)?.get::<0>();
    let (words, r11) = words.get::<1>();
    let (words, rcx) = words.get::<2>();
    let (words, flags) = words.get::<3>();
    let (words, rip) = words.get::<4>();
    let (words, cs) = words.get::<5>();
    let (words, rflags) = words.get::<6>();
    let (words, rsp) = words.get::<7>();
    let (words, ss) = words.get::<8>();
    words.done()?;
    Ok(IretContext { rax, r11, rcx, flags, rip, cs, rflags, rsp, ss })
}

/// Restores registers from the frame at the guest's stack pointer, to kernel or user mode by its cs, and sets the event mask
/// from its IF; with VMASST architectural_iopl also the virtual IOPL. A bad frame crashes the domain; bad selectors fault in the guest.
#[inline(always)]
pub(crate) fn iret(vcpu: &Vcpu, state: &mut VcpuState) -> Result<(), &'static str> {
    let frame = frame(state.entry.regs.rsp).map_err(|_| "iret hypercall: cannot read the frame on the stack")?;
    if frame.cs & 3 == 3 {
        if state.user_root.is_none() {
            return Err("iret hypercall: to user mode without a user page table");
        }
        switch::to_user_mode(vcpu, state);
    }
    let regs = &mut state.entry.regs;
    regs.rip = frame.rip;
    regs.cs = (frame.cs & 0xffff) | 3;
    regs.rflags = frame.rflags & RFLAGS_KNOWN & !(RFLAGS_IOPL | RFLAGS_VM) | RFLAGS_IF | RFLAGS_FIXED;
    regs.rsp = frame.rsp;
    regs.ss = (frame.ss & 0xffff) | 3;
    regs.rax = frame.rax;
    regs.vector = EXIT_IRET;
    if frame.flags & VGCF_IN_SYSCALL != 0 && context::is_canonical(frame.rip) {
        regs.vector = EXIT_SYSRET;
    } else {
        regs.rcx = frame.rcx;
        regs.r11 = frame.r11;
    }
    if vcpu.domain.assists(VmAssistType::ARCHITECTURAL_IOPL.raw()) {
        state.iopl = (frame.rflags >> RFLAGS_IOPL_SHIFT & 3) as u8;
    }
    state.nmi_masked = false;
    vcpu.upcall_mask().store(u8::from(frame.rflags & RFLAGS_IF == 0), Ordering::Release);
    Ok(())
}
