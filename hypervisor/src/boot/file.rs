// SPDX-License-Identifier: MIT OR Apache-2.0
//! The files dom0 is made from, and the frames they lie in: what stands there as dom0 shall find it becomes dom0's without a copy.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

use guest_image::bzimage;
use hypercalls::frame::Mfn;

use crate::boot::dom0::BuildError;
use crate::boot::memory;
use crate::boot::modules::Module;
use crate::mm::host_pt::Buffer;
use crate::mm::{boot_memory, frame_table};

const PAGE: u64 = 4096;

/// A file in memory.
pub(crate) enum File {
    /// Where the loader put it, in bytes.
    Loaded(Range<u64>),
    /// In frames of its own.
    Unpacked(Buffer),
}

impl File {
    /// What the loader handed over.
    pub(crate) fn loaded(module: &Module) -> Result<Self, BuildError> {
        let range = module.start..module.end;
        if boot_memory::lend(range.start, (range.end - range.start) as usize).is_none() {
            return Err(BuildError::OutOfReach(range.start));
        }
        Ok(Self::Loaded(range))
    }

    /// The contents.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            // `loaded` has seen that it can be read.
            Self::Loaded(range) => {
                boot_memory::lend(range.start, (range.end - range.start) as usize).unwrap_or_default()
            }
            Self::Unpacked(buffer) => buffer.bytes(),
        }
    }

    /// The kernel's ELF file: this one, as long as its pages are pages of memory, or else a copy or what it is unpacked to.
    pub(crate) fn unpack(self) -> Result<Self, BuildError> {
        if bzimage::is_elf(self.bytes()) && self.fills_frames() {
            return Ok(self);
        }
        let image = self.bytes();
        let mut buffer = Buffer::new(bzimage::kernel_elf_len(image)?)?;
        bzimage::unpack_into(image, buffer.bytes_mut())?;
        for mfn in self.into_frames() {
            frame_table::free(mfn, 0);
        }
        Ok(Self::Unpacked(buffer))
    }

    /// Does each page of it lie in a frame that can be dom0's?
    pub(crate) fn fills_frames(&self) -> bool {
        match self {
            Self::Loaded(range) => range.start.is_multiple_of(PAGE) && memory::pages_of(range).start == range.start,
            Self::Unpacked(_) => true,
        }
    }

    /// How many frames [`Self::into_frames`] gives.
    pub(crate) fn frame_count(&self) -> u64 {
        match self {
            Self::Loaded(range) => {
                let pages = memory::pages_of(range);
                (pages.end - pages.start) / PAGE
            }
            Self::Unpacked(buffer) => buffer.bytes().len().div_ceil(PAGE as usize) as u64,
        }
    }

    /// The frames in their order, nobody's yet.
    pub(crate) fn into_frames(self) -> Vec<Mfn> {
        match self {
            Self::Loaded(range) => memory::take_over(&range).collect(),
            Self::Unpacked(buffer) => buffer.into_frames(),
        }
    }
}
