// SPDX-License-Identifier: MIT OR Apache-2.0
//! One entry of a live page table changes: check, take the new references, write, drop the old ones. Every change goes
//! through here: mmu_update, update_va_mapping, trapped writes, grant mappings.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::budget::Budget;
use crate::domain::memory::PageRef;
use crate::mm::page_type::{Level, PageType};
use crate::mm::{flush, frame_table, map};
use crate::pv::promote::{Mmu, MmuError, PageOwner, put_mapped_page};
use crate::pv::validate::{self, References, Update};

/// A slot of a live table: its frame is in use as a table of `level` while the MMU lock is held.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    word: &'static AtomicU64,
    level: Level,
    /// Which entry, below 512.
    index: u16,
}

impl Slot {
    /// Entry `index` (of which the low nine bits count) of `table`.
    #[inline(always)]
    pub(crate) fn new(table: Mfn, level: Level, index: u64) -> Self {
        let index = (index & 511) as u16;
        let [first, ..] = map::words(table);
        Self { word: map::words(table).get(usize::from(index)).unwrap_or(first), level, index }
    }

    /// The entry now.
    #[inline(always)]
    pub(crate) fn read(self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    /// Is it the same entry of the same table?
    pub(crate) fn is(self, other: Self) -> bool {
        core::ptr::eq(self.word, other.word)
    }
}

/// What a batch of updates leaves to do at its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Aftermath {
    /// A table above L1 changed: CPUs may have cached the old structure (XSA-286), flush them all.
    pub(crate) flush_all: bool,
}

/// How to treat the marks that the processor set in the old entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Marks {
    /// Overwrite.
    Discard,
    /// Keep accessed and dirty (MMU_PT_UPDATE_PRESERVE_AD).
    Preserve,
}

/// Changes an entry. EINVAL, EPERM, EBUSY as the rules say (`validate.rs`); Preempted before anything changed.
#[inline(always)]
pub(crate) fn update(
    mmu: &Mmu<'_>,
    slot: Slot,
    new: u64,
    marks: Marks,
    owner: PageOwner<'_>,
    budget: &mut Budget,
    after: &mut Aftermath,
) -> Result<(), MmuError> {
    match slot.level {
        Level::L1 => Ok(update_l1(mmu, slot, new, marks, owner)?),
        Level::L2 | Level::L3 | Level::L4 => update_upper(mmu, slot, new, marks, owner, budget, after),
    }
}

/// Changes an L1 entry. EINVAL, EPERM, EBUSY as the rules say.
#[inline]
pub(crate) fn update_l1(mmu: &Mmu<'_>, slot: Slot, new: u64, marks: Marks, owner: PageOwner<'_>) -> Result<(), Errno> {
    const L1: Level = Level::L1;
    let old = slot.read();
    let update = match mmu.check_update(L1, old, new, owner)? {
        Update::FlagsOnly { entry } => {
            store(slot, entry, marks);
            return Ok(());
        }
        Update::Access { entry, mfn, writable } => {
            if change_access(slot, entry, marks, mfn, writable, owner) {
                return Ok(());
            }
            mmu.check_replace(L1, old, new, owner)?
        }
        update @ Update::Replace { .. } => update,
    };
    if let Update::Replace { entry, take, drop } = update {
        let entry = match take {
            References::Page { mfn, writable } => mmu.take_page(entry, mfn, writable, owner)?,
            References::None | References::Table { .. } => entry,
        };
        store(slot, entry, marks);
        if let References::Page { mfn, writable } = drop {
            put_mapped_page(mfn, writable);
        }
    }
    Ok(())
}

/// Makes the page that an L1 entry maps writable there or no longer so: its general reference stays. `false`: nothing was done,
/// because the page is a device's, not `owner`'s, or not ready to be written.
#[inline(always)]
fn change_access(slot: Slot, entry: u64, marks: Marks, mfn: Mfn, writable: bool, owner: PageOwner<'_>) -> bool {
    let (Some(frame), PageOwner::Domain(owner)) = (frame_table::ram(mfn), owner) else { return false };
    if !frame.is_owned_by(owner.id) || (writable && !frame.try_get_writable()) {
        return false;
    }
    store(slot, entry, marks);
    if !writable {
        frame.put_type(flush::clock());
    }
    true
}

/// Changes an entry above L1.
#[inline(never)]
fn update_upper(
    mmu: &Mmu<'_>,
    slot: Slot,
    new: u64,
    marks: Marks,
    owner: PageOwner<'_>,
    budget: &mut Budget,
    after: &mut Aftermath,
) -> Result<(), MmuError> {
    if slot.level == Level::L4 && !validate::is_guest_slot(slot.index.into()) {
        return Err(Errno::EINVAL.into());
    }
    let old = slot.read();
    match mmu.check_update(slot.level, old, new, owner)? {
        // The second is for L1 only.
        Update::FlagsOnly { entry } | Update::Access { entry, .. } => {
            store(slot, entry, marks);
            after.flush_all = true;
        }
        Update::Replace { entry, take, drop } => {
            let entry = mmu.take(entry, take, owner, budget)?;
            store(slot, entry, marks);
            after.flush_all |= old & validate::PRESENT != 0;
            mmu.drop_references(drop, budget);
        }
    }
    Ok(())
}

/// Puts an entry into an L1 slot for which the caller took the references, or 0; returns the old entry, whose references
/// are now the caller's. Grant mappings only: nothing is checked.
pub(crate) fn exchange(_mmu: &Mmu<'_>, slot: Slot, entry: u64) -> u64 {
    debug_assert!(slot.level == Level::L1);
    // An exchange, because the processor may set marks in the old one.
    slot.word.swap(entry, Ordering::AcqRel)
}

/// The L1 slot at a machine address, if it lies in a live L1 of the domain's, with a reference that keeps it one frame.
/// EINVAL.
pub(crate) fn l1_at(mmu: &Mmu<'_>, address: u64) -> Result<(PageRef, Slot), Errno> {
    if address & 7 != 0 {
        return Err(Errno::EINVAL);
    }
    let page = PageRef::get(Mfn::from_addr(address), mmu.domain().id).ok_or(Errno::EINVAL)?;
    // Entries of a partial table hold no references.
    if !page.frame().is_used_as(PageType::Table(Level::L1)) || page.frame().partial().is_some() {
        return Err(Errno::EINVAL);
    }
    let slot = Slot::new(page.mfn(), Level::L1, address >> 3);
    Ok((page, slot))
}

#[inline(always)]
fn store(slot: Slot, entry: u64, marks: Marks) {
    if marks == Marks::Discard {
        // An exchange, for its barrier: the TLB clock is read after all CPUs see the entry (`mm/flush.rs`).
        slot.word.swap(entry, Ordering::AcqRel);
    } else {
        store_preserving(slot.word, entry);
    }
}

#[inline(never)]
fn store_preserving(word: &AtomicU64, entry: u64) {
    // The processor may set marks between load and exchange; nothing else writes, we hold the lock.
    let mut old = word.load(Ordering::Relaxed);
    while let Err(now) =
        word.compare_exchange_weak(old, validate::preserve_marks(old, entry), Ordering::AcqRel, Ordering::Relaxed)
    {
        old = now;
    }
}

/// Bits 12 and up of an address number the pages; each level takes nine of them.
#[inline(always)]
fn index(address: u64, level: Level) -> u64 {
    address >> (12 + 9 * (level as u32 - 1)) & 511
}

#[inline(always)]
fn may_be_guests(address: u64) -> bool {
    validate::is_guest_slot(index(address, Level::L4) as usize) && crate::x86::context::is_canonical(address)
}

/// Finds the L1 slot for an address in the tables under `root`, which is an L4 of the domain's in use. EINVAL: a level is
/// missing, or the address is ours.
#[inline(always)]
pub(crate) fn find_l1(_mmu: &Mmu<'_>, root: Mfn, address: u64) -> Result<Slot, Errno> {
    if !may_be_guests(address) {
        return Err(Errno::EINVAL);
    }
    let mut table = root;
    for level in [Level::L4, Level::L3, Level::L2] {
        let entry = Slot::new(table, level, index(address, level)).read();
        if entry & validate::PRESENT == 0 {
            return Err(Errno::EINVAL);
        }
        // A present entry of a live table leads to a live table, and the lock keeps them all.
        table = validate::target(entry);
    }
    Ok(Slot::new(table, Level::L1, index(address, Level::L1)))
}

/// The entry for an address, looked up without the lock: what was a table may be anything by now. EINVAL as [`find_l1`].
pub(crate) fn peek_l1(root: Mfn, address: u64) -> Result<u64, Errno> {
    if !may_be_guests(address) {
        return Err(Errno::EINVAL);
    }
    let mut table = root;
    for level in [Level::L4, Level::L3, Level::L2] {
        let entry = Slot::new(table, level, index(address, level)).read();
        table = validate::target(entry);
        if entry & validate::PRESENT == 0 || frame_table::ram(table).is_none() {
            return Err(Errno::EINVAL);
        }
    }
    Ok(Slot::new(table, Level::L1, index(address, Level::L1)).read())
}
