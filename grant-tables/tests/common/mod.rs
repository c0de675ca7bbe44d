// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain for tests: its table, and its own view of the shared pages.
#![allow(dead_code, reason = "each test file uses a part of it")]

use grant_tables::{
    AtomicU16, AtomicU32, Claim, GrantError, GrantTable, Limits, MapMode, SHARED_WORDS, STATUS_WORDS, Version,
};
use hypercalls::grant_table::MapFlags;
use hypercalls::{DomId, GrantHandle, GrantRef, Mfn};
use std::sync::atomic::Ordering::SeqCst;

pub(crate) const PERMIT: u16 = 1;
pub(crate) const ACCEPT: u16 = 2;
pub(crate) const TRANSITIVE: u16 = 3;
pub(crate) const READONLY: u16 = 4;
pub(crate) const READING: u16 = 8;
pub(crate) const WRITING: u16 = 16;
pub(crate) const SUB_PAGE: u16 = 256;

pub(crate) const HOST: u32 = 2;
pub(crate) const HOST_RO: u32 = 2 | 4;
pub(crate) const DEVICE: u32 = 1;

pub(crate) struct Guest {
    pub(crate) table: GrantTable<'static>,
    pub(crate) shared: Vec<&'static [AtomicU32]>,
    pub(crate) status: Vec<&'static [AtomicU16]>,
}

pub(crate) fn limits(grant_frames: u32) -> Limits {
    Limits { grant_frames, ..Limits::default() }
}

pub(crate) fn words() -> &'static [AtomicU32] {
    // Stale contents, which the table must clear.
    (0..SHARED_WORDS).map(|_| AtomicU32::new(0xffff_ffff)).collect::<Vec<_>>().leak()
}

pub(crate) fn status_words() -> &'static [AtomicU16] {
    (0..STATUS_WORDS).map(|_| AtomicU16::new(0xffff)).collect::<Vec<_>>().leak()
}

impl Guest {
    /// A domain with one shared frame, as Xen makes it.
    pub(crate) fn new(id: u16) -> Self {
        Self::with_limits(id, limits(4))
    }

    pub(crate) fn with_limits(id: u16, limits: Limits) -> Self {
        let table = GrantTable::new(DomId::new(id), limits);
        let mut guest = Self { table, shared: Vec::new(), status: Vec::new() };
        guest.grow(1).unwrap();
        guest
    }

    /// What the hypervisor does for `setup_table`.
    pub(crate) fn grow(&mut self, frames: u32) -> Result<(), GrantError> {
        let need = self.table.growth_to(frames)?;
        (0..need.status_frames).for_each(|_| self.add_status());
        for _ in 0..need.shared_frames {
            let words = words();
            self.table.add_shared_frame(words, Mfn::new(0x1000 + self.shared.len() as u64))?;
            self.shared.push(words);
        }
        Ok(())
    }

    pub(crate) fn add_status(&mut self) {
        let words = status_words();
        self.table.add_status_frame(words, Mfn::new(0x2000 + self.status.len() as u64)).unwrap();
        self.status.push(words);
    }

    /// What the hypervisor does for `set_version`.
    pub(crate) fn set_version(&mut self, version: Version) -> Result<(), GrantError> {
        if version == Version::V2 {
            (0..self.table.status_frames_for_v2()).for_each(|_| self.add_status());
        }
        self.table.set_version(version)
    }

    /// One word of the guest's entry.
    pub(crate) fn word(&self, gref: u32, word: usize) -> &'static AtomicU32 {
        let (per_frame, size) = match self.table.version() {
            Version::V1 => (512, 2),
            Version::V2 => (256, 4),
        };
        &self.shared[(gref / per_frame) as usize][(gref % per_frame) as usize * size + word]
    }

    pub(crate) fn status_word(&self, gref: u32) -> &'static AtomicU16 {
        &self.status[gref as usize / STATUS_WORDS][gref as usize % STATUS_WORDS]
    }

    /// Writes the first word.
    pub(crate) fn header(&self, gref: u32, flags: u16, domid: u16) {
        self.word(gref, 0).store(u32::from(flags) | u32::from(domid) << 16, SeqCst);
    }

    /// Grants a whole frame.
    pub(crate) fn grant(&self, gref: u32, flags: u16, to: u16, frame: u32) {
        match self.table.version() {
            Version::V1 => self.word(gref, 1).store(frame, SeqCst),
            Version::V2 => {
                self.word(gref, 2).store(frame, SeqCst);
                self.word(gref, 3).store(0, SeqCst);
            }
        }
        self.header(gref, flags, to);
    }

    pub(crate) fn grant_sub_page(&self, gref: u32, flags: u16, to: u16, frame: u32, range: (u16, u16)) {
        self.word(gref, 1).store(u32::from(range.0) | u32::from(range.1) << 16, SeqCst);
        self.grant(gref, PERMIT | SUB_PAGE | flags, to, frame);
    }

    pub(crate) fn grant_transitive(&self, gref: u32, flags: u16, to: u16, granter: u16, their: u32) {
        self.word(gref, 1).store(u32::from(granter), SeqCst);
        self.grant(gref, TRANSITIVE | flags, to, their);
    }

    /// The bits of ours the guest sees.
    pub(crate) fn bits(&self, gref: u32) -> u16 {
        let bits = match self.table.version() {
            Version::V1 => self.word(gref, 0).load(SeqCst) as u16,
            Version::V2 => self.status_word(gref).load(SeqCst),
        };
        bits & (READING | WRITING)
    }

    pub(crate) fn claim(&mut self, gref: u32, by: u16, flags: u32) -> Result<Claim, GrantError> {
        let mode = MapMode::parse(MapFlags::new(flags))?;
        self.table.claim_map(GrantRef::new(gref), DomId::new(by), mode)
    }

    /// How an unmap ends on both sides.
    pub(crate) fn unmap(
        &mut self,
        granter: &mut Self,
        handle: GrantHandle,
        host: u64,
        device: u64,
    ) -> Result<(), GrantError> {
        let unmapping = self.table.start_unmap(handle, host, device)?;
        if let Some(release) = self.table.finish_unmap(unmapping) {
            assert_eq!(release.granter(), granter.table.owner());
            granter.table.release(release);
        }
        Ok(())
    }

    /// A whole map, as the hypervisor makes it.
    pub(crate) fn map(&mut self, granter: &mut Self, gref: u32, flags: u32) -> Result<GrantHandle, GrantError> {
        let reserved = self.table.reserve_handle()?;
        match granter.claim(gref, self.table.owner().raw(), flags) {
            Ok(claim) => Ok(self.table.commit_map(reserved, claim)),
            Err(error) => {
                self.table.cancel_handle(reserved);
                Err(error)
            }
        }
    }
}
