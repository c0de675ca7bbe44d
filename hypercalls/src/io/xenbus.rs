// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The states of a device's two halves (`io/xenbus.h`), as they stand in xenstore in decimal.

use crate::macros::open_enum;

open_enum! {
    /// How far a device half is.
    pub struct XenbusState: u32 {
        /// Nothing known; the node is gone.
        #[doc(alias = "XenbusStateUnknown")]
        UNKNOWN = 0,
        /// Just begun.
        #[doc(alias = "XenbusStateInitialising")]
        INITIALISING = 1,
        /// The backend waits for the front end's details.
        #[doc(alias = "XenbusStateInitWait")]
        INITWAIT = 2,
        /// The front end has given them.
        #[doc(alias = "XenbusStateInitialised")]
        INITIALISED = 3,
        /// In use.
        #[doc(alias = "XenbusStateConnected")]
        CONNECTED = 4,
        /// Going away.
        #[doc(alias = "XenbusStateClosing")]
        CLOSING = 5,
        /// Gone.
        #[doc(alias = "XenbusStateClosed")]
        CLOSED = 6,
        /// Parts of it change.
        #[doc(alias = "XenbusStateReconfiguring")]
        RECONFIGURING = 7,
        /// They have changed.
        #[doc(alias = "XenbusStateReconfigured")]
        RECONFIGURED = 8,
    }
}
