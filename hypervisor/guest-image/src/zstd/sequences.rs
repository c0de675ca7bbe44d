// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The sequences of a block: so many literals, then a match (RFC 8878 section 3.1.1.3.2 and 3.1.1.4).

use alloc::boxed::Box;
use alloc::vec;

use super::bits::Backward;
use super::fse::{Distribution, MAX_STATES};
use super::output::Output;

/// First value and number of extra bits of each literal-length code from 16 on; below, code and value are equal.
const LITERAL_CODES: [(u32, u8); 20] = [
    (16, 1),
    (18, 1),
    (20, 1),
    (22, 1),
    (24, 2),
    (28, 2),
    (32, 3),
    (40, 3),
    (48, 4),
    (64, 6),
    (128, 7),
    (256, 8),
    (512, 9),
    (1024, 10),
    (2048, 11),
    (4096, 12),
    (8192, 13),
    (16384, 14),
    (32768, 15),
    (65536, 16),
];
/// The same of each match-length code from 32 on; below, the value is the code plus 3.
const MATCH_CODES: [(u32, u8); 21] = [
    (35, 1),
    (37, 1),
    (39, 1),
    (41, 1),
    (43, 2),
    (47, 2),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 5),
    (131, 7),
    (259, 8),
    (515, 9),
    (1027, 10),
    (2051, 11),
    (4099, 12),
    (8195, 13),
    (16387, 14),
    (32771, 15),
    (65539, 16),
];
const LITERAL_DEFAULT: [i16; 36] =
    [4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1];
const MATCH_DEFAULT: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];
const DISTANCE_DEFAULT: [i16; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];

/// Which of the three numbers of a sequence.
#[derive(Clone, Copy)]
enum Number {
    LiteralLength,
    Distance,
    MatchLength,
}

impl Number {
    /// The first value of a code, and how many bits follow to add to it.
    fn value(self, code: u8) -> Option<(u32, u8)> {
        let index = usize::from(code);
        match self {
            Self::LiteralLength if code < 16 => Some((u32::from(code), 0)),
            Self::LiteralLength => LITERAL_CODES.get(index.wrapping_sub(16)).copied(),
            Self::MatchLength if code < 32 => Some((u32::from(code).wrapping_add(3), 0)),
            Self::MatchLength => MATCH_CODES.get(index.wrapping_sub(32)).copied(),
            Self::Distance => Some((1_u32.checked_shl(u32::from(code))?, code)),
        }
    }

    /// The distribution the format gives.
    fn default(self) -> Distribution {
        match self {
            Self::LiteralLength => Distribution::fixed(6, &LITERAL_DEFAULT),
            Self::Distance => Distribution::fixed(5, &DISTANCE_DEFAULT),
            Self::MatchLength => Distribution::fixed(6, &MATCH_DEFAULT),
        }
    }

    /// The largest table's log, and the number of codes.
    fn limits(self) -> (u32, usize) {
        match self {
            Self::LiteralLength => (9, 36),
            Self::Distance => (8, 32),
            Self::MatchLength => (9, 53),
        }
    }
}

/// One state: the number it stands for, and the way to the next.
#[derive(Clone, Copy, Default)]
struct State {
    value: u32,
    next: u16,
    extra: u8,
    bits: u8,
}

/// The table of one of the numbers.
struct Decoder {
    number: Number,
    states: Box<[State; MAX_STATES]>,
    log: u32,
    known: bool,
}

impl Decoder {
    fn new(number: Number) -> Self {
        let states = vec![State::default(); MAX_STATES].into_boxed_slice();
        let states = states.try_into().unwrap_or_else(|_| Box::new([State::default(); MAX_STATES]));
        Self { number, states, log: 0, known: false }
    }

    /// Sets the table up as the block says; gives what follows its description.
    fn set<'a>(&mut self, mode: u8, data: &'a [u8]) -> Option<&'a [u8]> {
        let (log, symbols) = self.number.limits();
        let rest = match mode & 3 {
            0 => {
                self.fill(&self.number.default())?;
                data
            }
            1 => {
                let (&code, rest) = data.split_first()?;
                let (value, extra) = self.number.value(code).filter(|_| usize::from(code) < symbols)?;
                *self.states.first_mut()? = State { value, next: 0, extra, bits: 0 };
                self.log = 0;
                rest
            }
            2 => {
                let (distribution, rest) = Distribution::read(data, log, symbols)?;
                self.fill(&distribution)?;
                rest
            }
            _ => self.known.then_some(data)?,
        };
        self.known = true;
        Some(rest)
    }

    fn fill(&mut self, distribution: &Distribution) -> Option<()> {
        let (number, states) = (self.number, &mut self.states);
        self.known = false;
        self.log = distribution.log;
        distribution.each_state(|state, symbol, bits, next| {
            let (value, extra) = number.value(symbol)?;
            *states.get_mut(state)? = State { value, next, extra, bits };
            Some(())
        })
    }

    #[inline(always)]
    fn get(&self, state: usize) -> State {
        #[expect(clippy::indexing_slicing, reason = "masked to the table's size")]
        self.states[state & (MAX_STATES - 1)]
    }
}

/// The tables of all three numbers.
pub(super) struct Decoders {
    literal: Decoder,
    distance: Decoder,
    matched: Decoder,
}

impl Decoders {
    pub(super) fn new() -> Self {
        Self {
            literal: Decoder::new(Number::LiteralLength),
            distance: Decoder::new(Number::Distance),
            matched: Decoder::new(Number::MatchLength),
        }
    }
}

/// Carries out the sequences section `data` with the block's literals: a buffer with some slack, and their count.
pub(super) fn run(
    decoders: &mut Decoders,
    distances: &mut [usize; 3],
    data: &[u8],
    (literals, literals_len): (&[u8], usize),
    output: &mut Output<'_>,
) -> Option<()> {
    let (count, data) = read_count(data)?;
    let mut used = 0_usize;
    if count > 0 {
        let (&modes, data) = data.split_first()?;
        if modes & 3 != 0 {
            return None;
        }
        let data = decoders.literal.set(modes >> 6, data)?;
        let data = decoders.distance.set(modes >> 4, data)?;
        let data = decoders.matched.set(modes >> 2, data)?;
        let mut reader = Reader::new(decoders, data)?;
        for left in (0..count).rev() {
            let (literal_len, distance_value, match_len) = reader.next(left == 0);
            let distance = resolve(distances, distance_value, literal_len)?;
            let end = used.checked_add(literal_len).filter(|end| *end <= literals_len)?;
            output.extend_short(literals.get(used..)?, literal_len)?;
            used = end;
            output.repeat(distance, match_len)?;
        }
        if reader.bits.remaining() != 0 {
            return None;
        }
    }
    output.extend(literals.get(used..literals_len)?)
}

/// The number of sequences, and what follows it.
fn read_count(data: &[u8]) -> Option<(u32, &[u8])> {
    match *data {
        [0] => Some((0, &[])),
        [first @ 1..128, ref rest @ ..] => Some((u32::from(first), rest)),
        [255, low, high, ref rest @ ..] => {
            Some((u32::from(u16::from_le_bytes([low, high])).wrapping_add(0x7f00), rest))
        }
        [first @ 128..=254, low, ref rest @ ..] => Some((u32::from(first & 127) << 8 | u32::from(low), rest)),
        _ => None,
    }
}

/// Turns the number of a sequence into a distance, and remembers the last three.
#[inline(always)]
fn resolve(distances: &mut [usize; 3], value: usize, literal_len: usize) -> Option<usize> {
    let [first, second, third] = *distances;
    // Values 1 to 3 mean a former distance; without literals in between the first would be useless, so they mean others.
    let chosen = if value > 3 { value } else { value.wrapping_add(usize::from(literal_len == 0)) };
    let distance = match chosen {
        1 => return Some(first),
        2 => {
            *distances = [second, first, third];
            return Some(second);
        }
        3 => third,
        4 if value == 3 => first.checked_sub(1)?,
        _ => value.checked_sub(3)?,
    };
    *distances = [distance, first, second];
    Some(distance)
}

/// The stream of the three numbers.
struct Reader<'a> {
    decoders: &'a Decoders,
    bits: Backward<'a>,
    literal: State,
    distance: State,
    matched: State,
}

impl<'a> Reader<'a> {
    fn new(decoders: &'a Decoders, data: &'a [u8]) -> Option<Self> {
        let mut bits = Backward::new(data)?;
        let mut first = |decoder: &Decoder| decoder.get(index(bits.take(decoder.log)));
        let literal = first(&decoders.literal);
        let distance = first(&decoders.distance);
        let matched = first(&decoders.matched);
        Some(Self { decoders, bits, literal, distance, matched })
    }

    /// Length of the literals, value of the distance, length of the match.
    #[inline(always)]
    fn next(&mut self, last: bool) -> (usize, usize, usize) {
        let (literal, distance, matched) = (self.literal, self.distance, self.matched);
        let distance_value = number(&mut self.bits, distance);
        // At most 31 + 16 + 16 bits, then 9 + 9 + 8: these two refills are enough unless the distance is vast.
        if distance.extra > 24 {
            self.bits.refill();
        }
        let match_len = number(&mut self.bits, matched);
        let literal_len = number(&mut self.bits, literal);
        self.bits.refill();
        if !last {
            let bits = &mut self.bits;
            let mut step = |decoder: &Decoder, state: State| {
                decoder.get(usize::from(state.next).wrapping_add(index(bits.take(u32::from(state.bits)))))
            };
            self.literal = step(&self.decoders.literal, literal);
            self.matched = step(&self.decoders.matched, matched);
            self.distance = step(&self.decoders.distance, distance);
            self.bits.refill();
        }
        (literal_len, distance_value, match_len)
    }
}

/// The number a state stands for, with its extra bits.
#[inline(always)]
fn number(bits: &mut Backward<'_>, state: State) -> usize {
    index(u64::from(state.value)).wrapping_add(index(bits.take(u32::from(state.extra))))
}

/// Stream bits as an index or length; at most 57 of them, and `usize` has 64.
#[expect(clippy::cast_possible_truncation, reason = "64-bit targets only")]
#[inline(always)]
fn index(bits: u64) -> usize {
    bits as usize
}

const _: () = assert!(usize::BITS == 64, "x86-64 only");
