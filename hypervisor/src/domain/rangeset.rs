// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of numbers as sorted ranges: the I/O ports, device frames and interrupts a domain may use.
//!
//! Grown at domain creation and by rare control operations; looked up on emulated port accesses and device mappings, by
//! binary search. The set holds few ranges: insertion is linear.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

/// A set of numbers. Ranges are half-open, sorted, disjoint and never touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    ranges: Vec<Range<u64>>,
}

impl RangeSet {
    /// The empty set.
    pub(crate) const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds all numbers of a range.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // Everything that touches the new range becomes one with it.
        let first = self.ranges.partition_point(|r| r.end < range.start);
        let behind = self.ranges.partition_point(|r| r.start <= range.end);
        let start = self.ranges.get(first).map_or(range.start, |r| r.start.min(range.start));
        let end = match behind.checked_sub(1).and_then(|last| self.ranges.get(last)) {
            Some(last) if behind > first => last.end.max(range.end),
            _ => range.end,
        };
        let start = if behind > first { start } else { range.start };
        self.ranges.splice(first..behind, [start..end]);
    }

    /// Removes all numbers of a range.
    pub(crate) fn remove(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.ranges.partition_point(|r| r.end <= range.start);
        let behind = self.ranges.partition_point(|r| r.start < range.end).max(first);
        let rest: Vec<Range<u64>> = self
            .ranges
            .get(first..behind)
            .into_iter()
            .flatten()
            .flat_map(|r| [r.start..range.start.min(r.end), range.end.max(r.start)..r.end])
            .filter(|r| !r.is_empty())
            .collect();
        self.ranges.splice(first..behind, rest);
    }

    /// Whether every number of the range is in the set. An empty range is.
    pub(crate) fn contains(&self, range: &Range<u64>) -> bool {
        range.is_empty() || self.at_or_before(range.start).is_some_and(|r| range.end <= r.end)
    }

    /// Whether the number is in the set.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.at_or_before(number).is_some_and(|r| number < r.end)
    }

    /// Whether the set has no numbers at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The ranges in ascending order.
    pub(crate) fn ranges(&self) -> &[Range<u64>] {
        &self.ranges
    }

    fn at_or_before(&self, number: u64) -> Option<&Range<u64>> {
        let behind = self.ranges.partition_point(|r| r.start <= number);
        self.ranges.get(behind.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn merges_and_splits() {
        let mut set = RangeSet::new();
        set.insert(0..0x10000);
        set.remove(0x20..0x22);
        set.remove(0xcf8..0xd00);
        assert_eq!(set.ranges(), [0..0x20, 0x22..0xcf8, 0xd00..0x10000]);
        assert!(set.contains(&(0x3f8..0x400)) && !set.contains(&(0x1f..0x21)) && !set.has(0xcf8));
        set.insert(0x20..0x22);
        assert_eq!(set.ranges(), [0..0xcf8, 0xd00..0x10000]);
        assert!(set.contains(&(5..5)) && !set.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_a_bitmap(ops in prop::collection::vec((any::<bool>(), 0u64..100, 0u64..30), 0..60)) {
            let mut set = RangeSet::new();
            let mut bitmap = [false; 130];
            for (add, start, len) in ops {
                let range = start..start + len;
                if add { set.insert(range) } else { set.remove(range) }
                bitmap[start as usize..(start + len) as usize].fill(add);
                for pair in set.ranges().windows(2) {
                    prop_assert!(pair[0].end < pair[1].start);
                }
                for n in 0..130 {
                    prop_assert_eq!(set.has(n), bitmap[n as usize]);
                }
                prop_assert_eq!(set.contains(&(start..start + len)), bitmap[start as usize..(start + len) as usize].iter().all(|b| *b));
            }
        }
    }
}
