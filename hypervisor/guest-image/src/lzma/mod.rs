// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! An LZMA decoder that writes each byte once, straight into the caller's buffer, which is also its dictionary.
//!
//! Own code instead of a crate because a decoder that gives out a stream allocates the dictionary beside the output, which
//! for Debian 6.1 is 32 MiB in one piece; here it is 36 KiB. It also takes fewer instructions (see the README), which counts
//! where the machine is emulated.
//!
//! Sources: the LZMA specification of the LZMA SDK, and "The .lzma File Format" of XZ Utils. Everything answers `None` for
//! damaged input.

mod decoder;
mod model;
mod range;
mod window;

use crate::bytes;
pub(crate) use decoder::{Decoder, End};
pub(crate) use range::Range;

/// Properties, dictionary size and unpacked length.
const HEADER_LEN: usize = 13;
/// The unpacked length of streams that end in a marker instead.
const UNKNOWN_LEN: u64 = u64::MAX;

/// Unpacks the `.lzma` file `stream` into `out` and gives the length found; `None` if damaged or longer than `out`.
pub(crate) fn unpack(stream: &[u8], out: &mut [u8]) -> Option<usize> {
    let (&properties, _) = stream.split_first()?;
    // The dictionary size of bytes 1 to 4 does not matter: the buffer keeps everything.
    let announced = bytes::u64_at(stream, 5)?;
    let mut decoder = Decoder::new();
    decoder.set_properties(properties)?;
    let mut input = Range::new(stream.get(HEADER_LEN..)?)?;
    let mut found = 0_usize;
    if announced != UNKNOWN_LEN {
        let len = usize::try_from(announced).ok().filter(|&len| len <= out.len())?;
        if decoder.run(&mut input, out, &mut found, len)? == End::Marker {
            return None;
        }
        if input.is_finished() {
            return Some(found);
        }
    }
    // Only the marker may follow, or ends a stream of unknown length. Output beyond the buffer is an error anyway.
    let before = found;
    let end = decoder.run(&mut input, out, &mut found, usize::MAX)?;
    let misplaced = announced != UNKNOWN_LEN && found != before;
    (end == End::Marker && !misplaced && input.is_finished()).then_some(found)
}
