// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame table: one [`Frame`] for every machine frame below the end of memory, and the allocator over it.
//!
//! Stretches of the frame table that describe no memory at all are backed by one shared page of zeros, so every number
//! below [`max_page`] has a record.
// UNSAFETY: makes references into the mapped frame table.
#![expect(unsafe_code, reason = "the frame table is a mapped array")]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::frame::Mfn;

use crate::budget::{Budget, Preempted};
use crate::mm::buddy::{Buddy, FrameLinks};
use crate::mm::layout::{DIRECT_MAP_START, FRAME_TABLE_START};
use crate::mm::page_type::Frame;
use crate::mm::{flush, map};
use crate::sync::{Rank, SpinLock};

/// What zeroing a page costs in work units.
pub(crate) const ZEROING: u32 = 12;
/// What it costs to give a page to somebody, apart from that.
pub(crate) const GIVING: u32 = 1;

static MAX_PAGE: AtomicU64 = AtomicU64::new(0);
static TOTAL: AtomicU64 = AtomicU64::new(0);
static BUDDY: SpinLock<Buddy> = SpinLock::new(Rank::FrameAllocator, Buddy::new());
/// What is free, for those who only look.
static FREE: AtomicU64 = AtomicU64::new(0);

/// One more than the highest frame number with a record.
pub(crate) fn max_page() -> u64 {
    MAX_PAGE.load(Ordering::Relaxed)
}

/// Frames of memory that the hypervisor manages, free or not.
pub(crate) fn total_frames() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

/// The table exists for frames below `max_page`: `boot/memory.rs` has just mapped and zeroed it.
pub(crate) fn init(max_page: u64) {
    MAX_PAGE.store(max_page, Ordering::Release);
}

/// The record of a frame, whether there is memory or not.
#[inline]
pub(crate) fn frame(mfn: Mfn) -> Option<&'static Frame> {
    if mfn.raw() >= max_page() {
        return None;
    }
    // SAFETY: `init` promised records for every number below `max_page`; all fields are atomics.
    Some(unsafe { &*(FRAME_TABLE_START as *const Frame).add(mfn.raw() as usize) })
}

/// The records of frames that follow each other.
pub(crate) fn frames(first: Mfn, count: u64) -> Option<&'static [Frame]> {
    let start = frame(first)?;
    if count > max_page() - first.raw() {
        return None;
    }
    // SAFETY: `init` promised records for every number below `max_page`, and these are; all fields are atomics.
    Some(unsafe { core::slice::from_raw_parts(start, count as usize) })
}

/// The record of a frame that holds memory; `None` for devices, firmware and holes.
#[inline]
pub(crate) fn ram(mfn: Mfn) -> Option<&'static Frame> {
    frame(mfn).filter(|frame| frame.is_ram())
}

/// The number of a frame record.
#[inline]
pub(crate) fn mfn_of(frame: &Frame) -> Mfn {
    Mfn::new((core::ptr::from_ref(frame) as u64 - FRAME_TABLE_START) / size_of::<Frame>() as u64)
}

struct Links;

impl Links {
    fn frame(mfn: u64) -> &'static Frame {
        frame(Mfn::new(mfn)).expect("the allocator only touches frames it was given")
    }
}

impl FrameLinks for Links {
    fn next(&self, mfn: u64) -> u64 {
        Self::frame(mfn).next.load(Ordering::Relaxed).into()
    }
    fn set_next(&mut self, mfn: u64, next: u64) {
        Self::frame(mfn).next.store(next as u32, Ordering::Relaxed);
    }
    fn prev(&self, mfn: u64) -> u64 {
        Self::frame(mfn).prev.load(Ordering::Relaxed).into()
    }
    fn set_prev(&mut self, mfn: u64, prev: u64) {
        Self::frame(mfn).prev.store(prev as u32, Ordering::Relaxed);
    }
    fn free_order(&self, mfn: u64) -> Option<u32> {
        frame(Mfn::new(mfn)).and_then(Frame::free_order)
    }
    fn set_free_order(&mut self, mfn: u64, order: Option<u32>) {
        Self::frame(mfn).set_free_order(order);
    }
}

/// Hands a range of frames to the allocator, at boot.
pub(crate) fn add_memory(start: Mfn, end: Mfn) {
    for number in start.raw()..end.raw() {
        Links::frame(number).set_ram();
    }
    TOTAL.fetch_add(end.raw() - start.raw(), Ordering::Relaxed);
    with_buddy(|buddy| buddy.add_range(&mut Links, start.raw(), end.raw()));
}

/// Declares memory that is managed but in use (the image, the tables, modules), at boot. It has no owner, so nobody can map it.
pub(crate) fn add_reserved(start: Mfn, end: Mfn) {
    for number in start.raw()..end.raw() {
        Links::frame(number).set_ram();
    }
    TOTAL.fetch_add(end.raw() - start.raw(), Ordering::Relaxed);
}

/// Frames free now.
pub(crate) fn free_frames() -> u64 {
    FREE.load(Ordering::Relaxed)
}

/// Changes what is free, and notes how much that is.
#[inline]
fn with_buddy<T>(act: impl FnOnce(&mut Buddy) -> T) -> T {
    let mut buddy = BUDDY.lock();
    let done = act(&mut buddy);
    FREE.store(buddy.free_frames(), Ordering::Relaxed);
    done
}

/// Takes 2^order frames from the allocator, aligned to their size, below `limit` if given; the first of them. No CPU has stale
/// translations of them when this returns.
fn take_out(order: u32, limit: Option<Mfn>) -> Option<(Mfn, &'static [Frame])> {
    let mfn = Mfn::new(with_buddy(|buddy| buddy.alloc(&mut Links, order, limit.map(Mfn::raw)))?);
    let block = frames(mfn, 1 << order)?;
    let mut newest = block.first()?.stamp();
    for frame in block {
        frame.set_free_order(None);
        let stamp = frame.stamp();
        if stamp.wrapping_sub(newest) < 1 << 31 {
            newest = stamp;
        }
    }
    flush::everyone_since(newest);
    Some((mfn, block))
}

/// Allocates 2^order frames, aligned to their size, below `limit` if given. Contents are whatever they were; no CPU has
/// stale translations of them when this returns.
pub(crate) fn alloc(order: u32, limit: Option<Mfn>) -> Option<Mfn> {
    take_out(order, limit).map(|(mfn, _)| mfn)
}

/// Allocates frames and fills them with zeros.
pub(crate) fn alloc_zeroed(order: u32, limit: Option<Mfn>) -> Option<Mfn> {
    alloc_zeroed_within(order, limit, &mut Budget::unlimited()).unwrap_or_default()
}

/// Allocates one frame and fills it with zeros.
pub(crate) fn alloc_zeroed_page(limit: Option<Mfn>) -> Option<Mfn> {
    let number = with_buddy(|buddy| buddy.alloc(&mut Links, 0, limit.map(Mfn::raw)))?;
    let frame = Links::frame(number);
    frame.set_free_order(None);
    flush::everyone_since(frame.stamp());
    if !frame.is_clean() {
        map::zero(Mfn::new(number));
    }
    Some(Mfn::new(number))
}

/// Allocates frames and fills them with zeros as long as `budget` lasts. When it ends the frames are free again, but those that are full of
/// zeros by then are known to be, and another try has that much less to do.
pub(crate) fn alloc_zeroed_within(
    order: u32,
    limit: Option<Mfn>,
    budget: &mut Budget,
) -> Result<Option<Mfn>, Preempted> {
    let Some((first, block)) = take_out(order, limit) else { return Ok(None) };
    for (number, frame) in (first.raw()..).zip(block) {
        if frame.is_clean() {
            continue;
        }
        if let Err(preempted) = budget.spend(ZEROING) {
            free_again(first, order);
            return Err(preempted);
        }
        map::zero(Mfn::new(number));
        frame.set_clean();
    }
    // The rest is done in one piece.
    if !budget.has_room_for(GIVING << order) {
        free_again(first, order);
        return Err(Preempted);
    }
    Ok(Some(first))
}

/// Gives back frames that nobody has used since they were taken out.
fn free_again(mfn: Mfn, order: u32) {
    with_buddy(|buddy| buddy.free(&mut Links, mfn.raw(), order));
}

/// Gives back zeroed frames that nobody has written to.
pub(crate) fn free_zeroed(mfn: Mfn, order: u32) {
    for number in mfn.raw()..mfn.raw() + (1 << order) {
        Links::frame(number).set_clean();
    }
    free_again(mfn, order);
}

/// Takes frames for ever, as bytes of our own: zeros, aligned to their size. `N`: a power of two, at least a page.
pub(crate) fn take<const N: usize>() -> Option<&'static mut [u8; N]> {
    const { assert!(N.is_power_of_two() && N >= 4096) };
    let mfn = alloc_zeroed(N.trailing_zeros() - 12, None)?;
    // SAFETY: the frames are in the direct map, follow each other, and were free, so that nothing else refers to them; they are
    // never given back.
    Some(unsafe { &mut *((DIRECT_MAP_START + mfn.to_addr()) as *mut [u8; N]) })
}

/// Gives frames back. Their stamps say until when translations may be cached.
pub(crate) fn free(mfn: Mfn, order: u32) {
    for number in mfn.raw()..mfn.raw() + (1 << order) {
        let frame = Links::frame(number);
        frame.disown();
        frame.set_stamp(flush::clock());
        frame.set_free_order(None);
    }
    with_buddy(|buddy| buddy.free(&mut Links, mfn.raw(), order));
}
