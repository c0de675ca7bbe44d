// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Rings of requests and responses in shared pages (`io/ring.h`): the header and the arithmetic of indices.
//!
//! Indices run freely and wrap at 2^32; an entry's slot is its index modulo the number of slots. Both sides write the
//! page: access it with atomics, and copy an entry before looking at it.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// What comes before the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SringHeader {
    /// One past the last request.
    pub req_prod: u32,
    /// The requester notifies when it gets this far.
    pub req_event: u32,
    /// One past the last response.
    pub rsp_prod: u32,
    /// The responder notifies when it gets this far.
    pub rsp_event: u32,
    /// For the front end's own use.
    pub pvt: [u8; 4],
    /// Zero.
    pub _pad: [u8; 44],
}

/// Bytes before the first entry.
#[doc(alias = "ring")]
pub const RING_HEADER_SIZE: usize = 64;
/// Slots of a one-page block ring.
#[doc(alias = "blkif")]
pub const BLKIF_RING_SLOTS: usize = 32;
/// Slots of a network transmit ring.
#[doc(alias = "netif_tx")]
pub const NETIF_TX_RING_SLOTS: usize = 256;
/// Slots of a network receive ring.
#[doc(alias = "netif_rx")]
pub const NETIF_RX_RING_SLOTS: usize = 256;

/// How many entries of `entry_size` bytes fit in a ring of `bytes`: a power of two; 0 if none fits.
#[doc(alias = "__RING_SIZE")]
#[must_use]
pub const fn ring_slots(bytes: usize, entry_size: usize) -> usize {
    let Some(fit) = bytes.saturating_sub(RING_HEADER_SIZE).checked_div(entry_size) else {
        return 0;
    };
    match fit.checked_ilog2() {
        Some(log) => 1 << log,
        None => 0,
    }
}

/// Whether a producer that moved from `old` to `new` must notify: it passed the index the other side waits for.
#[doc(alias = "RING_PUSH_REQUESTS_AND_CHECK_NOTIFY")]
#[doc(alias = "RING_PUSH_RESPONSES_AND_CHECK_NOTIFY")]
#[must_use]
pub const fn must_notify(old: u32, new: u32, event: u32) -> bool {
    new.wrapping_sub(event) < new.wrapping_sub(old)
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<SringHeader>() == 0x40);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_the_headers_numbers() {
        use crate::io::{blkif, netif};
        assert_eq!(ring_slots(4096, size_of::<blkif::BlkifRequest>()), BLKIF_RING_SLOTS);
        assert_eq!(ring_slots(4096, size_of::<netif::NetifTxRequest>()), NETIF_TX_RING_SLOTS);
        assert_eq!(ring_slots(4096, size_of::<netif::NetifRxResponse>()), NETIF_RX_RING_SLOTS);
        assert_eq!(ring_slots(64, 8), 0);
        assert_eq!(ring_slots(4096, 0), 0);
    }

    #[test]
    fn notify_only_when_the_event_index_is_passed() {
        assert!(must_notify(4, 5, 5));
        assert!(!must_notify(4, 5, 6));
        assert!(!must_notify(5, 6, 5));
        assert!(must_notify(u32::MAX, 1, 0), "indices wrap");
    }
}
