// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Huffman-coded literals (RFC 8878 section 4.2).

use alloc::boxed::Box;
use alloc::vec;

use super::bits::Backward;
use super::fse::{Distribution, MAX_STATES};
use crate::bytes;

/// No code is longer, in bits.
const MAX_BITS: u32 = 11;
const CODES: usize = 1 << MAX_BITS;

/// What a code stands for: the symbol in the low byte, the code's length in the high one.
type Code = u16;

/// The table for all codes of [`MAX_BITS`] bits; shorter codes fill runs of it.
pub(super) struct Huffman {
    codes: Box<[Code; CODES]>,
    known: bool,
}

impl Huffman {
    pub(super) fn new() -> Self {
        // By way of a vector, since an array would first be made on the stack.
        let codes = vec![0; CODES].into_boxed_slice();
        Self { codes: codes.try_into().unwrap_or_else(|_| Box::new([0; CODES])), known: false }
    }

    /// Reads a table description; gives what follows it.
    pub(super) fn read_table<'a>(&mut self, data: &'a [u8]) -> Option<&'a [u8]> {
        let (&header, rest) = data.split_first()?;
        // The last weight is implied.
        let mut weights = [0_u8; 256];
        let (count, rest) = if header < 128 {
            let (packed, rest) = rest.split_at_checked(usize::from(header))?;
            (read_packed_weights(packed, &mut weights)?, rest)
        } else {
            let count = usize::from(header).wrapping_sub(127);
            let (plain, rest) = rest.split_at_checked(count.div_ceil(2))?;
            for (pair, &byte) in weights.chunks_mut(2).zip(plain) {
                if let [first, second] = pair {
                    (*first, *second) = (byte >> 4, byte & 15);
                }
            }
            (count, rest)
        };
        // An odd count leaves half a byte of padding behind.
        weights.get_mut(count..)?.fill(0);
        self.known = false;
        self.fill(&mut weights, count)?;
        self.known = true;
        Some(rest)
    }

    /// Makes the table from `count` weights; a code of weight `w` takes 2^(w - 1) units of the code space.
    fn fill(&mut self, weights: &mut [u8; 256], count: usize) -> Option<()> {
        let mut used = 0_u32;
        for &weight in weights.iter() {
            if u32::from(weight) > MAX_BITS {
                return None;
            }
            used = used.wrapping_add(1_u32.wrapping_shl(u32::from(weight)) >> 1);
        }
        // The last symbol takes what is missing to a power of two, itself a power of two.
        let bits = used.checked_ilog2()?.wrapping_add(1);
        let last = 1_u32.checked_shl(bits)?.checked_sub(used)?;
        if bits > MAX_BITS || !last.is_power_of_two() {
            return None;
        }
        *weights.get_mut(count)? = u8::try_from(last.ilog2().wrapping_add(1)).ok()?;

        // Long codes first; among codes of a length by symbol. One unit is a run of the table if codes are short.
        let unit = 1_usize << MAX_BITS.wrapping_sub(bits);
        let mut at = 0_usize;
        for weight in 1..=u8::try_from(bits).ok()? {
            let len = u16::try_from(bits).ok()?.wrapping_add(1).wrapping_sub(u16::from(weight));
            let run = unit.wrapping_shl(u32::from(weight).wrapping_sub(1));
            for (symbol, _) in (0_u16..).zip(weights.iter()).filter(|(_, w)| **w == weight) {
                let end = at.checked_add(run)?;
                self.codes.get_mut(at..end)?.fill(len << 8 | symbol);
                at = end;
            }
        }
        (at == CODES).then_some(())
    }

    /// Unpacks one stream into all of `out`.
    pub(super) fn unpack_one(&self, data: &[u8], out: &mut [u8]) -> Option<()> {
        if !self.known {
            return None;
        }
        let mut bits = Backward::new(data)?;
        let (groups, rest) = out.as_chunks_mut::<4>();
        for group in groups {
            bits.refill();
            for byte in group {
                *byte = self.next(&mut bits);
            }
        }
        bits.refill();
        for byte in rest {
            *byte = self.next(&mut bits);
        }
        (bits.remaining() == 0).then_some(())
    }

    /// Unpacks four streams, each a quarter of `out`. They are read in turns, which keeps the processor busy: a code's
    /// place is known only when the one before it has been looked up.
    pub(super) fn unpack_four(&self, data: &[u8], out: &mut [u8]) -> Option<()> {
        if !self.known {
            return None;
        }
        let len = |n: usize| bytes::u16_at(data, n.wrapping_mul(2)).map(usize::from);
        let (a, rest) = data.get(6..)?.split_at_checked(len(0)?)?;
        let (b, rest) = rest.split_at_checked(len(1)?)?;
        let (c, d) = rest.split_at_checked(len(2)?)?;
        let mut a = Backward::new(a)?;
        let mut b = Backward::new(b)?;
        let mut c = Backward::new(c)?;
        let mut d = Backward::new(d)?;

        let quarter = out.len().div_ceil(4);
        let (out_a, rest) = out.split_at_mut_checked(quarter)?;
        let (out_b, rest) = rest.split_at_mut_checked(quarter)?;
        let (out_c, out_d) = rest.split_at_mut_checked(quarter)?;
        // Five codes of 11 bits fit between two refills.
        let (groups_a, rest_a) = out_a.as_chunks_mut::<5>();
        let (groups_b, rest_b) = out_b.as_chunks_mut::<5>();
        let (groups_c, rest_c) = out_c.as_chunks_mut::<5>();
        let (groups_d, rest_d) = out_d.as_chunks_mut::<5>();
        // The last quarter may be up to three bytes shorter, so one group less.
        let common = groups_d.len();
        let (groups_a, more_a) = groups_a.split_at_mut_checked(common)?;
        let (groups_b, more_b) = groups_b.split_at_mut_checked(common)?;
        let (groups_c, more_c) = groups_c.split_at_mut_checked(common)?;
        for (((ga, gb), gc), gd) in groups_a.iter_mut().zip(groups_b).zip(groups_c).zip(groups_d) {
            a.refill();
            b.refill();
            c.refill();
            d.refill();
            for (((oa, ob), oc), od) in ga.iter_mut().zip(gb).zip(gc).zip(gd) {
                *oa = self.next(&mut a);
                *ob = self.next(&mut b);
                *oc = self.next(&mut c);
                *od = self.next(&mut d);
            }
        }
        let tails = [
            (a, more_a.as_flattened_mut(), rest_a),
            (b, more_b.as_flattened_mut(), rest_b),
            (c, more_c.as_flattened_mut(), rest_c),
            (d, &mut [][..], rest_d),
        ];
        for (mut bits, more, rest) in tails {
            for byte in more.iter_mut().chain(rest) {
                bits.refill();
                *byte = self.next(&mut bits);
            }
            if bits.remaining() != 0 {
                return None;
            }
        }
        Some(())
    }

    #[inline(always)]
    fn next(&self, bits: &mut Backward<'_>) -> u8 {
        #[expect(clippy::cast_possible_truncation, reason = "11 bits")]
        let index = bits.peek(MAX_BITS) as usize & (CODES - 1);
        #[expect(clippy::indexing_slicing, reason = "masked to the table's size")]
        let [symbol, len] = self.codes[index].to_le_bytes();
        bits.skip(u32::from(len));
        symbol
    }
}

/// Weights packed by an FSE table and two states in turns; gives how many there are.
fn read_packed_weights(data: &[u8], weights: &mut [u8; 256]) -> Option<usize> {
    let (distribution, data) = Distribution::read(data, 6, usize::try_from(MAX_BITS).ok()?.wrapping_add(1))?;
    let mut states = [(0_u8, 0_u8, 0_u16); MAX_STATES];
    distribution.each_state(|state, symbol, bits, base| {
        *states.get_mut(state)? = (symbol, bits, base);
        Some(())
    })?;
    let mut stream = Backward::new(data)?;
    let mut current = usize::try_from(stream.take(distribution.log)).ok()?;
    let mut other = usize::try_from(stream.take(distribution.log)).ok()?;
    let mut count = 0_usize;
    // One weight less than symbols.
    let mut put = |weight| {
        *weights.get_mut(..255)?.get_mut(count)? = weight;
        count = count.wrapping_add(1);
        Some(())
    };
    loop {
        stream.refill();
        let &(weight, bits, base) = states.get(current)?;
        put(weight)?;
        // The stream ends where the next state would need bits that are not there; then the other state's is the last.
        if stream.remaining() < i64::from(bits) {
            put(states.get(other)?.0)?;
            return Some(count);
        }
        let next = usize::from(base).wrapping_add(usize::try_from(stream.take(u32::from(bits))).ok()?);
        (current, other) = (other, next);
    }
}
