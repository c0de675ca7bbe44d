// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_transfer`: a page changes its owner.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::grant_table::{GnttabTransfer, GrantStatus};

use crate::domain::{Domain, table};
use crate::mm::{flush, frame_table, m2p};

/// Gives one page of `giver`'s away for good. It must have dropped all mappings of it. Unlike in Xen it keeps the page if
/// the receiver does not take it.
pub(crate) fn transfer(giver: &Domain, op: &GnttabTransfer) -> Result<(), GrantStatus> {
    let frame = frame_table::ram(op.mfn).ok_or(GrantStatus::BAD_PAGE)?;
    if frame.owner() != Some(giver.id) || !frame.is_allocated() {
        return Err(GrantStatus::BAD_PAGE);
    }
    let pfn = m2p::get(op.mfn);
    if !frame.steal(giver.id) {
        return Err(GrantStatus::GENERAL_ERROR);
    }
    giver.forget_page(frame);
    // Its readers are not on record: no CPU may know the page any more when it has a new owner.
    flush::everyone_since(flush::clock());
    let result = hand_over(giver, op);
    if result.is_err() {
        if !giver.assign_pages(op.mfn, 0) {
            frame_table::free(op.mfn, 0);
        } else if let Some(pfn) = pfn {
            m2p::set(op.mfn, pfn);
        }
    }
    result
}

/// Gives a page that is nobody's to the receiver, if that is ready for it.
fn hand_over(giver: &Domain, op: &GnttabTransfer) -> Result<(), GrantStatus> {
    let receiver = table::find(op.domid).ok_or(GrantStatus::BAD_DOMAIN)?;
    let is_full = {
        let memory = receiver.memory.lock();
        memory.tot_pages >= memory.max_pages
    };
    if is_full || receiver.is_dying() {
        return Err(GrantStatus::GENERAL_ERROR);
    }
    let accepted = receiver.grants.lock().accept_transfer(op.ref_, giver.id, op.mfn);
    let transfer = accepted.map_err(|_| GrantStatus::GENERAL_ERROR)?;
    let assigned = receiver.assign_pages(op.mfn, 0);
    receiver.grants.lock().complete_transfer(transfer);
    if assigned { Ok(()) } else { Err(GrantStatus::GENERAL_ERROR) }
}
