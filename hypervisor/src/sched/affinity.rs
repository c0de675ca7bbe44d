// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of physical CPUs.
#![forbid(unsafe_code)]

/// CPU numbers are below this.
pub(crate) const MAX: u32 = 256;
const WORDS: usize = (MAX / 64) as usize;

/// A set of CPU numbers below [`MAX`]; greater numbers are never in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuMask([u64; WORDS]);

impl CpuMask {
    /// No CPU.
    pub(crate) const EMPTY: Self = Self([0; WORDS]);
    /// Every CPU there could be.
    pub(crate) const ALL: Self = Self([!0; WORDS]);

    /// One CPU.
    pub(crate) fn only(cpu: u32) -> Self {
        let mut mask = Self::EMPTY;
        mask.insert(cpu);
        mask
    }

    /// The CPUs below 64 whose bits are set.
    pub(crate) const fn from_low(word: u64) -> Self {
        let mut words = [0; WORDS];
        words[0] = word;
        Self(words)
    }

    /// The CPUs below 64, as bits.
    #[cfg(test)]
    pub(crate) const fn low(&self) -> u64 {
        self.0[0]
    }

    /// Adds a CPU.
    pub(crate) fn insert(&mut self, cpu: u32) {
        if let Some(word) = self.0.get_mut((cpu / 64) as usize) {
            *word |= 1 << (cpu % 64);
        }
    }

    /// Removes a CPU.
    #[cfg(test)]
    pub(crate) fn remove(&mut self, cpu: u32) {
        if let Some(word) = self.0.get_mut((cpu / 64) as usize) {
            *word &= !(1 << (cpu % 64));
        }
    }

    /// Whether the CPU is in the set.
    pub(crate) fn has(&self, cpu: u32) -> bool {
        self.0.get((cpu / 64) as usize).is_some_and(|word| word >> (cpu % 64) & 1 != 0)
    }

    /// The CPUs in both sets.
    #[cfg(test)]
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut words = self.0;
        for (word, other) in words.iter_mut().zip(other.0) {
            *word &= other;
        }
        Self(words)
    }

    /// Whether there is no CPU in the set.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// The lowest CPU.
    pub(crate) fn first(&self) -> Option<u32> {
        self.iter().next()
    }

    /// The CPUs in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(self.0).flat_map(|(index, word)| {
            // Drops the lowest bit at each step.
            core::iter::successors(Some(word), |w| Some(w & w.wrapping_sub(1)))
                .take_while(|w| *w != 0)
                .map(move |w| index * 64 + w.trailing_zeros())
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn behaves_as_a_set() {
        let mut mask = CpuMask::only(3);
        mask.insert(64);
        mask.insert(255);
        mask.insert(256);
        assert_eq!(mask.iter().collect::<Vec<_>>(), [3, 64, 255]);
        assert!(mask.has(64) && !mask.has(65) && !mask.has(256) && !mask.has(u32::MAX));
        mask.remove(64);
        assert_eq!(mask.and(&CpuMask::from_low(!0)), CpuMask::only(3));
        assert_eq!(mask.low(), 8);
        assert_eq!(mask.first(), Some(3));
        assert!(CpuMask::EMPTY.is_empty() && CpuMask::EMPTY.first().is_none());
        assert_eq!(CpuMask::ALL.iter().count(), 256);
    }
}
