// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The range decoder: bits out of bytes, by adaptive probabilities.

use core::hint::select_unpredictable;

use super::model::{Prob, at};

/// Below this the range takes in another byte.
const TOP: u32 = 1 << 24;
/// Probabilities are in units of `2^-11`.
const PROB_BITS: u32 = 11;
/// The first bytes of each stream.
const INIT_LEN: usize = 5;

/// The decoder's state. Small and copied into registers by the hot loop.
///
/// Reading beyond the input gives zeros, and is noticed by [`Range::is_finished`].
#[derive(Clone, Copy)]
pub(crate) struct Range<'a> {
    range: u32,
    code: u32,
    input: &'a [u8],
    /// Where the next byte is.
    next: usize,
}

impl<'a> Range<'a> {
    /// Starts a stream.
    pub(crate) fn new(input: &'a [u8]) -> Option<Self> {
        let &[zero, a, b, c, d] = input.first_chunk::<INIT_LEN>()?;
        (zero == 0).then_some(Self { range: u32::MAX, code: u32::from_be_bytes([a, b, c, d]), input, next: INIT_LEN })
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
            self.code = self.code << 8 | u32::from(byte);
        }
    }

    /// A bit that something is decided by: a branch follows anyway, so it is the one here.
    #[inline(always)]
    pub(super) fn decide(&mut self, prob: &mut Prob) -> bool {
        self.normalize();
        let p = u32::from(*prob);
        let bound = (self.range >> PROB_BITS).wrapping_mul(p);
        if self.code < bound {
            self.range = bound;
            *prob = adapt(p, ZERO);
            false
        } else {
            self.range = self.range.wrapping_sub(bound);
            self.code = self.code.wrapping_sub(bound);
            *prob = adapt(p, ONE);
            true
        }
    }

    /// A bit of a number. Without a branch: it would be mispredicted often, and ends a block of translated code in emulators.
    #[inline(always)]
    pub(super) fn bit(&mut self, prob: &mut Prob) -> usize {
        self.normalize();
        let p = u32::from(*prob);
        let bound = (self.range >> PROB_BITS).wrapping_mul(p);
        let (rest, zero) = self.code.overflowing_sub(bound);
        self.range = select_unpredictable(zero, bound, self.range.wrapping_sub(bound));
        self.code = select_unpredictable(zero, self.code, rest);
        *prob = adapt(p, select_unpredictable(zero, ZERO, ONE));
        usize::from(!zero)
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
            let (rest, zero) = self.code.overflowing_sub(self.range);
            self.code = select_unpredictable(zero, self.code, rest);
            value = value << 1 | u32::from(!zero);
        }
        value
    }
}

/// What [`adapt`] needs for a zero: the probability of zero grows by a 32nd of what is missing to 1, rounded down.
const ZERO: i32 = 31 - (1 << PROB_BITS);
/// And for a one: it shrinks by a 32nd.
const ONE: i32 = 0;

/// The probability after the bit.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "probabilities stay below 2^11")]
#[expect(clippy::cast_sign_loss, reason = "only the low half is used, which has no sign")]
fn adapt(p: u32, seen: i32) -> Prob {
    p.wrapping_sub(((p as i32).wrapping_add(seen) >> 5) as u32) as Prob
}
