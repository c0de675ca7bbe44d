// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The range decoder: bits out of bytes, by adaptive probabilities.

use super::model::{Prob, at};

/// Below this the range takes in another byte.
const TOP: u64 = 1 << 24;
/// Probabilities are in units of `2^-11`.
const PROB_BITS: u32 = 11;
/// The first bytes of each stream.
const INIT_LEN: usize = 5;

/// The decoder's state. Small and copied into registers by the hot loop.
///
/// Reading beyond the input gives zeros, and is noticed by [`Range::is_finished`]. Range and code have 32 bits, but on 64 their difference
/// has a sign, and emulators need not cut each result off.
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    range: u64,
    code: u64,
    input: &'a [u8],
    /// Where the next byte is.
    next: usize,
}

impl<'a> Range<'a> {
    /// Starts a stream.
    pub(crate) fn new(input: &'a [u8]) -> Option<Self> {
        let &[zero, a, b, c, d] = input.first_chunk::<INIT_LEN>()?;
        let code = u32::from_be_bytes([a, b, c, d]);
        (zero == 0).then_some(Self { range: u32::MAX.into(), code: code.into(), input, next: INIT_LEN })
    }

    /// Whether all of the input is used, and ended as an encoder ends it. Asked after [`Range::normalize`].
    pub(crate) fn is_finished(&self) -> bool {
        self.code == 0 && self.next == self.input.len()
    }

    /// Whether more was read than there is.
    pub(super) fn is_exhausted(&self) -> bool {
        self.next > self.input.len()
    }

    /// Makes the range large enough for another bit.
    #[inline(always)]
    pub(super) fn normalize(&mut self) {
        if self.range < TOP {
            let byte = self.input.get(self.next).copied().unwrap_or_default();
            self.next = self.next.wrapping_add(1);
            self.range <<= 8;
            self.code = self.code << 8 | u64::from(byte);
        }
    }

    /// A bit that something is decided by: a branch follows anyway, so it is the one here.
    #[inline(always)]
    pub(super) fn decide(&mut self, prob: &mut Prob) -> bool {
        self.normalize();
        let p = u64::from(*prob);
        let bound = (self.range >> PROB_BITS).wrapping_mul(p);
        if self.code < bound {
            self.range = bound;
            *prob = adapt(p, u64::MAX);
            false
        } else {
            self.range = self.range.wrapping_sub(bound);
            self.code = self.code.wrapping_sub(bound);
            *prob = adapt(p, 0);
            true
        }
    }

    /// A bit of a number. Without a branch: it would be mispredicted often, and ends a block of translated code in emulators.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "0 or 1")]
    pub(super) fn bit(&mut self, prob: &mut Prob) -> usize {
        self.normalize();
        let p = u64::from(*prob);
        let bound = (self.range >> PROB_BITS).wrapping_mul(p);
        let zero = is_less(self.code, bound);
        let above = self.range.wrapping_sub(bound);
        self.range = above.wrapping_add(bound.wrapping_sub(above) & zero);
        self.code = self.code.wrapping_sub(bound).wrapping_add(bound & zero);
        *prob = adapt(p, zero);
        zero.wrapping_add(1) as usize
    }

    /// A number of `BITS` bits, the highest first, with a leading one as the tree has it. `N` is `2^BITS`.
    #[inline(always)]
    pub(super) fn tree<const BITS: u32, const N: usize>(&mut self, probs: &mut [Prob; N]) -> usize {
        const { assert!(1 << BITS == N, "the tree has as many nodes as values") }
        let mut node = 1_usize;
        for _ in 0..BITS {
            node = node << 1 | self.bit(at(probs, node));
        }
        node
    }

    /// A number of `bits` bits, the lowest first, by the tree whose root is at 1.
    #[inline(always)]
    pub(super) fn reverse_tree<const N: usize>(&mut self, probs: &mut [Prob; N], base: usize, bits: u32) -> u32 {
        let (mut node, mut value) = (1_usize, 0_u32);
        for k in 0..bits {
            let bit = self.bit(at(probs, base.wrapping_add(node)));
            node = node << 1 | bit;
            value |= u32::from(bit != 0) << k;
        }
        value
    }

    /// A number of `bits` bits of equal probability, appended to `value`.
    #[inline(always)]
    pub(super) fn direct(&mut self, mut value: u32, bits: u32) -> u32 {
        for _ in 0..bits {
            self.normalize();
            self.range >>= 1;
            let zero = is_less(self.code, self.range);
            self.code = self.code.wrapping_sub(self.range).wrapping_add(self.range & zero);
            value = value << 1 | u32::from(zero == 0);
        }
        value
    }
}

/// All ones if `a` is less than `b`, which are not further apart than signed numbers can be.
#[inline(always)]
#[expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "the sign of the difference is what is asked for"
)]
fn is_less(a: u64, b: u64) -> u64 {
    (a.wrapping_sub(b) as i64 >> 63) as u64
}

/// The probability after a bit; `zero` is all ones for a zero, which makes the next one likelier by a 32nd of what is missing to 1, rounded
/// down. After a one it is less likely by a 32nd.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "probabilities stay below 2^11")]
#[expect(clippy::cast_sign_loss, reason = "only the low half is used, which has no sign")]
fn adapt(p: u64, zero: u64) -> Prob {
    const MISSING: u64 = 31_u64.wrapping_sub(1 << PROB_BITS);
    p.wrapping_sub((p.wrapping_add(zero & MISSING) as i64 >> 5) as u64) as Prob
}
