// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A PV kernel ready to be planned for: checked segments in pseudo-physical space, and its notes.

use alloc::vec::Vec;

use hypercalls::{PAGE_SHIFT, PAGE_SIZE, Pfn};

use crate::elf::Elf;
use crate::error::ImageError;
use crate::notes::XenNotes;
use crate::pfn_range::PfnRange;

/// A part of the kernel and where it belongs.
#[derive(Clone, Copy, Debug)]
pub struct LoadSegment<'a> {
    /// Pseudo-physical address of the first byte: byte `n` goes to frame `n >> 12` of the guest.
    pub guest_phys: u64,
    /// The bytes to copy there.
    pub data: &'a [u8],
    /// Bytes the segment takes; those behind `data` are to be zero.
    pub mem_len: u64,
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
            segments.push(LoadSegment { guest_phys, data: segment.data, mem_len: segment.mem_len });
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

    fn check_inside(&self, what: &'static str, address: u64) -> Result<(), ImageError> {
        let inside = address
            .checked_sub(self.notes.virt_base)
            .is_some_and(|guest_phys| self.frames.contains(Pfn::from_addr(guest_phys)));
        if inside { Ok(()) } else { Err(ImageError::BadAddress { what, address }) }
    }
}
