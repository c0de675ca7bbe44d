// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One block: its header with the chain of filters, its contents and their check.

use super::check::Check;
use super::varint::varint;
use super::{after_crc, after_padding, lzma2, x86};
use crate::bytes;
use crate::lzma::Decoder;

/// Filter IDs.
const X86: u64 = 0x04;
const LZMA2: u64 = 0x21;

/// What the index tells about a block, in bytes.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Header, packed contents and check, without the padding.
    pub(super) packed: u64,
    pub(super) unpacked: u64,
}

struct Header {
    /// Of the packed contents, if told.
    packed: Option<u64>,
    unpacked: Option<u64>,
    /// The address of the first byte for the x86 filter, if there is one.
    x86: Option<u32>,
}

/// Unpacks the block at the start of `stream` to the start of `out`; gives what follows it.
pub(super) fn unpack<'a>(
    stream: &'a [u8],
    decoder: &mut Decoder,
    check: Check,
    out: &mut [u8],
) -> Option<(&'a [u8], Sizes)> {
    let (header, contents) = header(stream)?;
    let (rest, unpacked) = lzma2::unpack(contents, decoder, out)?;
    let packed = contents.len().wrapping_sub(rest.len()) as u64;
    let fits = |told: Option<u64>, found: u64| told.is_none_or(|told| told == found);
    if !fits(header.packed, packed) || !fits(header.unpacked, unpacked as u64) {
        return None;
    }
    // Headers are multiples of four bytes themselves.
    let padded = after_padding(contents, rest)?;
    let out = out.get_mut(..unpacked)?;
    if let Some(start) = header.x86 {
        x86::decode(out, start);
    }
    let (sum, behind) = padded.split_at_checked(check.len())?;
    if !check.matches(out, sum) {
        return None;
    }
    let packed = stream.len().wrapping_sub(rest.len()).wrapping_add(sum.len());
    Some((behind, Sizes { packed: packed as u64, unpacked: unpacked as u64 }))
}

/// Reads the header; gives what follows it.
fn header(stream: &[u8]) -> Option<(Header, &[u8])> {
    const FILTERS: u8 = 3;
    const HAS_PACKED: u8 = 1 << 6;
    const HAS_UNPACKED: u8 = 1 << 7;

    let len = usize::from(*stream.first()?).wrapping_mul(4);
    let (covered, rest) = stream.split_at_checked(len)?;
    let rest = after_crc(covered, rest)?;

    let (&flags, mut fields) = covered.get(1..)?.split_first()?;
    if flags & !(FILTERS | HAS_PACKED | HAS_UNPACKED) != 0 {
        return None;
    }
    let mut header = Header { packed: None, unpacked: None, x86: None };
    for (flag, field) in [(HAS_PACKED, &mut header.packed), (HAS_UNPACKED, &mut header.unpacked)] {
        if flags & flag != 0 {
            let value;
            (value, fields) = varint(fields)?;
            *field = Some(value);
        }
    }
    let mut filter = Filter::default();
    for last in (0..=flags & FILTERS).rev() {
        (filter, fields) = Filter::read(fields)?;
        match filter.id {
            // The only filter that can be last, and it must be.
            LZMA2 if last == 0 && filter.properties.len() == 1 => {}
            X86 if last == 1 && header.x86.is_none() => header.x86 = Some(filter.start()?),
            _ => return None,
        }
    }
    let complete = filter.id == LZMA2 && fields.iter().all(|&byte| byte == 0);
    complete.then_some((header, rest))
}

#[derive(Default)]
struct Filter<'a> {
    id: u64,
    properties: &'a [u8],
}

impl<'a> Filter<'a> {
    fn read(fields: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (id, fields) = varint(fields)?;
        let (len, fields) = varint(fields)?;
        let (properties, fields) = fields.split_at_checked(usize::try_from(len).ok()?)?;
        Some((Self { id, properties }, fields))
    }

    /// The start offset, the only property of branch filters; 0 if absent.
    fn start(&self) -> Option<u32> {
        match self.properties {
            [] => Some(0),
            four if four.len() == 4 => bytes::u32_at(four, 0),
            _ => None,
        }
    }
}
