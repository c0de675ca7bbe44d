// SPDX-License-Identifier: MIT OR Apache-2.0
//! Facts about the CPU that are asked for all the time, read once.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use crate::x86::instr;

static ADDRESS_BITS: AtomicU32 = AtomicU32::new(36);

/// Reads them. Once, at boot.
pub(crate) fn init() {
    if instr::cpuid(0x8000_0000, 0).eax >= 0x8000_0008 {
        ADDRESS_BITS.store((instr::cpuid(0x8000_0008, 0).eax & 0xff).clamp(36, 52), Ordering::Relaxed);
    }
}

/// Width of machine addresses (MAXPHYADDR).
#[inline]
pub(crate) fn address_bits() -> u32 {
    ADDRESS_BITS.load(Ordering::Relaxed)
}
