// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The shared entry as the granter writes it: what both versions have in common, and version 1.
//!
//! A version 1 entry is two words: flags and domain, then the frame. Our two bits stand among the guest's flags, so one
//! 32-bit compare-exchange checks flags and domain and sets the bits at once.

use hypercalls::grant_table::GrantFlags;
use hypercalls::{DomId, Mfn};

use crate::GrantError;
use crate::active::Target;
use crate::sync::{AtomicU32, Ordering};

pub(crate) const PERMIT_ACCESS: u16 = GrantFlags::PERMIT_ACCESS.raw();
pub(crate) const ACCEPT_TRANSFER: u16 = GrantFlags::ACCEPT_TRANSFER.raw();
pub(crate) const TRANSITIVE: u16 = GrantFlags::TRANSITIVE.raw();
pub(crate) const TYPE_MASK: u16 = GrantFlags::TYPE_MASK.raw();
pub(crate) const READONLY: u16 = GrantFlags::READONLY.raw();
/// Ours: the granter must not take the page back.
pub(crate) const READING: u16 = GrantFlags::READING.raw();
/// Ours: as above, and the page may change.
pub(crate) const WRITING: u16 = GrantFlags::WRITING.raw();
pub(crate) const SUB_PAGE: u16 = GrantFlags::SUB_PAGE.raw();

/// How often a claim looks again when the granter changes the entry under it. An honest granter changes one once or
/// twice; one that does not stop is refused.
pub(crate) const ATTEMPTS: u32 = 5;

/// A set of the kinds of access an entry can permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind(u8);

impl Kind {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const PAGE: Self = Self(1);
    pub(crate) const SUB_PAGE: Self = Self(2);
    pub(crate) const TRANSITIVE: Self = Self(4);
    pub(crate) const ANY_FRAME: Self = Self(1 | 2);
    pub(crate) const ANY: Self = Self(1 | 2 | 4);

    #[inline]
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// What a claim needs an entry to permit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) by: DomId,
    pub(crate) write: bool,
    pub(crate) kinds: Kind,
}

impl Wanted {
    /// The bits that tell the granter about the claim.
    #[inline]
    pub(crate) const fn status_bits(&self) -> u16 {
        if self.write { READING | WRITING } else { READING }
    }
}

/// The first word of an entry of either version, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header(pub(crate) u32);

impl Header {
    pub(crate) const fn new(flags: u16, domid: u16) -> Self {
        Self(flags as u32 | (domid as u32) << 16)
    }

    #[inline]
    pub(crate) const fn flags(self) -> u16 {
        (self.0 & 0xffff) as u16
    }

    #[inline]
    pub(crate) const fn domid(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// What the entry permits, in a version 1 table, where nothing but whole frames exists.
    #[inline]
    pub(crate) const fn kind_v1(self) -> Kind {
        if self.flags() & TYPE_MASK == PERMIT_ACCESS { Kind::PAGE } else { Kind::NONE }
    }

    /// Whether an entry of this kind lets the claim through.
    #[inline]
    pub(crate) fn check(self, kind: Kind, wanted: &Wanted) -> Result<(), GrantError> {
        if !kind.meets(wanted.kinds) || self.domid() != wanted.by.raw() {
            return Err(GrantError::NotGranted);
        }
        if wanted.write && self.flags() & READONLY != 0 {
            return Err(GrantError::GrantReadOnly);
        }
        Ok(())
    }
}

/// A version 1 entry in the page shared with the guest.
pub(crate) type EntryV1 = [AtomicU32; 2];

/// Claims a version 1 entry: finds that it permits what is wanted and sets our bits in one step.
#[inline]
pub(crate) fn claim(entry: &EntryV1, wanted: &Wanted, held: u16) -> Result<Kind, GrantError> {
    let [header, _] = entry;
    // The acquire on either path pairs with the guest's barrier between writing the frame and writing the flags.
    let mut seen = header.load(Ordering::Acquire);
    for _ in 0..ATTEMPTS {
        Header(seen).check(Header(seen).kind_v1(), wanted)?;
        // A guest that took away the bits of earlier uses gets them back: they say what is mapped.
        let marked = seen | u32::from(wanted.status_bits() | held);
        if marked == seen {
            return Ok(Kind::PAGE);
        }
        match header.compare_exchange(seen, marked, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Ok(Kind::PAGE),
            Err(now) => seen = now,
        }
    }
    Err(GrantError::Unstable)
}

/// Reads the frame of a version 1 entry that was just claimed.
#[inline]
pub(crate) fn target(entry: &EntryV1) -> Target {
    let [_, frame] = entry;
    Target::Page(Mfn::new(u64::from(frame.load(Ordering::Relaxed))))
}

/// Takes our bits back. Release: what was done to the page comes before the guest sees it free.
#[inline]
pub(crate) fn unmark(entry: &EntryV1, bits: u16) {
    let [header, _] = entry;
    header.fetch_and(!u32::from(bits), Ordering::Release);
}
