// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: maps and unmaps address space, and touches it through raw pointers.
#![expect(unsafe_code, reason = "mappings are raw memory")]
//! A piece of this process's address space that unmaps itself, and the only accesses to it.

use crate::shared::OutOfBounds;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// Mapped memory; unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Region {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and only `drop` takes it away.
unsafe impl Send for Region {}
// SAFETY: shared accesses are volatile copies and atomics; others (other domains) race with them anyway, and nobody is
// given a reference by a shared `Region`.
unsafe impl Sync for Region {}

/// What a [`Region`] is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backing<'a> {
    /// A device's memory, shared, from an offset in bytes.
    Device(BorrowedFd<'a>, u64),
    /// Zeroed private memory that is locked, so that it is present.
    Locked,
}

impl Region {
    /// Maps `len` bytes (whole pages).
    pub(crate) fn map(backing: Backing<'_>, len: usize, writable: bool) -> io::Result<Self> {
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let (flags, fd, offset) = match backing {
            Backing::Device(fd, offset) => (libc::MAP_SHARED, fd.as_raw_fd(), offset),
            Backing::Locked => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_LOCKED | libc::MAP_POPULATE, -1, 0),
        };
        let offset = i64::try_from(offset).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))?;
        // SAFETY: the kernel chooses an address that is free, so no memory in use changes.
        let at = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, offset) };
        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let Some(start) = NonNull::new(at.cast::<u8>()) else {
            return Err(io::Error::other("the kernel mapped memory at address 0"));
        };
        let region = Self { start, len };
        // A child would share the device's mapping or copy the locked pages on write, which would move ours.
        // SAFETY: the range is the mapping just made; the advice changes nothing in this process.
        if unsafe { libc::madvise(at, len, libc::MADV_DONTFORK) } == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(region)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn address(&self) -> u64 {
        self.start.as_ptr().expose_provenance() as u64
    }

    /// The bytes, of a region nobody else writes to.
    ///
    /// # Safety
    /// No other domain and not the hypervisor may write to it while the reference lives, and all pages are present.
    pub(crate) unsafe fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for `len` bytes, any byte is a `u8`; the caller vouches that nobody writes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// As [`Region::bytes`], to write.
    ///
    /// # Safety
    /// As there, and the region is writable.
    pub(crate) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; `&mut self` keeps this process's other accesses away.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }

    /// The address of `len` bytes at `offset`, if they are inside.
    fn at(&self, offset: usize, len: usize) -> Result<*mut u8, OutOfBounds> {
        if offset.checked_add(len).is_none_or(|end| end > self.len) {
            return Err(OutOfBounds { offset, len, size: self.len });
        }
        Ok(self.start.as_ptr().wrapping_add(offset))
    }

    /// The aligned word at `offset`.
    fn word(&self, offset: usize) -> Result<&AtomicU32, OutOfBounds> {
        let at = self.at(offset, 4)?.cast::<u32>();
        if !at.is_aligned() {
            return Err(OutOfBounds { offset, len: 4, size: self.len });
        }
        // SAFETY: mapped, aligned, inside; other domains access it with single 32-bit instructions, which is what an
        // atomic allows.
        Ok(unsafe { AtomicU32::from_ptr(at) })
    }

    pub(crate) fn load(&self, offset: usize) -> Result<u32, OutOfBounds> {
        Ok(self.word(offset)?.load(Ordering::Acquire))
    }

    pub(crate) fn store(&self, offset: usize, value: u32) -> Result<(), OutOfBounds> {
        self.word(offset)?.store(value, Ordering::Release);
        Ok(())
    }

    pub(crate) fn read(&self, offset: usize, into: &mut [u8]) -> Result<(), OutOfBounds> {
        let from = self.at(offset, into.len())?;
        let head = from.align_offset(8).min(into.len());
        let (first, rest) = into.split_at_mut(head);
        let (words, last) = rest.as_chunks_mut::<8>();
        for (n, byte) in first.iter_mut().enumerate() {
            // SAFETY: inside, by `at`; volatile, as another domain may write.
            *byte = unsafe { from.wrapping_add(n).read_volatile() };
        }
        let middle = from.wrapping_add(head);
        for (n, word) in words.iter_mut().enumerate() {
            // SAFETY: inside, and aligned to 8 behind the head.
            *word = unsafe { middle.cast::<u64>().wrapping_add(n).read_volatile() }.to_ne_bytes();
        }
        let tail = middle.wrapping_add(words.len() * 8);
        for (n, byte) in last.iter_mut().enumerate() {
            // SAFETY: inside, by `at`.
            *byte = unsafe { tail.wrapping_add(n).read_volatile() };
        }
        Ok(())
    }

    /// Needs a writable region; a read-only one faults, which [`crate::SharedMemory`] prevents.
    pub(crate) fn write(&self, offset: usize, from: &[u8]) -> Result<(), OutOfBounds> {
        let to = self.at(offset, from.len())?;
        let head = to.align_offset(8).min(from.len());
        let (first, rest) = from.split_at(head);
        let (words, last) = rest.as_chunks::<8>();
        for (n, byte) in first.iter().enumerate() {
            // SAFETY: inside, by `at`; volatile, as another domain may read.
            unsafe { to.wrapping_add(n).write_volatile(*byte) };
        }
        let middle = to.wrapping_add(head);
        for (n, word) in words.iter().enumerate() {
            // SAFETY: inside, and aligned to 8 behind the head.
            unsafe { middle.cast::<u64>().wrapping_add(n).write_volatile(u64::from_ne_bytes(*word)) };
        }
        let tail = middle.wrapping_add(words.len() * 8);
        for (n, byte) in last.iter().enumerate() {
            // SAFETY: inside, by `at`.
            unsafe { tail.wrapping_add(n).write_volatile(*byte) };
        }
        Ok(())
    }

    /// As [`Region::write`], the same byte everywhere.
    pub(crate) fn fill(&self, offset: usize, len: usize, byte: u8) -> Result<(), OutOfBounds> {
        let to = self.at(offset, len)?;
        // SAFETY: inside and writable; a plain fill, as no value read depends on it.
        unsafe { ptr::write_bytes(to, byte, len) };
        Ok(())
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no reference to it outlives the value.
        let failed = unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) } == -1;
        debug_assert!(!failed, "munmap of an own mapping failed: {}", io::Error::last_os_error());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_keep_every_byte_at_every_alignment() {
        let region = Region::map(Backing::Locked, 4096, true).unwrap();
        let text: Vec<u8> = (0..61).collect();
        for offset in 0..9 {
            for len in 0..text.len() {
                region.fill(0, 128, 0xee).unwrap();
                region.write(offset, &text[..len]).unwrap();
                let mut back = vec![0; len + 2];
                region.read(offset, &mut back).unwrap();
                assert_eq!(back[..len], text[..len]);
                assert_eq!(back[len..], [0xee, 0xee]);
            }
        }
    }

    #[test]
    fn bounds_hold() {
        let region = Region::map(Backing::Locked, 4096, true).unwrap();
        let wrong = |offset, len| OutOfBounds { offset, len, size: 4096 };
        assert_eq!(region.read(4090, &mut [0; 7]), Err(wrong(4090, 7)));
        assert_eq!(region.write(usize::MAX, &[0; 2]), Err(wrong(usize::MAX, 2)));
        assert_eq!(region.fill(0, 4097, 0), Err(wrong(0, 4097)));
        assert_eq!(region.load(4096), Err(wrong(4096, 4)));
        assert_eq!(region.load(2), Err(wrong(2, 4)));
        assert_eq!(region.write(4096, &[]), Ok(()));
        region.store(4092, 0x0102_0304).unwrap();
        assert_eq!(region.load(4092), Ok(0x0102_0304));
    }
}
