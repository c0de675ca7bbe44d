// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a toolstack chose for a domain and may read back.
#![forbid(unsafe_code)]

use hypercalls::domctl::CreateFlags;

/// The default of `xen_domctl_sched_credit.weight`.
const DEFAULT_WEIGHT: u16 = 256;

/// Choices that need no more than to be kept; the lock of `Domain::settings` guards them.
#[derive(Debug)]
pub(crate) struct Settings {
    /// As it was created.
    pub(crate) flags: CreateFlags,
    /// Its share of the CPUs.
    pub(crate) weight: u16,
    /// Percent of one CPU it may have at most, 0 for no limit.
    pub(crate) cap: u16,
    /// `TSC_MODE_*`.
    pub(crate) tsc_mode: u32,
    /// How often it was restored.
    pub(crate) tsc_incarnation: u32,
    /// Added to the host's wall clock, seconds.
    pub(crate) time_offset: i64,
    /// A toolstack let it run: what shapes its CPUs is fixed.
    pub(crate) is_complete: bool,
}

impl Settings {
    /// Of a domain nobody has touched yet.
    pub(crate) fn new(flags: CreateFlags) -> Self {
        Self {
            flags,
            weight: DEFAULT_WEIGHT,
            cap: 0,
            tsc_mode: 0,
            tsc_incarnation: 0,
            time_offset: 0,
            is_complete: false,
        }
    }
}
