// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pages a domain owns: their list, their number, the limit; allocation and release.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::ids::DomId;

use crate::budget::{Budget, Preempted};
use crate::domain::{Domain, end, table};
use crate::mm::page_type::Frame;
use crate::mm::{frame_table, m2p, map};

/// Pages of one domain, a list threaded through the frame table (0 ends it).
#[derive(Debug)]
pub(crate) struct Memory {
    head: u32,
    /// Pages whose allocation a dying domain gave up while somebody still used them; another list like `head`'s.
    given_up: u32,
    /// Hypervisor pages that it may map (shared_info, grant frames) and that are not free yet.
    pub(crate) shared_pages: u64,
    /// It gets no more pages.
    is_closed: bool,
    /// Pages owned now.
    pub(crate) tot_pages: u64,
    /// Pages it may own.
    pub(crate) max_pages: u64,
    /// Free pages that are set aside for it (`XENMEM_claim_pages`); part of [`CLAIMED`].
    pub(crate) claimed: u64,
    /// Pages on `head`'s list that were taken from it (`Frame::steal`) and are to be freed.
    leaving: Vec<Mfn>,
}

/// Free pages that no domain gets.
const RESERVE: u64 = 512;

/// Free pages set aside for domains, all together.
static CLAIMED: AtomicU64 = AtomicU64::new(0);

impl Memory {
    /// No pages but so many of the hypervisor's.
    pub(crate) fn new(shared_pages: u64) -> Self {
        Self {
            head: 0,
            given_up: 0,
            shared_pages,
            is_closed: false,
            tot_pages: 0,
            max_pages: u64::from(u32::MAX),
            claimed: 0,
            leaving: Vec::new(),
        }
    }

    fn unlink(&mut self, frame: &Frame) {
        self.take_off(frame);
        self.tot_pages = self.tot_pages.saturating_sub(1);
    }

    fn take_off(&mut self, frame: &Frame) {
        let (next, prev) = (frame.next.load(Ordering::Relaxed), frame.prev.load(Ordering::Relaxed));
        match frame_table::frame(Mfn::new(prev.into())).filter(|_| prev != 0) {
            Some(before) => before.next.store(next, Ordering::Relaxed),
            None if u64::from(self.given_up) == frame_table::mfn_of(frame).raw() => self.given_up = next,
            None => self.head = next,
        }
        if let Some(after) = frame_table::frame(Mfn::new(next.into())).filter(|_| next != 0) {
            after.prev.store(prev, Ordering::Relaxed);
        }
    }

    /// Unused frames become pages of `owner`, whose list this is.
    fn take_in(&mut self, owner: DomId, first: Mfn, order: u32) {
        let count = 1_u64 << order;
        let Some([others @ .., last]) = frame_table::frames(first, count) else { return };
        m2p::set_many(first, count, None);
        let mut before = 0;
        let mut number = first.raw() as u32;
        for frame in others {
            frame.give(owner);
            frame.prev.store(before, Ordering::Relaxed);
            before = number;
            number = number.wrapping_add(1);
            frame.next.store(number, Ordering::Relaxed);
        }
        last.give(owner);
        last.prev.store(before, Ordering::Relaxed);
        last.next.store(self.head, Ordering::Relaxed);
        if let Some(old) = frame_table::frame(Mfn::new(self.head.into())).filter(|_| self.head != 0) {
            old.prev.store(number, Ordering::Relaxed);
        }
        self.head = first.raw() as u32;
        self.tot_pages += count;
    }

    /// A page that was not given up yet.
    pub(crate) fn first(&self) -> Option<Mfn> {
        (self.head != 0).then(|| Mfn::new(self.head.into()))
    }

    /// Nothing is left that somebody could still use.
    pub(crate) fn is_empty(&self) -> bool {
        self.tot_pages == 0 && self.shared_pages == 0
    }
}

/// The last of a list, which keeps no room once it is empty.
fn pop(list: &mut Vec<Mfn>) -> Option<Mfn> {
    let last = list.pop();
    if list.is_empty() {
        *list = Vec::new();
    }
    last
}

/// Puts a page in front of a list.
fn push(head: &mut u32, mfn: Mfn, frame: &Frame) {
    frame.prev.store(0, Ordering::Relaxed);
    frame.next.store(*head, Ordering::Relaxed);
    if let Some(second) = frame_table::frame(Mfn::new((*head).into())).filter(|_| *head != 0) {
        second.prev.store(mfn.raw() as u32, Ordering::Relaxed);
    }
    *head = mfn.raw() as u32;
}

impl Domain {
    /// Allocates 2^order zeroed frames for this domain below `limit` machine frames, within its own limit.
    pub(crate) fn alloc_pages(
        &self,
        order: u32,
        limit: Option<Mfn>,
        budget: &mut Budget,
    ) -> Result<Option<Mfn>, Preempted> {
        {
            let memory = self.memory.lock();
            let others = claimed().saturating_sub(memory.claimed);
            if memory.tot_pages.saturating_add(1 << order) > memory.max_pages
                || available() < others.saturating_add(1 << order)
            {
                return Ok(None);
            }
        }
        // The caller accounts for a single page.
        let first = match order {
            0 => frame_table::alloc_zeroed_page(limit),
            _ => frame_table::alloc_zeroed_within(order, limit, budget)?,
        };
        let Some(first) = first else { return Ok(None) };
        let mut memory = self.memory.lock();
        // Once more: others may have been given pages meanwhile.
        if memory.is_closed || memory.tot_pages.saturating_add(1 << order) > memory.max_pages {
            drop(memory);
            frame_table::free_zeroed(first, order);
            return Ok(None);
        }
        memory.take_in(self.id, first, order);
        let used = memory.claimed.min(1 << order);
        memory.claimed -= used;
        CLAIMED.fetch_sub(used, Ordering::Relaxed);
        Ok(Some(first))
    }

    /// Sets free memory aside so that this domain can grow to `pages`; 0 gives up what is left of it. EINVAL: it is dying, has a
    /// claim, or as many pages, or may not have them. ENOMEM.
    pub(crate) fn claim_pages(&self, pages: u64) -> Result<(), Errno> {
        let free = available();
        let mut memory = self.memory.lock();
        if pages == 0 {
            CLAIMED.fetch_sub(core::mem::take(&mut memory.claimed), Ordering::Relaxed);
            return Ok(());
        }
        if memory.is_closed || memory.claimed != 0 || pages <= memory.tot_pages || pages > memory.max_pages {
            return Err(Errno::EINVAL);
        }
        let missing = pages - memory.tot_pages;
        let claim = |all: u64| (missing <= free.saturating_sub(all)).then(|| all.saturating_add(missing));
        CLAIMED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim).map_err(|_| Errno::ENOMEM)?;
        memory.claimed = missing;
        Ok(())
    }

    /// Ends the allocation of a page: it is free when the last mapping or other use of it goes, perhaps now. EINVAL: not
    /// a page of this domain.
    pub(crate) fn release_page(&self, mfn: Mfn) -> Result<(), Errno> {
        let page = PageRef::get(mfn, self.id).ok_or(Errno::EINVAL)?;
        if page.frame.clear_allocated() {
            put_page(mfn, page.frame);
        }
        Ok(())
    }

    /// Takes over the allocation's reference of a page that nothing uses; [`Self::leave`] or [`put_page`] then frees it, and
    /// [`Self::keep_page`] undoes it. EINVAL: not a page of this domain, or in use.
    pub(crate) fn steal_page(&self, mfn: Mfn) -> Result<(), Errno> {
        let frame = frame_table::ram(mfn).ok_or(Errno::EINVAL)?;
        if frame.steal(self.id) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Undoes [`Self::steal_page`].
    pub(crate) fn keep_page(mfn: Mfn) {
        if let Some(frame) = frame_table::ram(mfn) {
            frame.set_allocated();
        }
    }

    /// Pages taken by [`Self::steal_page`] are to be freed by [`Self::free_leaving`]: more than can be done at once.
    pub(crate) fn leave(&self, stolen: &mut Vec<Mfn>) {
        self.memory.lock().leaving.append(stolen);
    }

    /// Frees pages that were given to [`Self::leave`] as long as the budget lasts, a page for `cost`.
    pub(crate) fn free_leaving(&self, cost: u32, budget: &mut Budget) -> Result<(), Preempted> {
        loop {
            // Its memory goes with the last of them.
            let Some(mfn) = pop(&mut self.memory.lock().leaving) else { return Ok(()) };
            if let Some(frame) = frame_table::ram(mfn) {
                put_page(mfn, frame);
            }
            budget.spend(cost)?;
        }
    }

    /// The domain gets no more pages, and gives up its claim: it is dying.
    pub(crate) fn close_memory(&self) {
        let mut memory = self.memory.lock();
        memory.is_closed = true;
        CLAIMED.fetch_sub(core::mem::take(&mut memory.claimed), Ordering::Relaxed);
    }

    /// Ends the allocation of a page of a dying domain that is the first of its list: off the list it goes, and is free when
    /// nothing refers to it any more.
    pub(crate) fn give_up_page(&self, page: PageRef) {
        {
            let mut memory = self.memory.lock();
            memory.take_off(page.frame);
            push(&mut memory.given_up, page.mfn, page.frame);
        }
        if page.frame.clear_allocated() {
            put_page(page.mfn, page.frame);
        }
    }

    /// As [`alloc_shared`], for a domain that is in the table.
    pub(crate) fn alloc_shared(&self) -> Option<Mfn> {
        {
            let mut memory = self.memory.lock();
            if memory.is_closed || available() == 0 {
                return None;
            }
            memory.shared_pages += 1;
        }
        let page = alloc_shared(self.id);
        if page.is_none() {
            self.memory.lock().shared_pages -= 1;
        }
        page
    }

    /// Gives unused frames to this domain. `false`: it is dying and takes none.
    #[must_use]
    pub(crate) fn assign_pages(&self, first: Mfn, order: u32) -> bool {
        let mut memory = self.memory.lock();
        if memory.is_closed {
            return false;
        }
        memory.take_in(self.id, first, order);
        true
    }

    /// Takes a frame off the list, its allocation reference having become the caller's (`Frame::steal`).
    pub(crate) fn forget_page(&self, frame: &Frame) {
        self.memory.lock().unlink(frame);
    }
}

/// Free pages that domains may get. The last ones are the hypervisor's own: its heap cannot refuse.
pub(crate) fn available() -> u64 {
    frame_table::free_frames().saturating_sub(RESERVE)
}

/// Free pages that are set aside for domains.
pub(crate) fn claimed() -> u64 {
    CLAIMED.load(Ordering::Relaxed)
}

/// A hypervisor page that a domain may map: shared_info, grant frames. Zeroed. The domain that is made with it counts it
/// (`Memory::shared_pages`). Freed by [`free_shared`], or [`free_unseen`] before the domain is in the table.
pub(crate) fn alloc_shared(owner: DomId) -> Option<Mfn> {
    let mfn = frame_table::alloc_zeroed(0, None)?;
    frame_table::frame(mfn)?.give_shared(owner);
    m2p::clear(mfn);
    Some(mfn)
}

/// Drops the hypervisor's own use of a page from [`alloc_shared`]; it is freed when the last mapping goes.
pub(crate) fn free_shared(mfn: Mfn) {
    if let Some(frame) = frame_table::frame(mfn) {
        frame.put_type(crate::mm::flush::clock());
        put_page(mfn, frame);
    }
}

/// Frees a page from [`alloc_shared`] of a domain that nobody has ever seen.
pub(crate) fn free_unseen(mfn: Mfn) {
    frame_table::free(mfn, 0);
}

/// Drops a general reference, and frees the page with the last one. Is it free?
#[inline(always)]
pub(crate) fn put_page(mfn: Mfn, frame: &'static Frame) -> bool {
    let is_last = frame.put();
    if is_last {
        free_page(mfn, frame);
    }
    is_last
}

#[cold]
#[inline(never)]
fn free_page(mfn: Mfn, frame: &'static Frame) {
    m2p::clear(mfn);
    let Some(owner) = frame.owner().and_then(table::find) else { return frame_table::free(mfn, 0) };
    let is_left_empty = {
        let mut memory = owner.memory.lock();
        if frame.is_shared() {
            memory.shared_pages = memory.shared_pages.saturating_sub(1);
        } else {
            memory.unlink(frame);
        }
        memory.is_closed && memory.is_empty()
    };
    // Whoever still looks at a dying domain may look at this page too: it goes with the domain.
    if mfn != owner.shared_info {
        frame_table::free(mfn, 0);
    }
    if is_left_empty {
        end::look_soon();
    }
}

/// A frame held by a general reference; dropping it gives the reference back.
#[derive(Debug)]
pub(crate) struct PageRef {
    mfn: Mfn,
    frame: &'static Frame,
}

impl PageRef {
    /// Takes a reference if `owner` owns the frame.
    #[inline(always)]
    pub(crate) fn get(mfn: Mfn, owner: DomId) -> Option<Self> {
        let frame = frame_table::ram(mfn)?;
        frame.get(owner).then_some(Self { mfn, frame })
    }

    /// Number of the frame.
    pub(crate) fn mfn(&self) -> Mfn {
        self.mfn
    }

    /// Record of the frame.
    pub(crate) fn frame(&self) -> &'static Frame {
        self.frame
    }

    /// The reference is now held by something that is not a Rust value (a page-table entry).
    pub(crate) fn into_entry(self) -> Mfn {
        let mfn = self.mfn;
        core::mem::forget(self);
        mfn
    }
}

impl Drop for PageRef {
    #[inline(always)]
    fn drop(&mut self) {
        put_page(self.mfn, self.frame);
    }
}

/// A frame held by a general and a writable type reference: we may write it, and no guest can turn it into a table.
#[derive(Debug)]
pub(crate) struct WritableRef {
    page: PageRef,
}

impl WritableRef {
    /// Takes both references if `owner` owns the frame and it is not in use as a table.
    #[inline(always)]
    pub(crate) fn get(mfn: Mfn, owner: DomId) -> Option<Self> {
        Self::upgrade(PageRef::get(mfn, owner)?)
    }

    /// Adds the writable reference to a general one; drops it if the frame is in use as a table.
    #[inline(always)]
    pub(crate) fn upgrade(page: PageRef) -> Option<Self> {
        crate::mm::type_ref::get_writable(page.frame()).ok()?;
        Some(Self { page })
    }

    /// Number of the frame.
    pub(crate) fn mfn(&self) -> Mfn {
        self.page.mfn
    }

    /// Both references are now held by something that is not a Rust value.
    pub(crate) fn into_entry(self) -> Mfn {
        let mfn = self.page.mfn;
        core::mem::forget(self);
        mfn
    }

    /// The page's 64-bit words.
    pub(crate) fn words(&self) -> &'static map::Words {
        map::words(self.page.mfn)
    }
}

impl Drop for WritableRef {
    #[inline(always)]
    fn drop(&mut self) {
        self.page.frame.put_type(crate::mm::flush::clock());
    }
}

/// Records which guest frame a machine frame is.
pub(crate) fn set_m2p(mfn: Mfn, pfn: Pfn) {
    m2p::set(mfn, pfn);
}
