// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The table of one domain: its size, how it grows, and where its frames are.

use alloc::vec::Vec;

use hypercalls::{DomId, GrantRef, Mfn};

use crate::active::{self, Active};
use crate::chunks::Chunks;
use crate::entry::EntryV1;
use crate::entry_v2::EntryV2;
use crate::maptrack::Maptrack;
use crate::sync::{AtomicU16, AtomicU32, Ordering};
use crate::{GrantError, Version};

/// Words in a shared frame.
pub const SHARED_WORDS: usize = 1024;
/// Words in a status frame.
pub const STATUS_WORDS: usize = 2048;
/// References a shared frame holds in version 1, which is as many as it ever holds.
const V1_PER_FRAME: u32 = 512;
/// References a shared frame holds in version 2.
const V2_PER_FRAME: u32 = 256;
/// Shared frames one status frame serves.
const SHARED_PER_STATUS: u32 = 8;

/// How large a domain's tables may grow, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Shared frames. Xen's default is 64.
    #[doc(alias = "max_grant_frames")]
    pub grant_frames: u32,
    /// Pages of 256 handles each. Xen's default is 1024.
    #[doc(alias = "max_maptrack_frames")]
    pub maptrack_frames: u32,
    /// The highest version the domain may choose, 1 or 2.
    pub version: Version,
}

impl Default for Limits {
    fn default() -> Self {
        Self { grant_frames: 64, maptrack_frames: 1024, version: Version::V2 }
    }
}

/// Pages the hypervisor must bring before a table can have the size that was asked for. Status frames go first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// For [`GrantTable::add_status_frame`].
    pub status_frames: u32,
    /// For [`GrantTable::add_shared_frame`].
    pub shared_frames: u32,
}

/// A page of words of a guest's, and its machine frame.
struct Frame<'g, T> {
    words: &'g T,
    mfn: Mfn,
}

/// An entry where the guest sees it.
#[derive(Clone, Copy)]
pub(crate) enum Entry<'g> {
    V1(&'g EntryV1),
    V2(&'g EntryV2, &'g AtomicU16),
}

/// The grants of one domain (what others may do with its pages) and its own mappings of others' grants.
///
/// `'g` is the life of the pages shared with the guest.
pub struct GrantTable<'g> {
    pub(crate) owner: DomId,
    pub(crate) version: Version,
    pub(crate) limits: Limits,
    shared: Vec<Frame<'g, [AtomicU32; SHARED_WORDS]>>,
    status: Vec<Frame<'g, [AtomicU16; STATUS_WORDS]>>,
    pub(crate) active: Chunks<Active, { active::PER_CHUNK }>,
    pub(crate) maptrack: Maptrack,
    /// How many references have pins.
    pub(crate) pinned: u32,
    /// How many of them are past the reserved ones.
    pub(crate) pinned_unreserved: u32,
    /// Transfers promised to the guest and not yet carried out.
    pub(crate) transfers: u32,
}

impl<'g> GrantTable<'g> {
    /// An empty version 1 table. Xen gives a new domain one shared frame at once.
    #[must_use]
    pub const fn new(owner: DomId, limits: Limits) -> Self {
        Self {
            owner,
            version: Version::V1,
            limits,
            shared: Vec::new(),
            status: Vec::new(),
            active: Chunks::new(),
            maptrack: Maptrack::new(),
            pinned: 0,
            pinned_unreserved: 0,
            transfers: 0,
        }
    }

    /// Whose table it is.
    #[must_use]
    pub const fn owner(&self) -> DomId {
        self.owner
    }

    /// How many shared frames there are: `nr_frames` of a size query.
    #[doc(alias = "GNTTABOP_query_size")]
    #[must_use]
    pub fn frames(&self) -> u32 {
        // At most `limits.grant_frames`.
        u32::try_from(self.shared.len()).unwrap_or(u32::MAX)
    }

    /// How many shared frames there may be: `max_nr_frames` of a size query.
    #[must_use]
    pub const fn max_frames(&self) -> u32 {
        self.limits.grant_frames
    }

    /// How many references there are, in the present version.
    #[must_use]
    pub fn entries(&self) -> u32 {
        self.frames().saturating_mul(match self.version {
            Version::V1 => V1_PER_FRAME,
            Version::V2 => V2_PER_FRAME,
        })
    }

    /// How many status frames the guest has: none in version 1.
    #[must_use]
    pub fn status_frames(&self) -> u32 {
        match self.version {
            Version::V1 => 0,
            Version::V2 => self.frames().div_ceil(SHARED_PER_STATUS),
        }
    }

    /// The machine frame of a shared frame, for `setup_table` and `XENMEM_acquire_resource`.
    #[doc(alias = "GNTTABOP_setup_table")]
    #[must_use]
    pub fn shared_frame(&self, index: u32) -> Option<Mfn> {
        self.shared.get(index as usize).map(|frame| frame.mfn)
    }

    /// The machine frame of a status frame, for `get_status_frames` and `XENMEM_acquire_resource`.
    #[doc(alias = "GNTTABOP_get_status_frames")]
    #[must_use]
    pub fn status_frame(&self, index: u32) -> Option<Mfn> {
        if index >= self.status_frames() {
            return None;
        }
        self.status.get(index as usize).map(|frame| frame.mfn)
    }

    /// What it takes to have `frames` shared frames; nothing if there are as many or more.
    ///
    /// # Errors
    /// [`GrantError::TableSize`] beyond the limit.
    #[doc(alias = "GNTTABOP_setup_table")]
    pub fn growth_to(&self, frames: u32) -> Result<Growth, GrantError> {
        if frames > self.limits.grant_frames {
            return Err(GrantError::TableSize);
        }
        let status_frames = match self.version {
            Version::V1 => 0,
            Version::V2 => self.status_missing(frames.max(self.frames())),
        };
        Ok(Growth { status_frames, shared_frames: frames.saturating_sub(self.frames()) })
    }

    /// What it takes to have a status frame of this index; that may need more shared frames, as in Xen.
    ///
    /// # Errors
    /// [`GrantError::BadArgument`] in version 1; [`GrantError::TableSize`] beyond the limit.
    #[doc(alias = "XENMEM_resource_grant_table_id_status")]
    pub fn growth_to_status(&self, status_frames: u32) -> Result<Growth, GrantError> {
        if self.version == Version::V1 {
            return Err(GrantError::BadArgument);
        }
        if status_frames <= self.status_frames() {
            return Ok(Growth::default());
        }
        // The fewest shared frames that need so many.
        let before = status_frames.saturating_sub(1).checked_mul(SHARED_PER_STATUS);
        self.growth_to(before.and_then(|frames| frames.checked_add(1)).ok_or(GrantError::TableSize)?)
    }

    /// Status frames to add before so many shared frames can be used in version 2.
    pub(crate) fn status_missing(&self, frames: u32) -> u32 {
        let have = u32::try_from(self.status.len()).unwrap_or(u32::MAX);
        frames.div_ceil(SHARED_PER_STATUS).saturating_sub(have)
    }

    /// Adds a shared frame, which is cleared. The page belongs to the table until the domain is gone.
    ///
    /// # Errors
    /// [`GrantError::TableSize`] at the limit, or if a version 2 table lacks the status frame for it;
    /// [`GrantError::BadArgument`] if `words` is not one page; [`GrantError::NoMemory`].
    pub fn add_shared_frame(&mut self, words: &'g [AtomicU32], mfn: Mfn) -> Result<(), GrantError> {
        let words: &[AtomicU32; SHARED_WORDS] = words.try_into().map_err(|_| GrantError::BadArgument)?;
        let frames = self.frames().saturating_add(1);
        if frames > self.limits.grant_frames || (self.version == Version::V2 && self.status_missing(frames) > 0) {
            return Err(GrantError::TableSize);
        }
        self.shared.try_reserve(1).map_err(|_| GrantError::NoMemory)?;
        while self.active.len() < (frames.saturating_mul(V1_PER_FRAME)) as usize {
            self.active.grow()?;
        }
        clear(words);
        self.shared.push(Frame { words, mfn });
        Ok(())
    }

    /// Adds a status frame, which is cleared. The page belongs to the table until the domain is gone, also while the
    /// table is in version 1: a guest may keep it mapped, so it must not serve anything else.
    ///
    /// # Errors
    /// [`GrantError::TableSize`] if the table could never use it; [`GrantError::BadArgument`] if `words` is not one page;
    /// [`GrantError::NoMemory`].
    pub fn add_status_frame(&mut self, words: &'g [AtomicU16], mfn: Mfn) -> Result<(), GrantError> {
        let words: &[AtomicU16; STATUS_WORDS] = words.try_into().map_err(|_| GrantError::BadArgument)?;
        if self.status_missing(self.limits.grant_frames) == 0 {
            return Err(GrantError::TableSize);
        }
        self.status.try_reserve(1).map_err(|_| GrantError::NoMemory)?;
        clear_status(words);
        self.status.push(Frame { words, mfn });
        Ok(())
    }

    /// All frames of the table, shared and status, for the hypervisor to free once the domain is gone.
    pub fn all_frames(&self) -> impl Iterator<Item = Mfn> + '_ {
        let status = self.status.iter().map(|frame| frame.mfn);
        self.shared.iter().map(|frame| frame.mfn).chain(status)
    }

    /// The entry of a reference, or `None` past the end.
    #[inline]
    pub(crate) fn entry(&self, gref: GrantRef) -> Option<Entry<'g>> {
        let index = gref.raw() as usize;
        match self.version {
            Version::V1 => {
                let (entries, _) = self.shared.get(index >> 9)?.words.as_chunks();
                Some(Entry::V1(entries.get(index & 511)?))
            }
            Version::V2 => {
                let (entries, _) = self.shared.get(index >> 8)?.words.as_chunks();
                let status = self.status.get(index >> 11)?.words.get(index & 2047)?;
                Some(Entry::V2(entries.get(index & 255)?, status))
            }
        }
    }

    /// Clears every page the guest sees: no word of one version may be read as the other.
    pub(crate) fn clear_all(&self) {
        self.shared.iter().for_each(|frame| clear(frame.words));
        self.status.iter().for_each(|frame| clear_status(frame.words));
    }
}

fn clear(words: &[AtomicU32]) {
    words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
}

fn clear_status(words: &[AtomicU16]) {
    words.iter().for_each(|word| word.store(0, Ordering::Relaxed));
}
