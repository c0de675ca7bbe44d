// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ACPI power-management timer: a free-running counter behind one port.
#![forbid(unsafe_code)]

use super::instr::inl;

/// Ticks per second, by the ACPI specification.
pub(crate) const HZ: u64 = 3_579_545;

/// The timer's port and width.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PmTimer {
    /// I/O port, 4 bytes.
    pub(crate) port: u16,
    /// 32 bits wide, else 24.
    pub(crate) is_32_bit: bool,
}

impl PmTimer {
    /// The counter's value.
    pub(crate) fn counter(&self) -> u32 {
        inl(self.port) & self.mask()
    }

    /// The bits that count.
    pub(crate) const fn mask(&self) -> u32 {
        if self.is_32_bit { u32::MAX } else { 0x00ff_ffff }
    }
}
