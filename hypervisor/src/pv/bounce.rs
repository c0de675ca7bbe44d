// SPDX-License-Identifier: MIT OR Apache-2.0
//! Enters the guest kernel: builds the frame that an exception, event or system call handler finds on its stack
//! (arch-x86/xen-x86_64.h; Linux arch/x86/xen/xen-asm.S).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::trap::TrapFlags;
use hypercalls::vm_assist::VmAssistType;

use crate::domain::vcpu::{Callback, PendingTrap, Vcpu, VcpuState};
use crate::pv::switch;
use crate::x86::gdt::{FLAT_RING3_CS64, FLAT_RING3_SS64};
use crate::x86::regs::{EXIT_SYSRET, GuestRegs};
use crate::x86::{context, uaccess};

const RFLAGS_TF: u64 = 1 << 8;
const RFLAGS_IF: u64 = 1 << 9;
const RFLAGS_DF: u64 = 1 << 10;
const RFLAGS_IOPL: u64 = 3 << 12;
const RFLAGS_NT: u64 = 1 << 14;
const RFLAGS_RF: u64 = 1 << 16;
const RFLAGS_VM: u64 = 1 << 17;
const RFLAGS_AC: u64 = 1 << 18;

/// Where and how to enter.
#[derive(Clone, Copy)]
struct Entry {
    handler: Callback,
    error_code: Option<u32>,
    /// An event upcall, which masks further ones whatever the callback says.
    masks: bool,
}

/// Delivers an exception. The error says why the guest cannot go on.
pub(crate) fn trap(vcpu: &Vcpu, state: &mut VcpuState, trap: PendingTrap) -> Result<(), &'static str> {
    let info = state.traps.get(usize::from(trap.vector)).copied().ok_or("exception vector out of range")?;
    if info.address == 0 {
        return Err("exception without a handler in the trap table");
    }
    let handler = Callback { address: info.address, mask_events: info.flags.contains(TrapFlags::MASK_EVENTS) };
    enter(vcpu, state, !state.kernel_mode, Entry { handler, error_code: trap.error_code, masks: false })
}

/// Delivers a page fault; the address is in its place already.
#[inline(always)]
pub(crate) fn page_fault(vcpu: &Vcpu, state: &mut VcpuState, error_code: u32) -> Result<(), &'static str> {
    const VECTOR: usize = 14;
    let [.., info] = state.traps.first_chunk::<{ VECTOR + 1 }>().ok_or("no trap table")?;
    if info.address == 0 {
        return Err("page fault without a handler in the trap table");
    }
    let handler = Callback { address: info.address, mask_events: info.flags.contains(TrapFlags::MASK_EVENTS) };
    enter(vcpu, state, !state.kernel_mode, Entry { handler, error_code: Some(error_code), masks: false })
}

/// Delivers the event upcall.
pub(crate) fn event(vcpu: &Vcpu, state: &mut VcpuState) -> Result<(), &'static str> {
    let handler = state.event_callback;
    if handler.address == 0 {
        return Err("event without an event callback");
    }
    enter(vcpu, state, !state.kernel_mode, Entry { handler, error_code: None, masks: true })
}

/// As [`callback`], when the vCPU is known to be in user mode.
#[inline(always)]
pub(crate) fn user_call(vcpu: &Vcpu, state: &mut VcpuState, handler: Callback) -> Result<(), &'static str> {
    enter(vcpu, state, true, Entry { handler, error_code: None, masks: false })?;
    state.entry.regs.rflags &= !RFLAGS_DF;
    Ok(())
}

/// Delivers a system call or another entry that has a callback of its own.
pub(crate) fn callback(vcpu: &Vcpu, state: &mut VcpuState, handler: Callback) -> Result<(), &'static str> {
    enter(vcpu, state, !state.kernel_mode, Entry { handler, error_code: None, masks: false })?;
    // SYSCALL cleared the direction flag for a native kernel (SFMASK); ours is fixed.
    state.entry.regs.rflags &= !RFLAGS_DF;
    Ok(())
}

#[inline(always)]
fn enter(vcpu: &Vcpu, state: &mut VcpuState, from_user: bool, entry: Entry) -> Result<(), &'static str> {
    let keeps_iopl = vcpu.domain.assists(VmAssistType::ARCHITECTURAL_IOPL.raw());
    let regs = &state.entry.regs;
    let mask = vcpu.upcall_mask();
    let old_mask = mask.load(Ordering::Relaxed);
    let stack = if from_user { state.kernel_sp } else { regs.rsp };
    let base = (stack & !15).wrapping_sub(if entry.error_code.is_some() { 64 } else { 56 });
    // From kernel mode the handler sees a ring-0 selector: Linux's user_mode() looks at its low bits.
    let cs = if from_user { regs.cs & 0xffff } else { regs.cs & 0xfffc };
    let iopl = if keeps_iopl { u64::from(state.iopl) << 12 } else { 0 };
    let (rcx, r11) = (regs.rcx, regs.r11);
    let rip = regs.rip;
    let cs = cs | u64::from(old_mask) << 32;
    let rflags = regs.rflags & !(RFLAGS_IF | RFLAGS_IOPL) | if old_mask == 0 { RFLAGS_IF } else { 0 } | iopl;
    let (rsp, ss) = (regs.rsp, regs.ss & 0xffff);
    if from_user {
        switch::to_kernel_mode(state);
    }
    // The frame on the guest's stack, lowest word first.
    let written = match entry.error_code {
        Some(code) => uaccess::GuestWords::<8>::at(base).and_then(|words| {
            let words = words.put::<0>(rcx).put::<1>(r11).put::<2>(code.into()).put::<3>(rip);
            words.put::<4>(cs).put::<5>(rflags).put::<6>(rsp).put::<7>(ss).done()
        }),
        None => uaccess::GuestWords::<7>::at(base).and_then(|words| {
            let words = words.put::<0>(rcx).put::<1>(r11).put::<2>(rip).put::<3>(cs);
            words.put::<4>(rflags).put::<5>(rsp).put::<6>(ss).done()
        }),
    };
    if written.is_err() {
        return Err("fault while writing an exception frame to the guest's stack");
    }
    if entry.masks || entry.handler.mask_events {
        mask.store(1, Ordering::Relaxed);
    }
    go(&mut state.entry.regs, entry.handler.address, base);
    Ok(())
}

fn go(regs: &mut GuestRegs, rip: u64, rsp: u64) {
    regs.vector = EXIT_SYSRET;
    regs.rip = rip;
    regs.cs = FLAT_RING3_CS64.into();
    regs.rflags = regs.rflags & !(RFLAGS_AC | RFLAGS_VM | RFLAGS_RF | RFLAGS_NT | RFLAGS_TF | RFLAGS_IOPL) | RFLAGS_IF;
    regs.rsp = rsp;
    regs.ss = FLAT_RING3_SS64.into();
    debug_assert!(context::is_canonical(rip), "handlers are checked when they are registered");
}
