// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame allocator: binary buddies over machine frame numbers, orders 0 (4 KiB) to 18 (1 GiB).
//!
//! Owns the free lists only. The links between free blocks live in the frame table's records, reached through
//! [`FrameLinks`], so the allocator needs no memory of its own and works before there is a heap. The caller holds the
//! allocator's lock; nothing here knows who owns a frame that is in use.
//!
//! Blocks are sorted into zones by the bit width of their frame numbers. A request for memory below an address width
//! (a 32-bit DMA buffer) then never searches a list, and an unlimited request takes the highest zone first, which keeps
//! the scarce low memory for those who must have it.
//!
//! Frame 0 is never managed: 0 ends a list, and no aligned block that contains frame 0 can span zones.
#![forbid(unsafe_code)]

/// The largest order handed out or kept: 2^18 frames, 1 GiB.
pub(crate) const MAX_ORDER: u32 = 18;

/// Frame numbers are below 2^32 (16 TiB), so that links fit in half a word each.
pub(crate) const MAX_MFN_EXCLUSIVE: u64 = 1 << 32;

const ORDERS: usize = MAX_ORDER as usize + 1;
/// Zone z holds frames whose numbers have z significant bits; zone 0 (frame 0) stays empty.
const ZONES: usize = 33;
/// The list terminator; frame 0 is never free.
const NIL: u64 = 0;

/// Storage for the free lists: a few bytes of each frame's record.
///
/// Only records of frames that head a free block are written; the links of others are not read.
pub(crate) trait FrameLinks {
    /// The next free block of the list that `mfn` heads a block in; 0 at the end.
    fn next(&self, mfn: u64) -> u64;
    /// Stores what [`FrameLinks::next`] returns.
    fn set_next(&mut self, mfn: u64, next: u64);
    /// The previous free block; 0 at the head.
    fn prev(&self, mfn: u64) -> u64;
    /// Stores what [`FrameLinks::prev`] returns.
    fn set_prev(&mut self, mfn: u64, prev: u64);
    /// `Some(order)` if `mfn` is the first frame of a free block. Must be `None` for a frame without a record (a hole, or
    /// beyond the end of memory): the allocator asks about buddies that may not exist.
    fn free_order(&self, mfn: u64) -> Option<u32>;
    /// Marks `mfn` as the first frame of a free block of this order, or as not one.
    fn set_free_order(&mut self, mfn: u64, order: Option<u32>);
}

/// The free lists. See the module documentation.
#[derive(Debug)]
pub(crate) struct Buddy {
    heads: [[u64; ORDERS]; ZONES],
    /// Bit o: the zone has a free block of order o.
    orders_present: [u32; ZONES],
    /// Bit z: the zone has a free block.
    zones_present: u64,
    free_frames: u64,
}

impl Buddy {
    /// An allocator without memory.
    pub(crate) const fn new() -> Self {
        Self { heads: [[NIL; ORDERS]; ZONES], orders_present: [0; ZONES], zones_present: 0, free_frames: 0 }
    }

    /// How many frames are free, over all zones.
    pub(crate) fn free_frames(&self) -> u64 {
        self.free_frames
    }

    /// Gives the frames `start..end` to the allocator. They must not be in it already. Frame 0 and frames beyond
    /// [`MAX_MFN_EXCLUSIVE`] are left out.
    pub(crate) fn add_range(&mut self, links: &mut impl FrameLinks, start: u64, end: u64) {
        let mut mfn = start.max(1);
        let end = end.min(MAX_MFN_EXCLUSIVE);
        while mfn < end {
            let order = mfn.trailing_zeros().min((end - mfn).ilog2()).min(MAX_ORDER);
            self.free(links, mfn, order);
            mfn += 1 << order;
        }
    }

    /// Takes an aligned block of 2^`order` frames, all below `max_mfn_exclusive` if that is given, and returns its first
    /// frame. `None` if there is no such block, or if the order is beyond [`MAX_ORDER`].
    ///
    /// Constant time in the amount of memory, provided that the limit is a power of two (an address width); else the
    /// zone that contains the limit is searched linearly.
    pub(crate) fn alloc(
        &mut self,
        links: &mut impl FrameLinks,
        order: u32,
        max_mfn_exclusive: Option<u64>,
    ) -> Option<u64> {
        if order > MAX_ORDER {
            return None;
        }
        let limit = max_mfn_exclusive.unwrap_or(MAX_MFN_EXCLUSIVE).min(MAX_MFN_EXCLUSIVE);
        if limit == 0 {
            return None;
        }
        let whole_zones = limit.ilog2();
        let (mfn, found_order) = self
            .find_below(links, order, limit, whole_zones as usize + 1)
            .or_else(|| self.find_in_zones(order, whole_zones))?;
        self.unlink(links, mfn, found_order);
        // Keep the low part and give the upper halves back: the limit was checked for the low part.
        for half in (order..found_order).rev() {
            self.link(links, mfn + (1 << half), half);
        }
        self.free_frames -= 1 << order;
        Some(mfn)
    }

    /// Returns the block of 2^`order` frames at `mfn`, which [`Buddy::alloc`] gave out (or part of it, split by the
    /// caller into aligned blocks), and merges it with its free neighbours.
    ///
    /// # Panics
    /// If the block is not aligned, or its first frame already heads a free block: a double free is our own bug.
    pub(crate) fn free(&mut self, links: &mut impl FrameLinks, mfn: u64, order: u32) {
        assert!(
            order <= MAX_ORDER && mfn != NIL && mfn < MAX_MFN_EXCLUSIVE && mfn.trailing_zeros() >= order,
            "freed block {mfn:#x} order {order} is misplaced"
        );
        assert!(links.free_order(mfn).is_none(), "frame {mfn:#x} freed twice");
        self.free_frames += 1 << order;
        let (mut mfn, mut order) = (mfn, order);
        while order < MAX_ORDER {
            let buddy = mfn ^ (1 << order);
            if buddy == NIL || links.free_order(buddy) != Some(order) {
                break;
            }
            self.unlink(links, buddy, order);
            mfn = mfn.min(buddy);
            order += 1;
        }
        self.link(links, mfn, order);
    }

    /// The smallest sufficient block in the highest of the zones 1..=`last_zone` that has one.
    fn find_in_zones(&self, order: u32, last_zone: u32) -> Option<(u64, u32)> {
        let mut zones = self.zones_present & ((2u64 << last_zone) - 1);
        while zones != 0 {
            let zone = zones.ilog2() as usize;
            let orders = self.orders_present[zone] >> order << order;
            if orders != 0 {
                let found = orders.trailing_zeros();
                return Some((self.heads[zone][found as usize], found));
            }
            zones &= !(1 << zone);
        }
        None
    }

    /// A block of the given zone whose first 2^`order` frames lie below `limit`; nothing to do if `limit` is the zone's
    /// lower bound.
    fn find_below(&self, links: &impl FrameLinks, order: u32, limit: u64, zone: usize) -> Option<(u64, u32)> {
        if limit.is_power_of_two() || zone >= ZONES {
            return None;
        }
        for found in order..=MAX_ORDER {
            let mut mfn = self.heads[zone][found as usize];
            while mfn != NIL {
                if mfn + (1 << order) <= limit {
                    return Some((mfn, found));
                }
                mfn = links.next(mfn);
            }
        }
        None
    }

    fn link(&mut self, links: &mut impl FrameLinks, mfn: u64, order: u32) {
        let zone = zone_of(mfn);
        let head = &mut self.heads[zone][order as usize];
        if *head != NIL {
            links.set_prev(*head, mfn);
        }
        links.set_next(mfn, *head);
        links.set_prev(mfn, NIL);
        links.set_free_order(mfn, Some(order));
        *head = mfn;
        self.orders_present[zone] |= 1 << order;
        self.zones_present |= 1 << zone;
    }

    fn unlink(&mut self, links: &mut impl FrameLinks, mfn: u64, order: u32) {
        let zone = zone_of(mfn);
        let (prev, next) = (links.prev(mfn), links.next(mfn));
        if next != NIL {
            links.set_prev(next, prev);
        }
        if prev != NIL {
            links.set_next(prev, next);
        } else {
            self.heads[zone][order as usize] = next;
            if next == NIL {
                self.orders_present[zone] &= !(1 << order);
                if self.orders_present[zone] == 0 {
                    self.zones_present &= !(1 << zone);
                }
            }
        }
        links.set_free_order(mfn, None);
    }
}

/// The number of significant bits of a block's frame numbers: all frames of an aligned block without frame 0 agree.
fn zone_of(mfn: u64) -> usize {
    (u64::BITS - mfn.leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    #[derive(Clone, Default)]
    struct Record {
        next: u64,
        prev: u64,
        order: Option<u32>,
    }

    struct Table(Vec<Record>);

    impl FrameLinks for Table {
        fn next(&self, mfn: u64) -> u64 {
            self.0[mfn as usize].next
        }
        fn set_next(&mut self, mfn: u64, next: u64) {
            self.0[mfn as usize].next = next;
        }
        fn prev(&self, mfn: u64) -> u64 {
            self.0[mfn as usize].prev
        }
        fn set_prev(&mut self, mfn: u64, prev: u64) {
            self.0[mfn as usize].prev = prev;
        }
        fn free_order(&self, mfn: u64) -> Option<u32> {
            self.0.get(mfn as usize).and_then(|r| r.order)
        }
        fn set_free_order(&mut self, mfn: u64, order: Option<u32>) {
            self.0[mfn as usize].order = order;
        }
    }

    fn with_frames(frames: u64) -> (Buddy, Table) {
        (Buddy::new(), Table(vec![Record::default(); frames as usize]))
    }

    #[test]
    fn whole_range_comes_back_as_one_block() {
        let (mut buddy, mut table) = with_frames(4096);
        buddy.add_range(&mut table, 0, 4096);
        assert_eq!(buddy.free_frames(), 4095);
        assert_eq!(buddy.alloc(&mut table, 11, None), Some(2048));
        assert_eq!(buddy.alloc(&mut table, 11, None), None);
        let mut frames: Vec<u64> = (0..2047).map(|_| buddy.alloc(&mut table, 0, None).unwrap()).collect();
        assert_eq!(buddy.free_frames(), 0);
        assert_eq!(buddy.alloc(&mut table, 0, None), None);
        frames.sort_unstable();
        frames.dedup();
        assert_eq!(frames.len(), 2047);
        for mfn in frames {
            buddy.free(&mut table, mfn, 0);
        }
        buddy.free(&mut table, 2048, 11);
        assert_eq!(buddy.alloc(&mut table, 11, None), Some(2048));
        assert_eq!(buddy.alloc(&mut table, 10, None), Some(1024));
    }

    #[test]
    fn unlimited_requests_spare_low_memory() {
        let (mut buddy, mut table) = with_frames(1024);
        buddy.add_range(&mut table, 16, 1024);
        assert!(buddy.alloc(&mut table, 0, None).unwrap() >= 512);
        assert!(buddy.alloc(&mut table, 2, Some(64)).unwrap() + 4 <= 64);
        assert_eq!(buddy.alloc(&mut table, 0, Some(16)), None);
        assert_eq!(buddy.alloc(&mut table, 0, Some(0)), None);
        assert_eq!(buddy.alloc(&mut table, MAX_ORDER + 1, None), None);
    }

    #[derive(Debug, Clone)]
    enum Op {
        Alloc { order: u32, limit: Option<u64> },
        Free { which: usize },
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0u32..6, prop_oneof![Just(None), (0u64..700).prop_map(Some), (0u32..10).prop_map(|b| Some(1 << b))])
                .prop_map(|(order, limit)| Op::Alloc { order, limit }),
            any::<usize>().prop_map(|which| Op::Free { which }),
        ]
    }

    /// The naive reference: is there any aligned free run below the limit?
    fn naive_has(free: &[bool], order: u32, limit: u64) -> bool {
        let size = 1usize << order;
        (0..free.len())
            .step_by(size)
            .any(|m| m + size <= free.len().min(limit as usize) && free[m..m + size].iter().all(|f| *f))
    }

    proptest! {
        #[test]
        fn agrees_with_a_bitmap(ranges in prop::collection::vec((0u64..600, 1u64..200), 1..4),
                                ops in prop::collection::vec(op(), 1..200)) {
            let (mut buddy, mut table) = with_frames(600);
            let mut free = vec![false; 600];
            for (start, len) in ranges {
                let end = (start + len).min(600);
                if free[start as usize..end as usize].iter().any(|f| *f) {
                    continue;
                }
                buddy.add_range(&mut table, start, end);
                for mfn in start.max(1)..end {
                    free[mfn as usize] = true;
                }
            }
            let mut held: Vec<(u64, u32)> = Vec::new();
            for op in ops {
                match op {
                    Op::Alloc { order, limit } => {
                        let expect = naive_has(&free, order, limit.unwrap_or(u64::MAX));
                        let got = buddy.alloc(&mut table, order, limit);
                        prop_assert_eq!(got.is_some(), expect);
                        if let Some(mfn) = got {
                            let size = 1u64 << order;
                            prop_assert_eq!(mfn % size, 0);
                            prop_assert!(mfn + size <= limit.unwrap_or(u64::MAX));
                            for frame in mfn..mfn + size {
                                prop_assert!(free[frame as usize]);
                                free[frame as usize] = false;
                            }
                            held.push((mfn, order));
                        }
                    }
                    Op::Free { which } => {
                        if !held.is_empty() {
                            let (mfn, order) = held.swap_remove(which % held.len());
                            buddy.free(&mut table, mfn, order);
                            for frame in mfn..mfn + (1 << order) {
                                free[frame as usize] = true;
                            }
                        }
                    }
                }
                prop_assert_eq!(buddy.free_frames(), free.iter().filter(|f| **f).count() as u64);
            }
        }
    }
}
