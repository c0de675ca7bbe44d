// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of physical CPUs.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};

use crate::config::MAX_CPUS;

/// A set of CPU numbers below [`MAX_CPUS`]; greater numbers are never in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuMask(u64);

const _: () = assert!(MAX_CPUS <= 64, "one word is enough");

impl CpuMask {
    /// No CPU.
    pub(crate) const EMPTY: Self = Self(0);
    /// Every CPU there could be.
    pub(crate) const ALL: Self = Self(!0);

    /// One CPU.
    pub(crate) const fn only(cpu: u32) -> Self {
        Self(if cpu < 64 { 1 << cpu } else { 0 })
    }

    /// The CPUs whose bits are set.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The CPUs, as bits.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Whether the CPU is in the set.
    pub(crate) const fn has(self, cpu: u32) -> bool {
        self.0 & Self::only(cpu).0 != 0
    }

    /// The CPUs in both sets.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The CPUs in either set.
    pub(crate) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The CPUs of this set that are not in the other.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there is no CPU in the set.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    pub(crate) const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The lowest CPU.
    pub(crate) fn first(self) -> Option<u32> {
        (self.0 != 0).then(|| self.0.trailing_zeros())
    }

    /// The CPUs in ascending order.
    pub(crate) fn iter(self) -> impl Iterator<Item = u32> {
        // Drops the lowest bit at each step.
        core::iter::successors(Some(self.0), |w| Some(w & w.wrapping_sub(1)))
            .take_while(|w| *w != 0)
            .map(u64::trailing_zeros)
    }
}

/// A set that all CPUs look at and change.
#[derive(Debug, Default)]
pub(crate) struct SharedMask(AtomicU64);

impl SharedMask {
    /// The set now.
    pub(crate) fn get(&self) -> CpuMask {
        CpuMask(self.0.load(Ordering::SeqCst))
    }

    /// Adds a CPU; `true` if it was not in the set.
    pub(crate) fn insert(&self, cpu: u32) -> bool {
        let bit = CpuMask::only(cpu).0;
        self.0.fetch_or(bit, Ordering::SeqCst) & bit == 0
    }

    /// Removes a CPU; `true` if it was in the set. Costs only a load where it was not.
    pub(crate) fn remove(&self, cpu: u32) -> bool {
        let bit = CpuMask::only(cpu).0;
        self.0.load(Ordering::SeqCst) & bit != 0 && self.0.fetch_and(!bit, Ordering::SeqCst) & bit != 0
    }

    /// Removes all of a set, and tells which were there.
    pub(crate) fn take(&self, mask: CpuMask) -> CpuMask {
        if self.get().and(mask).is_empty() {
            return CpuMask::EMPTY;
        }
        CpuMask(self.0.fetch_and(!mask.0, Ordering::SeqCst)).and(mask)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn behaves_as_a_set() {
        let mask = CpuMask::only(3).or(CpuMask::only(63)).or(CpuMask::only(64));
        assert_eq!(mask.iter().collect::<Vec<_>>(), [3, 63]);
        assert!(mask.has(63) && !mask.has(62) && !mask.has(64) && !mask.has(u32::MAX));
        assert_eq!(mask.without(CpuMask::only(63)), CpuMask::from_bits(8));
        assert_eq!(mask.and(CpuMask::only(63)), CpuMask::only(63));
        assert_eq!((mask.bits(), mask.len(), mask.first()), (8 | 1 << 63, 2, Some(3)));
        assert!(CpuMask::EMPTY.is_empty() && CpuMask::EMPTY.first().is_none());
        assert_eq!(CpuMask::ALL.iter().count(), MAX_CPUS);
    }

    #[test]
    fn who_takes_a_cpu_out_is_told() {
        let shared = SharedMask::default();
        assert!(shared.insert(5) && !shared.insert(5) && shared.insert(6));
        assert!(shared.remove(5) && !shared.remove(5));
        assert_eq!(shared.take(CpuMask::ALL), CpuMask::only(6));
        assert_eq!(shared.get(), CpuMask::EMPTY);
    }
}
