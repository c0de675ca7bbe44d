// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers of the model-specific registers the platform code uses (Intel SDM volume 4, AMD APM volume 2 appendix A).
#![forbid(unsafe_code)]

/// Base and enable bits of the local APIC.
pub(crate) const APIC_BASE: u32 = 0x1b;
/// Deadline of the APIC timer, in TSC ticks.
pub(crate) const TSC_DEADLINE: u32 = 0x6e0;
/// First x2APIC register; register offset / 16 is added.
pub(crate) const X2APIC_BASE: u32 = 0x800;
