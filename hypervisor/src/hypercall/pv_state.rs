// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest kernel tells about itself: trap table (0), GDT (2), stack (3), callbacks (4), CR0.TS (5), debug registers
//! (8, 9), descriptors (10), assists (21), segment bases (25), NMI handler (28). All for the caller itself; anyone may.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::handle::GuestHandle;
use hypercalls::nmi::{NmiCallback, NmiOp};
use hypercalls::trap::{FLAT_KERNEL_CS, SegmentBase, TrapFlags, TrapInfo};
use hypercalls::vm_assist::{VmAssistCmd, VmAssistType};

use crate::domain::memory::WritableRef;
use crate::domain::vcpu::{Callback, VcpuState, pending};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::mm::page_type::PageType;
use crate::mm::{frame_table, map};
use crate::pv::promote::put_descriptor_page;
use crate::pv::{debug_regs, descriptor, segment};
use crate::x86::uaccess::{Segment, load_segment};
use crate::x86::{context, cpu, percpu};

const NMI: usize = 2;
const RPL: u16 = 3;

pub(crate) const NO_TRAP: TrapInfo = TrapInfo { vector: 0, flags: TrapFlags::empty(), cs: 0, _pad: [0; 4], address: 0 };

/// HYPERVISOR_set_trap_table(list): the list ends at address 0; entries before a bad one stay. Null forgets all handlers.
/// EFAULT, EINVAL (non-canonical address). Preemptible.
pub(crate) fn set_trap_table(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[list, ..] = args;
    if list == 0 {
        cx.state.traps.fill(NO_TRAP);
        return Ok(Outcome::DONE);
    }
    let mut list = GuestHandle::<TrapInfo>::new(list);
    loop {
        let entry = guest_access::read(list)?;
        if entry.address == 0 {
            return Ok(Outcome::DONE);
        }
        if !context::is_canonical(entry.address) {
            return Err(Errno::EINVAL.into());
        }
        if let Some(slot) = cx.state.traps.get_mut(usize::from(entry.vector)) {
            *slot = entry;
        }
        list = list.offset(1);
        // The list has no length that could bound the work.
        if cx.budget.spend(1).is_err() {
            let mut rest = *args;
            let [first, ..] = &mut rest;
            *first = list.addr();
            return Ok(Outcome::Preempted(rest));
        }
    }
}

/// HYPERVISOR_set_gdt(frames, entries). EINVAL: too many, or a frame that cannot be a descriptor table. EFAULT.
pub(crate) fn set_gdt(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[list, entries, ..] = args;
    let entries = entries as u32;
    if entries > segment::GUEST_GDT_ENTRIES {
        return Err(Errno::EINVAL.into());
    }
    let mut frames = [Mfn::INVALID; 14];
    let frames = frames.get_mut(..entries.div_ceil(512) as usize).ok_or(Errno::EINVAL)?;
    guest_access::read_slice(GuestHandle::new(list), frames)?;
    let domain = cx.domain().clone();
    segment::set_gdt(&domain, cx.state, frames, entries)?;
    segment::load_gdt(percpu::this(), cx.state);
    Ok(Outcome::DONE)
}

/// HYPERVISOR_stack_switch(ss, rsp): where entries from user mode build their frames. Never fails.
pub(crate) fn stack_switch(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[ss, rsp, ..] = args;
    set_kernel_stack(cx.state, ss, rsp);
    Ok(Outcome::DONE)
}

/// What [`stack_switch`] does.
#[inline(always)]
pub(crate) fn set_kernel_stack(state: &mut VcpuState, ss: u64, rsp: u64) {
    state.kernel_ss = ss as u16 | RPL;
    state.kernel_sp = rsp;
}

/// HYPERVISOR_set_callbacks(event, failsafe, syscall). Never fails: addresses that are not canonical are ignored.
pub(crate) fn set_callbacks(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[event, failsafe, syscall, ..] = args;
    let state = &mut *cx.state;
    let slots = [
        (&mut state.event_callback, event, true),
        (&mut state.failsafe_callback, failsafe, false),
        (&mut state.syscall_callback, syscall, false),
    ];
    for (slot, address, mask_events) in slots {
        if context::is_canonical(address) {
            *slot = Callback { address, mask_events };
        }
    }
    Ok(Outcome::DONE)
}

/// HYPERVISOR_fpu_taskswitch(set): CR0.TS. Never fails.
pub(crate) fn fpu_taskswitch(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[set, ..] = args;
    cx.state.task_switched = set as u32 != 0;
    cpu::set_task_switched(cx.state.task_switched);
    Ok(Outcome::DONE)
}

/// HYPERVISOR_set_debugreg(register, value). ENODEV, EPERM, EINVAL: see `pv/debug_regs.rs`.
pub(crate) fn set_debugreg(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[register, value, ..] = args;
    debug_regs::write(cx.state, register & 0xffff_ffff, value)?;
    Ok(Outcome::DONE)
}

/// HYPERVISOR_get_debugreg(register) returns the value. ENODEV.
pub(crate) fn get_debugreg(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[register, ..] = args;
    Ok(Outcome::Done(debug_regs::read(cx.state, register & 0xffff_ffff)?))
}

/// HYPERVISOR_update_descriptor(machine address, descriptor): in a descriptor table, or in a page that may be written.
/// EINVAL.
pub(crate) fn update_descriptor(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[address, value, ..] = args;
    let mfn = Mfn::from_addr(address);
    let index = (address & 0xfff) as usize / 8;
    let frame = frame_table::ram(mfn).ok_or(Errno::EINVAL)?;
    let safe = descriptor::make_safe(value).filter(|_| address & 7 == 0).ok_or(Errno::EINVAL)?;
    let mmu = cx.domain().lock_mmu();
    if frame.is_used_as(PageType::SegDesc) {
        mmu.get_descriptor_page(mfn)?;
        store(mfn, index, safe);
        put_descriptor_page(mfn);
    } else {
        let page = WritableRef::get(mfn, cx.domain().id).ok_or(Errno::EINVAL)?;
        store(page.mfn(), index, safe);
    }
    Ok(Outcome::DONE)
}

fn store(mfn: Mfn, index: usize, value: u64) {
    if let Some(word) = map::words(mfn).get(index) {
        word.store(value, Ordering::Relaxed);
    }
}

/// HYPERVISOR_set_segment_base(which, base). EINVAL: non-canonical (CVE-2016-9385), unknown `which`.
pub(crate) fn set_segment_base(_cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[which, base, ..] = args;
    set_base(which, base)?;
    Ok(Outcome::DONE)
}

/// What [`set_segment_base`] does. EINVAL.
#[inline(never)]
pub(crate) fn set_base(which: u64, base: u64) -> Result<(), Errno> {
    let which = SegmentBase::new(which as u32);
    if which == SegmentBase::GS_USER_SEL {
        context::set_other_gs_base(load_user_gs(base as u16));
        return Ok(());
    }
    if !context::is_canonical(base) {
        return Err(Errno::EINVAL);
    }
    match which {
        SegmentBase::FS => context::set_fs_base(base),
        // Hypercalls come from kernel mode, whose base is the active one.
        SegmentBase::GS_USER => context::set_other_gs_base(base),
        SegmentBase::GS_KERNEL => context::set_gs_base(base),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// Loads the GS selector of user mode and returns the base that came with it. A bad selector becomes null, whose base is
/// 0 on every CPU for us (AMD's would keep the old one).
fn load_user_gs(selector: u16) -> u64 {
    let kernel_base = context::gs_base();
    let selector = if selector > RPL { selector | RPL } else { selector };
    let is_null = selector <= RPL || load_segment(Segment::Gs, selector).is_err();
    let base = if is_null { 0 } else { context::gs_base() };
    if is_null {
        // The null selector always loads.
        let _ = load_segment(Segment::Gs, 0);
    }
    context::set_gs_base(kernel_base);
    base
}

/// HYPERVISOR_vm_assist(cmd, type). EINVAL: unknown type. ENOSYS: unknown command.
pub(crate) fn vm_assist(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, kind, ..] = args;
    let kind = VmAssistType::new(kind as u32);
    if kind.name().is_none() {
        return Err(Errno::EINVAL.into());
    }
    let bit = 1_u64 << (kind.raw() & 63);
    let assists = &cx.domain().vm_assist;
    match VmAssistCmd::new(cmd as u32) {
        VmAssistCmd::ENABLE => assists.fetch_or(bit, Ordering::Relaxed),
        VmAssistCmd::DISABLE => assists.fetch_and(!bit, Ordering::Relaxed),
        _ => return Err(Errno::ENOSYS.into()),
    };
    Ok(Outcome::DONE)
}

/// HYPERVISOR_nmi_op(cmd, arg). ENOSYS: unknown command. EFAULT, EINVAL.
pub(crate) fn nmi_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    match NmiOp::new(cmd as u32) {
        NmiOp::REGISTER_CALLBACK => {
            let callback = guest_access::read(GuestHandle::<NmiCallback>::new(arg))?;
            register_nmi(cx, callback.handler_address)?;
        }
        NmiOp::UNREGISTER_CALLBACK => unregister_nmi(cx.state),
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(Outcome::DONE)
}

/// The NMI handler is entry 2 of the trap table, and masks events. EINVAL: non-canonical address.
pub(crate) fn register_nmi(cx: &mut Cx<'_>, address: u64) -> Result<(), Errno> {
    if !context::is_canonical(address) {
        return Err(Errno::EINVAL);
    }
    if let Some(slot) = cx.state.traps.get_mut(NMI) {
        *slot =
            TrapInfo { vector: NMI as u8, flags: TrapFlags::MASK_EVENTS, cs: FLAT_KERNEL_CS, _pad: [0; 4], address };
    }
    // A reason that came before there was a handler must not be lost.
    if cx.vcpu.id.raw() == 0 && nmi_reason(cx) != 0 {
        cx.vcpu.pending.fetch_or(pending::NMI, Ordering::AcqRel);
    }
    Ok(())
}

/// Forgets the NMI handler.
pub(crate) fn unregister_nmi(state: &mut VcpuState) {
    if let Some(slot) = state.traps.get_mut(NMI) {
        *slot = NO_TRAP;
    }
}

/// `arch.nmi_reason` of the shared info page.
fn nmi_reason(cx: &Cx<'_>) -> u64 {
    const NMI_REASON: usize = 0xc20;
    map::words(cx.domain().shared_info).get(NMI_REASON / 8).map_or(0, |word| word.load(Ordering::Relaxed))
}
