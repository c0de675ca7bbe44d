// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! From the file a boot loader hands over to the ELF file inside: bzImage, ELF, or gzip'd ELF.
//!
//! The caller owns the memory: it asks [`kernel_elf_len`], finds that much, and calls [`unpack_into`]. A file that is
//! already ELF can be used in place ([`is_elf`]).
//!
//! Source: Linux `Documentation/arch/x86/boot.rst`, header fields `setup_sects` to `payload_length`.

use crate::bytes;
use crate::error::ImageError;
use crate::unpack::{self, Format};

/// `setup_sects`: sectors of real-mode code behind the first one.
const SETUP_SECTS: usize = 0x1f1;
/// The magic number 0xaa55 that ends a boot sector.
const BOOT_FLAG: usize = 0x1fe;
/// "HdrS".
const HEADER_MAGIC: usize = 0x202;
/// The protocol version, major in the high byte.
const VERSION: usize = 0x206;
/// Start of the payload, from the protected-mode code on.
const PAYLOAD_OFFSET: usize = 0x248;
/// Bytes of payload.
const PAYLOAD_LENGTH: usize = 0x24c;

/// No kernel unpacks to more; a damaged length word must not make anybody ask for 4 GiB.
const MAX_KERNEL_LEN: u64 = 512 << 20;

/// The compressed (or plain) kernel found in a file.
struct Payload<'a> {
    format: Format,
    /// The stream, without the length word behind it.
    stream: &'a [u8],
    /// Bytes it unpacks to, as announced.
    unpacked_len: usize,
}

/// Whether the file is itself an ELF file, so that nothing needs to be unpacked.
#[must_use]
pub fn is_elf(image: &[u8]) -> bool {
    image.starts_with(b"\x7fELF")
}

/// The length in bytes of the kernel's ELF file, as the image announces it.
///
/// # Errors
/// An image that is no kernel, is truncated, or is compressed in an unknown way.
pub fn kernel_elf_len(image: &[u8]) -> Result<usize, ImageError> {
    Ok(find_payload(image)?.unpacked_len)
}

/// How the kernel inside the image is compressed.
///
/// # Errors
/// As [`kernel_elf_len`].
pub fn format(image: &[u8]) -> Result<Format, ImageError> {
    Ok(find_payload(image)?.format)
}

/// Unpacks the kernel's ELF file into `out`, which must have the length [`kernel_elf_len`] gave.
///
/// The decoders need a little memory besides `out` from the heap; see the crate's README for how much.
///
/// # Errors
/// As [`kernel_elf_len`]; also a damaged payload, one of another length than announced, a buffer of the wrong length.
pub fn unpack_into(image: &[u8], out: &mut [u8]) -> Result<(), ImageError> {
    let payload = find_payload(image)?;
    if out.len() != payload.unpacked_len {
        return Err(ImageError::BufferLength { needed: payload.unpacked_len, given: out.len() });
    }
    unpack::unpack(payload.format, payload.stream, out)
}

fn find_payload(image: &[u8]) -> Result<Payload<'_>, ImageError> {
    if is_elf(image) {
        return Ok(Payload { format: Format::Elf, stream: image, unpacked_len: image.len() });
    }
    if Format::detect(image) == Ok(Format::Gzip) {
        return gzip_payload(image);
    }
    bzimage_payload(image)
}

fn bzimage_payload(image: &[u8]) -> Result<Payload<'_>, ImageError> {
    let header = "setup header";
    if bytes::u16_at(image, BOOT_FLAG) != Some(0xaa55) {
        return Err(ImageError::NotAKernel);
    }
    if bytes::slice(image, HEADER_MAGIC as u64, 4).ok_or(ImageError::Truncated(header))? != b"HdrS" {
        return Err(ImageError::NotAKernel);
    }
    let version = bytes::u16_at(image, VERSION).ok_or(ImageError::Truncated(header))?;
    if version < 0x208 {
        return Err(ImageError::BootProtocolTooOld(version));
    }
    let offset = bytes::u32_at(image, PAYLOAD_OFFSET).ok_or(ImageError::Truncated(header))?;
    let length = bytes::u32_at(image, PAYLOAD_LENGTH).ok_or(ImageError::Truncated(header))?;
    let sectors = match image.get(SETUP_SECTS) {
        // Historical: 0 means 4.
        Some(0) | None => 4,
        Some(&n) => u64::from(n),
    };
    let start = sectors.saturating_add(1).saturating_mul(512).saturating_add(u64::from(offset));
    let payload = bytes::slice(image, start, u64::from(length)).ok_or(ImageError::Truncated("payload"))?;

    match Format::detect(payload)? {
        // Uncompressed kernels do not occur in bzImages, but the format would be unambiguous.
        Format::Elf => Ok(Payload { format: Format::Elf, stream: payload, unpacked_len: payload.len() }),
        Format::Gzip => gzip_payload(payload),
        format => {
            let (stream, len) = payload.split_last_chunk::<4>().ok_or(ImageError::Truncated("payload"))?;
            Ok(Payload { format, stream, unpacked_len: checked_len(*len)? })
        }
    }
}

/// gzip ends in the length by itself (RFC 1952, ISIZE).
fn gzip_payload(stream: &[u8]) -> Result<Payload<'_>, ImageError> {
    let len = stream.last_chunk::<4>().ok_or(ImageError::Truncated("payload"))?;
    Ok(Payload { format: Format::Gzip, stream, unpacked_len: checked_len(*len)? })
}

fn checked_len(word: [u8; 4]) -> Result<usize, ImageError> {
    let len = u64::from(u32::from_le_bytes(word));
    if len == 0 || len > MAX_KERNEL_LEN {
        return Err(ImageError::AbsurdLength(len));
    }
    usize::try_from(len).map_err(|_| ImageError::AbsurdLength(len))
}
