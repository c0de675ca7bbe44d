// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The x86 branch filter, backwards: absolute targets of calls and jumps become relative ones again.
//!
//! Before compression each `call` and `jmp` (opcodes 0xe8 and 0xe9) got the sum of its target and its own address, so that
//! calls of one function look alike. Only operands with 0 or 0xff as their highest byte are rewritten, as others are hardly
//! operands. What looks like an opcode may itself be part of an operand, so it matters which of the three bytes before a
//! candidate were candidates left alone.

/// Length of opcode and operand.
const LEN: usize = 5;

/// Candidates that were left alone.
struct Left {
    /// The last candidate.
    last: usize,
    /// Bit `k` set: a candidate `k` bytes before `last` was left alone.
    before: u32,
}

/// Undoes the filter over a whole block whose first byte has the address `start`.
pub(super) fn decode(data: &mut [u8], start: u32) {
    let mut left = Left { last: 0, before: 0 };
    let mut from = 0_usize;
    while let Some(at) = find_opcode(data, from) {
        // Bit `k` set: one was left alone `k + 1` bytes before this one.
        let near = match at.wrapping_sub(left.last) {
            distance @ 1..=3 => left.before << distance.wrapping_sub(1) & 7,
            _ => 0,
        };
        let Some(operand) = data.get_mut(at.wrapping_add(1)..).and_then(<[u8]>::first_chunk_mut) else { return };
        if rewrite(operand, near, start.wrapping_add(low_half(at.wrapping_add(LEN)))) {
            left = Left { last: at, before: 0 };
            from = at.wrapping_add(LEN);
        } else {
            left = Left { last: at, before: near << 1 | 1 };
            from = at.wrapping_add(1);
        }
    }
}

/// Addresses wrap at 4 GiB.
#[expect(clippy::cast_possible_truncation, reason = "wraps as meant")]
fn low_half(offset: usize) -> u32 {
    offset as u32
}

/// Whether a byte can be the highest of an operand: a target less than 16 MiB away, forwards or backwards.
#[inline(always)]
fn is_sign(byte: u8) -> bool {
    byte == 0 || byte == 0xff
}

/// Rewrites an operand, unless it is probably none. `next` is the address behind it.
#[inline(always)]
fn rewrite(operand: &mut [u8; 4], near: u32, next: u32) -> bool {
    let absolute = u32::from_le_bytes(*operand);
    // The farthest candidate before has its highest byte here, in the first, second or third byte.
    let shared_shift = near.leading_zeros().wrapping_sub(29).wrapping_mul(8);
    let shared = |value: u32| is_sign((value >> (shared_shift & 31)).to_le_bytes()[0]);
    let [.., highest] = *operand;
    if !is_sign(highest) || near.count_ones() > 1 || near != 0 && shared(absolute) {
        return false;
    }
    let mut relative = absolute.wrapping_sub(next);
    if near != 0 && shared(relative) {
        // The encoder made its result differ there, by inverting the lower part before; the sum turns into the inverse.
        let inverted = relative ^ (0xff << shared_shift | (1_u32 << shared_shift).wrapping_sub(1));
        relative = inverted.wrapping_sub(next);
    }
    // 25 bits, sign-extended.
    let sign = (relative & 0x100_0000).wrapping_neg();
    *operand = (relative & 0x1ff_ffff | sign).to_le_bytes();
    true
}

/// The first opcode at `from` or behind.
#[inline(always)]
fn find_opcode(data: &[u8], from: usize) -> Option<usize> {
    const LOW_BITS: u64 = 0x0101_0101_0101_0101;
    let mut at = from;
    // Eight bytes a step: most of a kernel is no branch.
    while let Some(word) = data.get(at..).and_then(<[u8]>::first_chunk) {
        // The bytes that are opcodes become 0, and then their highest bits 1; bytes behind the first may err.
        let differing = u64::from_le_bytes(*word) & (LOW_BITS * 0xfe) ^ (LOW_BITS * 0xe8);
        let opcodes = differing.wrapping_sub(LOW_BITS) & !differing & (LOW_BITS << 7);
        if opcodes != 0 {
            return Some(at.wrapping_add((opcodes.trailing_zeros() >> 3) as usize));
        }
        at = at.wrapping_add(8);
    }
    let rest = data.get(at..)?;
    rest.iter().position(|&byte| byte & 0xfe == 0xe8).map(|k| at.wrapping_add(k))
}
