// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Walks over a whole table in bounded steps: teardown of a mapper, a list of who uses a granter's pages, and the search
//! a cache flush needs. A walk stops when its budget is used up, and goes on later where it stopped.

use hypercalls::{DomId, GrantHandle, GrantRef, Mfn};

use crate::active::{Active, Target};
use crate::maptrack::State;
use crate::unmap::release_of;
use crate::{GrantTable, Release};

/// One step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan<T> {
    /// Something was found; the cursor is behind it.
    Found(T),
    /// The budget is used up; there is more to look at.
    Preempted,
    /// The end.
    Done,
}

/// One step of the teardown of a mapper.
#[derive(Debug)]
pub enum Drain {
    /// A mapping was ended; its pins are to go back to the granter. Its handle was this one.
    Release(GrantHandle, Release),
    /// The budget is used up; there is more to do.
    Preempted,
    /// No mapping is left.
    Done,
}

/// A grant in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinnedGrant {
    /// The reference.
    pub gref: GrantRef,
    /// Who uses it.
    pub by: DomId,
    /// The frame, unless the grant is transitive.
    pub frame: Option<Mfn>,
    /// Uses by CPUs that read only.
    pub host_reads: u8,
    /// Uses by CPUs that may write.
    pub host_writes: u8,
    /// Uses by devices that read only.
    pub device_reads: u8,
    /// Uses by devices that may write.
    pub device_writes: u8,
}

impl GrantTable<'_> {
    /// How many references of this table are in use. A dead domain's table must be kept until there are none.
    #[must_use]
    pub const fn pinned(&self) -> u32 {
        self.pinned
    }

    /// How many handles of this domain are in use.
    #[must_use]
    pub const fn mappings(&self) -> u32 {
        self.maptrack.used
    }

    /// Finds the next grant in use from reference `*cursor` on, looking at no more than `budget` of them; the budget is
    /// counted down, so that one lasts for several calls.
    #[doc(alias = "GNTTABOP_dump_table")]
    pub fn next_pinned(&self, cursor: &mut u32, budget: &mut u32) -> Scan<PinnedGrant> {
        let entries = if self.pinned == 0 { 0 } else { self.entries() };
        while *cursor < entries {
            if *budget == 0 {
                return Scan::Preempted;
            }
            *budget = budget.saturating_sub(1);
            let gref = GrantRef::new(*cursor);
            *cursor = cursor.saturating_add(1);
            if let Some(active) = self.active.get(gref.raw()).filter(|active| !active.pins.is_empty()) {
                return Scan::Found(describe(gref, active));
            }
        }
        Scan::Done
    }

    /// Finds out whether `by` uses `frame`: a cache flush by another domain than the owner needs that. Found once, it
    /// reports the grant.
    #[doc(alias = "GNTTABOP_cache_flush")]
    pub fn find_use(&self, by: DomId, frame: Mfn, cursor: &mut u32, budget: &mut u32) -> Scan<PinnedGrant> {
        loop {
            match self.next_pinned(cursor, budget) {
                Scan::Found(grant) if grant.by != by || grant.frame != Some(frame) => {}
                step => return step,
            }
        }
    }

    /// Ends the next mapping of a dying domain from handle `*cursor` on, looking at no more than `budget` handles, which
    /// is counted down. Page-table entries are not touched: the caller takes the domain's page tables down first, or keeps
    /// them from being used.
    pub fn drain_mapping(&mut self, cursor: &mut u32, budget: &mut u32) -> Drain {
        let handles = if self.maptrack.used == 0 { 0 } else { self.maptrack.len() };
        while *cursor < handles {
            if *budget == 0 {
                return Drain::Preempted;
            }
            *budget = budget.saturating_sub(1);
            let handle = *cursor;
            *cursor = cursor.saturating_add(1);
            let Some(mapping) = self.maptrack.get(handle).copied() else {
                break;
            };
            if mapping.state.is_live() && !mapping.state.has(State::BUSY) {
                self.maptrack.free(handle);
                return Drain::Release(GrantHandle::new(handle), release_of(&mapping, mapping.state.access()));
            }
        }
        Drain::Done
    }
}

fn describe(gref: GrantRef, active: &Active) -> PinnedGrant {
    let [host_reads, host_writes, device_reads, device_writes] = active.pins.counts();
    let frame = match active.target {
        Target::Page(frame) | Target::SubPage { frame, .. } => Some(frame),
        Target::Transitive { .. } | Target::Nothing => None,
    };
    let by = DomId::new(active.by);
    PinnedGrant { gref, by, frame, host_reads, host_writes, device_reads, device_writes }
}
