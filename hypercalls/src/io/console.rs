// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The console page of a domain (`io/console.h`).

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Two byte rings; "in" and "out" as the guest sees them. Indices run freely; the slot is the index modulo the
/// size.
#[doc(alias = "xencons_interface")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct XenconsInterface {
    /// Input to the guest.
    pub in_: [u8; 1024],
    /// Output of the guest.
    pub out: [u8; 2048],
    /// The guest has read so far.
    pub in_cons: u32,
    /// The backend has written so far.
    pub in_prod: u32,
    /// The backend has read so far.
    pub out_cons: u32,
    /// The guest has written so far.
    pub out_prod: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<XenconsInterface>() == 0xc10);
};
