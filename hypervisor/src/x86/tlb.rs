// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flushes of this CPU's TLB. PGE and PCID stay off: a CR3 load flushes everything (SDM vol. 3A 4.10.4.1).
// UNSAFETY: loads CR3.
#![expect(unsafe_code, reason = "loads CR3")]

use core::sync::atomic::Ordering;

use crate::x86::instr;
use crate::x86::percpu::CpuLocal;

/// Drops every translation of this CPU.
pub(crate) fn flush_local(cpu: &CpuLocal) {
    // SAFETY: reloads the tables that are in use.
    unsafe { instr::write_cr3(cpu.cr3.load(Ordering::Relaxed)) };
}

/// Switches this CPU to other tables.
///
/// # Safety
/// `root` is the machine address of a validated L4 with the hypervisor's slots, which lives until the next switch.
pub(crate) unsafe fn load_root(cpu: &CpuLocal, root: u64) {
    cpu.cr3.store(root, Ordering::Relaxed);
    // SAFETY: by contract.
    unsafe { instr::write_cr3(root) };
}

/// Drops the translations of one address.
pub(crate) fn invalidate(address: u64) {
    instr::invlpg(address);
}
