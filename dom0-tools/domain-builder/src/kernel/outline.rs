// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The parts of a kernel's ELF file a plan needs, without the file: headers and notes. Reading 60 MiB into fresh memory
//! costs a page fault for each page, which in a PV dom0 takes longer than all the rest of a domain's creation.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use guest_image::ImageError;

const HEADER_LEN: usize = 64;
const PROGRAM_HEADER_LEN: usize = 56;
const SECTION_HEADER_LEN: usize = 64;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const SHT_NOTE: u32 = 7;
/// More headers, or more bytes of notes, are no kernel's.
const MAX_HEADERS: u16 = 1024;
const MAX_NOTES: u64 = 1 << 20;

/// Bytes that can be read in any order.
pub(crate) trait ReadAt {
    /// How many there are.
    fn size(&self) -> io::Result<u64>;
    /// Fills the buffer from `offset` on.
    fn read_into(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_into(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_into(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let part = usize::try_from(offset).ok().and_then(|from| self.get(from..from.checked_add(buffer.len())?));
        buffer.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The bytes of a loadable segment in their file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// First byte in the file.
    pub(crate) offset: u64,
    /// Bytes; the rest of the segment is zero.
    pub(crate) len: u64,
}

/// A kernel without its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// An ELF file with the original's headers and notes, whose segments have their lengths in memory but no bytes.
    pub(crate) elf: Vec<u8>,
    /// Where the bytes are: for each segment of [`guest_image::Kernel::segments`], in its order.
    pub(crate) parts: Vec<Part>,
}

/// Why there is no outline.
#[derive(Debug)]
pub(crate) enum OutlineError {
    Io(io::Error),
    Image(ImageError),
}

impl From<io::Error> for OutlineError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ImageError> for OutlineError {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl Outline {
    /// Reads an ELF file's headers and notes. What they say about the guest is checked later, by guest-image.
    pub(crate) fn read(file: &(impl ReadAt + ?Sized)) -> Result<Self, OutlineError> {
        let file_len = file.size()?;
        let read = |offset: u64, len: u64, what: &'static str| -> Result<Vec<u8>, OutlineError> {
            let end = offset.checked_add(len).filter(|end| *end <= file_len);
            let (Some(_), Ok(room)) = (end, usize::try_from(len)) else { return Err(ImageError::BadElf(what).into()) };
            let mut bytes = vec![0; room];
            file.read_into(&mut bytes, offset)?;
            Ok(bytes)
        };
        if file_len < HEADER_LEN as u64 {
            return Err(ImageError::Truncated("ELF header").into());
        }
        let mut header = read(0, HEADER_LEN as u64, "ELF header")?;
        let (table, count) = (u64_at(&header, 32), u16_at(&header, 56));
        if count > MAX_HEADERS || (count > 0 && u16_at(&header, 54) as usize != PROGRAM_HEADER_LEN) {
            return Err(ImageError::BadElf("the program header table").into());
        }
        let table = read(table, u64::from(count) * PROGRAM_HEADER_LEN as u64, "the program header table")?;
        let (mut loads, mut notes, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for entry in table.chunks_exact(PROGRAM_HEADER_LEN) {
            let (offset, len) = (u64_at(entry, 8), u64_at(entry, 32));
            match u32_at(entry, 0) {
                PT_LOAD => {
                    if offset.checked_add(len).is_none_or(|end| end > file_len) {
                        return Err(ImageError::BadElf("a segment").into());
                    }
                    if len > u64_at(entry, 40) {
                        return Err(ImageError::BadElf("a segment's length").into());
                    }
                    if u64_at(entry, 40) > 0 {
                        parts.push(Part { offset, len });
                    }
                    loads.push(entry.to_vec());
                }
                PT_NOTE => notes.push((offset, len, u64_at(entry, 48))),
                _ => {}
            }
        }
        if notes.is_empty() {
            notes = note_sections(&header, &read)?;
        }
        if notes.iter().try_fold(0, |sum: u64, note| sum.checked_add(note.1)).is_none_or(|sum| sum > MAX_NOTES) {
            return Err(ImageError::BadElf("a note").into());
        }
        let notes = notes.iter().map(|&(offset, len, align)| Ok((read(offset, len, "a note")?, align)));
        let notes = notes.collect::<Result<Vec<_>, OutlineError>>()?;
        assemble(&mut header, loads, &notes);
        Ok(Self { elf: header, parts })
    }
}

/// Offset, length and alignment of a file's notes.
type Place = (u64, u64, u64);

/// The notes of a file that has sections for them and no segment.
fn note_sections(
    header: &[u8],
    read: &impl Fn(u64, u64, &'static str) -> Result<Vec<u8>, OutlineError>,
) -> Result<Vec<Place>, OutlineError> {
    let (table, count) = (u64_at(header, 40), u16_at(header, 60));
    if table == 0 || count == 0 {
        return Ok(Vec::new());
    }
    if u16_at(header, 58) as usize != SECTION_HEADER_LEN {
        return Err(ImageError::BadElf("the section header table").into());
    }
    let table = read(table, u64::from(count) * SECTION_HEADER_LEN as u64, "the section header table")?;
    let entries = table.chunks_exact(SECTION_HEADER_LEN).filter(|entry| u32_at(entry, 4) == SHT_NOTE);
    Ok(entries.map(|entry| (u64_at(entry, 24), u64_at(entry, 32), u64_at(entry, 48))).collect())
}

/// Turns an ELF header into a whole file of segments without bytes, and notes.
fn assemble(elf: &mut Vec<u8>, loads: Vec<Vec<u8>>, notes: &[(Vec<u8>, u64)]) {
    let count = loads.len() + notes.len();
    let mut data_at = HEADER_LEN + count * PROGRAM_HEADER_LEN;
    // e_phoff; e_shoff and e_shnum: no sections.
    put(elf, 32, &(HEADER_LEN as u64).to_le_bytes());
    put(elf, 40, &0_u64.to_le_bytes());
    put(elf, 54, &(PROGRAM_HEADER_LEN as u16).to_le_bytes());
    put(elf, 56, &u16::try_from(count).unwrap_or(0).to_le_bytes());
    put(elf, 60, &0_u16.to_le_bytes());
    for mut load in loads {
        put(&mut load, 8, &0_u64.to_le_bytes());
        put(&mut load, 32, &0_u64.to_le_bytes());
        elf.extend(load);
    }
    for (note, align) in notes {
        let mut entry = vec![0; PROGRAM_HEADER_LEN];
        put(&mut entry, 0, &PT_NOTE.to_le_bytes());
        put(&mut entry, 8, &(data_at as u64).to_le_bytes());
        put(&mut entry, 32, &(note.len() as u64).to_le_bytes());
        put(&mut entry, 48, &align.to_le_bytes());
        elf.extend(entry);
        data_at += note.len();
    }
    for (note, _) in notes {
        elf.extend(note);
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
