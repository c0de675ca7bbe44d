// SPDX-License-Identifier: MIT OR Apache-2.0
//! `GNTTABOP_copy`: bytes that go from one domain's page to another's, which neither has mapped.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use grant_tables::{CopyClaim, CopyEffect, CopyRange, CopySide, CopyTarget, Follow, GrantError};
use hypercalls::frame::Mfn;
use hypercalls::grant_table::{GnttabCopy, GrantStatus};
use hypercalls::ids::{DomId, GrantRef};

use crate::domain::DomainRef;
use crate::domain::grants::{self, Named};
use crate::domain::memory::{PageRef, WritableRef};
use crate::mm::map;

/// Carries out one copy for `caller`.
pub(crate) fn copy(caller: &DomainRef, op: &GnttabCopy) -> Result<(), GrantStatus> {
    let source = Side::find(caller, CopySide::source(op))?;
    let dest = Side::find(caller, CopySide::dest(op))?;
    let source = source.open(caller, true)?;
    let result = dest.open(caller, false).and_then(|dest| {
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
enum Side<'a> {
    Frame(Mfn),
    Grant(Named<'a>, GrantRef),
}

/// A claimed grant, and whose it is.
type Claimed<'a> = (Named<'a>, CopyClaim);

/// One side of a copy, held so that its bytes can be moved.
struct Open<'a> {
    range: CopyRange,
    _page: Page,
    claim: Option<Claimed<'a>>,
    /// What the claim led to, if that was another grant.
    second: Option<Claimed<'a>>,
}

/// What holds the page.
enum Page {
    /// To be read.
    Source(#[expect(dead_code, reason = "held, not looked at")] PageRef),
    /// To be written.
    Dest(#[expect(dead_code, reason = "held, not looked at")] WritableRef),
}

impl<'a> Side<'a> {
    /// BAD_DOMAIN; PERMISSION_DENIED for another domain's frame.
    #[inline(always)]
    fn find(caller: &'a DomainRef, side: Result<CopySide, GrantError>) -> Result<Self, GrantStatus> {
        match side.map_err(GrantError::status)? {
            CopySide::Frame(mfn) => Ok(Self::Frame(mfn)),
            CopySide::Grant { granter: DomId::SELF, gref } => Ok(Self::Grant(Named::Caller(caller), gref)),
            CopySide::Grant { granter, gref } => {
                Ok(Self::Grant(Named::find(caller, granter).ok_or(GrantStatus::BAD_DOMAIN)?, gref))
            }
        }
    }

    /// Claims the grant, if it is one, and the page.
    #[inline(always)]
    fn open(self, caller: &'a DomainRef, readonly: bool) -> Result<Open<'a>, GrantStatus> {
        let (granter, gref) = match self {
            Self::Frame(mfn) => {
                let page = hold(mfn, caller.id, readonly)?;
                return Ok(Open { range: CopyRange::whole(mfn), _page: page, claim: None, second: None });
            }
            Self::Grant(granter, gref) => (granter, gref),
        };
        let claim =
            granter.grants.lock().claim_copy(gref, caller.id, readonly, Follow::Yes).map_err(GrantError::status)?;
        match claim.target() {
            CopyTarget::Bytes(range) => match hold(range.frame, granter.id, readonly) {
                Ok(page) => Ok(Open { range, _page: page, claim: Some((granter, claim)), second: None }),
                Err(status) => {
                    release((granter, claim));
                    Err(status)
                }
            },
            CopyTarget::Transitive { granter: next, gref } => {
                match open_transitive(caller, next, gref, granter.id, readonly) {
                    Ok(open) => Ok(Open { second: open.claim, claim: Some((granter, claim)), ..open }),
                    Err(status) => {
                        release((granter, claim));
                        Err(status)
                    }
                }
            }
        }
    }
}

impl Open<'_> {
    /// The copy is over.
    #[inline(always)]
    fn close(self) {
        if let Some(claim) = self.claim {
            release(claim);
        }
        if let Some(claim) = self.second {
            release(claim);
        }
    }
}

/// Claims the grant that a transitive one leads to, for the owner of that, and the page.
#[inline(never)]
fn open_transitive<'a>(
    caller: &'a DomainRef,
    granter: DomId,
    gref: GrantRef,
    by: DomId,
    readonly: bool,
) -> Result<Open<'a>, GrantStatus> {
    let granter = Named::find(caller, granter).ok_or(GrantStatus::GENERAL_ERROR)?;
    let claim = granter.grants.lock().claim_copy(gref, by, readonly, Follow::No).map_err(GrantError::status)?;
    let page = match claim.target() {
        CopyTarget::Bytes(range) => hold(range.frame, granter.id, readonly).map(|page| (range, page)),
        CopyTarget::Transitive { .. } => Err(GrantStatus::GENERAL_ERROR),
    };
    match page {
        Ok((range, page)) => Ok(Open { range, _page: page, claim: Some((granter, claim)), second: None }),
        Err(status) => {
            release((granter, claim));
            Err(status)
        }
    }
}

#[inline(always)]
fn release((granter, claim): Claimed<'_>) {
    granter.grants.lock().release_copy(claim);
    grants::look_if_dying(&granter);
}

/// BAD_PAGE: not the owner's memory. GENERAL_ERROR: not to be written.
#[inline(always)]
fn hold(mfn: Mfn, owner: DomId, readonly: bool) -> Result<Page, GrantStatus> {
    let page = PageRef::get(mfn, owner).ok_or(GrantStatus::BAD_PAGE)?;
    if readonly {
        return Ok(Page::Source(page));
    }
    WritableRef::upgrade(page).map(Page::Dest).ok_or(GrantStatus::GENERAL_ERROR)
}
