// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vectors with a fixed meaning on every CPU; `irq/vector.rs` hands out the others.
#![forbid(unsafe_code)]

/// The hypervisor's serial port.
pub(crate) const SERIAL: u8 = 0xf1;
/// The local APIC's timer.
pub(crate) const TIMER: u8 = 0xfa;
/// Flush mailbox.
pub(crate) const FLUSH_IPI: u8 = 0xfb;
/// Softirqs and events.
pub(crate) const KICK_IPI: u8 = 0xfc;
/// The local APIC found an error.
pub(crate) const APIC_ERROR: u8 = 0xfe;
/// The local APIC had nothing to deliver after all; takes no end of interrupt.
pub(crate) const APIC_SPURIOUS: u8 = 0xff;
