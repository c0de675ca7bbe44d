// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A run of pseudo-physical frames.

use hypercalls::Pfn;

/// `count` frames from `start` on. May be empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PfnRange {
    start: Pfn,
    count: u64,
}

impl PfnRange {
    /// The run of `count` frames from `start` on, cut at the end of the number space.
    #[must_use]
    pub fn new(start: Pfn, count: u64) -> Self {
        Self { start, count: count.min(u64::MAX.saturating_sub(start.raw())) }
    }

    /// The first frame.
    #[must_use]
    pub fn start(self) -> Pfn {
        self.start
    }

    /// How many frames.
    #[must_use]
    pub fn count(self) -> u64 {
        self.count
    }

    /// The first frame behind the run.
    #[must_use]
    pub fn end(self) -> Pfn {
        // `new` keeps the sum in range.
        Pfn::new(self.start.raw().saturating_add(self.count))
    }

    /// Whether the run holds `pfn`.
    #[must_use]
    pub fn contains(self, pfn: Pfn) -> bool {
        pfn >= self.start && pfn < self.end()
    }

    /// The `index`th frame, if there are so many.
    #[must_use]
    pub fn get(self, index: u64) -> Option<Pfn> {
        if index < self.count { self.start.checked_add(index) } else { None }
    }

    /// All frames in order.
    pub fn iter(self) -> impl Iterator<Item = Pfn> {
        (self.start.raw()..self.end().raw()).map(Pfn::new)
    }
}
