// SPDX-License-Identifier: MIT OR Apache-2.0
//! The units that wait for a CPU, ordered by virtual time.
//!
//! One queue for all CPUs: what waits longest runs first, wherever a CPU is free, which is what makes shares exact. A sorted
//! array is smaller and faster than a tree for the few hundred entries there are; it is as long as there are units, so
//! inserting never allocates.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

/// A waiting unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Its virtual time.
    pub(crate) vtime: u64,
    /// Order of arrival, which decides between equals.
    pub(crate) arrival: u64,
    /// The unit.
    pub(crate) unit: u32,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(crate) struct RunQueue {
    /// Sorted, the first to run at the end.
    entries: Vec<Entry>,
    arrivals: u64,
}

impl RunQueue {
    /// An empty queue.
    pub(crate) const fn new() -> Self {
        Self { entries: Vec::new(), arrivals: 0 }
    }

    /// Makes room for this many units in all. Allocates.
    pub(crate) fn reserve(&mut self, units: usize) {
        self.entries.reserve(units.saturating_sub(self.entries.len()));
    }

    /// Queues a unit behind all that have the same virtual time.
    pub(crate) fn insert(&mut self, unit: u32, vtime: u64) {
        self.arrivals += 1;
        let entry = Entry { vtime, arrival: self.arrivals, unit };
        let at = self.entries.partition_point(|e| *e > entry);
        self.entries.insert(at, entry);
    }

    /// Takes a unit out; `false` if it was not there.
    pub(crate) fn remove(&mut self, unit: u32, vtime: u64) -> bool {
        // All entries of this virtual time are next to each other.
        let start = self.entries.partition_point(|e| e.vtime > vtime);
        let found = self.entries.iter().skip(start).take_while(|e| e.vtime == vtime).position(|e| e.unit == unit);
        if let Some(offset) = found {
            self.entries.remove(start + offset);
        }
        found.is_some()
    }

    /// The waiting units, the first to run first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Entry> + '_ {
        self.entries.iter().rev().copied()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn agrees_with_sorting(ops in prop::collection::vec((any::<bool>(), 0u32..20, 0u64..6), 0..100)) {
            let mut queue = RunQueue::new();
            queue.reserve(20);
            let mut model: Vec<(u64, u32)> = Vec::new();
            for (insert, unit, vtime) in ops {
                let at = model.iter().position(|e| e.1 == unit);
                match (insert, at) {
                    (true, None) => {
                        queue.insert(unit, vtime);
                        let behind = model.iter().position(|e| e.0 > vtime).unwrap_or(model.len());
                        model.insert(behind, (vtime, unit));
                    }
                    (false, Some(at)) => {
                        let (vtime, unit) = model.remove(at);
                        prop_assert!(queue.remove(unit, vtime));
                    }
                    _ => prop_assert!(at.is_some() || !queue.remove(unit, vtime)),
                }
                let got: Vec<_> = queue.iter().map(|e| (e.vtime, e.unit)).collect();
                prop_assert_eq!(&got, &model);
                prop_assert_eq!(queue.len(), model.len());
            }
        }
    }
}
