// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: gives references to memory the hypervisor writes to during a call.
#![expect(unsafe_code, reason = "the bytes are in a raw mapping")]
//! Memory for a hypercall's arguments.

use crate::region::{Backing, Region};
use hypercalls::PAGE_SIZE;
use std::io;
use std::os::fd::BorrowedFd;

/// Page-aligned memory the hypervisor can reach at any time: never swapped, never migrated. Zeroed at first.
///
/// The hypervisor writes to it only during a [`crate::Privcmd::hypercall`] that names its address.
#[derive(Debug)]
pub struct HypercallBuffer {
    region: Region,
    len: usize,
}

impl HypercallBuffer {
    /// From `/dev/xen/hypercall`, whose pages the kernel never migrates; without it, locked anonymous memory (which a
    /// kernel before 4.18 may migrate for a moment; the call then fails with `EFAULT`).
    pub(crate) fn new(device: Option<BorrowedFd<'_>>, len: usize) -> io::Result<Self> {
        let room = len.max(1).next_multiple_of(PAGE_SIZE);
        let backing = device.map_or(Backing::Locked, |fd| Backing::Device(fd, 0));
        Ok(Self { region: Region::map(backing, room, true)?, len })
    }

    /// The address to hand to the hypervisor, of the first byte; valid as long as the buffer lives.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.region.address()
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the pages are this buffer's own and present; the hypervisor writes only during calls, and a caller
        // that keeps a reference across a call which names the buffer is against the contract of `hypercall`.
        let bytes = unsafe { self.region.bytes() };
        bytes.get(..self.len).unwrap_or(bytes)
    }

    /// The bytes, to write.
    #[must_use]
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        // SAFETY: as above, and mapped writable.
        let bytes = unsafe { self.region.bytes_mut() };
        &mut bytes[..len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zeroed_aligned_and_of_the_length_asked_for() {
        let mut buffer = HypercallBuffer::new(None, 5000).unwrap();
        assert_eq!(buffer.address() % 4096, 0);
        assert_eq!(buffer.as_bytes(), [0; 5000]);
        buffer.as_bytes_mut()[4999] = 7;
        assert_eq!(buffer.as_bytes()[4999], 7);
        assert_eq!(HypercallBuffer::new(None, 0).unwrap().as_bytes(), []);
    }
}
