// SPDX-License-Identifier: MIT OR Apache-2.0
//! The record of one machine frame: who owns it, how often it is used, and as what.
//!
//! A frame has one type at a time while its type count is not zero: a table of some level, a descriptor table, or
//! writable data. Hence no frame is ever writable by a guest and a page table at once. Both counts live in single
//! atomic words; promotions and demotions of tables additionally happen under the owner's MMU lock (`pv/promote.rs`).
//!
//! A table whose entries hold references only up to some index is *partial*: promotion or demotion was preempted. It
//! keeps one type reference and one general reference until somebody finishes the work, in either direction.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use hypercalls::ids::DomId;

/// What a frame is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageType {
    /// Nothing yet.
    None,
    /// Page table, level 1 to 4.
    Table(Level),
    /// Guest GDT or LDT.
    SegDesc,
    /// Mapped writable by a guest, or written by us for it.
    Writable,
}

/// Level of a page table, 1 (maps pages) to 4 (CR3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Page table.
    L1 = 1,
    /// Page directory.
    L2 = 2,
    /// Page-directory-pointer table.
    L3 = 3,
    /// PML4.
    L4 = 4,
}

impl Level {
    /// From its number.
    #[inline(always)]
    pub(crate) fn new(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::L1,
            2 => Self::L2,
            3 => Self::L3,
            4 => Self::L4,
            _ => return None,
        })
    }

    /// The level that entries of this one point at; `None` for L1.
    #[inline(always)]
    pub(crate) fn below(self) -> Option<Self> {
        Self::new(self as u64 - 1)
    }
}

impl PageType {
    const fn code(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Table(level) => level as u64,
            Self::SegDesc => 5,
            Self::Writable => 6,
        }
    }

    fn from_code(code: u64) -> Self {
        match code {
            0 => Self::None,
            5 => Self::SegDesc,
            6 => Self::Writable,
            level => Level::new(level).map_or(Self::None, Self::Table),
        }
    }
}

const COUNT: u64 = 0xffff_ffff;
const TYPE_SHIFT: u32 = 60;
const PINNED: u64 = 1 << 59;
/// All of it, in a frame that is free: its memory is full of zeros.
const CLEAN: u64 = 1;
const VALIDATED: u64 = 1 << 58;
const PARTIAL: u64 = 1 << 57;
/// Of a partial table: an entry of a table above still stands for its references.
const HELD: u64 = 1 << 56;

const ALLOCATED: u64 = 1 << 63;
const RAM: u64 = 1 << 62;
const FREE: u64 = 1 << 61;
const SHARED: u64 = 1 << 60;
/// Owner + 1, or 0 for nobody, stands beside the count: a reference is taken of this owner's frame or not at all.
const OWNER_SHIFT: u32 = 32;
const OWNER: u64 = 0xffff << OWNER_SHIFT;

#[inline(always)]
fn owner_bits(owner: DomId) -> u64 {
    (u64::from(owner.raw()) + 1) << OWNER_SHIFT & OWNER
}

/// Refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TypeError {
    /// The frame is in use as something else.
    InUse,
    /// A count would overflow.
    Overflow,
}

/// How an attempt to take a type reference went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The reference is held and the contents are known good.
    Ready,
    /// The reference is held; the frame was something else before (given): flush stale mappings, then validate.
    Retyped(PageType),
    /// A partial table of this very type: nothing was taken; finish it first.
    Partial,
    /// Another CPU is between `Retyped` and `set_validated`; nothing was taken: try again.
    InFlight,
}

/// One frame.
#[derive(Debug)]
#[repr(C, align(32))]
pub(crate) struct Frame {
    count: AtomicU64,
    type_info: AtomicU64,
    /// Partial tables: entries below this index hold references.
    partial: AtomicU16,
    /// TLB clock when the last type reference was dropped.
    stamp: AtomicU32,
    /// Links of a free block, or of the owner's page list.
    pub(crate) next: AtomicU32,
    pub(crate) prev: AtomicU32,
}

const _: () = assert!(size_of::<Frame>() == 32);

impl Frame {
    /// A record as the zeroed frame table has it: no RAM here.
    #[cfg(test)]
    pub(crate) const fn new() -> Self {
        Self {
            count: AtomicU64::new(0),
            type_info: AtomicU64::new(0),
            partial: AtomicU16::new(0),
            stamp: AtomicU32::new(0),
            next: AtomicU32::new(0),
            prev: AtomicU32::new(0),
        }
    }

    // ---- existence ----

    /// Declares memory under this frame number, at boot.
    pub(crate) fn set_ram(&self) {
        self.count.store(RAM, Ordering::Relaxed);
    }

    /// Is there memory that the hypervisor manages (as opposed to a device, a hole or firmware)?
    pub(crate) fn is_ram(&self) -> bool {
        self.count.load(Ordering::Relaxed) & RAM != 0
    }

    /// Order of the free block that starts here (`mm/buddy.rs`).
    pub(super) fn free_order(&self) -> Option<u32> {
        let count = self.count.load(Ordering::Relaxed);
        (count & FREE != 0).then_some((count & 0xff) as u32)
    }

    /// Stores what [`Self::free_order`] returns.
    pub(super) fn set_free_order(&self, order: Option<u32>) {
        self.count.store(order.map_or(RAM, |order| RAM | FREE | u64::from(order)), Ordering::Relaxed);
    }

    /// Is the free frame full of zeros? [`Self::give`] and [`Self::disown`] say that it is not.
    pub(super) fn is_clean(&self) -> bool {
        self.type_info.load(Ordering::Relaxed) == CLEAN
    }

    /// It is. Only for frames that nobody owns.
    pub(super) fn set_clean(&self) {
        self.type_info.store(CLEAN, Ordering::Relaxed);
    }

    // ---- ownership ----

    /// The owner, if the frame is in use by a domain.
    pub(crate) fn owner(&self) -> Option<DomId> {
        let owner = (self.count.load(Ordering::Relaxed) & OWNER) >> OWNER_SHIFT;
        owner.checked_sub(1).map(|raw| DomId::new(raw as u16))
    }

    /// Gives an unused frame to a domain with one general reference, which stands for the allocation itself.
    pub(crate) fn give(&self, owner: DomId) {
        self.type_info.store(0, Ordering::Relaxed);
        self.count.store(RAM | ALLOCATED | owner_bits(owner) | 1, Ordering::Release);
    }

    /// Gives an unused frame to a domain as hypervisor memory that it may map: one general and one writable reference
    /// are ours for good, so it can neither be released by the guest nor become a table.
    pub(crate) fn give_shared(&self, owner: DomId) {
        self.type_info.store(PageType::Writable.code() << TYPE_SHIFT | VALIDATED | 1, Ordering::Relaxed);
        self.count.store(RAM | SHARED | owner_bits(owner) | 1, Ordering::Release);
    }

    /// Is it hypervisor memory that a domain may map (not on the owner's list of pages)?
    pub(crate) fn is_shared(&self) -> bool {
        self.count.load(Ordering::Relaxed) & SHARED != 0
    }

    /// Ends the allocation: `true` if it was allocated; the caller then drops the reference that stood for it.
    pub(crate) fn clear_allocated(&self) -> bool {
        self.count.fetch_and(!ALLOCATED, Ordering::AcqRel) & ALLOCATED != 0
    }

    /// Undoes [`Self::steal`].
    pub(crate) fn set_allocated(&self) {
        self.count.fetch_or(ALLOCATED, Ordering::AcqRel);
    }

    /// Is the frame an ordinary page of its owner (not shared hypervisor memory)?
    pub(crate) fn is_allocated(&self) -> bool {
        self.count.load(Ordering::Relaxed) & ALLOCATED != 0
    }

    /// Takes it from its owner for another use if exactly the allocation's reference and no typed use exists.
    pub(crate) fn steal(&self, owner: DomId) -> bool {
        if self.type_info.load(Ordering::Acquire) & COUNT != 0 {
            return false;
        }
        let left = RAM | owner_bits(owner) | 1;
        self.count.compare_exchange(left | ALLOCATED, left, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Nobody owns it any more; the last reference is gone.
    pub(super) fn disown(&self) {
        self.type_info.store(0, Ordering::Relaxed);
        self.count.store(RAM, Ordering::Relaxed);
    }

    // ---- general references ----

    /// Does `owner` own the frame now? Without a reference of it, or its MMU lock if it is a table, that may change at once.
    #[inline(always)]
    pub(crate) fn is_owned_by(&self, owner: DomId) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        count & COUNT != 0 && count & (FREE | OWNER) == owner_bits(owner)
    }

    /// Takes a general reference if `owner` owns the frame.
    #[inline(always)]
    pub(crate) fn get(&self, owner: DomId) -> bool {
        let mut count = self.count.load(Ordering::Relaxed);
        loop {
            // Neither none, for then it is free, nor as many as can be counted.
            if (count as u32).wrapping_add(1) <= 1 || count & (FREE | OWNER) != owner_bits(owner) {
                return false;
            }
            match self.count.compare_exchange_weak(count, count + 1, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => count = now,
            }
        }
    }

    /// Drops a general reference; `true` when it was the last and the frame must be freed.
    #[inline(always)]
    #[must_use]
    pub(crate) fn put(&self) -> bool {
        let before = self.count.fetch_sub(1, Ordering::Release);
        debug_assert!(before & COUNT != 0, "general reference dropped twice");
        if before & COUNT == 1 {
            core::sync::atomic::fence(Ordering::Acquire);
            return true;
        }
        false
    }

    /// General references held.
    pub(crate) fn references(&self) -> u64 {
        self.count.load(Ordering::Relaxed) & COUNT
    }

    // ---- type references ----

    /// Current type, even if no reference of it is held.
    pub(crate) fn page_type(&self) -> PageType {
        PageType::from_code(self.type_info.load(Ordering::Relaxed) >> TYPE_SHIFT)
    }

    /// Type references held.
    pub(crate) fn type_references(&self) -> u64 {
        self.type_info.load(Ordering::Relaxed) & COUNT
    }

    /// Is the frame in use as `wanted` now?
    #[inline]
    pub(crate) fn is_used_as(&self, wanted: PageType) -> bool {
        let info = self.type_info.load(Ordering::Acquire);
        info >> TYPE_SHIFT == wanted.code() && info & COUNT != 0
    }

    /// The level of the valid table that this frame is now, if it is one. Under the owner's MMU lock it stays one.
    #[inline(always)]
    pub(crate) fn live_table(&self) -> Option<Level> {
        let info = self.type_info.load(Ordering::Acquire);
        if info & (VALIDATED | PARTIAL) != VALIDATED || info & COUNT == 0 {
            return None;
        }
        Level::new(info >> TYPE_SHIFT)
    }

    /// Takes a writable type reference of a frame that has been writable data last, which most have: the short way of
    /// [`Self::get_type`]. `false`: nothing was taken, go the long way.
    #[inline(always)]
    pub(crate) fn try_get_writable(&self) -> bool {
        const READY: u64 = PageType::Writable.code() << TYPE_SHIFT | VALIDATED;
        let info = self.type_info.load(Ordering::Acquire);
        info & !COUNT == READY
            && info & COUNT != COUNT
            && self.type_info.compare_exchange(info, info + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Takes a type reference. Tables and descriptor tables: under the owner's MMU lock.
    #[inline]
    pub(crate) fn get_type(&self, wanted: PageType) -> Result<Taken, TypeError> {
        let mut info = self.type_info.load(Ordering::Acquire);
        loop {
            let same = info >> TYPE_SHIFT == wanted.code();
            let (new, result) = if info & COUNT == 0 {
                if same && info & VALIDATED != 0 {
                    (info + 1, Taken::Ready)
                } else {
                    let old = PageType::from_code(info >> TYPE_SHIFT);
                    (wanted.code() << TYPE_SHIFT | 1, Taken::Retyped(old))
                }
            } else if !same {
                return Err(TypeError::InUse);
            } else if info & PARTIAL != 0 {
                return Ok(Taken::Partial);
            } else if info & VALIDATED == 0 {
                return Ok(Taken::InFlight);
            } else if info & COUNT == COUNT {
                return Err(TypeError::Overflow);
            } else {
                (info + 1, Taken::Ready)
            };
            match self.type_info.compare_exchange_weak(info, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(result),
                Err(now) => info = now,
            }
        }
    }

    /// The contents are good: others may use the frame as its type from now on.
    pub(crate) fn set_validated(&self) {
        self.type_info.fetch_or(VALIDATED, Ordering::Release);
    }

    /// Drops a type reference of a frame that needs no demotion (writable data, or not the last reference of a table).
    /// `clock` is the TLB clock.
    #[inline(always)]
    pub(crate) fn put_type(&self, clock: u32) {
        // The stamp is written while the reference is still held: whoever sees the count at zero sees the stamp.
        self.stamp.store(clock, Ordering::Relaxed);
        let before = self.type_info.fetch_sub(1, Ordering::AcqRel);
        debug_assert!(before & COUNT != 0, "type reference dropped twice");
    }

    /// Is this the only type reference?
    pub(crate) fn is_last_type_reference(&self) -> bool {
        self.type_info.load(Ordering::Acquire) & COUNT == 1
    }

    /// The table is going away: not valid, entries below `index` still hold references.
    pub(crate) fn set_partial(&self, index: u16) {
        self.partial.store(index, Ordering::Relaxed);
        let mut info = self.type_info.load(Ordering::Relaxed);
        while let Err(now) =
            self.type_info.compare_exchange_weak(info, info & !VALIDATED | PARTIAL, Ordering::AcqRel, Ordering::Relaxed)
        {
            info = now;
        }
    }

    /// A table above that became partial too keeps the references of this partial one: only by way of it is this one finished.
    pub(crate) fn set_held(&self) {
        let mut info = self.type_info.load(Ordering::Relaxed);
        while info & PARTIAL != 0
            && let Err(now) =
                self.type_info.compare_exchange_weak(info, info | HELD, Ordering::AcqRel, Ordering::Relaxed)
        {
            info = now;
        }
    }

    /// Does a table above keep the references of this partial one?
    pub(crate) fn is_held(&self) -> bool {
        self.type_info.load(Ordering::Acquire) & HELD != 0
    }

    /// The index of a partial table.
    pub(crate) fn partial(&self) -> Option<u16> {
        (self.type_info.load(Ordering::Acquire) & PARTIAL != 0).then(|| self.partial.load(Ordering::Relaxed))
    }

    /// Ends the partial state with all entries holding references.
    pub(crate) fn complete(&self) {
        let mut info = self.type_info.load(Ordering::Relaxed);
        while let Err(now) = self.type_info.compare_exchange_weak(
            info,
            info & !(PARTIAL | HELD) | VALIDATED,
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            info = now;
        }
    }

    /// Drops the last type reference of a demoted table: no entry holds a reference any more.
    pub(crate) fn clear_type(&self, clock: u32) {
        self.stamp.store(clock, Ordering::Relaxed);
        let info = self.type_info.load(Ordering::Relaxed);
        debug_assert!(info & COUNT == 1, "demoted a table that is in use");
        // The old type stays visible with a zero count, so that the next user flushes for it.
        self.type_info.store(info & (0xf << TYPE_SHIFT), Ordering::Release);
    }

    /// TLB clock at which the last type reference was dropped.
    pub(crate) fn stamp(&self) -> u32 {
        self.stamp.load(Ordering::Relaxed)
    }

    /// Notes that translations of this frame may be cached up to now.
    pub(crate) fn set_stamp(&self, clock: u32) {
        self.stamp.store(clock, Ordering::Relaxed);
    }

    // ---- pins ----

    /// Sets the pinned flag; `false` if it was set. Under the owner's MMU lock.
    pub(crate) fn set_pinned(&self) -> bool {
        self.type_info.fetch_or(PINNED, Ordering::AcqRel) & PINNED == 0
    }

    /// Clears the pinned flag; `false` if it was clear. Under the owner's MMU lock.
    pub(crate) fn clear_pinned(&self) -> bool {
        self.type_info.fetch_and(!PINNED, Ordering::AcqRel) & PINNED != 0
    }

    /// Is the frame pinned?
    pub(crate) fn is_pinned(&self) -> bool {
        self.type_info.load(Ordering::Acquire) & PINNED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        let frame = Frame::new();
        frame.set_ram();
        frame.give(DomId::new(0));
        frame
    }

    #[test]
    fn a_frame_is_clean_until_somebody_gets_it() {
        let frame = Frame::new();
        frame.set_ram();
        assert!(!frame.is_clean(), "nobody knows what is in memory at boot");
        frame.set_clean();
        frame.set_free_order(Some(3));
        frame.set_free_order(None);
        assert!(frame.is_clean(), "taken out of the allocator and put back");
        frame.give(DomId::new(0));
        frame.disown();
        assert!(!frame.is_clean());
    }

    #[test]
    fn writable_excludes_tables() {
        let frame = frame();
        assert_eq!(frame.get_type(PageType::Writable), Ok(Taken::Retyped(PageType::None)));
        frame.set_validated();
        assert_eq!(frame.get_type(PageType::Writable), Ok(Taken::Ready));
        assert_eq!(frame.get_type(PageType::Table(Level::L1)), Err(TypeError::InUse));
        frame.put_type(1);
        frame.put_type(2);
        assert_eq!(frame.get_type(PageType::Table(Level::L1)), Ok(Taken::Retyped(PageType::Writable)));
        assert_eq!(frame.get_type(PageType::Table(Level::L1)), Ok(Taken::InFlight));
        assert_eq!(frame.get_type(PageType::Writable), Err(TypeError::InUse));
        assert_eq!(frame.stamp(), 2);
    }

    #[test]
    fn partial_tables_are_finished_before_use() {
        let frame = frame();
        let l2 = PageType::Table(Level::L2);
        assert!(matches!(frame.get_type(l2), Ok(Taken::Retyped(_))));
        frame.set_partial(7);
        assert_eq!(frame.get_type(l2), Ok(Taken::Partial));
        assert_eq!(frame.partial(), Some(7));
        frame.complete();
        assert_eq!(frame.get_type(l2), Ok(Taken::Ready));
        assert_eq!(frame.type_references(), 2);
    }

    #[test]
    fn held_is_a_state_of_partial_tables() {
        let frame = frame();
        frame.set_held();
        assert!(!frame.is_held());
        assert!(matches!(frame.get_type(PageType::Table(Level::L1)), Ok(Taken::Retyped(_))));
        frame.set_partial(3);
        frame.set_held();
        assert!(frame.is_held());
        frame.complete();
        assert!(!frame.is_held());
        frame.set_partial(3);
        frame.set_held();
        frame.clear_type(1);
        assert!(!frame.is_held());
    }

    #[test]
    fn the_highest_owner_fits() {
        let frame = Frame::new();
        frame.set_ram();
        let highest = DomId::new(0xfffe);
        frame.give(highest);
        assert_eq!(frame.owner(), Some(highest));
        assert!(frame.get(highest));
        assert!(!frame.get(DomId::new(0xfffd)));
        assert_eq!((frame.references(), frame.is_allocated(), frame.is_shared()), (2, true, false));
    }

    #[test]
    fn references_need_the_owner() {
        let frame = frame();
        assert!(frame.get(DomId::new(0)));
        assert!(!frame.get(DomId::new(1)));
        assert_eq!(frame.references(), 2);
        assert!(!frame.put());
        assert!(frame.clear_allocated());
        assert!(frame.put());
        assert!(!frame.get(DomId::new(0)));
    }

    #[test]
    fn only_idle_frames_can_be_stolen() {
        let frame = frame();
        assert!(frame.get(DomId::new(0)));
        assert!(!frame.steal(DomId::new(0)));
        assert!(!frame.put());
        assert!(!frame.steal(DomId::new(3)));
        assert!(frame.steal(DomId::new(0)));
    }

    #[test]
    fn shared_pages_never_become_tables() {
        let frame = Frame::new();
        frame.set_ram();
        frame.give_shared(DomId::new(4));
        assert_eq!(frame.get_type(PageType::Table(Level::L4)), Err(TypeError::InUse));
        assert!(!frame.clear_allocated());
        assert!(frame.get(DomId::new(4)));
    }
}
