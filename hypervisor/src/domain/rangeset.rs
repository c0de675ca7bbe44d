// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of numbers kept as ranges: I/O ports, device frames, interrupts that a domain may use.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

/// Disjoint inclusive ranges in ascending order, never adjacent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RangeSet {
    ranges: Vec<(u64, u64)>,
}

impl RangeSet {
    /// The empty set.
    #[cfg(test)]
    pub(crate) const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// Adds `start ..= end`.
    pub(crate) fn add(&mut self, start: u64, end: u64) {
        if start > end {
            return;
        }
        let (mut start, mut end) = (start, end);
        self.ranges.retain(|&(low, high)| {
            let apart = high.checked_add(1).is_some_and(|next| next < start)
                || end.checked_add(1).is_some_and(|next| next < low);
            if !apart {
                start = start.min(low);
                end = end.max(high);
            }
            apart
        });
        let at = self.ranges.partition_point(|&(low, _)| low < start);
        self.ranges.insert(at, (start, end));
    }

    /// Removes `start ..= end`.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        if start > end {
            return;
        }
        let mut kept = Vec::with_capacity(self.ranges.len().saturating_add(1));
        for &(low, high) in &self.ranges {
            if high < start || low > end {
                kept.push((low, high));
                continue;
            }
            if let Some(before) = start.checked_sub(1).filter(|before| low <= *before) {
                kept.push((low, before));
            }
            if let Some(after) = end.checked_add(1).filter(|after| *after <= high) {
                kept.push((after, high));
            }
        }
        self.ranges = kept;
    }

    /// Are all of `start ..= end` in the set?
    pub(crate) fn contains_range(&self, start: u64, end: u64) -> bool {
        let after = self.ranges.partition_point(|&(low, _)| low <= start);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|&(_, high)| start <= end && end <= high)
    }

    /// The ranges in ascending order, first and last number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().copied()
    }

    /// Is a number in the set?
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.contains_range(number, number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn merges_and_splits() {
        let mut set = RangeSet::new();
        set.add(10, 19);
        set.add(20, 29);
        assert_eq!(set.ranges, [(10, 29)]);
        set.remove(15, 15);
        assert!(set.contains_range(10, 14) && !set.contains(15) && set.contains_range(16, 29));
        assert!(!set.contains_range(14, 16));
        set.add(0, u64::MAX);
        set.remove(u64::MAX, u64::MAX);
        assert_eq!(set.ranges, [(0, u64::MAX - 1)]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_bitmap(ops in prop::collection::vec((any::<bool>(), 0_u64..64, 0_u64..64), 0..40)) {
            let (mut set, mut model) = (RangeSet::new(), [false; 64]);
            for (add, a, b) in ops {
                let (low, high) = (a.min(b), a.max(b));
                if add { set.add(low, high) } else { set.remove(low, high) }
                model[low as usize..=high as usize].fill(add);
            }
            for number in 0..64 {
                prop_assert_eq!(set.contains(number), model[number as usize]);
            }
        }
    }
}
