// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Taking a page that another domain gives away for good.
//!
//! The receiver offers a reference; the giver names it and a page. We promise the transfer in the entry, the hypervisor
//! moves the page, and the frame is written before the completion bit, for which the receiver waits.

use hypercalls::grant_table::{TRANSFER_COMMITTED, TRANSFER_COMPLETED};
use hypercalls::{DomId, GrantRef, Mfn};

use crate::entry::{ACCEPT_TRANSFER, ATTEMPTS, Header};
use crate::sync::Ordering;
use crate::table::Entry;
use crate::{GrantError, GrantTable};

/// A transfer promised to the receiver. It ends in [`GrantTable::complete_transfer`] or [`GrantTable::abandon_transfer`].
#[derive(Debug)]
#[must_use = "pass it to complete_transfer or abandon_transfer, or the receiver waits for ever"]
pub struct Transfer {
    gref: GrantRef,
    frame: Mfn,
}

impl GrantTable<'_> {
    /// Receiver's side: promises to put `frame`, given by `from`, into an entry that accepts it.
    ///
    /// # Errors
    /// Any one is `GNTST_general_error`, as in Xen: a bad reference too.
    #[doc(alias = "GNTTABOP_transfer")]
    pub fn accept_transfer(&mut self, gref: GrantRef, from: DomId, frame: Mfn) -> Result<Transfer, GrantError> {
        let entry = self.entry(gref).ok_or(GrantError::NotGranted)?;
        let active = self.active.get(gref.raw()).ok_or(GrantError::NotGranted)?;
        if !active.pins.is_empty() {
            // Its reading bit is our completion bit.
            return Err(GrantError::PinnedByOther);
        }
        let header = match entry {
            Entry::V1([header, _]) => {
                u32::try_from(frame.raw()).map_err(|_| GrantError::NotRepresentable)?;
                header
            }
            Entry::V2([header, ..], _) => header,
        };
        let offered = Header::new(ACCEPT_TRANSFER, from.raw()).0;
        let promised = Header::new(ACCEPT_TRANSFER | TRANSFER_COMMITTED, from.raw()).0;
        for _ in 0..ATTEMPTS {
            match header.compare_exchange(offered, promised, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.transfers = self.transfers.wrapping_add(1);
                    return Ok(Transfer { gref, frame });
                }
                Err(now) if now != offered => return Err(GrantError::NotGranted),
                Err(_) => {}
            }
        }
        Err(GrantError::Unstable)
    }

    /// Receiver's side: the page is the receiver's; tells it so.
    pub fn complete_transfer(&mut self, transfer: Transfer) {
        self.transfers = self.transfers.wrapping_sub(1);
        let frame = transfer.frame.raw();
        let low = (frame & 0xffff_ffff) as u32;
        // Release, so that a guest that sees the bit sees the frame.
        match self.entry(transfer.gref) {
            Some(Entry::V1([header, word])) => {
                word.store(low, Ordering::Relaxed);
                header.fetch_or(u32::from(TRANSFER_COMPLETED), Ordering::Release);
            }
            Some(Entry::V2([header, _, third, fourth], _)) => {
                third.store(low, Ordering::Relaxed);
                fourth.store((frame >> 32) as u32, Ordering::Relaxed);
                header.fetch_or(u32::from(TRANSFER_COMPLETED), Ordering::Release);
            }
            None => debug_assert!(false, "a table does not shrink"),
        }
    }

    /// Receiver's side: nothing came of it; the entry accepts a transfer again.
    pub fn abandon_transfer(&mut self, transfer: Transfer) {
        self.transfers = self.transfers.wrapping_sub(1);
        if let Some(Entry::V1([header, ..]) | Entry::V2([header, ..], _)) = self.entry(transfer.gref) {
            header.fetch_and(!u32::from(TRANSFER_COMMITTED), Ordering::Release);
        }
    }
}
