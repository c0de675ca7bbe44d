// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One block of a frame (RFC 8878 section 3.1.1.2).

use alloc::vec::Vec;

use super::huffman::Huffman;
use super::literals;
use super::output::Output;
use super::sequences::{self, Decoders};

/// No block unpacks to more bytes.
pub(super) const MAX_BLOCK: usize = 128 << 10;
/// Copies of literals may read this far behind them.
const SLACK: usize = 16;

/// What later blocks of a frame may reuse of earlier ones, and scratch memory.
pub(super) struct Tables {
    pub(super) huffman: Huffman,
    pub(super) decoders: Decoders,
    /// The last three match distances.
    pub(super) distances: [usize; 3],
    literals: Vec<u8>,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            huffman: Huffman::new(),
            decoders: Decoders::new(),
            distances: [1, 4, 8],
            literals: Vec::with_capacity(MAX_BLOCK.saturating_add(SLACK)),
        }
    }
}

/// Unpacks a block of the given type and size; gives what follows it.
pub(super) fn unpack<'a>(
    tables: &mut Tables,
    kind: u32,
    size: usize,
    data: &'a [u8],
    output: &mut Output<'_>,
) -> Option<&'a [u8]> {
    if size > MAX_BLOCK {
        return None;
    }
    match kind {
        // Raw.
        0 => {
            let (block, rest) = data.split_at_checked(size)?;
            output.extend(block)?;
            Some(rest)
        }
        // One byte, repeated.
        1 => {
            let (&byte, rest) = data.split_first()?;
            output.fill(byte, size)?;
            Some(rest)
        }
        2 => {
            let (block, rest) = data.split_at_checked(size)?;
            compressed(tables, block, output)?;
            Some(rest)
        }
        _ => None,
    }
}

fn compressed(tables: &mut Tables, block: &[u8], output: &mut Output<'_>) -> Option<()> {
    let rest = literals::unpack(&mut tables.huffman, block, &mut tables.literals)?;
    let count = tables.literals.len();
    tables.literals.resize(count.saturating_add(SLACK), 0);
    sequences::run(&mut tables.decoders, &mut tables.distances, rest, (&tables.literals, count), output)
}
