// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: CPU instructions, interrupt controllers, timers, buses.
pub(crate) mod apic;
pub(crate) mod debug_exit;
pub(crate) mod entry;
pub(crate) mod fpu;
pub(crate) mod gdt;
pub(crate) mod hpet;
pub(crate) mod idt;
pub(crate) mod instr;
pub(crate) mod ioapic;
pub(crate) mod ipi;
pub(crate) mod mmio;
pub(crate) mod msi_regs;
pub(crate) mod msr;
pub(crate) mod pci;
pub(crate) mod percpu;
pub(crate) mod pic;
pub(crate) mod pit;
pub(crate) mod pm_timer;
pub(crate) mod power;
pub(crate) mod regs;
pub(crate) mod rtc;
pub(crate) mod tlb;
pub(crate) mod trampoline;
pub(crate) mod tsc;
pub(crate) mod uaccess;
pub(crate) mod uart;
