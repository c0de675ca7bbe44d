// SPDX-License-Identifier: MIT OR Apache-2.0
//! The interrupt descriptor table: one for all CPUs. SDM vol. 3A 6.14.
// UNSAFETY: loads IDTR.
#![expect(unsafe_code, reason = "loads the interrupt descriptor table")]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::x86::entry;
use crate::x86::gdt::HYPERVISOR_CS;
use crate::x86::instr::{self, TablePointer};

#[repr(C, align(4096))]
struct Idt([AtomicU64; 512]);

static IDT: Idt = Idt([const { AtomicU64::new(0) }; 512]);

/// A gate that user code may use by `INT n`: breakpoint, overflow, Linux's 32-bit system call.
fn privilege(vector: usize) -> u64 {
    if matches!(vector, 3 | 4 | 0x80) { 3 } else { 0 }
}

/// Fills the table. Once, before [`load`].
pub(crate) fn init() {
    for vector in 0..256 {
        let (handler, stack) = match vector {
            1 => (entry::debug(), 4),
            2 => (entry::nmi(), 1),
            8 => (entry::double_fault(), 3),
            18 => (entry::machine_check(), 2),
            _ => (entry::vector(vector), 0),
        };
        let low = (handler & 0xffff)
            | (u64::from(HYPERVISOR_CS) << 16)
            | (stack << 32)
            | (0x8e << 40)
            | (privilege(vector) << 45)
            | ((handler >> 16 & 0xffff) << 48);
        IDT.0[2 * vector].store(low, Ordering::Relaxed);
        IDT.0[2 * vector + 1].store(handler >> 32, Ordering::Relaxed);
    }
}

/// Loads IDTR on this CPU.
pub(crate) fn load() {
    let pointer = TablePointer { limit: 4095, base: IDT.0.as_ptr() as u64 };
    // SAFETY: every gate points at an entry stub and the table lives for ever.
    unsafe { instr::lidt(&pointer) };
}
