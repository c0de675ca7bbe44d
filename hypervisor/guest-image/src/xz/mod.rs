// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! An xz decoder that writes straight into the caller's buffer: the container around [`crate::lzma`].
//!
//! As the kernel's own, it knows one stream, LZMA2, and the x86 branch filter before it. Checks other than CRC-32 and CRC-64
//! are skipped.
//!
//! Source: "The .xz File Format" of XZ Utils. Everything answers `None` for damaged input.

mod block;
mod check;
mod lzma2;
mod varint;
mod x86;

use crate::bytes;
use crate::crc32;
use crate::lzma::Decoder;
use block::Sizes;
use check::Check;
use varint::varint;

const HEADER_MAGIC: &[u8] = b"\xfd7zXZ\0";
const FOOTER_MAGIC: &[u8] = b"YZ";
/// The index begins where a block's header would have this byte as its length.
const INDEX: u8 = 0;

/// Unpacks the stream into `out` and gives the length found; `None` if damaged or longer than `out`.
pub(crate) fn unpack(stream: &[u8], out: &mut [u8]) -> Option<usize> {
    let rest = stream.strip_prefix(HEADER_MAGIC)?;
    let (flags, rest) = rest.split_first_chunk::<2>()?;
    let rest = after_crc(flags, rest)?;
    let check = Check::from_flags(*flags)?;

    let mut decoder = Decoder::new();
    let (mut rest, mut found, mut blocks) = (rest, 0_usize, Blocks::default());
    while *rest.first()? != INDEX {
        let sizes;
        (rest, sizes) = block::unpack(rest, &mut decoder, check, out.get_mut(found..)?)?;
        found = found.checked_add(usize::try_from(sizes.unpacked).ok()?)?;
        blocks.add(sizes);
    }
    let index = rest;
    let rest = read_index(index, &blocks)?;
    let index_len = index.len().wrapping_sub(rest.len());

    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (covered, rest) = rest.split_first_chunk::<6>()?;
    let backward_len = u64::from(bytes::u32_at(covered, 0)?).wrapping_add(1).wrapping_mul(4);
    let intact = crc32::of(covered) == u32::from_le_bytes(*crc)
        && covered.ends_with(flags)
        && backward_len == index_len as u64
        && rest == FOOTER_MAGIC;
    intact.then_some(found)
}

/// What follows `covered` and its CRC-32, if that is right.
fn after_crc<'a>(covered: &[u8], behind: &'a [u8]) -> Option<&'a [u8]> {
    let (crc, rest) = behind.split_first_chunk::<4>()?;
    (crc32::of(covered) == u32::from_le_bytes(*crc)).then_some(rest)
}

/// What the index must say: a digest of all blocks, since a list would grow with the file.
#[derive(Default, PartialEq, Eq)]
struct Blocks {
    count: u64,
    digest: u64,
}

impl Blocks {
    fn add(&mut self, sizes: Sizes) {
        self.count = self.count.wrapping_add(1);
        for size in [sizes.packed, sizes.unpacked] {
            // Any mixing will do: this guards against damage, not against malice.
            self.digest = (self.digest ^ size).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
    }
}

/// Reads the index, which must match the blocks; gives what follows it.
fn read_index<'a>(index: &'a [u8], blocks: &Blocks) -> Option<&'a [u8]> {
    let (count, mut rest) = varint(index.get(1..)?)?;
    if count != blocks.count {
        return None;
    }
    let mut listed = Blocks::default();
    for _ in 0..count {
        let (packed, unpacked);
        (packed, rest) = varint(rest)?;
        (unpacked, rest) = varint(rest)?;
        listed.add(Sizes { packed, unpacked });
    }
    let rest = after_padding(index, rest)?;
    let covered = index.get(..index.len().wrapping_sub(rest.len()))?;
    if listed != *blocks {
        return None;
    }
    after_crc(covered, rest)
}

/// Skips the zeros that make the part from `start` to `rest` a multiple of four bytes.
fn after_padding<'a>(start: &[u8], rest: &'a [u8]) -> Option<&'a [u8]> {
    let len = start.len().wrapping_sub(rest.len());
    let (padding, rest) = rest.split_at_checked(len.wrapping_neg() & 3)?;
    padding.iter().all(|&byte| byte == 0).then_some(rest)
}
