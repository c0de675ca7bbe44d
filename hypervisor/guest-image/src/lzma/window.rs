// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Matches: copies within the unpacked bytes.
//!
//! No `memcpy`: most matches are so short that its call would take longer than the copy, and in a kernel build it is a
//! string instruction, which emulators do slowly.

/// Copies go in steps of this many bytes where there is room to overshoot.
const STEP: usize = 16;
/// The smaller step, for closer matches.
const WORD: usize = 8;

/// Puts `count` bytes from `distance` bytes back at `pos`, in the order that lets them overlap what they make. May write
/// nonsense behind them. `None` if they begin before the buffer or end behind it.
#[inline(always)]
pub(super) fn repeat(out: &mut [u8], pos: usize, distance: usize, count: usize) -> Option<()> {
    let from = pos.checked_sub(distance)?;
    let end = pos.wrapping_add(count);
    if distance >= STEP && out.len().checked_sub(end)? >= STEP {
        return steps::<STEP>(out, from, pos, end);
    }
    repeat_close(out, from, pos, end)
}

/// Copies by `N` bytes from `from` to `to`, until `end` is reached; they are at least `N` apart.
#[inline(always)]
fn steps<const N: usize>(out: &mut [u8], mut from: usize, mut to: usize, end: usize) -> Option<()> {
    loop {
        let step = *out.get(from..)?.first_chunk::<N>()?;
        *out.get_mut(to..)?.first_chunk_mut::<N>()? = step;
        from = from.wrapping_add(N);
        to = to.wrapping_add(N);
        if to >= end {
            return Some(());
        }
    }
}

/// Matches that overlap themselves soon, and the last ones of the buffer.
fn repeat_close(out: &mut [u8], from: usize, pos: usize, end: usize) -> Option<()> {
    let mut distance = pos.wrapping_sub(from);
    let mut to = pos;
    if out.len().checked_sub(end)? >= WORD {
        // One word bytewise; behind it the same bytes repeat at a multiple of the distance that is a word or more.
        if distance < WORD {
            let word_end = pos.wrapping_add(WORD);
            while to < word_end {
                *out.get_mut(to)? = *out.get(to.wrapping_sub(distance))?;
                to = to.wrapping_add(1);
            }
            if to >= end {
                return Some(());
            }
            distance = distance.wrapping_mul(WORD.div_ceil(distance.max(1)));
        }
        return steps::<WORD>(out, to.wrapping_sub(distance), to, end);
    }
    while to < end {
        *out.get_mut(to)? = *out.get(to.wrapping_sub(distance))?;
        to = to.wrapping_add(1);
    }
    Some(())
}
