// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame becomes a page table or a descriptor table, and stops being one.
//!
//! Everything here runs under the owner's MMU lock; a [`Mmu`] value is the proof. Long work is preemptible: a table whose
//! entries hold references only below some index is *partial* (`mm/page_type.rs`) and keeps one type and one general
//! reference until somebody finishes it, by promoting it again or by demoting it the rest of the way.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::budget::Budget;
use crate::domain::memory::put_page;
use crate::domain::{Domain, MmuState};
use crate::mm::page_type::{Frame, Level, PageType, Taken, TypeError};
use crate::mm::{flush, frame_table, host_pt, map, type_ref};
use crate::pv::descriptor;
use crate::pv::validate::{self, Context, References};
use crate::sync::SpinGuard;

/// Entries of a table.
const ENTRIES: u16 = 512;
/// Work units for the reference of an entry above L1.
const TAKING_TABLE: u32 = 6;
/// And for giving it up.
const GIVING_UP_TABLE: u32 = 6;
/// Entries looked at together: most are empty, and looking costs less than taking.
const GROUP: usize = 8;
/// Work units for the references of an entry of an L1.
const TAKING_PAGE: u32 = 3;
/// Work units for giving them up.
const GIVING_UP_PAGE: u32 = 2;
/// And if the page is free then.
const FREEING_PAGE: u32 = 20;

/// Why an operation on page tables ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MmuError {
    /// The caller's mistake.
    Errno(Errno),
    /// The budget is spent; progress is recorded in the frames: do the same again later.
    Preempted,
}

impl From<Errno> for MmuError {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

/// A failed promotion or demotion of one frame.
struct Failed {
    error: MmuError,
    /// The frame is partial and keeps the references that the caller took or wanted to drop.
    kept: bool,
}

/// Whose pages an entry may map.
#[derive(Clone, Copy)]
pub(crate) enum PageOwner<'a> {
    /// A domain, the table's own or (with the right) another.
    Domain(&'a Domain),
    /// DOMID_IO or DOMID_XEN: devices; and memory of any domain, for only control domains may name these two.
    System,
}

/// The right to change a domain's page tables.
pub(crate) struct Mmu<'a> {
    domain: &'a Domain,
    _lock: SpinGuard<'a, MmuState>,
}

impl Domain {
    /// Takes the MMU lock.
    #[inline(always)]
    pub(crate) fn lock_mmu(&self) -> Mmu<'_> {
        Mmu { domain: self, _lock: self.mmu.lock() }
    }
}

impl Mmu<'_> {
    /// The domain whose tables these are.
    pub(crate) fn domain(&self) -> &Domain {
        self.domain
    }

    #[inline(always)]
    fn context(&self, is_foreign: bool) -> Context {
        Context {
            address_bits: crate::x86::cpuid::address_bits(),
            has_hardware: self.domain.has_hardware.load(Ordering::Relaxed),
            is_foreign,
        }
    }

    // ---- single entries ----

    #[inline(always)]
    fn context_for(&self, owner: PageOwner<'_>) -> Context {
        self.context(!matches!(owner, PageOwner::Domain(domain) if domain.id == self.domain.id))
    }

    /// Checks an entry against the rules, without references.
    #[inline(always)]
    pub(crate) fn check_update(
        &self,
        level: Level,
        old: u64,
        new: u64,
        owner: PageOwner<'_>,
    ) -> Result<validate::Update, Errno> {
        validate::update(level, old, new, &self.context_for(owner))
    }

    /// Checks an entry as if nothing were known of the old one.
    #[inline(never)]
    pub(crate) fn check_replace(
        &self,
        level: Level,
        old: u64,
        new: u64,
        owner: PageOwner<'_>,
    ) -> Result<validate::Update, Errno> {
        validate::replace(level, old, new, &self.context_for(owner))
    }

    /// Takes the references that `entry` needs and returns the entry as it has to stand in the table.
    pub(crate) fn take(
        &self,
        entry: u64,
        references: References,
        owner: PageOwner<'_>,
        budget: &mut Budget,
    ) -> Result<u64, MmuError> {
        match references {
            References::None => Ok(entry),
            References::Page { mfn, writable } => Ok(self.take_page(entry, mfn, writable, owner)?),
            References::Table { mfn, level } => self.get_table(mfn, level, budget).map(|()| entry),
        }
    }

    /// The same for a page. EBUSY: not the owner's, or in use as a table and to be written.
    #[inline(always)]
    pub(crate) fn take_page(&self, entry: u64, mfn: Mfn, writable: bool, owner: PageOwner<'_>) -> Result<u64, Errno> {
        if let PageOwner::Domain(owner) = owner
            && let Some(frame) = frame_table::ram(mfn)
            && frame.get(owner.id)
        {
            if !writable || frame.try_get_writable() {
                return Ok(entry);
            }
            return self.take_writable(entry, mfn, frame);
        }
        self.take_other(entry, mfn, writable, owner)
    }

    /// Adds a writable reference to a general one, which goes if that fails.
    #[inline(never)]
    fn take_writable(&self, entry: u64, mfn: Mfn, frame: &'static Frame) -> Result<u64, Errno> {
        if type_ref::get_writable(frame).is_err() && !self.reclaim_for_writing(frame) {
            put_page(mfn, frame);
            return Err(Errno::EBUSY);
        }
        Ok(entry)
    }

    /// Devices, pages named by DOMID_IO or DOMID_XEN, and pages that are not the owner's.
    #[inline(never)]
    fn take_other(&self, entry: u64, mfn: Mfn, writable: bool, owner: PageOwner<'_>) -> Result<u64, Errno> {
        let Some(frame) = frame_table::ram(mfn) else {
            return self.take_device(entry, mfn, owner);
        };
        let owner = match owner {
            PageOwner::Domain(owner) => Some(owner.id),
            PageOwner::System => frame.owner(),
        };
        if !owner.is_some_and(|owner| frame.get(owner)) {
            return Err(Errno::EBUSY);
        }
        if writable { self.take_writable(entry, mfn, frame) } else { Ok(entry) }
    }

    /// A table left partial by an operation that was never repeated is nobody's: finish it when its owner wants to write.
    fn reclaim_for_writing(&self, frame: &'static Frame) -> bool {
        frame.owner() == Some(self.domain.id)
            && self.finish_orphan(frame, &mut Budget::new()).is_ok()
            && type_ref::get_writable(frame).is_ok()
    }

    fn take_device(&self, entry: u64, mfn: Mfn, owner: PageOwner<'_>) -> Result<u64, Errno> {
        let allowed = |domain: &Domain| domain.rights.lock().iomem.contains(mfn.raw());
        let permitted = allowed(self.domain)
            && match owner {
                PageOwner::Domain(owner) => owner.id == self.domain.id || allowed(owner),
                PageOwner::System => true,
            };
        validate::device_access(mfn, permitted)?;
        Ok(validate::for_device(entry, false))
    }

    /// Drops the references of an entry that is no longer in a table. What a large subtree still holds when the budget
    /// ends stays with its (then partial) top.
    pub(crate) fn drop_references(&self, references: References, budget: &mut Budget) {
        match references {
            References::None => {}
            References::Page { mfn, writable } => drop(put_mapped_page(mfn, writable)),
            References::Table { mfn, level } => {
                // Preempted: the subtree is an orphan now, finished by whoever needs its frames, at the latest teardown.
                let _ = self.put_table(mfn, level, budget);
            }
        }
    }

    // ---- whole tables ----

    /// Takes a general and a type reference of a frame as a table, promoting it if need be.
    pub(crate) fn get_table(&self, mfn: Mfn, level: Level, budget: &mut Budget) -> Result<(), MmuError> {
        self.get_typed(mfn, PageType::Table(level), budget)
    }

    /// Takes a general and a type reference of a frame as a descriptor table.
    pub(crate) fn get_descriptor_page(&self, mfn: Mfn) -> Result<(), Errno> {
        match self.get_typed(mfn, PageType::SegDesc, &mut Budget::new()) {
            Ok(()) => Ok(()),
            Err(MmuError::Errno(errno)) => Err(errno),
            Err(MmuError::Preempted) => Err(Errno::EAGAIN),
        }
    }

    fn get_typed(&self, mfn: Mfn, wanted: PageType, budget: &mut Budget) -> Result<(), MmuError> {
        let frame = frame_table::ram(mfn).ok_or(Errno::EINVAL)?;
        // Under the lock, so that whoever takes a dying domain's tables down misses none.
        if self.domain.is_dying() || !frame.get(self.domain.id) {
            return Err(Errno::EINVAL.into());
        }
        let result = self.get_type(mfn, frame, wanted, budget);
        match result {
            Ok(()) => Ok(()),
            Err(failed) => {
                if !failed.kept {
                    put_page(mfn, frame);
                }
                Err(failed.error)
            }
        }
    }

    fn get_type(&self, mfn: Mfn, frame: &'static Frame, wanted: PageType, budget: &mut Budget) -> Result<(), Failed> {
        let refuse = |errno: Errno| Failed { error: errno.into(), kept: false };
        // Twice at most around: an orphan of another type is finished first, a partial table of this type is completed.
        for _ in 0..3 {
            match frame.get_type(wanted) {
                Ok(Taken::Ready) => return Ok(()),
                Ok(Taken::Retyped(old)) => {
                    // What was such a table last has not been writable since.
                    if old != PageType::None && old != wanted {
                        flush::everyone_since(frame.stamp());
                    }
                    return self.promote_from(mfn, frame, wanted, 0, budget);
                }
                // Its references are those of an entry in a partial table above, and might get lost here.
                Ok(Taken::Partial) if frame.is_held() => return Err(refuse(Errno::EBUSY)),
                Ok(Taken::Partial) => {
                    let from = frame.partial().unwrap_or(0);
                    let pinned = frame.is_pinned();
                    self.promote_from(mfn, frame, wanted, from, budget).map_err(|failed| {
                        // The partial state has references of its own: gone with it if it is gone. Ours the caller returns.
                        if !failed.kept {
                            put_page(mfn, frame);
                        }
                        Failed { kept: false, ..failed }
                    })?;
                    if !pinned {
                        // Nobody owned the old state: its references become ours, and the one just taken is too many.
                        put_page(mfn, frame);
                        return Ok(());
                    }
                }
                Ok(Taken::InFlight) => return Err(refuse(Errno::EBUSY)),
                Err(TypeError::InUse) => {
                    self.finish_orphan(frame, budget).map_err(|error| Failed { error, kept: false })?;
                }
                Err(TypeError::Overflow) => return Err(refuse(Errno::EINVAL)),
            }
        }
        Err(refuse(Errno::EBUSY))
    }

    /// Demotes a partial table that nobody refers to. EINVAL if the frame is not one.
    fn finish_orphan(&self, frame: &'static Frame, budget: &mut Budget) -> Result<(), MmuError> {
        let PageType::Table(level) = frame.page_type() else { return Err(Errno::EINVAL.into()) };
        let owned = frame.is_pinned() || frame.is_held();
        let (Some(from), true, false) = (frame.partial(), frame.is_last_type_reference(), owned) else {
            return Err(Errno::EINVAL.into());
        };
        let mfn = frame_table::mfn_of(frame);
        self.demote_from(mfn, frame, level, from, budget)?;
        frame.clear_type(flush::clock());
        put_page(mfn, frame);
        Ok(())
    }

    fn promote_from(
        &self,
        mfn: Mfn,
        frame: &'static Frame,
        wanted: PageType,
        from: u16,
        budget: &mut Budget,
    ) -> Result<(), Failed> {
        let level = match wanted {
            PageType::Table(level) => level,
            PageType::SegDesc => return promote_descriptors(mfn, frame),
            PageType::Writable | PageType::None => {
                frame.set_validated();
                return Ok(());
            }
        };
        if let Err((index, error)) = self.promote_entries(mfn, level, from, budget) {
            if error == MmuError::Preempted {
                frame.set_partial(index);
                return Err(Failed { error, kept: true });
            }
            if self.demote_from(mfn, frame, level, index, &mut Budget::new()).is_err() {
                // Too much to undo at once: the refused table stays partial, and its owner's problem.
                return Err(Failed { error, kept: true });
            }
            frame.clear_type(flush::clock());
            return Err(Failed { error, kept: false });
        }
        if level == Level::L4 {
            host_pt::fill_slots(mfn);
        }
        frame.complete();
        Ok(())
    }

    /// Takes the references of entries `from ..`; on failure says how far it came.
    fn promote_entries(&self, mfn: Mfn, level: Level, from: u16, budget: &mut Budget) -> Result<(), (u16, MmuError)> {
        if level == Level::L1 {
            return self.promote_pages(mfn, from, budget);
        }
        let table = map::words(mfn);
        let (groups, _) = table.as_chunks::<GROUP>();
        let done = usize::from(from) / GROUP;
        if budget.spend(looking_at(groups.len().saturating_sub(done))).is_err() {
            return Err((from, MmuError::Preempted));
        }
        let cx = self.context(false);
        let owner = PageOwner::Domain(self.domain);
        // A demotion may have stopped inside the child just below the mark: its reference is there, its contents are not.
        if let Some(last) = from.checked_sub(1)
            && let Some(slot) = table.get(usize::from(last))
            && let References::Table { mfn: child, level: below } =
                validate::references(level, slot.load(Ordering::Relaxed))
            && (level != Level::L4 || validate::is_guest_slot(last.into()))
            && let Some(child_frame) = frame_table::ram(child)
            && let Some(child_from) = child_frame.partial()
        {
            self.promote_from(child, child_frame, PageType::Table(below), child_from, budget).map_err(|failed| {
                if failed.kept {
                    return (from, failed.error);
                }
                // It is no table any more, and this entry stands for nothing.
                put_page(child, child_frame);
                (last, failed.error)
            })?;
        }
        let mut skip = usize::from(from) % GROUP;
        for (number, group) in groups.iter().enumerate().skip(done) {
            let first = core::mem::take(&mut skip);
            let mut left = present_in(group) >> first << first;
            while let Some((at, slot)) = next_of(group, &mut left) {
                let index = number * GROUP + at;
                if level == Level::L4 && !validate::is_guest_slot(index) {
                    continue;
                }
                let index = index as u16;
                if budget.spend(TAKING_TABLE).is_err() {
                    return Err((index, MmuError::Preempted));
                }
                let entry = slot.load(Ordering::Relaxed);
                let taken = validate::check(level, entry, &cx)
                    .map_err(MmuError::from)
                    .and_then(|entry| self.take(entry, validate::references(level, entry), owner, budget));
                match taken {
                    Ok(adjusted) if adjusted != entry => slot.store(adjusted, Ordering::Relaxed),
                    Ok(_) => {}
                    Err(error) => return Err((index, error)),
                }
            }
        }
        Ok(())
    }

    /// [`Self::promote_entries`] of an L1.
    fn promote_pages(&self, mfn: Mfn, from: u16, budget: &mut Budget) -> Result<(), (u16, MmuError)> {
        let cx = self.context(false);
        let owner = PageOwner::Domain(self.domain);
        let (groups, _) = map::words(mfn).as_chunks::<GROUP>();
        let done = usize::from(from) / GROUP;
        if budget.spend(looking_at(groups.len().saturating_sub(done))).is_err() {
            return Err((from, MmuError::Preempted));
        }
        // A table that is partial within a group has references for the entries before.
        let mut skip = usize::from(from) % GROUP;
        for (number, group) in groups.iter().enumerate().skip(done) {
            let first = core::mem::take(&mut skip);
            let mut left = present_in(group) >> first << first;
            if left != 0 && budget.check().is_err() {
                return Err(((number * GROUP + first) as u16, MmuError::Preempted));
            }
            let mut taken = 0;
            while let Some((index, slot)) = next_of(group, &mut left) {
                let entry = slot.load(Ordering::Relaxed);
                let adjusted = validate::check(Level::L1, entry, &cx).and_then(|entry| {
                    self.take_page(entry, validate::target(entry), entry & validate::WRITABLE != 0, owner)
                });
                match adjusted {
                    Ok(adjusted) if adjusted != entry => slot.store(adjusted, Ordering::Relaxed),
                    Ok(_) => {}
                    Err(errno) => return Err(((number * GROUP + index) as u16, errno.into())),
                }
                taken += TAKING_PAGE;
            }
            budget.charge(taken);
        }
        Ok(())
    }

    /// Gives back a general and a type reference of a table, demoting it with the last. Preempted: the table is partial
    /// and keeps both references.
    pub(crate) fn put_table(&self, mfn: Mfn, level: Level, budget: &mut Budget) -> Result<(), MmuError> {
        let Some(frame) = frame_table::ram(mfn) else { return Ok(()) };
        if frame.is_last_type_reference() {
            let from = frame.partial().unwrap_or(ENTRIES);
            self.demote_from(mfn, frame, level, from, budget)?;
            frame.clear_type(flush::clock());
        } else {
            frame.put_type(flush::clock());
        }
        if put_page(mfn, frame) {
            budget.charge(FREEING_PAGE);
        }
        Ok(())
    }

    /// Drops the references of entries below `from`, last first.
    fn demote_from(
        &self,
        mfn: Mfn,
        frame: &'static Frame,
        level: Level,
        from: u16,
        budget: &mut Budget,
    ) -> Result<(), MmuError> {
        if level == Level::L1 {
            return demote_pages(mfn, frame, from, budget);
        }
        let (groups, _) = map::words(mfn).as_chunks::<GROUP>();
        let end = usize::from(from);
        let groups = groups.get(..end.div_ceil(GROUP)).unwrap_or_default();
        if budget.spend(looking_at(groups.len())).is_err() {
            frame.set_partial(from);
            return Err(MmuError::Preempted);
        }
        for (number, group) in groups.iter().enumerate().rev() {
            let held = end.saturating_sub(number * GROUP).min(GROUP);
            let mut left = present_in(group) & (1_u32 << held).wrapping_sub(1);
            while let Some((at, slot)) = last_of(group, &mut left) {
                let index = number * GROUP + at;
                if level == Level::L4 && !validate::is_guest_slot(index) {
                    continue;
                }
                let entry = slot.load(Ordering::Relaxed);
                let References::Table { mfn: child, level: below } = validate::references(level, entry) else {
                    continue;
                };
                let spent = budget.spend(GIVING_UP_TABLE).map_err(|_| MmuError::Preempted);
                if let Err(error) = spent.and_then(|()| self.put_table(child, below, budget)) {
                    // This entry's reference still stands, perhaps on a partial child.
                    if let Some(child) = frame_table::ram(child) {
                        child.set_held();
                    }
                    frame.set_partial((index as u16).saturating_add(1));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    // ---- pins ----

    /// Pins a frame as a table. EINVAL: not the domain's, not valid as one, pinned already.
    pub(crate) fn pin(&self, mfn: Mfn, level: Level, budget: &mut Budget) -> Result<(), MmuError> {
        self.get_table(mfn, level, budget)?;
        let frame = frame_table::ram(mfn).ok_or(Errno::EINVAL)?;
        if !frame.set_pinned() {
            // Not the last reference: the pin holds one.
            self.put_table(mfn, level, budget)?;
            return Err(Errno::EINVAL.into());
        }
        Ok(())
    }

    /// Takes the pin off. EINVAL: not pinned.
    pub(crate) fn unpin(&self, mfn: Mfn, budget: &mut Budget) -> Result<(), MmuError> {
        let frame = frame_table::ram(mfn).ok_or(Errno::EINVAL)?;
        if frame.owner() != Some(self.domain.id) || !frame.is_pinned() {
            return Err(Errno::EINVAL.into());
        }
        let PageType::Table(level) = frame.page_type() else { return Err(Errno::EINVAL.into()) };
        if !frame.is_last_type_reference() {
            frame.clear_pinned();
            frame.put_type(flush::clock());
            put_page(mfn, frame);
            return Ok(());
        }
        // The flag stays until all is done, so that a repeated call finds its way.
        let from = frame.partial().unwrap_or(ENTRIES);
        self.demote_from(mfn, frame, level, from, budget)?;
        frame.clear_pinned();
        frame.clear_type(flush::clock());
        put_page(mfn, frame);
        Ok(())
    }

    /// Finishes what is left of a table at the domain's end: pins, partial states.
    pub(crate) fn finish(&self, mfn: Mfn, budget: &mut Budget) -> Result<(), MmuError> {
        let Some(frame) = frame_table::ram(mfn) else { return Ok(()) };
        if frame.is_pinned() {
            self.unpin(mfn, budget)?;
        }
        match self.finish_orphan(frame, budget) {
            Err(MmuError::Preempted) => Err(MmuError::Preempted),
            _ => Ok(()),
        }
    }
}

/// [`Mmu::demote_from`] of an L1, eight entries at a time.
fn demote_pages(mfn: Mfn, frame: &'static Frame, from: u16, budget: &mut Budget) -> Result<(), MmuError> {
    let (groups, _) = map::words(mfn).as_chunks::<GROUP>();
    let end = usize::from(from);
    let mut number = end.div_ceil(GROUP);
    if budget.spend(looking_at(number)).is_err() {
        frame.set_partial(from);
        return Err(MmuError::Preempted);
    }
    while number != 0 {
        number -= 1;
        let Some(group) = groups.get(number) else { continue };
        // A table that is partial within a group has references for the entries before only.
        let held = end.saturating_sub(number * GROUP).min(GROUP);
        let mut left = present_in(group) & (1_u32 << held).wrapping_sub(1);
        if left != 0 && budget.check().is_err() {
            frame.set_partial((number * GROUP + held) as u16);
            return Err(MmuError::Preempted);
        }
        let mut given_up = 0;
        while let Some((_, slot)) = next_of(group, &mut left) {
            let entry = slot.load(Ordering::Relaxed);
            let is_free = put_mapped_page(validate::target(entry), entry & validate::WRITABLE != 0);
            given_up += if is_free { FREEING_PAGE } else { GIVING_UP_PAGE };
        }
        budget.charge(given_up);
    }
    Ok(())
}

/// Work units for so many groups, before anything is done with what is in them.
fn looking_at(groups: usize) -> u32 {
    groups as u32 / 2
}

/// Which entries of a group are present, bit by index.
#[inline(always)]
fn present_in(group: &[AtomicU64; GROUP]) -> u32 {
    const { assert!(validate::PRESENT == 1) };
    // Mostly none is.
    let all = group.iter().fold(0, |bits, slot| bits | slot.load(Ordering::Relaxed));
    if all & validate::PRESENT == 0 {
        return 0;
    }
    group.iter().rev().fold(0, |bits, slot| bits << 1 | (slot.load(Ordering::Relaxed) & validate::PRESENT) as u32)
}

/// Takes the lowest bit out of `left`: its index and the entry.
#[inline(always)]
fn next_of<'a>(group: &'a [AtomicU64; GROUP], left: &mut u32) -> Option<(usize, &'a AtomicU64)> {
    if *left == 0 {
        return None;
    }
    let index = left.trailing_zeros() as usize;
    *left &= left.wrapping_sub(1);
    group.get(index).map(|slot| (index, slot))
}

/// The same with the highest bit.
#[inline(always)]
fn last_of<'a>(group: &'a [AtomicU64; GROUP], left: &mut u32) -> Option<(usize, &'a AtomicU64)> {
    let index = left.checked_ilog2()?;
    *left &= !(1 << index);
    group.get(index as usize).map(|slot| (index as usize, slot))
}

/// Drops what an L1 entry held: devices hold nothing. Is the page free now?
#[inline(always)]
pub(crate) fn put_mapped_page(mfn: Mfn, writable: bool) -> bool {
    let Some(frame) = frame_table::ram(mfn) else { return false };
    if writable {
        frame.put_type(flush::clock());
    }
    put_page(mfn, frame)
}

fn promote_descriptors(mfn: Mfn, frame: &'static Frame) -> Result<(), Failed> {
    let table = map::words(mfn);
    let safe = |slot: &AtomicU64| descriptor::make_safe(slot.load(Ordering::Relaxed));
    if table.iter().any(|slot| safe(slot).is_none()) {
        frame.clear_type(flush::clock());
        return Err(Failed { error: Errno::EINVAL.into(), kept: false });
    }
    for slot in table {
        if let Some(descriptor) = safe(slot) {
            slot.store(descriptor, Ordering::Relaxed);
        }
    }
    frame.set_validated();
    Ok(())
}

/// Gives back a descriptor table's references.
pub(crate) fn put_descriptor_page(mfn: Mfn) {
    if let Some(frame) = frame_table::ram(mfn) {
        // Keep the type with a zero count: the next user of another kind flushes, a GDT again need not be checked.
        frame.put_type(flush::clock());
        put_page(mfn, frame);
    }
}
