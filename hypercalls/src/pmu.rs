// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Performance counters (`pmu.h`).

use crate::macros::open_enum;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `xenpmu_op` (first argument). Argument [`PmuParams`].
    pub struct XenpmuOp: u32 {
        /// Reads the mode.
        #[doc(alias = "XENPMU_mode_get")]
        MODE_GET = 0,
        /// Sets it.
        #[doc(alias = "XENPMU_mode_set")]
        MODE_SET = 1,
        /// Reads the features.
        #[doc(alias = "XENPMU_feature_get")]
        FEATURE_GET = 2,
        /// Sets them.
        #[doc(alias = "XENPMU_feature_set")]
        FEATURE_SET = 3,
        /// Starts on a vCPU.
        #[doc(alias = "XENPMU_init")]
        INIT = 4,
        /// Stops.
        #[doc(alias = "XENPMU_finish")]
        FINISH = 5,
        /// Loads the local APIC entry.
        #[doc(alias = "XENPMU_lvtpc_set")]
        LVTPC_SET = 6,
        /// Loads the cached registers.
        #[doc(alias = "XENPMU_flush")]
        FLUSH = 7,
    }
}

/// Interface version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PmuVersion {
    /// 0.
    pub maj: u32,
    /// 1.
    pub min: u32,
}

/// Argument of all [`XenpmuOp`].
#[doc(alias = "xen_pmu_params")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PmuParams {
    /// Of the interface.
    pub version: PmuVersion,
    /// In or out.
    pub val: u64,
    /// Which vCPU.
    pub vcpu: u32,
    /// Zero.
    pub pad: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<PmuVersion>() == 0x8);
    assert!(size_of::<PmuParams>() == 0x18);
};
