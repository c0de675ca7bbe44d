// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flushes of this CPU's TLB. PGE and PCID stay off: a CR3 load flushes everything (SDM vol. 3A 4.10.4.1).
// UNSAFETY: loads CR3.
#![expect(unsafe_code, reason = "loads CR3")]

use core::sync::atomic::Ordering;

use hypercalls::frame::Mfn;

use crate::x86::instr;
use crate::x86::percpu::CpuLocal;

/// Drops every translation of this CPU.
pub(crate) fn flush_local(cpu: &CpuLocal) {
    // SAFETY: reloads the tables that are in use.
    unsafe { instr::write_cr3(cpu.cr3.load(Ordering::Relaxed)) };
}

/// Switches this CPU to other tables: a frame typed and validated as an L4 (which holds the hypervisor's slots), on which
/// the caller holds a reference until the next switch; or the hypervisor's own.
pub(crate) fn load_root(cpu: &CpuLocal, root: Mfn) {
    cpu.cr3.store(root.to_addr(), Ordering::Relaxed);
    // SAFETY: every L4 that passed promotion maps the hypervisor as this one does.
    unsafe { instr::write_cr3(root.to_addr()) };
}

/// Drops the translations of one address.
pub(crate) fn invalidate(address: u64) {
    instr::invlpg(address);
}
