// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A Zstandard decoder (RFC 8878) that writes each byte once, straight into the caller's buffer.
//!
//! Own code instead of a crate because of what kernels are: Debian 6.12 comes with a window of 128 MiB, which a streaming
//! decoder must allocate beside the output; here the output is the window, and the scratch memory is 150 KiB. It is also
//! about twice as fast as `ruzstd` (see the README), which counts where the machine is emulated.
//!
//! Everything answers `None` for damaged input.

mod bits;
mod block;
mod fse;
mod huffman;
mod literals;
mod output;
mod sequences;
mod xxh64;

use crate::bytes;
use block::Tables;
use output::Output;

/// First word of a frame.
const FRAME_MAGIC: u32 = 0xfd2f_b528;
/// First word of a frame to skip, in the high 28 bits.
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;

/// Unpacks all frames of `stream` into `out` and gives the length found; `None` if damaged or longer than `out`.
pub(crate) fn unpack(mut stream: &[u8], out: &mut [u8]) -> Option<usize> {
    let mut output = Output::new(out);
    while !stream.is_empty() {
        let magic = bytes::u32_at(stream, 0)?;
        stream = stream.get(4..)?;
        if magic & !0xf == SKIPPABLE_MAGIC {
            let len = usize::try_from(bytes::u32_at(stream, 0)?).ok()?;
            stream = stream.get(4..)?.get(len..)?;
        } else if magic == FRAME_MAGIC {
            stream = frame(stream, &mut output)?;
        } else {
            return None;
        }
    }
    Some(output.len())
}

/// Unpacks the frame behind its magic number; gives what follows it.
fn frame<'a>(stream: &'a [u8], output: &mut Output<'_>) -> Option<&'a [u8]> {
    const SINGLE_SEGMENT: u8 = 1 << 5;
    const RESERVED: u8 = 1 << 3;
    const CHECKSUM: u8 = 1 << 2;

    let (&descriptor, mut rest) = stream.split_first()?;
    // Without a dictionary there is nothing that bits 0 and 1 could refer to.
    if descriptor & (RESERVED | 3) != 0 {
        return None;
    }
    if descriptor & SINGLE_SEGMENT == 0 {
        // The window: what a streaming decoder must keep. The buffer keeps everything.
        rest = rest.get(1..)?;
    }
    let (size, rest_behind) = match (descriptor >> 6, descriptor & SINGLE_SEGMENT) {
        (0, 0) => (None, rest),
        (0, _) => (rest.first().map(|&n| u64::from(n)), rest.get(1..)?),
        (1, _) => (bytes::u16_at(rest, 0).map(|n| u64::from(n).wrapping_add(256)), rest.get(2..)?),
        (2, _) => (bytes::u32_at(rest, 0).map(u64::from), rest.get(4..)?),
        _ => (bytes::u64_at(rest, 0), rest.get(8..)?),
    };
    rest = rest_behind;

    output.start_frame();
    let mut tables = Tables::new();
    loop {
        let header = bytes::u32_at(rest, 0).or_else(|| {
            // The last block of a stream without checksum may have only the three bytes and one of contents.
            rest.first_chunk::<3>().map(|&[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
        })? & 0xff_ffff;
        let last = header & 1 != 0;
        let size = usize::try_from(header >> 3).ok()?;
        rest = block::unpack(&mut tables, header >> 1 & 3, size, rest.get(3..)?, output)?;
        if last {
            break;
        }
    }
    if size.is_some_and(|size| usize::try_from(size) != Ok(output.frame().len())) {
        return None;
    }
    if descriptor & CHECKSUM != 0 {
        let checksum = xxh64::of(output.frame()) & 0xffff_ffff;
        if u64::from(bytes::u32_at(rest, 0)?) != checksum {
            return None;
        }
        rest = rest.get(4..)?;
    }
    Some(rest)
}
