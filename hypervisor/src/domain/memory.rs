// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pages a domain owns: their list, their number, the limit; allocation and release.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::ids::DomId;

use crate::domain::{Domain, table};
use crate::mm::page_type::Frame;
use crate::mm::{frame_table, m2p, map};

/// Pages of one domain, a list threaded through the frame table (0 ends it).
#[derive(Debug)]
pub(crate) struct Memory {
    head: u32,
    /// Pages owned now.
    pub(crate) tot_pages: u64,
    /// Pages it may own.
    pub(crate) max_pages: u64,
    /// Free pages that are set aside for it (`XENMEM_claim_pages`); part of [`CLAIMED`].
    pub(crate) claimed: u64,
}

/// Free pages set aside for domains, all together.
static CLAIMED: AtomicU64 = AtomicU64::new(0);

impl Default for Memory {
    fn default() -> Self {
        Self { head: 0, tot_pages: 0, max_pages: u64::from(u32::MAX), claimed: 0 }
    }
}

impl Memory {
    fn link(&mut self, mfn: Mfn, frame: &Frame) {
        frame.prev.store(0, Ordering::Relaxed);
        frame.next.store(self.head, Ordering::Relaxed);
        if let Some(head) = frame_table::frame(Mfn::new(self.head.into())).filter(|_| self.head != 0) {
            head.prev.store(mfn.raw() as u32, Ordering::Relaxed);
        }
        self.head = mfn.raw() as u32;
        self.tot_pages += 1;
    }

    fn unlink(&mut self, frame: &Frame) {
        let (next, prev) = (frame.next.load(Ordering::Relaxed), frame.prev.load(Ordering::Relaxed));
        match frame_table::frame(Mfn::new(prev.into())).filter(|_| prev != 0) {
            Some(before) => before.next.store(next, Ordering::Relaxed),
            None => self.head = next,
        }
        if let Some(after) = frame_table::frame(Mfn::new(next.into())).filter(|_| next != 0) {
            after.prev.store(prev, Ordering::Relaxed);
        }
        self.tot_pages = self.tot_pages.saturating_sub(1);
    }

    /// The first page of the list.
    #[expect(dead_code, reason = "domain destruction comes with the toolstack")]
    pub(crate) fn first(&self) -> Option<Mfn> {
        (self.head != 0).then(|| Mfn::new(self.head.into()))
    }
}

impl Domain {
    /// Allocates 2^order zeroed frames for this domain below `limit` machine frames, within its own limit.
    pub(crate) fn alloc_pages(&self, order: u32, limit: Option<Mfn>) -> Option<Mfn> {
        {
            let memory = self.memory.lock();
            if memory.tot_pages.checked_add(1 << order)? > memory.max_pages {
                return None;
            }
            let others = claimed().saturating_sub(memory.claimed);
            if frame_table::free_frames() < others.saturating_add(1 << order) {
                return None;
            }
        }
        let first = frame_table::alloc_zeroed(order, limit)?;
        self.assign_pages(first, order);
        let mut memory = self.memory.lock();
        let used = memory.claimed.min(1 << order);
        memory.claimed -= used;
        CLAIMED.fetch_sub(used, Ordering::Relaxed);
        Some(first)
    }

    /// Sets free memory aside so that this domain can grow to `pages`; 0 gives up what is left of it. EINVAL: it has a
    /// claim, or as many pages, or may not have them. ENOMEM.
    pub(crate) fn claim_pages(&self, pages: u64) -> Result<(), Errno> {
        let free = frame_table::free_frames();
        let mut memory = self.memory.lock();
        if pages == 0 {
            CLAIMED.fetch_sub(core::mem::take(&mut memory.claimed), Ordering::Relaxed);
            return Ok(());
        }
        if memory.claimed != 0 || pages <= memory.tot_pages || pages > memory.max_pages {
            return Err(Errno::EINVAL);
        }
        let missing = pages - memory.tot_pages;
        if missing > free.saturating_sub(claimed()) {
            return Err(Errno::ENOMEM);
        }
        memory.claimed = missing;
        CLAIMED.fetch_add(missing, Ordering::Relaxed);
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

    /// Takes over the allocation's reference of a page that nothing uses; [`put_page`] then frees it, and
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

    /// Gives unused frames to this domain.
    pub(crate) fn assign_pages(&self, first: Mfn, order: u32) {
        let mut memory = self.memory.lock();
        for number in first.raw()..first.raw() + (1 << order) {
            let mfn = Mfn::new(number);
            if let Some(frame) = frame_table::frame(mfn) {
                m2p::clear(mfn);
                frame.give(self.id);
                memory.link(mfn, frame);
            }
        }
    }

    /// Takes a frame off the list, its allocation reference having become the caller's (`Frame::steal`).
    pub(crate) fn forget_page(&self, frame: &Frame) {
        self.memory.lock().unlink(frame);
    }
}

/// Free pages that are set aside for domains.
pub(crate) fn claimed() -> u64 {
    CLAIMED.load(Ordering::Relaxed)
}

/// A hypervisor page that a domain may map: shared_info, grant frames. Zeroed. Freed by [`free_shared`].
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

/// Drops a general reference, and frees the page with the last one.
#[inline]
pub(crate) fn put_page(mfn: Mfn, frame: &'static Frame) {
    if frame.put() {
        free_page(mfn, frame);
    }
}

#[cold]
fn free_page(mfn: Mfn, frame: &'static Frame) {
    if let Some(owner) = frame.owner().and_then(table::find)
        && !frame.is_shared()
    {
        owner.memory.lock().unlink(frame);
    }
    m2p::clear(mfn);
    frame_table::free(mfn, 0);
}

/// A frame held by a general reference; dropping it gives the reference back.
#[derive(Debug)]
pub(crate) struct PageRef {
    mfn: Mfn,
    frame: &'static Frame,
}

impl PageRef {
    /// Takes a reference if `owner` owns the frame.
    #[inline]
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
    pub(crate) fn get(mfn: Mfn, owner: DomId) -> Option<Self> {
        Self::upgrade(PageRef::get(mfn, owner)?)
    }

    /// Adds the writable reference to a general one; drops it if the frame is in use as a table.
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
    fn drop(&mut self) {
        self.page.frame.put_type(crate::mm::flush::clock());
    }
}

/// Records which guest frame a machine frame is.
pub(crate) fn set_m2p(mfn: Mfn, pfn: Pfn) {
    m2p::set(mfn, pfn);
}
