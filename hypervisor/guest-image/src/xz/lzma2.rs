// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! LZMA2: chunks of LZMA or plain bytes, which say what of the decoder to reset.

use crate::lzma::{Decoder, End, Range};

/// First bytes of chunks.
const STREAM_END: u8 = 0;
const PLAIN_NEW_DICTIONARY: u8 = 1;
const PLAIN: u8 = 2;
/// The lowest of LZMA chunks; bits 5 and 6 say what to reset, the others are of the length.
const LZMA: u8 = 0x80;
const RESETS: u8 = 3 << 5;
const RESET_STATE: u8 = 1 << 5;
const NEW_PROPERTIES: u8 = 2 << 5;
const NEW_DICTIONARY: u8 = 3 << 5;

/// What the next chunk must reset, since nothing before it has.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Nothing,
    State,
    Properties,
    Dictionary,
}

/// Unpacks until the end of the LZMA2 stream; gives what follows it, and the bytes unpacked.
pub(super) fn unpack<'a>(mut stream: &'a [u8], decoder: &mut Decoder, out: &mut [u8]) -> Option<(&'a [u8], usize)> {
    let mut need = Need::Dictionary;
    // Matches reach back to here.
    let mut dictionary = 0_usize;
    let mut found = 0_usize;
    loop {
        let (&control, rest) = stream.split_first()?;
        if control == STREAM_END {
            return Some((rest, found));
        }
        let resets = control & RESETS;
        if control == PLAIN_NEW_DICTIONARY || control >= LZMA && resets == NEW_DICTIONARY {
            dictionary = found;
            need = Need::Properties;
        } else if need == Need::Dictionary {
            return None;
        }
        if control >= LZMA {
            let (len, chunk);
            (len, chunk, stream) = lzma_chunk(control, rest, decoder, &mut need)?;
            let out = out.get_mut(dictionary..)?;
            let mut pos = found.wrapping_sub(dictionary);
            found = found.checked_add(len)?;
            let limit = found.wrapping_sub(dictionary);
            if limit > out.len() {
                return None;
            }
            let mut input = Range::new(chunk)?;
            if decoder.run(&mut input, out, &mut pos, limit)? == End::Marker || !input.is_finished() {
                return None;
            }
        } else if control <= PLAIN {
            let (len, rest) = rest.split_first_chunk::<2>()?;
            let (plain, rest) = rest.split_at_checked(len_of(*len))?;
            let end = found.checked_add(plain.len())?;
            out.get_mut(found..end)?.copy_from_slice(plain);
            (found, stream) = (end, rest);
        } else {
            return None;
        }
    }
}

/// Chunks are not empty, so lengths are stored less one.
fn len_of(stored: [u8; 2]) -> usize {
    usize::from(u16::from_be_bytes(stored)).wrapping_add(1)
}

/// Reads the header of an LZMA chunk and resets the decoder accordingly; gives the unpacked length, the chunk's contents,
/// and what follows them.
fn lzma_chunk<'a>(
    control: u8,
    rest: &'a [u8],
    decoder: &mut Decoder,
    need: &mut Need,
) -> Option<(usize, &'a [u8], &'a [u8])> {
    let resets = control & RESETS;
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (packed, mut rest) = rest.split_first_chunk::<2>()?;
    let high = usize::from(control & !(LZMA | RESETS)) << 16;
    if resets >= NEW_PROPERTIES {
        let (&properties, behind) = rest.split_first()?;
        decoder.set_properties(properties)?;
        rest = behind;
    } else if *need >= Need::Properties {
        return None;
    }
    if resets >= RESET_STATE {
        decoder.reset();
    } else if *need >= Need::State {
        return None;
    }
    *need = Need::Nothing;
    let (chunk, rest) = rest.split_at_checked(len_of(*packed))?;
    Some((len_of(*len).wrapping_add(high), chunk, rest))
}
