// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Bit streams: forward ones of table descriptions, and backward ones of everything else, which begin at the last bit.

use crate::bytes;

/// A stream read from its end to its start.
///
/// Reading past the start is not noticed at once: such reads give meaningless bits, and [`Backward::remaining`] goes
/// below zero, which the reader looks at now and then.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    data: &'a [u8],
    /// Where in `data` the lowest byte of `word` is from.
    at: usize,
    /// Eight bytes of the stream. Streams shorter than that have zeros above.
    word: u64,
    /// How many bits of `word`, from the top, are used up.
    used: u32,
}

impl<'a> Backward<'a> {
    /// Starts behind the highest set bit of the last byte, which is only a marker.
    pub(super) fn new(data: &'a [u8]) -> Option<Self> {
        let marker = data.last()?.leading_zeros().wrapping_add(1);
        if marker > 8 {
            return None;
        }
        if let Some(word) = data.last_chunk::<8>() {
            return Some(Self { data, at: data.len().wrapping_sub(8), word: u64::from_le_bytes(*word), used: marker });
        }
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(data) {
            *to = *from;
        }
        let missing = 64_u32.wrapping_sub(u32::try_from(data.len()).ok()?.wrapping_mul(8));
        Some(Self { data, at: 0, word: u64::from_le_bytes(word), used: marker.wrapping_add(missing) })
    }

    /// Makes at least 57 bits available, if the stream has so many.
    #[inline(always)]
    pub(super) fn refill(&mut self) {
        let bytes = (self.used >> 3) as usize;
        let step = bytes.min(self.at);
        if let Some(word) = self.data.get(self.at.wrapping_sub(step)..).and_then(<[u8]>::first_chunk::<8>) {
            self.at = self.at.wrapping_sub(step);
            self.word = u64::from_le_bytes(*word);
            #[expect(clippy::cast_possible_truncation, reason = "at most `used` / 8")]
            let step = step as u32;
            self.used = self.used.wrapping_sub(step.wrapping_mul(8));
        }
    }

    /// The next `count` bits, 0 to 57, without using them up.
    #[inline(always)]
    pub(super) fn peek(&self, count: u32) -> u64 {
        // Two shifts, since for 0 bits one of 64 would be needed.
        self.word.wrapping_shl(self.used) >> 1 >> (63_u32.wrapping_sub(count) & 63)
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, count: u32) {
        self.used = self.used.wrapping_add(count);
    }

    /// Takes the next `count` bits, 0 to 57.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> u64 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Bits left; negative if more were read than there are.
    pub(super) fn remaining(&self) -> i64 {
        let above = i64::try_from(self.at).unwrap_or(i64::MAX).saturating_mul(8);
        above.saturating_add(64).saturating_sub(i64::from(self.used))
    }
}

/// A stream read from its first bit on.
pub(super) struct Forward<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl<'a> Forward<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// The next `count` bits, up to 16; zeros behind the end.
    pub(super) fn peek(&self, count: u32) -> u32 {
        let start = self.at >> 3;
        let word = bytes::u32_at(self.data, start).unwrap_or_else(|| {
            let mut word = [0; 4];
            for (to, from) in word.iter_mut().zip(self.data.get(start..).unwrap_or_default()) {
                *to = *from;
            }
            u32::from_le_bytes(word)
        });
        word >> (self.at & 7) & 1_u32.wrapping_shl(count).wrapping_sub(1)
    }

    /// Takes the next `count` bits, up to 16.
    pub(super) fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.at = self.at.wrapping_add(count as usize);
        bits
    }

    /// What follows the last byte touched, or `None` if the stream was too short.
    pub(super) fn rest(&self) -> Option<&'a [u8]> {
        self.data.get(self.at.div_ceil(8)..)
    }
}
