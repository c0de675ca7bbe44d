// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Memory shared with another domain: copies and words, never references.

use crate::region::Region;
use std::io;

/// An access outside of a mapping, or a word that is not aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBounds {
    /// Where, in bytes from the mapping's start.
    pub offset: usize,
    /// How many bytes.
    pub len: usize,
    /// The mapping's size in bytes.
    pub size: usize,
}

impl std::fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} bytes at {:#x} are not in (or not aligned for) a mapping of {:#x} bytes",
            self.len, self.offset, self.size
        )
    }
}

impl std::error::Error for OutOfBounds {}

impl From<OutOfBounds> for io::Error {
    fn from(error: OutOfBounds) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// Mapped memory which another domain may read and write at the same time. All offsets are in bytes.
#[derive(Debug)]
pub struct SharedMemory {
    region: Region,
    writable: bool,
}

impl SharedMemory {
    pub(crate) fn new(region: Region, writable: bool) -> Self {
        Self { region, writable }
    }

    /// Private zeroed memory with the same accesses: lets the users of shared pages be tested without Xen.
    ///
    /// # Errors
    /// No memory, or no right to lock it.
    pub fn private(len: usize) -> io::Result<Self> {
        let region = Region::map(crate::region::Backing::Locked, len.next_multiple_of(4096).max(4096), true)?;
        Ok(Self::new(region, true))
    }

    /// The size in bytes: whole pages.
    #[must_use]
    pub fn size(&self) -> usize {
        self.region.len()
    }

    /// Reads the aligned 32-bit word at `offset` (Acquire: what the other side wrote before it is seen after it).
    ///
    /// # Errors
    /// Not in the mapping, or not aligned.
    pub fn load_u32(&self, offset: usize) -> Result<u32, OutOfBounds> {
        self.region.load(offset)
    }

    /// Writes the aligned 32-bit word at `offset` (Release: what was written before it is seen before it).
    ///
    /// # Errors
    /// Not in the mapping, not aligned, or mapped read-only.
    pub fn store_u32(&self, offset: usize, value: u32) -> Result<(), OutOfBounds> {
        self.check_writable(offset, 4)?;
        self.region.store(offset, value)
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// Not in the mapping.
    pub fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), OutOfBounds> {
        self.region.read(offset, into)
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// Not in the mapping, or mapped read-only.
    pub fn write(&self, offset: usize, from: &[u8]) -> Result<(), OutOfBounds> {
        self.check_writable(offset, from.len())?;
        self.region.write(offset, from)
    }

    /// Sets bytes.
    ///
    /// # Errors
    /// Not in the mapping, or mapped read-only.
    pub fn fill(&self, offset: usize, len: usize, byte: u8) -> Result<(), OutOfBounds> {
        self.check_writable(offset, len)?;
        self.region.fill(offset, len, byte)
    }

    /// A read-only mapping has no place to write to.
    fn check_writable(&self, offset: usize, len: usize) -> Result<(), OutOfBounds> {
        if self.writable { Ok(()) } else { Err(OutOfBounds { offset, len, size: 0 }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_written_to_a_read_only_mapping() {
        let region = Region::map(crate::region::Backing::Locked, 4096, false).unwrap();
        let memory = SharedMemory::new(region, false);
        assert!(memory.write(0, &[1]).is_err());
        assert!(memory.store_u32(0, 1).is_err());
        assert!(memory.fill(0, 1, 1).is_err());
        assert_eq!(memory.load_u32(0), Ok(0));
    }
}
