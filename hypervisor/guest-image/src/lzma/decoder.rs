// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The decoder itself: literals and matches out of a range-coded stream.

use core::hint;

use super::model::{Decisions, Lengths, Literal, MAX_LITERAL_BITS, Model, at};
use super::range::Range;
use super::window;

/// Why [`Decoder::run`] came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The output reached the limit.
    Limit,
    /// The stream holds the marker that ends it.
    Marker,
}

/// The distance that is the end marker (one less than what it would be as distance).
const MARKER: u32 = u32::MAX;

/// `lc`, `lp` and `pb` as the loop uses them.
#[derive(Clone, Copy)]
struct Properties {
    /// `2^lc`: how much of the byte before selects a literal's coder. A factor, because shifts by a variable are slow.
    literal_context: usize,
    /// The bits of the position that do, too.
    literal_pos_mask: usize,
    /// The bits of the position that select the context of decisions.
    pos_mask: usize,
}

/// What was decoded last.
#[derive(Clone, Copy)]
struct History {
    /// Which kinds the last symbols had; literals lead to 0 to 6.
    state: u8,
    /// The last distances, each less one, the latest first.
    distances: [u32; 4],
}

impl History {
    const NEW: Self = Self { state: 0, distances: [0; 4] };
}

/// States below this follow a literal.
const FIRST_AFTER_MATCH: u8 = 7;

/// A decoder, its model and history.
pub(crate) struct Decoder {
    model: Model,
    history: History,
    properties: Properties,
}

impl Decoder {
    pub(crate) fn new() -> Self {
        let properties = Properties { literal_context: 1, literal_pos_mask: 0, pos_mask: 0 };
        Self { model: Model::new(), history: History::NEW, properties }
    }

    /// Sets `lc`, `lp` and `pb` from the byte that encodes them. The model is then of use only after a reset.
    pub(crate) fn set_properties(&mut self, byte: u8) -> Option<()> {
        let (lc, lp, pb) = (byte % 9, byte / 9 % 5, byte / 45);
        if pb > 4 || lc.wrapping_add(lp) > MAX_LITERAL_BITS {
            return None;
        }
        let mask = |bits: u8| (1_usize << bits).wrapping_sub(1);
        self.properties = Properties { literal_context: 1 << lc, literal_pos_mask: mask(lp), pos_mask: mask(pb) };
        Some(())
    }

    /// Forgets what was learnt.
    pub(crate) fn reset(&mut self) {
        self.model.reset();
        self.history = History::NEW;
    }

    /// Decodes until `out` is filled from `pos` to `limit`, or the stream ends. All of `out` before `pos` is the dictionary;
    /// between `limit` and its end may be nonsense afterwards. Normalizes `input` at the end.
    pub(crate) fn run(&mut self, input: &mut Range<'_>, out: &mut [u8], pos: &mut usize, limit: usize) -> Option<End> {
        let (decisions, literals) = self.model.parts()?;
        let Properties { literal_context, literal_pos_mask, pos_mask } = self.properties;
        // Locals, so that they live in registers.
        let (mut rc, mut at_pos, mut history) = (*input, *pos, self.history);
        let mut end = End::Limit;
        while at_pos < limit {
            let context = at_pos & pos_mask;
            let state = usize::from(history.state);
            if rc.decide(at(at(&mut decisions.is_match, state), context)) {
                let count = distance_and_length(&mut rc, decisions, &mut history, context);
                let [distance, ..] = history.distances;
                if distance == MARKER {
                    end = End::Marker;
                    break;
                }
                if count > limit.wrapping_sub(at_pos) {
                    return None;
                }
                // Else the compiler keeps what the copy derives from the position up to date through all literals, in memory.
                let start = hint::black_box(at_pos);
                window::repeat(out, start, (distance as usize).wrapping_add(1), count)?;
                at_pos = start.wrapping_add(count);
                continue;
            }
            let before = usize::from(out.get(at_pos.wrapping_sub(1)).copied().unwrap_or_default());
            let selector = ((at_pos & literal_pos_mask) << 8 | before).wrapping_mul(literal_context) >> 8;
            let literal = at(literals, selector);
            let byte = if history.state < FIRST_AFTER_MATCH {
                plain_literal(&mut rc, literal)
            } else {
                let [distance, ..] = history.distances;
                let expected = *out.get(at_pos.wrapping_sub(distance as usize).wrapping_sub(1))?;
                matched_literal(&mut rc, literal, expected)
            };
            *out.get_mut(at_pos)? = byte;
            at_pos = at_pos.wrapping_add(1);
            history.state = after_literal(history.state);
        }
        rc.normalize();
        self.history = history;
        *pos = at_pos;
        *input = rc;
        (!rc.is_exhausted()).then_some(end)
    }
}

/// The state after a literal.
#[inline(always)]
fn after_literal(state: u8) -> u8 {
    if state < 4 {
        0
    } else if state < 10 {
        state.wrapping_sub(3)
    } else {
        state.wrapping_sub(6)
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the leading one falls off")]
fn plain_literal(rc: &mut Range<'_>, literal: &mut Literal) -> u8 {
    let mut node = 1_usize;
    for _ in 0..8 {
        node = node << 1 | rc.bit(at(literal, node));
    }
    node as u8
}

/// A literal where the match that just ended would have gone on with `expected`, which it cannot be.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the leading one falls off")]
fn matched_literal(rc: &mut Range<'_>, literal: &mut Literal, expected: u8) -> u8 {
    let mut expected = usize::from(expected) << 1;
    // 0x100 as long as all bits were as expected, then 0.
    let mut alike = 0x100_usize;
    let mut node = 1_usize;
    for _ in 0..8 {
        let expected_bit = expected & alike;
        let bit = rc.bit(at(literal, alike.wrapping_add(expected_bit).wrapping_add(node)));
        node = node << 1 | bit;
        // Bit 8 of `expected` is the bit that was looked at.
        alike &= !(expected ^ bit << 8);
        expected <<= 1;
    }
    node as u8
}

/// The length of the match that begins; its distance becomes the latest of the history.
#[inline(always)]
fn distance_and_length(rc: &mut Range<'_>, decisions: &mut Decisions, history: &mut History, context: usize) -> usize {
    let state = usize::from(history.state);
    let after_literal = history.state < FIRST_AFTER_MATCH;
    let [a, b, c, d] = history.distances;
    if !rc.decide(at(&mut decisions.is_repeat, state)) {
        history.state = if after_literal { 7 } else { 10 };
        let count = length(rc, &mut decisions.match_len, context);
        history.distances = [distance(rc, decisions, count), a, b, c];
        return count;
    }
    if !rc.decide(at(&mut decisions.is_older, state)) {
        if !rc.decide(at(at(&mut decisions.is_long, state), context)) {
            history.state = if after_literal { 9 } else { 11 };
            return 1;
        }
    } else if !rc.decide(at(&mut decisions.is_older_than_1, state)) {
        history.distances = [b, a, c, d];
    } else if !rc.decide(at(&mut decisions.is_older_than_2, state)) {
        history.distances = [c, a, b, d];
    } else {
        history.distances = [d, a, b, c];
    }
    history.state = if after_literal { 8 } else { 11 };
    length(rc, &mut decisions.repeat_len, context)
}

/// The length of a match: 2 to 273 bytes.
#[inline(always)]
fn length(rc: &mut Range<'_>, lengths: &mut Lengths, context: usize) -> usize {
    // Each tree gives its leading one with the number; what is added takes it off again.
    if !rc.decide(&mut lengths.above_low) {
        rc.tree::<3, 8>(at(&mut lengths.low, context)).wrapping_sub(8).wrapping_add(2)
    } else if !rc.decide(&mut lengths.above_mid) {
        rc.tree::<3, 8>(at(&mut lengths.mid, context)).wrapping_sub(8).wrapping_add(10)
    } else {
        rc.tree::<8, 256>(&mut lengths.high).wrapping_sub(256).wrapping_add(18)
    }
}

/// The distance, less one, of a match of `count` bytes.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "slots are below 64")]
fn distance(rc: &mut Range<'_>, decisions: &mut Decisions, count: usize) -> u32 {
    const ALIGN_BITS: u32 = 4;
    let by_length = count.wrapping_sub(2).min(3);
    let slot = rc.tree::<6, 64>(at(&mut decisions.slot, by_length)).wrapping_sub(64) as u32;
    if slot < 4 {
        return slot;
    }
    let low_bits = (slot >> 1).wrapping_sub(1);
    let high = 2 | slot & 1;
    if slot < 14 {
        let start = high << low_bits;
        // Each tree begins where the numbers before its own end; its root is the entry behind.
        let base = start.wrapping_sub(slot) as usize;
        return start.wrapping_add(rc.reverse_tree(&mut decisions.middle, base, low_bits));
    }
    let direct = rc.direct(high, low_bits.wrapping_sub(ALIGN_BITS));
    (direct << ALIGN_BITS).wrapping_add(rc.reverse_tree(&mut decisions.align, 0, ALIGN_BITS))
}
