// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What the decoder has learnt: a probability for each decision in each context.
//!
//! All tables have powers of two as lengths, larger than needed if must be: so an index is made valid by one `and`, or by
//! none if the compiler sees that it is.

use alloc::boxed::Box;
use alloc::vec;

/// The probability of a zero, in units of `2^-11`.
pub(super) type Prob = u16;

/// One half.
const EVEN: Prob = 1 << 10;
/// Literal coders: `2^(lc + lp)`, and LZMA2 limits the sum to 4. Other `.lzma` files are not for kernels.
pub(super) const MAX_LITERAL_BITS: u8 = 4;
const LITERAL_CODERS: usize = 1 << MAX_LITERAL_BITS;

/// Probabilities of one literal: 0x100 without a match byte, then as many for each bit of a match byte.
pub(super) type Literal = [Prob; 0x400];

/// The entry `index`, which is below the length.
#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "masked by a length that is a power of two")]
pub(super) fn at<T, const N: usize>(table: &mut [T; N], index: usize) -> &mut T {
    const { assert!(N.is_power_of_two(), "so that a mask makes an index") }
    &mut table[index & N.wrapping_sub(1)]
}

/// Lengths of matches.
pub(super) struct Lengths {
    pub(super) above_low: Prob,
    pub(super) above_mid: Prob,
    pub(super) low: [[Prob; 8]; 16],
    pub(super) mid: [[Prob; 8]; 16],
    pub(super) high: [Prob; 256],
}

impl Lengths {
    const NEW: Self =
        Self { above_low: EVEN, above_mid: EVEN, low: [[EVEN; 8]; 16], mid: [[EVEN; 8]; 16], high: [EVEN; 256] };
}

/// All but the literals.
pub(super) struct Decisions {
    /// By state and position.
    pub(super) is_match: [[Prob; 16]; 16],
    /// By state, as the three behind it.
    pub(super) is_repeat: [Prob; 16],
    pub(super) is_older: [Prob; 16],
    pub(super) is_older_than_1: [Prob; 16],
    pub(super) is_older_than_2: [Prob; 16],
    /// By state and position.
    pub(super) is_long: [[Prob; 16]; 16],
    /// By length.
    pub(super) slot: [[Prob; 64]; 4],
    /// Trees of the low bits of distances 4 to 127, one behind the other.
    pub(super) middle: [Prob; 128],
    /// The low bits of longer distances.
    pub(super) align: [Prob; 16],
    pub(super) match_len: Lengths,
    pub(super) repeat_len: Lengths,
}

impl Decisions {
    const NEW: Self = Self {
        is_match: [[EVEN; 16]; 16],
        is_repeat: [EVEN; 16],
        is_older: [EVEN; 16],
        is_older_than_1: [EVEN; 16],
        is_older_than_2: [EVEN; 16],
        is_long: [[EVEN; 16]; 16],
        slot: [[EVEN; 64]; 4],
        middle: [EVEN; 128],
        align: [EVEN; 16],
        match_len: Lengths::NEW,
        repeat_len: Lengths::NEW,
    };
}

/// Everything.
pub(super) struct Model {
    pub(super) decisions: Box<Decisions>,
    /// On the heap from the start: stacks are small here.
    literals: Box<[Literal]>,
}

impl Model {
    pub(super) fn new() -> Self {
        Self { decisions: Box::new(Decisions::NEW), literals: vec![[EVEN; 0x400]; LITERAL_CODERS].into_boxed_slice() }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        *self.decisions = Decisions::NEW;
        self.literals.as_flattened_mut().fill(EVEN);
    }

    /// Both parts. There are always all literal coders.
    pub(super) fn parts(&mut self) -> Option<(&mut Decisions, &mut [Literal; LITERAL_CODERS])> {
        Some((&mut self.decisions, self.literals.as_mut().try_into().ok()?))
    }
}
