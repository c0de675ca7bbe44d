// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupt vectors: which are fixed, and who gets the others. A vector means the same on every CPU, so that an interrupt can be sent
//! to another CPU by changing its destination alone.
#![forbid(unsafe_code)]

use core::ops::RangeInclusive;

pub(crate) use crate::x86::vector::{APIC_ERROR, APIC_SPURIOUS, FLUSH_IPI, KICK_IPI, SERIAL, TIMER};

/// Vectors for devices. Above stand the 8259s' (never enabled, but a stray edge must not look like a device) and ours.
pub(crate) const DEVICES: RangeInclusive<u8> = 0x20..=0xdf;
/// Vectors of stray 8259 interrupts.
pub(crate) const PIC_SPURIOUS: RangeInclusive<u8> = 0xe0..=0xef;

/// `int $0x80` and `int $0x82` are software interrupts of guests.
const SOFTWARE: [u8; 2] = [0x80, 0x82];

/// Hands out device vectors.
#[derive(Debug, Default)]
pub(crate) struct VectorAllocator {
    used: [u64; 4],
    last: u8,
}

impl VectorAllocator {
    /// All device vectors are free.
    pub(crate) const fn new() -> Self {
        Self { used: [0; 4], last: *DEVICES.end() }
    }

    /// A free vector. Neighbours in time are put into different priority classes (16 vectors each), of which a local APIC can hold
    /// back two interrupts at a time only.
    pub(crate) fn allocate(&mut self) -> Option<u8> {
        let (first, count) = (*DEVICES.start(), DEVICES.len());
        let start = usize::from(self.last - first);
        // 17 has no factor in common with the 192 vectors: every one is looked at once.
        let vector = (1..=count).find_map(|step| {
            let vector = first + u8::try_from((start + step * 17) % count).ok()?;
            (!SOFTWARE.contains(&vector) && !self.is_used(vector)).then_some(vector)
        })?;
        self.set(vector, true);
        self.last = vector;
        Some(vector)
    }

    /// Gives a vector back.
    pub(crate) fn free(&mut self, vector: u8) {
        self.set(vector, false);
    }

    fn is_used(&self, vector: u8) -> bool {
        self.used[usize::from(vector / 64)] & 1 << (vector % 64) != 0
    }

    fn set(&mut self, vector: u8, used: bool) {
        let word = &mut self.used[usize::from(vector / 64)];
        let bit = 1 << (vector % 64);
        *word = if used { *word | bit } else { *word & !bit };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn every_vector_once() {
        let mut vectors = VectorAllocator::new();
        let all: BTreeSet<u8> = core::iter::from_fn(|| vectors.allocate()).collect();
        assert_eq!(all.len(), DEVICES.len() - SOFTWARE.len());
        assert!(all.iter().all(|vector| DEVICES.contains(vector) && !SOFTWARE.contains(vector)));
        vectors.free(0x33);
        assert_eq!(vectors.allocate(), Some(0x33));
        assert_eq!(vectors.allocate(), None);
    }

    #[test]
    fn neighbours_differ_in_class() {
        let mut vectors = VectorAllocator::new();
        let (one, two) = (vectors.allocate().unwrap(), vectors.allocate().unwrap());
        assert_ne!(one >> 4, two >> 4);
    }
}
