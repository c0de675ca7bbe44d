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
use crate::mm::{frame_table, map};
use crate::pv::promote::{Mmu, MmuError, PageOwner};
use crate::pv::validate::{self, Update};

/// A slot of a live table.
#[derive(Clone, Copy)]
pub(crate) struct Slot {
    /// The table's frame, in use as a table of `level` while the MMU lock is held.
    pub(crate) table: Mfn,
    /// Its level.
    pub(crate) level: Level,
    /// Which entry, below 512.
    pub(crate) index: usize,
}

impl Slot {
    fn word(self) -> &'static AtomicU64 {
        let [first, ..] = map::words(self.table);
        map::words(self.table).get(self.index).unwrap_or(first)
    }

    /// The entry now.
    pub(crate) fn read(self) -> u64 {
        self.word().load(Ordering::Relaxed)
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
pub(crate) fn update(
    mmu: &Mmu<'_>,
    slot: Slot,
    new: u64,
    marks: Marks,
    owner: PageOwner<'_>,
    budget: &mut Budget,
    after: &mut Aftermath,
) -> Result<(), MmuError> {
    if slot.level == Level::L4 && !validate::is_guest_slot(slot.index) {
        return Err(Errno::EINVAL.into());
    }
    let old = slot.read();
    match mmu.check_update(slot.level, old, new, owner)? {
        Update::FlagsOnly { entry } => {
            store(slot, entry, marks);
            after.flush_all |= slot.level != Level::L1;
        }
        Update::Replace { entry, take, drop } => {
            let entry = mmu.take(entry, take, owner, budget)?;
            store(slot, entry, marks);
            after.flush_all |= slot.level != Level::L1 && old & validate::PRESENT != 0;
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
    slot.word().swap(entry, Ordering::AcqRel)
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
    let slot = Slot { table: page.mfn(), level: Level::L1, index: (address & 0xfff) as usize / 8 };
    Ok((page, slot))
}

fn store(slot: Slot, entry: u64, marks: Marks) {
    let word = slot.word();
    if marks == Marks::Discard {
        word.store(entry, Ordering::Release);
        return;
    }
    // The processor may set marks between load and exchange; nothing else writes, we hold the lock.
    let mut old = word.load(Ordering::Relaxed);
    while let Err(now) =
        word.compare_exchange_weak(old, validate::preserve_marks(old, entry), Ordering::AcqRel, Ordering::Relaxed)
    {
        old = now;
    }
}

/// Finds the L1 slot for an address in the tables under `root`. EINVAL: a level is missing, or the address is ours.
pub(crate) fn find_l1(root: Mfn, address: u64) -> Result<Slot, Errno> {
    let index = |level: u32| (address >> (12 + 9 * (level - 1)) & 511) as usize;
    if !validate::is_guest_slot(index(4)) || !crate::x86::context::is_canonical(address) {
        return Err(Errno::EINVAL);
    }
    let mut table = root;
    for level in [Level::L4, Level::L3, Level::L2] {
        let entry = Slot { table, level, index: index(level as u32) }.read();
        let below = validate::target(entry);
        if entry & validate::PRESENT == 0 || frame_table::ram(below).is_none() {
            return Err(Errno::EINVAL);
        }
        table = below;
    }
    Ok(Slot { table, level: Level::L1, index: index(1) })
}
