// SPDX-License-Identifier: MIT OR Apache-2.0
//! `vcpu_guest_context`: the whole state of a vCPU as VCPUOP_initialise and the toolstack give it, checked and made a vCPU's own;
//! and back.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::boxed::Box;
use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, PAGE_SIZE};
use hypercalls::vcpu::{ContextFlags, CpuUserRegs, VcpuGuestContext};
use zerocopy::FromZeros;

use crate::budget::Budget;
use crate::domain::Domain;
use crate::domain::vcpu::{Callback, Vcpu, VcpuState, pause};
use crate::mm::page_type::Level;
use crate::pv::promote::MmuError;
use crate::pv::{debug_regs, segment};
use crate::x86::fpu::FpuArea;
use crate::x86::regs::EXIT_IRET;
use crate::x86::{context, cpu, fpu, uaccess};

const CR0_TS: u64 = 8;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_OSXSAVE: u64 = 1 << 18;
const RFLAGS_FIXED: u64 = 2;
const RFLAGS_IF: u64 = 1 << 9;
const RFLAGS_IOPL: u64 = 3 << 12;
const RFLAGS_VM: u64 = 1 << 17;
/// Bits that exist.
const RFLAGS_KNOWN: u64 = 0x003f_ffd7;
const RPL: u16 = 3;
const MAX_LDT_ENTRIES: u64 = 8192;
/// Entries of a GDT page.
const ENTRIES_PER_PAGE: u64 = 512;
/// Numbers 4 and 5 are other names, and carry nothing.
const DEBUG_REGISTERS: [usize; 6] = [0, 1, 2, 3, 6, 7];

/// The words of a context that decide where the vCPU's tables are; they cannot change once it has started.
struct Roots {
    kernel: Mfn,
    user: Option<Mfn>,
}

impl Roots {
    /// In the form of CR3; the low bits carry nothing.
    fn of(given: &VcpuGuestContext) -> Self {
        let [_, user, _, kernel, ..] = given.ctrlreg;
        let user = Mfn::from_addr(user);
        Self { kernel: Mfn::from_addr(kernel), user: (user.raw() != 0).then_some(user) }
    }
}

/// Gives a vCPU that is on no CPU the state of a context. EINVAL: an address that is not canonical, bad tables, a mode it cannot start
/// in. EOPNOTSUPP: other tables than it has already. Preempted: call again with the same context.
pub(crate) fn set(
    vcpu: &Vcpu,
    state: &mut VcpuState,
    given: &VcpuGuestContext,
    budget: &mut Budget,
) -> Result<(), MmuError> {
    // The caller owns the state: from then on a dying domain's stays as it was left.
    if vcpu.domain.is_dying() {
        return Err(Errno::ESRCH.into());
    }
    check_addresses(given)?;
    check_tables(given)?;
    let debug = debug_registers(state, given)?;
    let domain = &vcpu.domain;
    if vcpu.initialised.load(Ordering::Acquire) {
        check_same_tables(state, given)?;
    } else {
        take_tables(domain, state, given, budget)?;
    }
    // Nothing fails from here on.
    state.debug = debug;
    set_registers(vcpu, state, given);
    if given.flags.contains(ContextFlags::I387_VALID) {
        state.fpu.set_legacy(&given.fpu_ctxt);
    } else {
        state.fpu = FpuArea::new();
    }
    for (vector, (slot, info)) in state.traps.iter_mut().zip(&given.trap_ctxt).enumerate() {
        *slot = *info;
        slot.vector = vector as u8;
    }
    state.trap = None;
    vcpu.initialised.store(true, Ordering::Release);
    if given.flags.contains(ContextFlags::ONLINE) {
        vcpu.pause_flags.fetch_and(!pause::DOWN, Ordering::AcqRel);
        vcpu.wake();
    } else {
        vcpu.pause_flags.fetch_or(pause::DOWN, Ordering::AcqRel);
        vcpu.sleep();
    }
    Ok(())
}

fn check_addresses(given: &VcpuGuestContext) -> Result<(), Errno> {
    let addresses = [
        given.user_regs.rip,
        given.user_regs.rsp,
        given.kernel_sp,
        given.fs_base,
        given.gs_base_kernel,
        given.gs_base_user,
        given.event_callback_eip,
        given.failsafe_callback_eip,
        given.syscall_callback_eip,
    ];
    let handlers = given.trap_ctxt.iter().map(|info| info.address);
    if addresses.into_iter().chain(handlers).all(context::is_canonical) { Ok(()) } else { Err(Errno::EINVAL) }
}

fn check_tables(given: &VcpuGuestContext) -> Result<(), Errno> {
    let ldt_bytes = given.ldt_ents.saturating_mul(8).max(1);
    if given.ldt_ents > MAX_LDT_ENTRIES
        || !given.ldt_base.is_multiple_of(PAGE_SIZE as u64)
        || !uaccess::is_guest_range(given.ldt_base, ldt_bytes as usize)
        || given.gdt_ents > segment::GUEST_GDT_ENTRIES.into()
    {
        return Err(Errno::EINVAL);
    }
    // A vCPU in user mode is there by the user tables.
    if !given.flags.contains(ContextFlags::IN_KERNEL) && Roots::of(given).user.is_none() {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

fn debug_registers(state: &VcpuState, given: &VcpuGuestContext) -> Result<[u64; 8], Errno> {
    let mut debug = [0; 8];
    for index in DEBUG_REGISTERS {
        let value = given.debugreg.get(index).copied().unwrap_or(0);
        if let Some(slot) = debug.get_mut(index) {
            *slot = debug_regs::check(state, index, value)?;
        }
    }
    Ok(debug)
}

fn check_same_tables(state: &VcpuState, given: &VcpuGuestContext) -> Result<(), Errno> {
    let roots = Roots::of(given);
    let count = given.gdt_ents.div_ceil(ENTRIES_PER_PAGE) as usize;
    let gdt = state.gdt_frames.iter().take(count).zip(&given.gdt_frames);
    let same = state.kernel_root == Some(roots.kernel)
        && state.user_root == roots.user
        && u64::from(state.gdt_entries) == given.gdt_ents
        && gdt.into_iter().all(|(own, frame)| own.is_some_and(|own| own.raw() == *frame))
        && (state.ldt_base, u64::from(state.ldt_entries)) == (given.ldt_base, given.ldt_ents);
    if same { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

/// Takes references of all tables. When preempted the kernel's table stays taken, and is found again by the next call; after a failure
/// nothing is.
fn take_tables(
    domain: &Domain,
    state: &mut VcpuState,
    given: &VcpuGuestContext,
    budget: &mut Budget,
) -> Result<(), MmuError> {
    let roots = Roots::of(given);
    if state.kernel_root.is_some_and(|root| root != roots.kernel) {
        drop_root(domain, &mut state.kernel_root);
    }
    if state.kernel_root.is_none() {
        domain.lock_mmu().get_table(roots.kernel, Level::L4, budget)?;
        state.kernel_root = Some(roots.kernel);
    }
    if let Some(user) = roots.user {
        match domain.lock_mmu().get_table(user, Level::L4, budget) {
            Ok(()) => {}
            Err(MmuError::Preempted) => return Err(MmuError::Preempted),
            Err(error) => {
                drop_root(domain, &mut state.kernel_root);
                return Err(error);
            }
        }
    }
    state.user_root = roots.user;
    let count = given.gdt_ents.div_ceil(ENTRIES_PER_PAGE) as usize;
    let mut frames = [Mfn::INVALID; 14];
    for (slot, frame) in frames.iter_mut().zip(&given.gdt_frames) {
        *slot = Mfn::new(*frame);
    }
    let gdt = frames.get(..count).ok_or(Errno::EINVAL);
    if let Err(errno) = gdt.and_then(|frames| segment::set_gdt(domain, state, frames, given.gdt_ents as u32)) {
        drop_root(domain, &mut state.kernel_root);
        drop_root(domain, &mut state.user_root);
        return Err(errno.into());
    }
    state.ldt_base = given.ldt_base;
    state.ldt_entries = given.ldt_ents as u32;
    Ok(())
}

fn drop_root(domain: &Domain, root: &mut Option<Mfn>) {
    if let Some(root) = root.take() {
        // Preempted: the tree is an orphan, finished when its frames are wanted.
        let _ = domain.lock_mmu().put_table(root, Level::L4, &mut Budget::new());
    }
}

fn set_registers(vcpu: &Vcpu, state: &mut VcpuState, given: &VcpuGuestContext) {
    let from = &given.user_regs;
    let has = |flag| given.flags.contains(flag);
    load_general(state, from);
    state.selectors = [from.ds, from.es, from.fs, from.gs];
    state.iopl = (from.rflags >> 12 & 3) as u8;
    state.kernel_mode = has(ContextFlags::IN_KERNEL);
    state.kernel_ss = given.kernel_ss as u16 | RPL;
    state.kernel_sp = given.kernel_sp;
    let [cr0, _, _, _, cr4, ..] = given.ctrlreg;
    state.task_switched = cr0 & CR0_TS != 0;
    let fsgsbase = if cpu::has_fsgsbase() { CR4_FSGSBASE } else { 0 };
    let osxsave = if fpu::supported_xcr0() != 0 { CR4_OSXSAVE } else { 0 };
    state.cr4 = cr4 & (cpu::CR4_GUEST | fsgsbase | osxsave);
    state.event_callback = Callback { address: given.event_callback_eip, mask_events: true };
    state.failsafe_callback =
        Callback { address: given.failsafe_callback_eip, mask_events: has(ContextFlags::FAILSAFE_DISABLES_EVENTS) };
    state.syscall_callback =
        Callback { address: given.syscall_callback_eip, mask_events: has(ContextFlags::SYSCALL_DISABLES_EVENTS) };
    (state.fs_base, state.gs_base_kernel, state.gs_base_user) =
        (given.fs_base, given.gs_base_kernel, given.gs_base_user);
    if vcpu.id.raw() == 0 {
        vcpu.domain.vm_assist.store(given.vm_assist, Ordering::Relaxed);
    }
}

fn load_general(state: &mut VcpuState, from: &CpuUserRegs) {
    let regs = &mut state.entry.regs;
    (regs.r15, regs.r14, regs.r13, regs.r12) = (from.r15, from.r14, from.r13, from.r12);
    (regs.r11, regs.r10, regs.r9, regs.r8) = (from.r11, from.r10, from.r9, from.r8);
    (regs.rax, regs.rbx, regs.rcx, regs.rdx) = (from.rax, from.rbx, from.rcx, from.rdx);
    (regs.rsi, regs.rdi, regs.rbp) = (from.rsi, from.rdi, from.rbp);
    regs.rip = from.rip;
    regs.rsp = from.rsp;
    regs.cs = (from.cs | RPL).into();
    regs.ss = (from.ss | RPL).into();
    regs.rflags = from.rflags & RFLAGS_KNOWN & !(RFLAGS_IOPL | RFLAGS_VM) | RFLAGS_IF | RFLAGS_FIXED;
    regs.vector = EXIT_IRET;
}

/// The context of a vCPU that is on no CPU (XEN_DOMCTL_getvcpucontext).
pub(crate) fn get(vcpu: &Vcpu, state: &VcpuState) -> Box<VcpuGuestContext> {
    let mut out = Box::new(VcpuGuestContext::new_zeroed());
    out.fpu_ctxt = state.fpu.legacy();
    out.flags = flags_of(vcpu, state);
    out.user_regs = registers_of(vcpu, state);
    out.trap_ctxt = *state.traps;
    (out.ldt_base, out.ldt_ents) = (state.ldt_base, state.ldt_entries.into());
    for (slot, frame) in out.gdt_frames.iter_mut().zip(&state.gdt_frames) {
        *slot = frame.map_or(0, Mfn::raw);
    }
    out.gdt_ents = state.gdt_entries.into();
    (out.kernel_ss, out.kernel_sp) = (state.kernel_ss.into(), state.kernel_sp);
    out.ctrlreg = control_registers_of(state);
    out.debugreg = state.debug;
    out.event_callback_eip = state.event_callback.address;
    out.failsafe_callback_eip = state.failsafe_callback.address;
    out.syscall_callback_eip = state.syscall_callback.address;
    out.vm_assist = vcpu.domain.vm_assist.load(Ordering::Relaxed);
    (out.fs_base, out.gs_base_kernel, out.gs_base_user) = (state.fs_base, state.gs_base_kernel, state.gs_base_user);
    out
}

fn flags_of(vcpu: &Vcpu, state: &VcpuState) -> ContextFlags {
    let mut flags = ContextFlags::I387_VALID;
    flags.set(ContextFlags::IN_KERNEL, state.kernel_mode);
    flags.set(ContextFlags::ONLINE, vcpu.pause_flags.load(Ordering::Acquire) & pause::DOWN == 0);
    flags.set(ContextFlags::FAILSAFE_DISABLES_EVENTS, state.failsafe_callback.mask_events);
    flags.set(ContextFlags::SYSCALL_DISABLES_EVENTS, state.syscall_callback.mask_events);
    flags
}

fn control_registers_of(state: &VcpuState) -> [u64; 8] {
    const CR0: u64 = 0x8005_003b & !CR0_TS;
    let cr0 = if state.task_switched { CR0 | CR0_TS } else { CR0 };
    let address = |root: Option<Mfn>| root.map_or(0, Mfn::to_addr);
    [cr0, address(state.user_root), 0, address(state.kernel_root), state.cr4, 0, 0, 0]
}

fn registers_of(vcpu: &Vcpu, state: &VcpuState) -> CpuUserRegs {
    let regs = &state.entry.regs;
    let [ds, es, fs, gs] = state.selectors;
    CpuUserRegs {
        r15: regs.r15,
        r14: regs.r14,
        r13: regs.r13,
        r12: regs.r12,
        rbp: regs.rbp,
        rbx: regs.rbx,
        r11: regs.r11,
        r10: regs.r10,
        r9: regs.r9,
        r8: regs.r8,
        rax: regs.rax,
        rcx: regs.rcx,
        rdx: regs.rdx,
        rsi: regs.rsi,
        rdi: regs.rdi,
        rip: regs.rip,
        cs: regs.cs as u16,
        saved_upcall_mask: vcpu.info().upcall_mask().load(Ordering::Relaxed),
        rflags: regs.rflags & !RFLAGS_IOPL | u64::from(state.iopl) << 12,
        rsp: regs.rsp,
        ss: regs.ss as u16,
        es,
        ds,
        fs,
        gs,
        ..CpuUserRegs::new_zeroed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Box<VcpuGuestContext> {
        let mut context = Box::new(VcpuGuestContext::new_zeroed());
        context.flags = ContextFlags::IN_KERNEL;
        context
    }

    #[test]
    fn addresses_are_canonical() {
        let bad = 0x8000_0000_0000;
        assert_eq!(check_addresses(&context()), Ok(()));
        let broken: [fn(&mut VcpuGuestContext, u64); 4] = [
            |c, bad| c.user_regs.rip = bad,
            |c, bad| c.trap_ctxt[255].address = bad,
            |c, bad| c.syscall_callback_eip = bad,
            |c, bad| c.gs_base_user = bad,
        ];
        for set in broken {
            let mut given = context();
            set(&mut given, bad);
            assert_eq!(check_addresses(&given), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn tables_are_sane() {
        assert_eq!(check_tables(&context()), Ok(()));
        let broken: [fn(&mut VcpuGuestContext); 6] = [
            |c| c.ldt_base = 0x8000_0000_0000,
            |c| c.ldt_base = 8,
            |c| c.ldt_ents = 8193,
            |c| c.ldt_base = 0xffff_8000_0000_0000,
            |c| c.gdt_ents = 8193,
            |c| c.flags = ContextFlags::empty(),
        ];
        for set in broken {
            let mut given = context();
            set(&mut given);
            assert_eq!(check_tables(&given), Err(Errno::EINVAL));
        }
    }

    #[test]
    fn roots_are_in_the_form_of_cr3() {
        let mut given = context();
        given.ctrlreg[3] = 0x1234_5000;
        assert_eq!(Roots::of(&given).kernel, Mfn::new(0x12345));
        assert_eq!(Roots::of(&given).user, None);
        given.ctrlreg[1] = 0x5001;
        assert_eq!(Roots::of(&given).user, Some(Mfn::new(5)));
    }

    #[test]
    fn registers_are_made_safe_and_read_back() {
        let mut state = VcpuState::new(FpuArea::new());
        let mut from = CpuUserRegs::new_zeroed();
        (from.rip, from.rdi, from.cs, from.ss, from.rflags) = (0x1000, 7, 0x10, 0x18, 0x1000);
        load_general(&mut state, &from);
        let regs = &state.entry.regs;
        assert_eq!((regs.rip, regs.rdi, regs.cs, regs.ss, regs.rflags), (0x1000, 7, 0x13, 0x1b, 0x202));
    }
}
