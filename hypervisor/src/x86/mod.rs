// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine: CPU instructions, interrupt controllers, timers, buses.
pub(crate) mod debug_exit;
pub(crate) mod instr;
pub(crate) mod mmio;
pub(crate) mod uart;
