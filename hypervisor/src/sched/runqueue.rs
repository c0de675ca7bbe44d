// SPDX-License-Identifier: MIT OR Apache-2.0
//! The units that wait for one CPU, ordered by virtual time.
//!
//! A sorted array is smaller and faster than a tree for the few entries there are; room for all units is made beforehand, so
//! inserting never allocates.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::affinity::CpuMask;
use super::unit::{Flag, Unit};

/// A waiting unit.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its virtual time.
    pub(super) vtime: u64,
    /// Where it may run.
    pub(super) hard: CpuMask,
    /// Where it would rather wait than here.
    pub(super) wish: CpuMask,
    /// The unit.
    pub(super) unit: Arc<Unit>,
}

/// See the module documentation.
#[derive(Debug, Default)]
pub(super) struct RunQueue {
    /// Sorted, the first to run at the end.
    entries: Vec<Entry>,
}

impl RunQueue {
    /// Moves to an array with more room, which the caller made; returns the old one to be freed where that is allowed.
    #[must_use]
    pub(super) fn enlarge(&mut self, mut room: Vec<Entry>) -> Vec<Entry> {
        if room.capacity() > self.entries.capacity() {
            room.append(&mut self.entries);
            core::mem::swap(&mut room, &mut self.entries);
        }
        room
    }

    /// How many fit.
    pub(super) fn room(&self) -> usize {
        self.entries.capacity()
    }

    /// Queues a unit behind all that have the same virtual time.
    pub(super) fn insert(&mut self, unit: Arc<Unit>) {
        let vtime = unit.vtime();
        let at = self.entries.partition_point(|e| e.vtime > vtime);
        let preferred = unit.preferred();
        let wish = if preferred.has(unit.cpu()) { CpuMask::EMPTY } else { preferred };
        unit.set(Flag::Queued, true);
        self.entries.insert(at, Entry { vtime, hard: unit.hard(), wish, unit });
    }

    /// Takes a unit out; `None` if it was not there.
    pub(super) fn remove(&mut self, unit: &Unit) -> Option<Arc<Unit>> {
        if !unit.is(Flag::Queued) {
            return None;
        }
        let at = self.entries.iter().rposition(|e| core::ptr::eq(&*e.unit, unit))?;
        unit.set(Flag::Queued, false);
        Some(self.entries.remove(at).unit)
    }

    /// The waiting units, the first to run first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().rev()
    }

    /// The first of those that may run on a CPU.
    pub(super) fn first_for(&self, cpu: u32) -> Option<&Entry> {
        self.iter().find(|entry| entry.hard.has(cpu))
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::group::Group;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    proptest! {
        #[test]
        fn agrees_with_sorting(ops in prop::collection::vec((any::<bool>(), 0usize..20, 0u64..6), 0..100)) {
            let mut queue = RunQueue::default();
            drop(queue.enlarge(Vec::with_capacity(20)));
            let group = Arc::new(Group::new());
            let units: Vec<_> = (0..20).map(|n| Arc::new(Unit::new(n, &group, 256, 0, 0, CpuMask::ALL))).collect();
            let mut model: Vec<(u64, usize)> = Vec::new();
            for (insert, unit, vtime) in ops {
                let at = model.iter().position(|e| e.1 == unit);
                match (insert, at) {
                    (true, None) => {
                        units[unit].set_vtime(vtime);
                        queue.insert(units[unit].clone());
                        let behind = model.iter().position(|e| e.0 > vtime).unwrap_or(model.len());
                        model.insert(behind, (vtime, unit));
                    }
                    (false, Some(at)) => {
                        let (_, unit) = model.remove(at);
                        prop_assert!(queue.remove(&units[unit]).is_some());
                    }
                    _ => prop_assert!(at.is_some() || queue.remove(&units[unit]).is_none()),
                }
                let number = |e: &Entry| units.iter().position(|unit| Arc::ptr_eq(unit, &e.unit)).unwrap();
                let got: Vec<_> = queue.iter().map(|e| (e.vtime, number(e))).collect();
                prop_assert_eq!(&got, &model);
                prop_assert_eq!(queue.len(), model.len());
            }
            prop_assert_eq!(queue.room(), 20);
        }
    }
}
