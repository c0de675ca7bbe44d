// SPDX-License-Identifier: MIT OR Apache-2.0
//! Granted pages in a PV guest's page tables: what `GNTTABOP_map_grant_ref`, `unmap_grant_ref` and `unmap_and_replace` do to
//! entries and references. Who may map what the `grant-tables` crate decides.
//!
//! The references of a host mapping belong to its page-table entry: a guest that overwrites the entry by other means drops
//! them there, and keeps a handle that it can no longer end. Those of a device mapping belong to the handle.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use grant_tables::{Claim, MapMode, Release, Unmapping};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::grant_table::{GnttabMapGrantRef, GrantStatus};
use hypercalls::ids::{DomId, GrantHandle};

use crate::domain::grants::{self, Named};
use crate::domain::memory::{PageRef, WritableRef};
use crate::domain::{Domain, DomainRef};
use crate::mm::flush;
use crate::mm::page_type::Level;
use crate::pv::mmu_update::{self, Slot};
use crate::pv::promote::{self, Mmu};
use crate::pv::validate::{self, References};

/// Maps one grant for `mapper`, whose kernel page tables are those under `root`, and fills in the results.
pub(crate) fn map(mapper: &DomainRef, root: Mfn, op: &mut GnttabMapGrantRef) -> Result<(), GrantStatus> {
    let mode = MapMode::parse(op.flags).map_err(|error| error.status())?;
    let granter = Named::find(mapper, op.dom).filter(|granter| !granter.is_dying()).ok_or(GrantStatus::BAD_DOMAIN)?;
    let reserved = mapper.grants.lock().reserve_handle().map_err(|error| error.status())?;
    let claim = granter.grants.lock().claim_map(op.ref_, mapper.id, mode);
    let claim = match claim {
        Ok(claim) => claim,
        Err(error) => {
            mapper.grants.lock().cancel_handle(reserved);
            return Err(error.status());
        }
    };
    if let Err(status) = enter(mapper, root, op.host_addr, &claim) {
        granter.grants.lock().abandon_map(claim);
        grants::look_if_dying(&granter);
        mapper.grants.lock().cancel_handle(reserved);
        return Err(status);
    }
    op.dev_bus_addr = claim.frame().to_addr();
    op.handle = mapper.grants.lock().commit_map(reserved, claim);
    Ok(())
}

/// Takes the references that a claim needs and writes the page-table entry, or does nothing.
#[inline(always)]
fn enter(mapper: &Domain, root: Mfn, host_addr: u64, claim: &Claim) -> Result<(), GrantStatus> {
    let mode = claim.mode();
    if mode.is_device() {
        return enter_device(mapper, root, host_addr, claim);
    }
    enter_host(mapper, root, host_addr, claim)
}

/// The same with a device mapping, which has references of its own.
#[inline(never)]
fn enter_device(mapper: &Domain, root: Mfn, host_addr: u64, claim: &Claim) -> Result<(), GrantStatus> {
    let (mode, frame) = (claim.mode(), claim.frame());
    take(frame, claim.granter(), !mode.is_readonly())?;
    if !mode.is_host() {
        return Ok(());
    }
    let entered = enter_host(mapper, root, host_addr, claim);
    if entered.is_err() {
        promote::put_mapped_page(frame, !mode.is_readonly());
    }
    entered
}

#[inline(always)]
fn enter_host(mapper: &Domain, root: Mfn, host_addr: u64, claim: &Claim) -> Result<(), GrantStatus> {
    let (frame, writable) = (claim.frame(), !claim.mode().is_readonly());
    take(frame, claim.granter(), writable)?;
    write_entry(mapper, root, host_addr, claim).map_err(|_| {
        promote::put_mapped_page(frame, writable);
        GrantStatus::GENERAL_ERROR
    })
}

/// Takes the references of one mapping. BAD_PAGE: not the granter's memory. GENERAL_ERROR: in use as a table.
#[inline(always)]
fn take(frame: Mfn, granter: DomId, writable: bool) -> Result<(), GrantStatus> {
    let page = PageRef::get(frame, granter).ok_or(GrantStatus::BAD_PAGE)?;
    if writable {
        WritableRef::upgrade(page).ok_or(GrantStatus::GENERAL_ERROR)?.into_entry();
    } else {
        page.into_entry();
    }
    Ok(())
}

/// Writes the entry of a mapping whose references are held, and drops what was there before. EINVAL: there is no entry at
/// that address.
#[inline(always)]
fn write_entry(mapper: &Domain, root: Mfn, host_addr: u64, claim: &Claim) -> Result<(), Errno> {
    let mode = claim.mode();
    let entry =
        validate::for_grant(claim.frame(), !mode.is_readonly(), mode.is_application(), mode.pte_available_bits());
    let mmu = mapper.lock_mmu();
    let (_page, slot) = find(&mmu, root, host_addr, mode.contains_pte())?;
    let old = mmu_update::exchange(&mmu, slot, entry);
    // As for any update of an entry, flushing is the guest's business: a page keeps its type until all CPUs have flushed.
    if let References::Page { mfn, writable } = validate::references(Level::L1, old) {
        promote::put_mapped_page(mfn, writable);
    }
    Ok(())
}

/// The slot that a host address means, and what keeps its table one.
#[inline(always)]
fn find(mmu: &Mmu<'_>, root: Mfn, address: u64, is_machine: bool) -> Result<(Option<PageRef>, Slot), Errno> {
    if is_machine {
        return mmu_update::l1_at(mmu, address).map(|(page, slot)| (Some(page), slot));
    }
    // A table that the loaded tree reaches stays one while the lock is held.
    mmu_update::find_l1(mmu, root, address).map(|slot| (None, slot))
}

/// One element of an unmap, of either operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unmap {
    /// The mapping.
    pub(crate) handle: GrantHandle,
    /// Where it was mapped for CPUs; 0 leaves that alone.
    pub(crate) host_addr: u64,
    /// Where it was mapped for devices; 0 leaves that alone.
    pub(crate) dev_bus_addr: u64,
    /// The address whose entry takes the place of the mapping; 0 for none.
    pub(crate) new_addr: u64,
}

/// Elements of one batch of unmaps.
pub(crate) const BATCH: usize = 32;

/// Mappings that are out of the page tables but may still be in a TLB.
#[must_use = "call finish, or the grants stay pinned"]
pub(crate) struct Unmapped {
    releases: [Option<Release>; BATCH],
    count: usize,
    flush: bool,
}

impl Unmapped {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { releases: [const { None }; BATCH], count: 0, flush: false }
    }

    /// Ends one mapping as far as page tables and handles go; at most [`BATCH`] of them.
    #[inline]
    pub(crate) fn unmap(&mut self, mapper: &Domain, root: Mfn, op: &Unmap) -> Result<(), GrantStatus> {
        let Some(free) = self.releases.get_mut(self.count) else { return Err(GrantStatus::EAGAIN) };
        let unmapping = mapper.grants.lock().start_unmap(op.handle, op.host_addr, op.dev_bus_addr);
        let unmapping = unmapping.map_err(|error| error.status())?;
        if unmapping.is_host() {
            if clear_entry(mapper, root, op, &unmapping).is_err() {
                mapper.grants.lock().cancel_unmap(unmapping);
                return Err(GrantStatus::GENERAL_ERROR);
            }
            self.flush = true;
        }
        *free = mapper.grants.lock().finish_unmap(unmapping);
        self.count = self.count.saturating_add(usize::from(free.is_some()));
        Ok(())
    }

    /// Flushes TLBs, then gives pages and grants back.
    #[inline]
    pub(crate) fn finish(&mut self, mapper: &DomainRef) {
        if core::mem::take(&mut self.flush) {
            flush::on(mapper.dirty_cpus());
        }
        let count = core::mem::take(&mut self.count);
        for release in self.releases.iter_mut().take(count).filter_map(Option::take) {
            let (access, frame) = (release.access(), release.frame());
            for _ in 0..u32::from(access.is_host()).saturating_add(access.is_device().into()) {
                promote::put_mapped_page(frame, !access.is_readonly());
            }
            if let Some(granter) = Named::find(mapper, release.granter()) {
                granter.grants.lock().release(release);
                grants::look_if_dying(&granter);
            }
        }
    }
}

/// Takes the entry of a mapping out of its table, and puts the one at `new_addr` there if that is not 0. The references of
/// the mapping are the caller's then. EINVAL: the entry is not there or not the mapping's; nothing has changed.
#[inline(always)]
fn clear_entry(mapper: &Domain, root: Mfn, op: &Unmap, unmapping: &Unmapping) -> Result<(), Errno> {
    let mmu = mapper.lock_mmu();
    let (_page, slot) = find(&mmu, root, op.host_addr, unmapping.contains_pte())?;
    if !is_mapping(slot.read(), unmapping.frame(), !unmapping.is_readonly()) {
        return Err(Errno::EINVAL);
    }
    let replacement = match op.new_addr {
        0 => 0,
        // Xen does not replace what was mapped by the address of its entry.
        _ if unmapping.contains_pte() => return Err(Errno::EINVAL),
        address => {
            let from = mmu_update::find_l1(&mmu, root, address)?;
            if from.is(slot) {
                return Err(Errno::EINVAL);
            }
            mmu_update::exchange(&mmu, from, 0)
        }
    };
    mmu_update::exchange(&mmu, slot, replacement);
    Ok(())
}

/// Is `entry` still the one that maps a grant, leading to its page with the right that was granted? (XSA-234)
fn is_mapping(entry: u64, frame: Mfn, writable: bool) -> bool {
    validate::references(Level::L1, entry) == References::Page { mfn: frame, writable }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_entry_ends_a_mapping() {
        let frame = Mfn::new(0x123);
        let entry = validate::for_grant(frame, true, false, 0);
        assert!(is_mapping(entry, frame, true));
        assert!(is_mapping(entry & !validate::ACCESSED, frame, true));
        assert!(!is_mapping(entry, frame, false));
        assert!(!is_mapping(entry, Mfn::new(0x124), true));
        assert!(!is_mapping(entry & !validate::PRESENT, frame, true));
        assert!(!is_mapping(0, frame, true));
    }
}
