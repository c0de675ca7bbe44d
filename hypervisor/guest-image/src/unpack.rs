// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The compressions a kernel build offers, each decoded straight into the caller's buffer.

use core::fmt;

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use crate::bytes;
use crate::error::ImageError;
use crate::{lzma, xz, zstd};

/// How a kernel is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Not at all.
    Elf,
    /// RFC 1952.
    Gzip,
    /// xz with LZMA2, and for kernels the x86 branch filter before it.
    Xz,
    /// RFC 8878.
    Zstd,
    /// The legacy frame of the `lz4` tool (`lz4 -l`).
    Lz4,
    /// The `.lzma` format of LZMA utils.
    Lzma,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf => "ELF",
            Self::Gzip => "gzip",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Lzma => "lzma",
        })
    }
}

impl Format {
    /// Tells the format from the first bytes.
    pub(crate) fn detect(payload: &[u8]) -> Result<Self, ImageError> {
        let known: [(&[u8], Result<Self, ImageError>); 8] = [
            (b"\x7fELF", Ok(Self::Elf)),
            (b"\x1f\x8b", Ok(Self::Gzip)),
            (b"\xfd7zXZ\0", Ok(Self::Xz)),
            (b"\x28\xb5\x2f\xfd", Ok(Self::Zstd)),
            (LZ4_LEGACY_MAGIC, Ok(Self::Lz4)),
            (b"\x5d\0\0", Ok(Self::Lzma)),
            (b"BZh", Err(ImageError::UnsupportedCompression("bzip2"))),
            (b"\x89LZO\0\r\n\x1a", Err(ImageError::UnsupportedCompression("lzo"))),
        ];
        let Some(magic) = payload.first_chunk::<4>() else {
            return Err(ImageError::Truncated("payload"));
        };
        known
            .into_iter()
            .find(|(start, _)| payload.starts_with(start))
            .map_or(Err(ImageError::UnknownCompression(*magic)), |(_, format)| format)
    }
}

/// Unpacks all of `stream` into exactly all of `out`.
pub(crate) fn unpack(format: Format, stream: &[u8], out: &mut [u8]) -> Result<(), ImageError> {
    let announced = out.len();
    let found = match format {
        Format::Elf => {
            if stream.len() != out.len() {
                return Err(ImageError::BufferLength { needed: stream.len(), given: out.len() });
            }
            out.copy_from_slice(stream);
            stream.len()
        }
        Format::Gzip => gunzip(stream, out)?,
        Format::Xz => xz::unpack(stream, out).ok_or(ImageError::DamagedPayload(format))?,
        Format::Lzma => lzma::unpack(stream, out).ok_or(ImageError::DamagedPayload(format))?,
        Format::Zstd => zstd::unpack(stream, out).ok_or(ImageError::DamagedPayload(format))?,
        Format::Lz4 => unlz4(stream, out)?,
    };
    if found != announced {
        return Err(ImageError::WrongLength { announced, found });
    }
    Ok(())
}

/// Length of the header before the deflate stream, or `None` if it is damaged.
fn gzip_header_len(stream: &[u8]) -> Option<usize> {
    const HEADER_CRC: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;

    let (&method, &flags) = (stream.get(2)?, stream.get(3)?);
    if method != 8 || flags & 0xe0 != 0 {
        return None;
    }
    let mut at = 10_usize;
    if flags & EXTRA != 0 {
        at = at.checked_add(2)?.checked_add(usize::from(bytes::u16_at(stream, at)?))?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let len = stream.get(at..)?.iter().position(|&b| b == 0)?;
            at = at.checked_add(len)?.checked_add(1)?;
        }
    }
    if flags & HEADER_CRC != 0 {
        at = at.checked_add(2)?;
    }
    Some(at)
}

fn gunzip(stream: &[u8], out: &mut [u8]) -> Result<usize, ImageError> {
    const DAMAGED: ImageError = ImageError::DamagedPayload(Format::Gzip);
    let header = gzip_header_len(stream).ok_or(DAMAGED)?;
    let (deflated, trailer) = stream.split_last_chunk::<8>().ok_or(DAMAGED)?;
    let deflated = deflated.get(header..).ok_or(DAMAGED)?;
    let mut state = alloc::boxed::Box::<DecompressorOxide>::default();
    let (status, _, found) = decompress(&mut state, deflated, out, 0, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
    if status != TINFLStatus::Done {
        return Err(DAMAGED);
    }
    let [a, b, c, d, ..] = *trailer;
    if out.get(..found).map(crate::crc32::of) != Some(u32::from_le_bytes([a, b, c, d])) {
        return Err(DAMAGED);
    }
    Ok(found)
}

const LZ4_LEGACY_MAGIC: &[u8] = b"\x02\x21\x4c\x18";
/// A legacy frame cuts the input into blocks that unpack to this many bytes; only the last is shorter.
const LZ4_LEGACY_BLOCK: usize = 8 << 20;

fn unlz4(stream: &[u8], out: &mut [u8]) -> Result<usize, ImageError> {
    const DAMAGED: ImageError = ImageError::DamagedPayload(Format::Lz4);
    let mut rest = stream.strip_prefix(LZ4_LEGACY_MAGIC).ok_or(DAMAGED)?;
    let mut found = 0_usize;
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        // Concatenated frames repeat the magic number between their blocks.
        if len == LZ4_LEGACY_MAGIC {
            rest = after;
            continue;
        }
        let len = usize::try_from(u32::from_le_bytes(*len)).map_err(|_| DAMAGED)?;
        let (block, after) = after.split_at_checked(len).ok_or(DAMAGED)?;
        let target = out.get_mut(found..).unwrap_or_default();
        let room = target.len().min(LZ4_LEGACY_BLOCK);
        let target = target.get_mut(..room).unwrap_or_default();
        let n = lz4_flex::block::decompress_into(block, target).map_err(|_| DAMAGED)?;
        found = found.saturating_add(n);
        rest = after;
    }
    if rest.is_empty() { Ok(found) } else { Err(DAMAGED) }
}
