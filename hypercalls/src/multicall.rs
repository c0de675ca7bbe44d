// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Batches of hypercalls (`xen.h`: `multicall_entry`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One call of a batch.
#[doc(alias = "multicall_entry")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MulticallEntry {
    /// Which; a [`crate::HypercallNumber`].
    pub op: u64,
    /// Out: its return value, as a register.
    pub result: u64,
    /// Its arguments.
    pub args: [u64; 6],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<MulticallEntry>() == 0x40);
};
