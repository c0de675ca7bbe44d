// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Machine checks (`arch-x86/xen-mca.h`): the head of the call. No operation is specified further until one is used.

use crate::macros::{open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What [`Mc::interface_version`] must be.
#[doc(alias = "XEN_MCA_INTERFACE_VERSION")]
pub const MCA_INTERFACE_VERSION: u32 = 0x01ec_c003;

open_enum! {
    /// [`Mc::cmd`].
    pub struct McaCmd: u32 {
        /// Takes a record.
        #[doc(alias = "XEN_MC_fetch")]
        FETCH = 1,
        /// A domain was told.
        #[doc(alias = "XEN_MC_notifydomain")]
        NOTIFYDOMAIN = 2,
        /// Describes the CPUs.
        #[doc(alias = "XEN_MC_physcpuinfo")]
        PHYSCPUINFO = 3,
        /// For tests.
        #[doc(alias = "XEN_MC_msrinject")]
        MSRINJECT = 4,
        /// For tests.
        #[doc(alias = "XEN_MC_mceinject")]
        MCEINJECT = 5,
        /// For tests.
        #[doc(alias = "XEN_MC_inject_v2")]
        INJECT_V2 = 6,
    }
}

/// Argument of the machine-check call.
#[doc(alias = "xen_mc")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct Mc {
    /// What to do.
    pub cmd: McaCmd,
    /// [`MCA_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// The operation's own argument.
    pub u: [u8; 144],
}

payload!(Mc, u);

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<Mc>() == 0x98);
};
