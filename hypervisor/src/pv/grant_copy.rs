// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_copy` and `GNTTABOP_transfer`: bytes, or whole pages, that go from one domain to another.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use grant_tables::{CopyClaim, CopyEffect, CopyRange, CopySide, CopyTarget, Follow, GrantError};
use hypercalls::frame::Mfn;
use hypercalls::grant_table::{GnttabCopy, GnttabTransfer, GrantStatus};
use hypercalls::ids::{DomId, GrantRef};

use crate::domain::memory::{PageRef, WritableRef};
use crate::domain::{Domain, DomainRef, table};
use crate::mm::{flush, frame_table, m2p, map};

/// Carries out one copy for `caller`.
pub(crate) fn copy(caller: &DomainRef, op: &GnttabCopy) -> Result<(), GrantStatus> {
    let source = Named::find(caller, CopySide::source(op))?;
    let dest = Named::find(caller, CopySide::dest(op))?;
    let source = source.open(caller.id, true)?;
    let result = dest.open(caller.id, false).and_then(|dest| {
        let result = CopyEffect::plan(op, source.range, dest.range).map_err(GrantError::status);
        if let Ok(effect) = result {
            let (to, from) = (usize::from(effect.dest_offset), usize::from(effect.source_offset));
            map::copy(effect.dest, to, effect.source, from, effect.length.into());
        }
        dest.close();
        result.map(|_| ())
    });
    source.close();
    result
}

/// One side of a copy with its domain found.
enum Named {
    Frame(Mfn),
    Grant(DomainRef, GrantRef),
}

/// One side of a copy, held so that its bytes can be moved.
struct Open {
    range: CopyRange,
    _page: Page,
    claims: [Option<(DomainRef, CopyClaim)>; 2],
}

/// What holds the page.
enum Page {
    /// To be read.
    Source(#[expect(dead_code, reason = "held, not looked at")] PageRef),
    /// To be written.
    Dest(#[expect(dead_code, reason = "held, not looked at")] WritableRef),
}

impl Named {
    /// BAD_DOMAIN; PERMISSION_DENIED for another domain's frame.
    fn find(caller: &DomainRef, side: Result<CopySide, GrantError>) -> Result<Self, GrantStatus> {
        match side.map_err(GrantError::status)? {
            CopySide::Frame(mfn) => Ok(Self::Frame(mfn)),
            CopySide::Grant { granter: DomId::SELF, gref } => Ok(Self::Grant(caller.clone(), gref)),
            CopySide::Grant { granter, gref } => {
                let granter = table::find(granter).ok_or(GrantStatus::BAD_DOMAIN)?;
                Ok(Self::Grant(granter, gref))
            }
        }
    }

    /// Claims the grant, if it is one, and the page.
    fn open(self, caller: DomId, readonly: bool) -> Result<Open, GrantStatus> {
        let (granter, gref) = match self {
            Self::Frame(mfn) => {
                let page = hold(mfn, caller, readonly)?;
                return Ok(Open { range: CopyRange::whole(mfn), _page: page, claims: [None, None] });
            }
            Self::Grant(granter, gref) => (granter, gref),
        };
        let claim =
            granter.grants.lock().claim_copy(gref, caller, readonly, Follow::Yes).map_err(GrantError::status)?;
        let first = (granter, claim);
        let (range, second) = match first.1.target() {
            CopyTarget::Bytes(range) => (range, None),
            CopyTarget::Transitive { granter, gref } => match follow(granter, gref, first.0.id, readonly) {
                Ok((range, second)) => (range, Some(second)),
                Err(status) => {
                    release(first);
                    return Err(status);
                }
            },
        };
        let owner = second.as_ref().map_or(first.0.id, |(granter, _)| granter.id);
        let claims = [Some(first), second];
        match hold(range.frame, owner, readonly) {
            Ok(page) => Ok(Open { range, _page: page, claims }),
            Err(status) => {
                claims.into_iter().flatten().for_each(release);
                Err(status)
            }
        }
    }
}

impl Open {
    /// The copy is over.
    fn close(self) {
        self.claims.into_iter().flatten().for_each(release);
    }
}

/// Claims the grant that a transitive one leads to, for the owner of that.
fn follow(
    granter: DomId,
    gref: GrantRef,
    by: DomId,
    readonly: bool,
) -> Result<(CopyRange, (DomainRef, CopyClaim)), GrantStatus> {
    let granter = table::find(granter).ok_or(GrantStatus::GENERAL_ERROR)?;
    let claim = granter.grants.lock().claim_copy(gref, by, readonly, Follow::No).map_err(GrantError::status)?;
    match claim.target() {
        CopyTarget::Bytes(range) => Ok((range, (granter, claim))),
        CopyTarget::Transitive { .. } => {
            release((granter, claim));
            Err(GrantStatus::GENERAL_ERROR)
        }
    }
}

fn release((granter, claim): (DomainRef, CopyClaim)) {
    granter.grants.lock().release_copy(claim);
}

/// BAD_PAGE: not the owner's memory. GENERAL_ERROR: not to be written.
fn hold(mfn: Mfn, owner: DomId, readonly: bool) -> Result<Page, GrantStatus> {
    let page = PageRef::get(mfn, owner).ok_or(GrantStatus::BAD_PAGE)?;
    if readonly {
        return Ok(Page::Source(page));
    }
    WritableRef::upgrade(page).map(Page::Dest).ok_or(GrantStatus::GENERAL_ERROR)
}

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
        giver.assign_pages(op.mfn, 0);
        if let Some(pfn) = pfn {
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
    if is_full || receiver.lifecycle.lock().dying {
        return Err(GrantStatus::GENERAL_ERROR);
    }
    let accepted = receiver.grants.lock().accept_transfer(op.ref_, giver.id, op.mfn);
    let transfer = accepted.map_err(|_| GrantStatus::GENERAL_ERROR)?;
    receiver.assign_pages(op.mfn, 0);
    receiver.grants.lock().complete_transfer(transfer);
    Ok(())
}
