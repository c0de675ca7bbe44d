// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! CRC-32 as gzip uses it (reflected 0xedb88320), eight bytes a step: over 60 MB a bytewise table would be felt at boot.

use alloc::vec;
use alloc::vec::Vec;

/// `TABLES[k][b]` advances byte `b` over `k` further zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// The checksum of all of `data`.
pub(crate) fn of(data: &[u8]) -> u32 {
    match Folded::new(data) {
        Some(folded) => !folded.finish(),
        None => !advance(!0, data),
    }
}

/// The register after `data`, by tables.
fn advance(mut crc: u32, data: &[u8]) -> u32 {
    let (chunks, rest) = data.as_chunks::<8>();
    for &chunk in chunks {
        crc = advance_word(crc, chunk);
    }
    let [t0, ..] = &TABLES;
    for &byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ look(t0, byte ^ low);
    }
    crc
}

#[inline(always)]
fn advance_word(crc: u32, [b0, b1, b2, b3, b4, b5, b6, b7]: [u8; 8]) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    let [c0, c1, c2, c3] = crc.to_le_bytes();
    look(t7, b0 ^ c0)
        ^ look(t6, b1 ^ c1)
        ^ look(t5, b2 ^ c2)
        ^ look(t4, b3 ^ c3)
        ^ look(t3, b4)
        ^ look(t2, b5)
        ^ look(t1, b6)
        ^ look(t0, b7)
}

// A byte cannot index outside 256 entries; the compiler drops the check.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "a u8 index into an array of 256")]
fn look(table: &[u32; 256], byte: u8) -> u32 {
    table[usize::from(byte)]
}

/// `x^300 + x^155 + x^117 + x^89 + 1` is a multiple of the CRC's polynomial. So is its 64th power, which has the same terms
/// with `x^64` for `x`. Hence a word of 64 bits may be taken out of the message if it is added to the words this far behind
/// it: no tables, and a third of the instructions. (The terms were found by search; `folding_changes_nothing` checks them.)
const TAPS: [usize; 4] = [145, 183, 211, SPAN];
/// The farthest.
const SPAN: usize = 300;
/// Words of a step. At most the nearest tap, so that words of one step do not depend on each other.
const STEP: usize = 16;
/// Words kept: a span and the steps until it must be moved to the front.
const KEPT: usize = SPAN + 128 * STEP;

/// A long message of which only the end is left.
struct Folded<'a> {
    /// The last words taken out, a span of them, as they were then.
    out: Vec<u64>,
    /// What follows them; at least a span.
    rest: &'a [u8],
}

impl<'a> Folded<'a> {
    /// Folds all steps but the last span. `None` if the message is too short for that.
    fn new(data: &'a [u8]) -> Option<Self> {
        const BYTES: usize = STEP * 8;
        // Far from worth it for shorter ones; and there must be a step, as the first one inverts the first bytes.
        if data.len() < KEPT.wrapping_mul(8) {
            return None;
        }
        let steps = data.len().checked_sub(SPAN.wrapping_mul(8))? / BYTES;
        let (steps, rest) = data.split_at_checked(steps.wrapping_mul(BYTES))?;
        let mut kept = vec![0_u64; KEPT];
        let mut at = SPAN;
        // The register starts as all ones, which is the same as inverting the first four bytes.
        let mut first = u64::from(u32::MAX);
        for step in steps.as_chunks::<BYTES>().0 {
            if at == KEPT {
                kept.copy_within(KEPT.wrapping_sub(SPAN).., 0);
                at = SPAN;
            }
            let (before, now) = kept.split_at_mut_checked(at)?;
            let [a, b, c, d] =
                TAPS.map(|tap| before.get(at.wrapping_sub(tap)..).and_then(<[u64]>::first_chunk::<STEP>));
            let taps = a?.iter().zip(b?).zip(c?).zip(d?);
            for ((now, word), (((a, b), c), d)) in now.iter_mut().zip(step.as_chunks().0).zip(taps) {
                *now = u64::from_le_bytes(*word) ^ a ^ b ^ c ^ d ^ core::mem::take(&mut first);
            }
            at = at.wrapping_add(STEP);
        }
        kept.truncate(at);
        kept.drain(..at.wrapping_sub(SPAN));
        Some(Self { out: kept, rest })
    }

    /// The register after the message.
    fn finish(&self) -> u32 {
        let (words, _) = self.rest.as_chunks::<8>();
        let mut crc = 0;
        for (k, word) in words.iter().take(SPAN).enumerate() {
            // Taps that reach beyond the words taken out have nothing to add.
            let due = TAPS.iter().filter_map(|tap| self.out.get(SPAN.wrapping_add(k).wrapping_sub(*tap)));
            let word = due.fold(u64::from_le_bytes(*word), |word, out| word ^ out);
            crc = advance_word(crc, word.to_le_bytes());
        }
        advance(crc, self.rest.get(SPAN.wrapping_mul(8)..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    #[test]
    fn check_value_and_odd_lengths() {
        assert_eq!(super::of(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::of(b""), 0);
        assert_eq!(super::of(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }

    #[test]
    fn folding_changes_nothing() {
        let data: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        let shortest = super::KEPT * 8;
        let around = (shortest - 3..shortest + 300).chain([2 * shortest, 65_537, data.len()]);
        for data in around.filter_map(|len| data.get(..len)) {
            assert_eq!(super::of(data), !super::advance(!0, data), "{}", data.len());
        }
    }
}
