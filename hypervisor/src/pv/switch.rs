// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vCPU's state goes onto a CPU and comes off again; guest kernel and user mode change places.
//!
//! Both modes run at CPL 3. Kernel mode uses the kernel L4, user mode the user L4, which does not map the kernel. The active GS
//! base belongs to the present mode; the other mode's is where SWAPGS finds it.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use hypercalls::frame::Mfn;

use crate::domain::vcpu::{Vcpu, VcpuState, pending};
use crate::mm::page_type::Level;
use crate::mm::{flush, host_pt};
use crate::pv::call::Cx;
use crate::pv::promote::MmuError;
use crate::pv::segment;
use crate::x86::percpu::{self, CpuLocal};
use crate::x86::{context, cpu, tlb};

/// Loads the tables of the vCPU's present mode.
#[inline]
pub(crate) fn load_tables(state: &VcpuState) {
    let root = if state.kernel_mode { state.kernel_root } else { state.user_root };
    load_root(root.unwrap_or_else(host_pt::root));
}

#[inline]
fn load_root(root: Mfn) {
    let cpu = percpu::this();
    let now = flush::clock();
    tlb::load_root(cpu, root);
    cpu.tlb_time.store(now, Ordering::Release);
}

/// Loads another kernel-mode L4. The old one stays if this fails.
pub(crate) fn new_base(cx: &mut Cx<'_>, mfn: Mfn) -> Result<(), MmuError> {
    let domain = cx.domain().clone();
    if cx.state.kernel_root == Some(mfn) {
        flush::local();
        return Ok(());
    }
    domain.lock_mmu().get_table(mfn, Level::L4, &mut cx.budget)?;
    let old = cx.state.kernel_root.replace(mfn);
    load_tables(cx.state);
    if let Some(old) = old {
        // Preempted: the old tree is an orphan, finished when its frames are wanted.
        let _ = domain.lock_mmu().put_table(old, Level::L4, &mut cx.budget);
    }
    Ok(())
}

/// From guest user mode, in which the vCPU is, to guest kernel mode.
#[inline(always)]
pub(crate) fn to_kernel_mode(state: &mut VcpuState) {
    context::swap_gs();
    state.kernel_mode = true;
    load_tables(state);
}

/// From guest kernel mode to guest user mode; the caller checked that there is a user L4.
pub(crate) fn to_user_mode(vcpu: &Vcpu, state: &mut VcpuState) {
    if !state.kernel_mode {
        return;
    }
    if vcpu.pending.load(Ordering::Relaxed) & (pending::RUNSTATE | pending::TIME) != 0 {
        crate::domain::shared_info::write_guest_areas(vcpu);
    }
    context::swap_gs();
    state.kernel_mode = false;
    load_tables(state);
}

/// Takes the vCPU's state off this CPU.
pub(crate) fn save(state: &mut VcpuState) {
    state.selectors = context::selectors();
    state.fs_base = context::fs_base();
    let bases = (context::gs_base(), context::other_gs_base());
    if state.kernel_mode {
        (state.gs_base_kernel, state.gs_base_user) = bases;
    } else {
        (state.gs_base_user, state.gs_base_kernel) = bases;
    }
    if state.debug[7] & 0xff != 0 {
        context::save_debug(&mut state.debug);
        context::clear_debug();
    }
    // XSAVE itself faults while TS is set.
    cpu::set_task_switched(false);
    state.fpu.save();
}

/// Puts the vCPU's state onto this CPU, which runs nobody.
pub(crate) fn load(cpu: &CpuLocal, vcpu: &Vcpu, state: &mut VcpuState) {
    vcpu.domain.dirty_cpus.fetch_or(1 << cpu.id().raw(), Ordering::AcqRel);
    state.entry.stack = cpu.stack_top();
    cpu.set_entry_stack(state.entry.end_of_regs());
    load_tables(state);
    segment::load_gdt(cpu, state);
    segment::load_ldt(cpu, state);
    state.fpu.restore();
    context::load_selectors(state.selectors);
    context::set_fs_base(state.fs_base);
    let (active, other) = match state.kernel_mode {
        true => (state.gs_base_kernel, state.gs_base_user),
        false => (state.gs_base_user, state.gs_base_kernel),
    };
    context::set_gs_base(active);
    context::set_other_gs_base(other);
    context::set_tsc_aux(state.tsc_aux);
    cpu::set_guest_cr4(state.cr4);
    cpu::set_task_switched(state.task_switched);
    if state.debug[7] & 0xff != 0 {
        context::load_debug(&state.debug);
    }
}

/// Leaves the vCPU's tables for the hypervisor's own, so that they can go.
pub(crate) fn leave(cpu: &CpuLocal, vcpu: &Vcpu) {
    load_root(host_pt::root());
    segment::forget_ldt_mappings(cpu);
    segment::forget_gdt(cpu);
    vcpu.domain.dirty_cpus.fetch_and(!(1 << cpu.id().raw()), Ordering::AcqRel);
}
