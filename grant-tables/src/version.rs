// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Changing the version of a table, and swapping two entries: what rewrites the guest's entries.

use hypercalls::GrantRef;

use crate::entry::{ACCEPT_TRANSFER, Header, PERMIT_ACCESS, READING, SUB_PAGE, TRANSITIVE, TYPE_MASK, WRITING};
use crate::sync::{AtomicU32, Ordering};
use crate::table::Entry;
use crate::{GrantError, GrantTable};

/// The layout of the shared entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Eight bytes an entry, status bits among the flags.
    V1,
    /// Sixteen bytes an entry, status words in frames of their own.
    V2,
}

impl Version {
    /// Reads the argument of `set_version`.
    ///
    /// # Errors
    /// [`GrantError::BadArgument`] for any other number.
    #[doc(alias = "GNTTABOP_set_version")]
    pub const fn parse(raw: u32) -> Result<Self, GrantError> {
        match raw {
            1 => Ok(Self::V1),
            2 => Ok(Self::V2),
            _ => Err(GrantError::BadArgument),
        }
    }

    /// The number the ABI uses.
    #[must_use]
    pub const fn raw(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

/// What both versions can say about one of the reserved entries.
#[derive(Clone, Copy, Default)]
struct Saved {
    flags: u16,
    domid: u16,
    frame: u64,
}

const RESERVED: usize = GrantRef::RESERVED_ENTRIES as usize;
const STATUS: u16 = READING | WRITING;

impl GrantTable<'_> {
    /// The present version.
    #[doc(alias = "GNTTABOP_get_version")]
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// How many status frames must be added before [`set_version`](Self::set_version) can choose version 2.
    #[must_use]
    pub fn status_frames_for_v2(&self) -> u32 {
        self.status_missing(self.frames())
    }

    /// Changes the version. The eight reserved entries are kept, pinned or not; all others are cleared.
    ///
    /// # Errors
    /// [`GrantError::VersionDisabled`] above the limit; [`GrantError::InUse`] while any other entry is
    /// used or a transfer is under way; [`GrantError::NotRepresentable`] if a reserved entry cannot be kept;
    /// [`GrantError::NoMemory`] without the status frames.
    #[doc(alias = "GNTTABOP_set_version")]
    pub fn set_version(&mut self, to: Version) -> Result<(), GrantError> {
        if to > self.limits.version {
            return Err(GrantError::VersionDisabled);
        }
        if to == self.version {
            return Ok(());
        }
        if self.pinned_unreserved != 0 || self.transfers != 0 {
            return Err(GrantError::InUse);
        }
        if to == Version::V2 && self.status_frames_for_v2() != 0 {
            return Err(GrantError::NoMemory);
        }
        let saved = self.save_reserved()?;
        self.clear_all();
        self.version = to;
        self.restore_reserved(&saved);
        Ok(())
    }

    /// Reads each reserved entry once. What is checked here is what is written back.
    fn save_reserved(&self) -> Result<[Saved; RESERVED], GrantError> {
        let mut saved = [Saved::default(); RESERVED];
        for (gref, slot) in (0..).zip(saved.iter_mut()) {
            *slot = match self.entry(GrantRef::new(gref)) {
                Some(Entry::V1([header, frame])) => {
                    let header = Header(header.load(Ordering::Relaxed));
                    let frame = u64::from(frame.load(Ordering::Relaxed));
                    Saved { flags: header.flags(), domid: header.domid(), frame }
                }
                Some(Entry::V2([header, _, low, high], status)) => {
                    let header = Header(header.load(Ordering::Relaxed));
                    let frame = u64::from(low.load(Ordering::Relaxed)) | u64::from(high.load(Ordering::Relaxed)) << 32;
                    let status = status.load(Ordering::Relaxed) & STATUS;
                    check_fits_v1(header.flags(), frame)?;
                    Saved { flags: header.flags() | status, domid: header.domid(), frame }
                }
                None => Saved::default(),
            };
        }
        Ok(saved)
    }

    fn restore_reserved(&self, saved: &[Saved; RESERVED]) {
        for (gref, entry) in (0..).zip(saved) {
            let low = (entry.frame & 0xffff_ffff) as u32;
            match self.entry(GrantRef::new(gref)) {
                Some(Entry::V1([header, frame])) => {
                    frame.store(low, Ordering::Relaxed);
                    header.store(Header::new(entry.flags, entry.domid).0, Ordering::Release);
                }
                Some(Entry::V2([header, _, third, fourth], status)) => {
                    third.store(low, Ordering::Relaxed);
                    fourth.store((entry.frame >> 32) as u32, Ordering::Relaxed);
                    // In an entry that accepts a transfer the same bits mean something else and stay flags.
                    let ours = match entry.flags & TYPE_MASK {
                        ACCEPT_TRANSFER => 0,
                        _ => STATUS,
                    };
                    status.store(entry.flags & ours, Ordering::Relaxed);
                    let flags = entry.flags & !ours;
                    header.store(Header::new(flags, entry.domid).0, Ordering::Release);
                }
                None => {}
            }
        }
    }

    /// Exchanges two entries of the guest's own.
    ///
    /// # Errors
    /// [`GrantError::BadRef`] past the end; [`GrantError::InUse`] if either is pinned, or a transfer is under way.
    #[doc(alias = "GNTTABOP_swap_grant_ref")]
    pub fn swap(&mut self, a: GrantRef, b: GrantRef) -> Result<(), GrantError> {
        let entry_a = self.entry(a).ok_or(GrantError::BadRef)?;
        let entry_b = self.entry(b).ok_or(GrantError::BadRef)?;
        if a == b {
            return Ok(());
        }
        let pinned = |gref: GrantRef| self.active.get(gref.raw()).is_none_or(|e| !e.pins.is_empty());
        if pinned(a) || pinned(b) || self.transfers != 0 {
            return Err(GrantError::InUse);
        }
        match (entry_a, entry_b) {
            (Entry::V1(a), Entry::V1(b)) => swap_words(a, b),
            (Entry::V2(a, status_a), Entry::V2(b, status_b)) => {
                swap_words(a, b);
                let status = status_a.swap(status_b.load(Ordering::Relaxed), Ordering::Relaxed);
                status_b.store(status, Ordering::Relaxed);
            }
            // One table has one version.
            _ => {}
        }
        Ok(())
    }
}

/// Whether an entry of a version 2 table can be kept in version 1, where a frame number is 32 bits and neither a part of
/// a page nor a grant of another domain can be expressed.
const fn check_fits_v1(flags: u16, frame: u64) -> Result<(), GrantError> {
    match flags & TYPE_MASK {
        PERMIT_ACCESS if frame >> 32 != 0 || flags & SUB_PAGE != 0 => Err(GrantError::NotRepresentable),
        TRANSITIVE => Err(GrantError::NotRepresentable),
        _ => Ok(()),
    }
}

fn swap_words(a: &[AtomicU32], b: &[AtomicU32]) {
    for (a, b) in a.iter().zip(b) {
        let word = a.swap(b.load(Ordering::Relaxed), Ordering::Relaxed);
        b.store(word, Ordering::Relaxed);
    }
}
