// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A cached kernel's file: the bytes of its segments that are not zero, then its outline and where each run of bytes
//! belongs, then a footer that finds the header. All of it is under checksums, and readers trust nothing else.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use twox_hash::XxHash64;

use super::outline::{Outline, Part, ReadAt};

/// The format's name and version.
const MAGIC: &[u8; 8] = b"XENKRN\x00\x03";
/// Bytes of a run at most: what is read, checked and written at once.
pub(crate) const CHUNK: usize = 1 << 20;
/// Magic, the header's length, its checksum.
const FOOTER: u64 = 24;
/// Headers longer than this are damaged.
const MAX_HEADER: u64 = 16 << 20;
const PAGE: usize = 4096;
/// So many pages of zeros within a run cost less than another run.
const MERGED: usize = 4;

/// Bytes that follow each other in a segment, none of which are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The segment's number.
    pub(crate) segment: usize,
    /// Where in the segment.
    pub(crate) at: u64,
    /// Where in the file.
    pub(crate) offset: u64,
    /// How many; at most [`CHUNK`].
    pub(crate) len: usize,
}

/// An entry that is open for reading. It stays readable when it is removed.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) outline: Outline,
    file: File,
    /// Each with its checksum.
    runs: Vec<(Run, u64)>,
}

/// A part in pieces of at most [`CHUNK`].
pub(crate) fn chunks(segment: usize, part: Part) -> impl Iterator<Item = Run> {
    (0..part.len).step_by(CHUNK).map(move |at| Run {
        segment,
        at,
        offset: part.offset.saturating_add(at),
        len: usize::try_from(part.len - at).unwrap_or(CHUNK).min(CHUNK),
    })
}

/// Writes the entry of a kernel whose outline was read from `elf`.
pub(crate) fn write(file: &File, outline: &Outline, elf: &(impl ReadAt + ?Sized)) -> io::Result<()> {
    let mut runs: Vec<(Run, u64)> = Vec::new();
    let mut buffer = vec![0; CHUNK];
    let mut end = 0_u64;
    for (segment, part) in outline.parts.iter().enumerate() {
        for chunk in chunks(segment, *part) {
            let Some(bytes) = buffer.get_mut(..chunk.len) else { continue };
            elf.read_into(bytes, chunk.offset)?;
            for (from, piece) in filled(bytes) {
                file.write_all_at(piece, end)?;
                let run = Run { segment, at: chunk.at + from as u64, offset: end, len: piece.len() };
                runs.push((run, checksum(piece)));
                end += (piece.len() as u64).next_multiple_of(PAGE as u64);
            }
        }
    }
    let mut header = Vec::new();
    let mut put = |number: u64| header.extend(number.to_le_bytes());
    put(outline.parts.len() as u64);
    put(runs.len() as u64);
    outline.parts.iter().for_each(|part| put(part.len));
    for (run, sum) in &runs {
        [run.segment as u64, run.at, run.offset, run.len as u64, *sum].into_iter().for_each(&mut put);
    }
    header.extend(&outline.elf);
    let len = header.len() as u64;
    let sum = checksum(&header);
    header.extend(MAGIC);
    header.extend(len.to_le_bytes());
    header.extend(sum.to_le_bytes());
    file.write_all_at(&header, end)
}

/// The pieces of `bytes` between longer stretches of zero pages, with their places.
fn filled(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (page, content) in bytes.chunks(PAGE).enumerate() {
        if is_zero(content) {
            continue;
        }
        match pieces.last_mut() {
            Some((_, end)) if page - *end <= MERGED => *end = page + 1,
            _ => pieces.push((page, page + 1)),
        }
    }
    let piece = |(first, end): (usize, usize)| {
        let from = first * PAGE;
        (from, bytes.get(from..(end * PAGE).min(bytes.len())).unwrap_or_default())
    };
    pieces.into_iter().map(piece).collect()
}

/// Whether there is nothing but zeros.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().all(|word| u64::from_ne_bytes(*word) == 0) && rest.iter().all(|&byte| byte == 0)
}

pub(crate) fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

impl Entry {
    /// Reads the header; `None` if it is damaged.
    pub(crate) fn open(file: File) -> Option<Self> {
        let footer_at = file.metadata().ok()?.len().checked_sub(FOOTER)?;
        let mut footer = [0; FOOTER as usize];
        file.read_exact_at(&mut footer, footer_at).ok()?;
        let header_len = number(&footer, 8)?;
        let header_at = footer_at.checked_sub(header_len)?;
        if footer.get(..8)? != MAGIC || header_len > MAX_HEADER {
            return None;
        }
        let mut header = vec![0; usize::try_from(header_len).ok()?];
        file.read_exact_at(&mut header, header_at).ok()?;
        if number(&footer, 16)? != checksum(&header) {
            return None;
        }
        let count = |at| usize::try_from(number(&header, at)?).ok();
        let (parts_len, runs_len) = (count(0)?, count(8)?);
        let (parts, rest) = header.get(16..)?.split_at_checked(parts_len.checked_mul(8)?)?;
        let (runs, elf) = rest.split_at_checked(runs_len.checked_mul(40)?)?;
        // The parts' own offsets were those of the original file.
        let parts = parts.chunks_exact(8).map(|bytes| Some(Part { offset: 0, len: number(bytes, 0)? }));
        let parts = parts.collect::<Option<Vec<_>>>()?;
        let runs = runs.chunks_exact(40).map(|bytes| {
            let run = Run {
                segment: usize::try_from(number(bytes, 0)?).ok()?,
                at: number(bytes, 8)?,
                offset: number(bytes, 16)?,
                len: usize::try_from(number(bytes, 24)?).ok().filter(|&len| len <= CHUNK)?,
            };
            let inside = run.at.checked_add(run.len as u64)? <= parts.get(run.segment)?.len;
            inside.then_some((run, number(bytes, 32)?))
        });
        let runs = runs.collect::<Option<Vec<_>>>()?;
        Some(Self { outline: Outline { elf: elf.to_vec(), parts }, file, runs })
    }

    /// The runs in their order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = Run> {
        self.runs.iter().map(|(run, _)| *run)
    }

    /// Reads a run into a buffer of its length; `false` if it is damaged.
    pub(crate) fn read(&self, run: &Run, buffer: &mut [u8]) -> bool {
        let known = self.runs.iter().find(|(known, _)| known == run);
        let read = self.file.read_exact_at(buffer, run.offset).is_ok();
        known.is_some_and(|(_, sum)| read && *sum == checksum(buffer))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
