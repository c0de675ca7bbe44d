// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The little of ELF a builder needs: loadable segments, and where notes are. Everything is checked once, in
//! [`Elf::parse`]; nothing that follows can leave the file.
//!
//! Own code instead of a crate: two structures, read-only, and every field of them comes from a file nobody vouches for.

use alloc::vec::Vec;

use crate::bytes;
use crate::error::ImageError;

const EM_X86_64: u16 = 62;
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const PROGRAM_HEADER_LEN: u64 = 56;
const SECTION_HEADER_LEN: u64 = 64;

/// A part of the file that must be in memory.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Physical address (`p_paddr`); for PV kernels the one that counts.
    pub paddr: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// The bytes from the file.
    pub data: &'a [u8],
    /// Bytes in memory; zeros behind `data`. Never less than `data.len()`.
    pub mem_len: u64,
}

/// A checked 64-bit x86 ELF file.
#[derive(Debug)]
pub struct Elf<'a> {
    segments: Vec<Segment<'a>>,
    /// Contents of note segments (or, without any, note sections), with their alignment.
    notes: Vec<(&'a [u8], u64)>,
    has_guest_section: bool,
}

impl<'a> Elf<'a> {
    /// Reads and checks the headers.
    ///
    /// # Errors
    /// No ELF file, one for another machine, or one with parts outside the file.
    pub fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        const HEADER: ImageError = ImageError::Truncated("ELF header");
        if !file.starts_with(b"\x7fELF") {
            return Err(ImageError::NotElf);
        }
        // EI_CLASS 2: 64 bit; EI_DATA 1: little endian.
        let (Some(&class), Some(&data)) = (file.get(4), file.get(5)) else {
            return Err(HEADER);
        };
        if (class, data) != (2, 1) || bytes::u16_at(file, 18).ok_or(HEADER)? != EM_X86_64 {
            return Err(ImageError::NotX86_64);
        }
        let kind = bytes::u16_at(file, 16).ok_or(HEADER)?;
        if kind != ET_EXEC && kind != ET_DYN {
            return Err(ImageError::BadElf("the file type"));
        }
        let mut elf = Self { segments: Vec::new(), notes: Vec::new(), has_guest_section: false };
        elf.read_segments(file)?;
        elf.read_sections(file)?;
        Ok(elf)
    }

    /// The loadable segments, in the file's order.
    #[must_use]
    pub fn segments(&self) -> &[Segment<'a>] {
        &self.segments
    }

    /// The contents of note segments and sections, each with the alignment of the notes in it (4 or 8).
    pub(crate) fn notes(&self) -> &[(&'a [u8], u64)] {
        &self.notes
    }

    /// Whether there is a `__xen_guest` section.
    pub(crate) fn has_guest_section(&self) -> bool {
        self.has_guest_section
    }

    fn read_segments(&mut self, file: &'a [u8]) -> Result<(), ImageError> {
        const HEADER: ImageError = ImageError::BadElf("the program header table");
        let offset = bytes::u64_at(file, 32).ok_or(HEADER)?;
        let count = bytes::u16_at(file, 56).ok_or(HEADER)?;
        if count != 0 && bytes::u16_at(file, 54).map(u64::from) != Some(PROGRAM_HEADER_LEN) {
            return Err(HEADER);
        }
        for header in entries(file, offset, count, PROGRAM_HEADER_LEN).ok_or(HEADER)? {
            let kind = bytes::u32_at(header, 0).ok_or(HEADER)?;
            if kind != PT_LOAD && kind != PT_NOTE {
                continue;
            }
            let data_offset = bytes::u64_at(header, 8).ok_or(HEADER)?;
            let paddr = bytes::u64_at(header, 24).ok_or(HEADER)?;
            let data_len = bytes::u64_at(header, 32).ok_or(HEADER)?;
            let mem_len = bytes::u64_at(header, 40).ok_or(HEADER)?;
            let align = bytes::u64_at(header, 48).ok_or(HEADER)?;
            let data = bytes::slice(file, data_offset, data_len).ok_or(ImageError::BadElf("a segment"))?;
            if kind == PT_NOTE {
                self.notes.push((data, align));
            } else if mem_len < data_len {
                return Err(ImageError::BadElf("a segment's length"));
            } else if mem_len > 0 {
                self.segments.push(Segment { paddr, offset: data_offset, data, mem_len });
            }
        }
        if self.segments.is_empty() {
            return Err(ImageError::BadElf("the list of segments"));
        }
        Ok(())
    }

    /// Sections matter only for notes without a segment and for the name `__xen_guest`; a stripped file has none.
    fn read_sections(&mut self, file: &'a [u8]) -> Result<(), ImageError> {
        const HEADER: ImageError = ImageError::BadElf("the section header table");
        let offset = bytes::u64_at(file, 40).ok_or(HEADER)?;
        let count = bytes::u16_at(file, 60).ok_or(HEADER)?;
        if offset == 0 || count == 0 {
            return Ok(());
        }
        if bytes::u16_at(file, 58).map(u64::from) != Some(SECTION_HEADER_LEN) {
            return Err(HEADER);
        }
        let names_index = usize::from(bytes::u16_at(file, 62).ok_or(HEADER)?);
        let names = entries(file, offset, count, SECTION_HEADER_LEN)
            .ok_or(HEADER)?
            .nth(names_index)
            .and_then(|header| section_data(file, header))
            .unwrap_or_default();
        let notes_known = !self.notes.is_empty();
        for header in entries(file, offset, count, SECTION_HEADER_LEN).ok_or(HEADER)? {
            let name = bytes::u32_at(header, 0).and_then(|at| names.get(usize::try_from(at).ok()?..));
            self.has_guest_section |= name.is_some_and(|name| name.starts_with(b"__xen_guest\0"));
            if bytes::u32_at(header, 4) == Some(SHT_NOTE) && !notes_known {
                let data = section_data(file, header).ok_or(ImageError::BadElf("a note section"))?;
                self.notes.push((data, bytes::u64_at(header, 48).unwrap_or_default()));
            }
        }
        Ok(())
    }
}

/// The entries of a header table, or `None` if it leaves the file.
fn entries(file: &[u8], offset: u64, count: u16, entry_len: u64) -> Option<impl Iterator<Item = &[u8]>> {
    let table = bytes::slice(file, offset, u64::from(count).checked_mul(entry_len)?)?;
    Some(table.chunks_exact(usize::try_from(entry_len).ok()?))
}

fn section_data<'a>(file: &'a [u8], header: &[u8]) -> Option<&'a [u8]> {
    if bytes::u32_at(header, 4)? == SHT_NOBITS {
        return None;
    }
    bytes::slice(file, bytes::u64_at(header, 24)?, bytes::u64_at(header, 32)?)
}
