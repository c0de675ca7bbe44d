// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exceptions of a guest: ours to handle, or the guest's?
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::trap::TrapFlags;

use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::pv::{bounce, emulate, ro_fault, segment};
use crate::x86::regs::{VECTOR_CSTAR, VECTOR_SYSENTER};
use crate::x86::{context, instr};

const DE: u8 = 0;
const DB: u8 = 1;
const BP: u8 = 3;
const OF: u8 = 4;
const UD: u8 = 6;
const NM: u8 = 7;
const GP: u8 = 13;
const PF: u8 = 14;
const AC: u8 = 17;
const XM: u8 = 19;

/// Linux's 32-bit system call.
pub(crate) const INT80: u8 = 0x80;

const PF_PRESENT: u64 = 1;
const PF_WRITE: u64 = 2;
const PF_USER: u64 = 4;
const PF_RESERVED: u64 = 8;
/// Error code of a #GP by `INT n`: an IDT index.
const GP_IDT: u64 = 2;
const RFLAGS_IF: u64 = 1 << 9;

/// Handles an exception that arrived in a guest, or queues it for the guest. The error crashes the domain.
pub(crate) fn exception(vcpu: &Arc<Vcpu>, state: &mut VcpuState) -> Result<(), &'static str> {
    let vector = state.entry.regs.vector as u8;
    let error_code = state.entry.regs.error_code as u32;
    match vector {
        PF => page_fault(vcpu, state),
        GP => general_protection(vcpu, state),
        UD if emulate::forced_cpuid(vcpu, state) => {}
        NM if state.task_switched => {
            // The exception opens the FPU: a handler that restores the state need not ask for it.
            state.task_switched = false;
            crate::x86::cpu::set_task_switched(false);
            state.inject(NM, None);
        }
        // The guest never set TS: a switch left it, cannot happen while state is restored eagerly.
        NM => crate::x86::cpu::set_task_switched(false),
        DB => {
            let dr6 = instr::read_dr6();
            state.debug[6] |= dr6;
            instr::write_dr6(0xffff_0ff0);
            state.inject(DB, None);
        }
        DE | BP | OF | UD | XM | 5 | 9 | 16 => state.inject(vector, None),
        10 | 11 | 12 | AC | 21 => state.inject(vector, Some(error_code)),
        _ => return Err("exception that no guest can cause"),
    }
    Ok(())
}

fn page_fault(vcpu: &Arc<Vcpu>, state: &mut VcpuState) {
    let address = instr::read_cr2();
    let mut error_code = state.entry.regs.error_code;
    if let Some(offset) = segment::ldt_offset(address) {
        // A selector load looked into the LDT window.
        if segment::ldt_fault(&vcpu.domain, state, offset) {
            return;
        }
        let own_address = state.ldt_base.wrapping_add(offset);
        return inject_page_fault(vcpu, state, own_address, error_code);
    }
    if state.kernel_mode
        && error_code & (PF_PRESENT | PF_WRITE | PF_RESERVED) == PF_PRESENT | PF_WRITE
        && ro_fault::write(vcpu, state, address)
    {
        return;
    }
    // Guest kernel pages are user pages to the processor; the guest wants to know which of its modes it was.
    error_code &= !PF_USER;
    if !state.kernel_mode {
        error_code |= PF_USER;
    }
    inject_page_fault(vcpu, state, address, error_code);
}

/// Queues a page fault; the address also goes where the guest reads it.
pub(crate) fn inject_page_fault(vcpu: &Vcpu, state: &mut VcpuState, address: u64, error_code: u64) {
    vcpu.info().cr2().store(address, Ordering::Relaxed);
    state.inject(PF, Some(error_code as u32));
}

fn general_protection(vcpu: &Arc<Vcpu>, state: &mut VcpuState) {
    let error_code = state.entry.regs.error_code;
    if error_code & GP_IDT != 0 && error_code & 1 == 0 {
        software_interrupt(state, (error_code >> 3) as u8);
        return;
    }
    if error_code == 0 && emulate::privileged(vcpu, state) {
        return;
    }
    state.inject(GP, Some(error_code as u32));
}

/// `INT n` through a gate that the hardware refuses: the guest's own trap table decides.
fn software_interrupt(state: &mut VcpuState, vector: u8) {
    let allowed = state.traps.get(usize::from(vector)).is_some_and(|info| {
        let dpl = (info.flags & TrapFlags::DPL_MASK).bits();
        info.address != 0 && dpl >= if state.kernel_mode { 1 } else { 3 }
    });
    if allowed {
        state.entry.regs.rip = state.entry.regs.rip.wrapping_add(2);
        state.inject(vector, None);
    } else {
        state.inject(GP, Some(u32::from(vector) << 3 | GP_IDT as u32));
    }
}

/// `INT 0x80` came through its gate.
pub(crate) fn int80(state: &mut VcpuState) {
    if state.traps.get(usize::from(INT80)).is_some_and(|info| info.address != 0) {
        state.inject(INT80, None);
    } else {
        state.entry.regs.rip = state.entry.regs.rip.wrapping_sub(2);
        state.inject(GP, Some(u32::from(INT80) << 3 | GP_IDT as u32));
    }
}

/// SYSCALL in 64-bit guest user mode, if the kernel has a callback for it. The error crashes the domain.
#[inline(always)]
pub(crate) fn user_call(vcpu: &Vcpu, state: &mut VcpuState) -> Option<Result<(), &'static str>> {
    let handler = state.syscall_callback;
    let regs = &mut state.entry.regs;
    (regs.rcx, regs.r11) = (regs.rip, regs.rflags);
    (handler.address != 0).then(|| bounce::user_call(vcpu, state, handler))
}

/// A page fault that only the guest's handler can be meant for: delivers it. The error crashes the domain.
#[inline(always)]
pub(crate) fn quick_page_fault(vcpu: &Vcpu, state: &mut VcpuState) -> Option<Result<(), &'static str>> {
    let address = instr::read_cr2();
    let error_code = state.entry.regs.error_code & !PF_USER;
    let may_be_a_table = error_code & (PF_PRESENT | PF_WRITE | PF_RESERVED) == PF_PRESENT | PF_WRITE;
    if (state.kernel_mode && may_be_a_table) || segment::ldt_offset(address).is_some() {
        return None;
    }
    let error_code = error_code | if state.kernel_mode { 0 } else { PF_USER };
    vcpu.cr2().store(address, Ordering::Relaxed);
    Some(bounce::page_fault(vcpu, state, error_code as u32))
}

/// SYSCALL in guest user mode, SYSCALL from 32-bit code, SYSENTER: to their callbacks. `false`: an exception waits instead. The error
/// crashes the domain.
pub(crate) fn system_call(vcpu: &Vcpu, state: &mut VcpuState) -> Result<bool, &'static str> {
    let handler = match state.entry.regs.vector {
        VECTOR_CSTAR => state.syscall32_callback,
        VECTOR_SYSENTER => {
            // The instruction loses rip and rsp; the kernel knows how its own vdso calls.
            state.entry.regs.rflags |= RFLAGS_IF;
            state.sysenter_callback
        }
        _ => state.syscall_callback,
    };
    if handler.address != 0 {
        return bounce::callback(vcpu, state, handler).map(|()| true);
    }
    if state.entry.regs.vector == VECTOR_SYSENTER {
        state.inject(GP, Some(0));
    } else {
        state.entry.regs.rip = state.entry.regs.rip.wrapping_sub(2);
        state.inject(UD, None);
    }
    Ok(false)
}

/// The final IRETQ refused the guest's frame.
pub(crate) fn bad_iret(state: &mut VcpuState, vector: u8, error_code: u32) {
    let regs = &mut state.entry.regs;
    if !context::is_canonical(regs.rip) {
        // The frame for the handler must be one that can be returned from.
        log::debug!("guest iret to non-canonical {:#x}", regs.rip);
    }
    state.inject(vector, Some(error_code));
}
