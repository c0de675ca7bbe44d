// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Non-maskable interrupts (`nmi.h`).

use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

flags! {
    /// [`crate::shared_info::ArchSharedInfo::nmi_reason`].
    pub struct NmiReason: u64 {
        /// I/O check.
        #[doc(alias = "XEN_NMIREASON_io_error")]
        IO_ERROR = 1 << 0,
        /// PCI system error.
        #[doc(alias = "XEN_NMIREASON_pci_serr")]
        PCI_SERR = 1 << 1,
        /// Nothing known.
        #[doc(alias = "XEN_NMIREASON_unknown")]
        UNKNOWN = 1 << 2,
    }
}

open_enum! {
    /// Sub-operations of `nmi_op` (first argument).
    pub struct NmiOp: u32 {
        /// Argument [`NmiCallback`].
        #[doc(alias = "XENNMI_register_callback")]
        REGISTER_CALLBACK = 0,
        /// No argument.
        #[doc(alias = "XENNMI_unregister_callback")]
        UNREGISTER_CALLBACK = 1,
    }
}

/// Argument of [`NmiOp::REGISTER_CALLBACK`].
#[doc(alias = "xennmi_callback")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct NmiCallback {
    /// Entry point.
    pub handler_address: u64,
    /// Zero.
    pub pad: u64,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<NmiCallback>() == 0x10);
};
