// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A PV kernel ready to be planned for: checked segments in pseudo-physical space, and its notes.

use alloc::vec::Vec;

use hypercalls::{PAGE_SHIFT, PAGE_SIZE, Pfn};

use crate::elf::{Elf, Segment};
use crate::error::ImageError;
use crate::notes::XenNotes;
use crate::pfn_range::PfnRange;

/// A part of the kernel and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct LoadSegment<'a> {
    /// Pseudo-physical address of the first byte: byte `n` goes to frame `n >> 12` of the guest.
    pub guest_phys: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// The bytes to copy there.
    pub data: &'a [u8],
    /// Bytes the segment takes; those behind `data` are to be zero.
    pub mem_len: u64,
}

impl LoadSegment<'_> {
    /// The frames that a page of the file fills, with that page's number.
    fn whole_pages(&self) -> impl Iterator<Item = (Pfn, u64)> {
        let end = self.offset.saturating_add(self.data.len() as u64) >> PAGE_SHIFT;
        let first = self.offset.div_ceil(PAGE_SIZE as u64);
        let before = (first << PAGE_SHIFT).saturating_sub(self.offset);
        let frame = self.guest_phys.saturating_add(before);
        let end = if frame.is_multiple_of(PAGE_SIZE as u64) { end } else { first };
        (frame >> PAGE_SHIFT..).map(Pfn::new).zip(first..end)
    }
}

/// Do stretches, given by start and length, leave each other alone?
fn are_apart(stretches: impl Iterator<Item = (u64, u64)>) -> bool {
    let mut sorted: Vec<_> = stretches.filter(|(_, len)| *len > 0).collect();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| matches!(pair, [(start, len), (next, _)] if start.saturating_add(*len) <= *next))
}

/// A kernel a builder accepts as a PV guest.
#[derive(Debug)]
pub struct Kernel<'a> {
    notes: XenNotes,
    segments: Vec<LoadSegment<'a>>,
    frames: PfnRange,
}

impl<'a> Kernel<'a> {
    /// Reads an unpacked kernel. The segments refer to `elf_file`.
    ///
    /// # Errors
    /// Whatever keeps the file from being a PV kernel; see [`ImageError`].
    pub fn parse(elf_file: &'a [u8]) -> Result<Self, ImageError> {
        let elf = Elf::parse(elf_file)?;
        let notes = XenNotes::parse(&elf)?;
        let mut segments = Vec::with_capacity(elf.segments().len());
        let (mut first, mut end) = (u64::MAX, 0_u64);
        for segment in elf.segments() {
            let bad = ImageError::BadAddress { what: "segment", address: segment.paddr };
            let guest_phys = segment.paddr.checked_sub(notes.paddr_offset).ok_or(bad)?;
            let segment_end = guest_phys.checked_add(segment.mem_len).ok_or(bad)?;
            first = first.min(guest_phys);
            end = end.max(segment_end);
            let &Segment { offset, data, mem_len, .. } = segment;
            segments.push(LoadSegment { guest_phys, offset, data, mem_len });
        }
        let start = first >> PAGE_SHIFT;
        let frames = PfnRange::new(Pfn::new(start), end.div_ceil(PAGE_SIZE as u64).saturating_sub(start));
        let kernel = Self { notes, segments, frames };
        kernel.check_inside("entry point", notes.entry)?;
        if let Some(page) = notes.hypercall_page {
            kernel.check_inside("hypercall page", page)?;
            if !page.is_multiple_of(PAGE_SIZE as u64) {
                return Err(ImageError::BadAddress { what: "hypercall page", address: page });
            }
        }
        Ok(kernel)
    }

    /// What the kernel says about itself.
    #[must_use]
    pub fn notes(&self) -> &XenNotes {
        &self.notes
    }

    /// What to copy where.
    #[must_use]
    pub fn segments(&self) -> &[LoadSegment<'a>] {
        &self.segments
    }

    /// The frames from the first segment's to the last one's, holes included.
    #[must_use]
    pub fn frames(&self) -> PfnRange {
        self.frames
    }

    /// The frames whose contents are a page of the file, with that page's number: a builder that has the file in frames can give these to the
    /// guest instead of a copy. No frame and no page occurs twice.
    pub fn pages_in_file(&self) -> impl Iterator<Item = (Pfn, u64)> {
        let in_memory = |segment: &LoadSegment<'_>| (segment.guest_phys, segment.mem_len);
        let in_file = |segment: &LoadSegment<'_>| (segment.offset, segment.data.len() as u64);
        let apart = are_apart(self.segments.iter().map(in_memory)) && are_apart(self.segments.iter().map(in_file));
        self.segments.iter().filter(move |_| apart).flat_map(LoadSegment::whole_pages)
    }

    fn check_inside(&self, what: &'static str, address: u64) -> Result<(), ImageError> {
        let inside = address
            .checked_sub(self.notes.virt_base)
            .is_some_and(|guest_phys| self.frames.contains(Pfn::from_addr(guest_phys)));
        if inside { Ok(()) } else { Err(ImageError::BadAddress { what, address }) }
    }
}
