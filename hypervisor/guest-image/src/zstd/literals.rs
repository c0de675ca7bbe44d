// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The literals of a block (RFC 8878 section 3.1.1.3.1).

use alloc::vec::Vec;

use super::block::MAX_BLOCK;
use super::huffman::Huffman;
use crate::bytes;

/// Unpacks the literals section at the start of `block` into `literals`; gives what follows it.
pub(super) fn unpack<'a>(huffman: &mut Huffman, block: &'a [u8], literals: &mut Vec<u8>) -> Option<&'a [u8]> {
    let &first = block.first()?;
    literals.clear();
    match first & 3 {
        kind @ (0 | 1) => {
            let (size, header) = match first >> 2 & 3 {
                0 | 2 => (usize::from(first >> 3), 1),
                1 => (usize::from(bytes::u16_at(block, 0)? >> 4), 2),
                _ => (usize::try_from(word(block, 3)? >> 4).ok()?, 3),
            };
            let rest = block.get(header..)?;
            if size > MAX_BLOCK {
                return None;
            }
            if kind == 0 {
                let (raw, rest) = rest.split_at_checked(size)?;
                literals.extend_from_slice(raw);
                return Some(rest);
            }
            let (&byte, rest) = rest.split_first()?;
            literals.resize(size, byte);
            Some(rest)
        }
        kind => {
            let (header, width) = match first >> 2 & 3 {
                0 | 1 => (3, 10),
                2 => (4, 14),
                _ => (5, 18),
            };
            let word = word(block, header)? >> 4;
            let mask = (1_u64 << width).wrapping_sub(1);
            let size = usize::try_from(word & mask).ok()?;
            let packed = usize::try_from(word >> width & mask).ok()?;
            if size > MAX_BLOCK {
                return None;
            }
            let (mut data, rest) = block.get(header..)?.split_at_checked(packed)?;
            if kind == 2 {
                data = huffman.read_table(data)?;
            }
            literals.resize(size, 0);
            if first >> 2 & 3 == 0 {
                huffman.unpack_one(data, literals)?;
            } else {
                huffman.unpack_four(data, literals)?;
            }
            Some(rest)
        }
    }
}

/// The first `count` bytes as a number.
fn word(block: &[u8], count: usize) -> Option<u64> {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(block.get(..count)?) {
        *to = *from;
    }
    Some(u64::from_le_bytes(word))
}
