// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Version 2 entries: four words for the granter, and a status word of ours in a page of its own.
//!
//! Flags and status are two words, so a claim cannot be one atomic step. It is a handshake instead: we set the status,
//! then look at the flags again; the granter clears the flags, then looks at the status. With a full barrier in between on
//! either side at least one of the two sees the other.

use hypercalls::{DomId, GrantRef, Mfn};

use crate::GrantError;
use crate::active::Target;
use crate::entry::{Header, Kind, PERMIT_ACCESS, SUB_PAGE, TRANSITIVE, TYPE_MASK, Wanted};
use crate::sync::{AtomicU16, AtomicU32, Ordering, fence};

/// A version 2 entry in the page shared with the guest.
pub(crate) type EntryV2 = [AtomicU32; 4];

/// What the entry permits.
#[inline]
pub(crate) const fn kind(header: Header) -> Kind {
    match header.flags() & TYPE_MASK {
        PERMIT_ACCESS if header.flags() & SUB_PAGE != 0 => Kind::SUB_PAGE,
        PERMIT_ACCESS => Kind::PAGE,
        TRANSITIVE => Kind::TRANSITIVE,
        _ => Kind::NONE,
    }
}

/// Claims a version 2 entry. `held` are the status bits earlier claims keep set. Returns the kind that was claimed.
/// Out of line, for Linux stays with version 1 unless it has frame numbers beyond 32 bits.
#[inline(never)]
pub(crate) fn claim(entry: &EntryV2, status: &AtomicU16, wanted: &Wanted, held: u16) -> Result<Kind, GrantError> {
    let [header, ..] = entry;
    let first = Header(header.load(Ordering::Relaxed));
    first.check(kind(first), wanted)?;
    let bits = wanted.status_bits() & !held;
    if bits != 0 {
        status.fetch_or(bits, Ordering::AcqRel);
        // Pairs with the guest's barrier between clearing the flags and reading the status.
        fence(Ordering::SeqCst);
    }
    let again = Header(header.load(Ordering::Acquire));
    match again.check(kind(again), wanted) {
        Ok(()) => Ok(kind(again)),
        Err(error) => {
            unmark(status, bits);
            Err(error)
        }
    }
}

/// Reads where an entry of this kind leads, once it is claimed. A guest that changes the words meanwhile gets a mix of
/// old and new, which is checked like any other frame it might have named.
#[inline(never)]
pub(crate) fn target(entry: &EntryV2, kind: Kind) -> Target {
    let [_, second, third, fourth] = entry;
    let second = second.load(Ordering::Relaxed);
    let third = third.load(Ordering::Relaxed);
    let low = (second & 0xffff) as u16;
    if kind == Kind::TRANSITIVE {
        return Target::Transitive { granter: DomId::new(low), gref: GrantRef::new(third) };
    }
    let frame = Mfn::new(u64::from(third) | u64::from(fourth.load(Ordering::Relaxed)) << 32);
    if kind == Kind::SUB_PAGE {
        return Target::SubPage { frame, start: low, length: (second >> 16) as u16 };
    }
    Target::Page(frame)
}

/// Takes our bits back. Release: what was done to the page comes before the guest sees it free.
#[inline]
pub(crate) fn unmark(status: &AtomicU16, bits: u16) {
    if bits != 0 {
        status.fetch_and(!bits, Ordering::Release);
    }
}
