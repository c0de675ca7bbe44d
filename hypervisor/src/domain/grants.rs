// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pages of a domain's grant table: its first one, growth, what a toolstack may map of it, and its end.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec::Vec;
use core::ops::Deref;

use grant_tables::{GrantError, GrantTable, Growth, Limits, Release, Version};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::ids::DomId;

use crate::domain::memory::{alloc_shared, free_shared, free_unseen};
use crate::domain::{Domain, DomainRef, end, table};
use crate::mm::{frame_table, map};

/// A domain that an operation on grants names: its caller, of which no reference need be counted, or another one.
pub(crate) enum Named<'a> {
    /// The caller.
    Caller(&'a DomainRef),
    /// Another.
    Other(DomainRef),
}

impl<'a> Named<'a> {
    /// Finds a domain by number.
    #[inline(always)]
    pub(crate) fn find(caller: &'a DomainRef, id: DomId) -> Option<Self> {
        if id == caller.id { Some(Self::Caller(caller)) } else { table::find(id).map(Self::Other) }
    }
}

impl Deref for Named<'_> {
    type Target = Domain;

    #[inline(always)]
    fn deref(&self) -> &Domain {
        match self {
            Self::Caller(domain) => domain,
            Self::Other(domain) => domain,
        }
    }
}

/// A new domain's table, with one frame as in Xen. Without memory for it the table starts empty and grows when asked to.
pub(crate) fn new_table(owner: DomId, limits: Limits) -> GrantTable<'static> {
    let mut table = GrantTable::new(owner, limits);
    if let Some(mfn) = alloc_shared(owner)
        && table.add_shared_frame(map::words32(mfn), mfn).is_err()
    {
        free_unseen(mfn);
    }
    table
}

/// Grows a table until nothing is missing from what `missing` says.
fn grow(
    domain: &Domain,
    missing: impl Fn(&GrantTable<'static>) -> Result<Growth, GrantError>,
) -> Result<(), GrantError> {
    // One page at a time: the lock is not held while a page is found, so another vCPU may be at it too.
    while missing(&domain.grants.lock())? != Growth::default() {
        let mfn = domain.alloc_shared().ok_or(GrantError::NoMemory)?;
        let mut table = domain.grants.lock();
        let added = match missing(&table)? {
            Growth { status_frames: 0, shared_frames: 0 } => Ok(false),
            Growth { status_frames: 0, .. } => table.add_shared_frame(map::words32(mfn), mfn).map(|()| true),
            Growth { .. } => table.add_status_frame(map::words16(mfn), mfn).map(|()| true),
        };
        drop(table);
        if added != Ok(true) {
            free_shared(mfn);
            added?;
        }
    }
    Ok(())
}

/// Makes a table at least `frames` large. TableSize: beyond its limit. NoMemory.
pub(crate) fn grow_to(domain: &Domain, frames: u32) -> Result<(), GrantError> {
    grow(domain, |table| table.growth_to(frames))
}

/// Changes the version of a domain's table, adding the status frames that version 2 needs. InUse also while somebody has
/// status frames mapped that version 1 would take away.
pub(crate) fn set_version(domain: &Domain, version: Version) -> Result<(), GrantError> {
    /// Our own use of a page from `alloc_shared`.
    const OURS: u64 = 1;
    if version == Version::V1 {
        let table = domain.grants.lock();
        let mut frames = (0..table.status_frames()).filter_map(|index| table.status_frame(index));
        if frames.any(|mfn| frame_table::frame(mfn).is_some_and(|frame| frame.references() > OURS)) {
            return Err(GrantError::InUse);
        }
    }
    loop {
        match domain.grants.lock().set_version(version) {
            Err(GrantError::NoMemory) if version == Version::V2 => {}
            result => return result,
        }
        grow(domain, |table| Ok(Growth { status_frames: table.status_frames_for_v2(), shared_frames: 0 }))?;
    }
}

/// How many frames of a kind `XENMEM_acquire_resource` can give out.
#[doc(alias = "XENMEM_resource_grant_table")]
pub(crate) fn resource_frames(domain: &Domain, is_status: bool) -> u32 {
    let max = domain.grants.lock().max_frames();
    if is_status { max.div_ceil(8) } else { max }
}

/// The machine frames `first .. first + count` of a table's shared or status frames, growing the table if need be. A
/// toolstack maps them with the domain as their owner.
///
/// EINVAL: none asked for, beyond the limit, or status frames of a version 1 table. ENOMEM.
#[doc(alias = "XENMEM_acquire_resource")]
pub(crate) fn acquire_frames(domain: &Domain, is_status: bool, first: u32, count: u32) -> Result<Vec<Mfn>, Errno> {
    let end = first.checked_add(count).filter(|_| count != 0).ok_or(Errno::EINVAL)?;
    let size = |table: &GrantTable<'static>| if is_status { table.growth_to_status(end) } else { table.growth_to(end) };
    grow(domain, size).map_err(GrantError::errno)?;
    let mut frames = Vec::new();
    frames.try_reserve_exact(count as usize).map_err(|_| Errno::ENOMEM)?;
    let table = domain.grants.lock();
    for index in first..end {
        let frame = if is_status { table.status_frame(index) } else { table.shared_frame(index) };
        frames.push(frame.ok_or(Errno::EINVAL)?);
    }
    Ok(frames)
}

/// A mapping of a granter's page has ended. It may have been the last thing that kept a dying domain.
pub(crate) fn release(release: Release) {
    if let Some(granter) = table::find(release.granter()) {
        granter.grants.lock().release(release);
        look_if_dying(&granter);
    }
}

/// Somebody uses a domain's grants no more.
#[inline(always)]
pub(crate) fn look_if_dying(granter: &Domain) {
    if granter.is_dying() {
        end::look_soon();
    }
}

/// Ends a dying domain's table, and gives its pages back. `false`: others still use its grants; try again when the last of
/// them is gone.
pub(crate) fn retire(domain: &Domain) -> bool {
    let old = {
        let mut table = domain.grants.lock();
        if table.pinned() != 0 || table.mappings() != 0 {
            return false;
        }
        let limits = Limits { grant_frames: 0, maptrack_frames: 0, version: Version::V1 };
        core::mem::replace(&mut *table, GrantTable::new(domain.id, limits))
    };
    old.all_frames().for_each(free_shared);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_memory_a_table_is_empty() {
        let table = new_table(DomId::new(3), Limits::default());
        assert_eq!((table.frames(), table.max_frames(), table.owner()), (0, 64, DomId::new(3)));
    }
}
