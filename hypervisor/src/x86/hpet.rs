// SPDX-License-Identifier: MIT OR Apache-2.0
//! The high-precision event timer as a free-running counter; its comparators stay off.
#![forbid(unsafe_code)]

use super::mmio::Mmio;

const CAPABILITIES: usize = 0x00;
const CONFIGURATION: usize = 0x10;
const COUNTER: usize = 0xf0;
const FIRST_TIMER: usize = 0x100;
const TIMER_STRIDE: usize = 0x20;

const ENABLE: u32 = 1;
const LEGACY_ROUTE: u32 = 2;
const TIMER_INTERRUPT_ENABLE: u32 = 4;

const FEMTOSECONDS_PER_SECOND: u64 = 1_000_000_000_000_000;
/// The specification's upper bound: 100 ns per tick.
const MAX_PERIOD_FS: u32 = 100_000_000;

/// A running HPET.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hpet {
    registers: Mmio,
    period_fs: u32,
}

impl Hpet {
    /// Starts the counter. `None` when the registers cannot be an HPET's.
    pub(crate) fn new(registers: Mmio) -> Option<Self> {
        let capabilities = registers.read32(CAPABILITIES);
        let period_fs = registers.read32(CAPABILITIES + 4);
        if capabilities == 0 || capabilities == u32::MAX || period_fs == 0 || period_fs > MAX_PERIOD_FS {
            return None;
        }
        let timers = (capabilities >> 8 & 0x1f) as usize + 1;
        for timer in 0..timers {
            let offset = FIRST_TIMER + timer * TIMER_STRIDE;
            let old = registers.read32(offset);
            registers.write32(offset, old & !TIMER_INTERRUPT_ENABLE);
        }
        let old = registers.read32(CONFIGURATION);
        registers.write32(CONFIGURATION, (old & !LEGACY_ROUTE) | ENABLE);
        Some(Self { registers, period_fs })
    }

    /// The counter's low half, which every HPET can be read in one access.
    pub(crate) fn counter(&self) -> u32 {
        self.registers.read32(COUNTER)
    }

    /// Ticks per second.
    pub(crate) fn hz(&self) -> u64 {
        FEMTOSECONDS_PER_SECOND / u64::from(self.period_fs)
    }
}
