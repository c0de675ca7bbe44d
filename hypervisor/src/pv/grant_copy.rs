// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_copy`: bytes that go from one domain's page to another's, which neither has mapped.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use grant_tables::{CopyClaim, CopyEffect, CopyRange, CopySide, CopyTarget, Follow, GrantError};
use hypercalls::frame::Mfn;
use hypercalls::grant_table::{GnttabCopy, GrantStatus};
use hypercalls::ids::{DomId, GrantRef};

use crate::domain::memory::{PageRef, WritableRef};
use crate::domain::{DomainRef, grants, table};
use crate::mm::map;

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
    grants::look_if_dying(&granter);
}

/// BAD_PAGE: not the owner's memory. GENERAL_ERROR: not to be written.
fn hold(mfn: Mfn, owner: DomId, readonly: bool) -> Result<Page, GrantStatus> {
    let page = PageRef::get(mfn, owner).ok_or(GrantStatus::BAD_PAGE)?;
    if readonly {
        return Ok(Page::Source(page));
    }
    WritableRef::upgrade(page).map(Page::Dest).ok_or(GrantStatus::GENERAL_ERROR)
}
