// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts between CPUs. What they ask for stands in the target's `CpuLocal`; the vector only makes it look.
#![forbid(unsafe_code)]

use crate::x86::percpu::CpuLocal;
use crate::x86::{apic, vector};
use core::sync::atomic::Ordering;

/// Makes a CPU look at its flush mailbox.
pub(crate) fn flush(cpu: &CpuLocal) {
    apic::send_fixed(cpu.apic_id.load(Ordering::Relaxed), vector::FLUSH_IPI);
}

/// Makes a CPU look at its softirqs and its vCPU's pending events.
pub(crate) fn kick(cpu: &CpuLocal) {
    apic::send_fixed(cpu.apic_id.load(Ordering::Relaxed), vector::KICK_IPI);
}

/// Raises softirqs on a CPU; another one is interrupted so that it looks.
pub(crate) fn raise(cpu: &CpuLocal, bits: u32) {
    let before = cpu.softirqs.fetch_or(bits, Ordering::AcqRel);
    if before & bits != bits && cpu.id() != crate::x86::percpu::this().id() {
        kick(cpu);
    }
}
