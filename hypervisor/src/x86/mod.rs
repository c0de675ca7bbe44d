// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: CPU instructions, interrupt controllers, timers, buses.
pub(crate) mod apic;
pub(crate) mod debug_exit;
pub(crate) mod hpet;
pub(crate) mod instr;
pub(crate) mod ioapic;
pub(crate) mod mmio;
pub(crate) mod msi_regs;
pub(crate) mod msr;
pub(crate) mod pci;
pub(crate) mod pic;
pub(crate) mod pit;
pub(crate) mod pm_timer;
pub(crate) mod power;
pub(crate) mod rtc;
pub(crate) mod tsc;
pub(crate) mod uart;
