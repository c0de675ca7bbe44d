// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Finite-state entropy tables (RFC 8878 section 4.1).

use super::bits::Forward;

/// No table is larger than 2^9 states.
pub(super) const MAX_STATES: usize = 512;
/// No alphabet here is larger: 53 match-length codes.
const MAX_SYMBOLS: usize = 64;

/// Probabilities of symbols, in units of 1 / 2^`log`; -1 is "less than one unit".
pub(super) struct Distribution {
    pub(super) log: u32,
    probabilities: [i16; MAX_SYMBOLS],
    symbols: usize,
}

impl Distribution {
    /// One given by the format.
    pub(super) fn fixed(log: u32, given: &[i16]) -> Self {
        let mut probabilities = [0; MAX_SYMBOLS];
        for (to, from) in probabilities.iter_mut().zip(given) {
            *to = *from;
        }
        Self { log, probabilities, symbols: given.len() }
    }

    /// One described in the stream; also gives what follows it.
    pub(super) fn read(data: &[u8], max_log: u32, max_symbols: usize) -> Option<(Self, &[u8])> {
        let mut bits = Forward::new(data);
        let log = bits.take(4).wrapping_add(5);
        if log > max_log {
            return None;
        }
        let mut probabilities = [0; MAX_SYMBOLS];
        let mut symbols = 0_usize;
        // Units not yet given away.
        let mut left = 1_u32 << log;
        while left > 0 {
            // A value of 0 to left + 1, the low ones a bit shorter if the range is no power of two.
            let max = left.wrapping_add(1);
            let width = 32_u32.wrapping_sub(max.leading_zeros());
            let half = 1_u32.wrapping_shl(width.wrapping_sub(1));
            let short = half.wrapping_mul(2).wrapping_sub(1).wrapping_sub(max);
            let mut value = bits.peek(width.wrapping_sub(1));
            if value < short {
                bits.take(width.wrapping_sub(1));
            } else {
                value = bits.take(width);
                if value >= half {
                    value = value.wrapping_sub(short);
                }
            }
            let probability = i16::try_from(value).ok()?.checked_sub(1)?;
            left = left.checked_sub(u32::from(probability.unsigned_abs()))?;
            if symbols >= max_symbols {
                return None;
            }
            *probabilities.get_mut(symbols)? = probability;
            symbols = symbols.checked_add(1)?;
            if probability == 0 {
                loop {
                    let more = bits.take(2);
                    symbols = symbols.checked_add(more as usize)?;
                    if more != 3 {
                        break;
                    }
                }
            }
        }
        if symbols > max_symbols {
            return None;
        }
        Some((Self { log, probabilities, symbols }, bits.rest()?))
    }

    /// Calls `put(state, symbol, bits, base)` for each state: the symbol it stands for, and how the next state is made:
    /// `base` plus so many bits from the stream.
    pub(super) fn each_state(&self, mut put: impl FnMut(usize, u8, u8, u16) -> Option<()>) -> Option<()> {
        let size = 1_usize.checked_shl(self.log)?;
        let mut states = [0_u8; MAX_STATES];
        let states = states.get_mut(..size)?;
        let mut next = [0_u16; MAX_SYMBOLS];
        let symbols = || (0_u8..).zip(self.probabilities.iter().take(self.symbols)).zip(0_usize..);

        // Rare symbols stand at the end, the others are strewn over the rest.
        let mut free = size;
        for ((symbol, &probability), index) in symbols() {
            if probability == -1 {
                free = free.checked_sub(1)?;
                *states.get_mut(free)? = symbol;
            }
            *next.get_mut(index)? = probability.unsigned_abs();
        }
        let step = (size >> 1).wrapping_add(size >> 3).wrapping_add(3);
        let mut at = 0_usize;
        for ((symbol, &probability), _) in symbols() {
            for _ in 0..probability.max(0) {
                *states.get_mut(at)? = symbol;
                loop {
                    at = at.wrapping_add(step) & size.wrapping_sub(1);
                    if at < free {
                        break;
                    }
                    // Without a free place the probabilities exceed the table; they were checked, but a loop must end.
                    if free == 0 {
                        return None;
                    }
                }
            }
        }
        for (state, &symbol) in states.iter().enumerate() {
            let next = next.get_mut(usize::from(symbol))?;
            let bits = self.log.checked_sub(next.checked_ilog2()?)?;
            let base = u32::from(*next).checked_shl(bits)?.checked_sub(u32::try_from(size).ok()?)?;
            put(state, symbol, u8::try_from(bits).ok()?, u16::try_from(base).ok()?)?;
            *next = next.checked_add(1)?;
        }
        Some(())
    }
}
