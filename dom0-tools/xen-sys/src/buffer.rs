// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: gives references to memory the hypervisor writes to during a call.
#![expect(unsafe_code, reason = "the bytes are in a raw mapping")]
//! Memory for a hypercall's arguments.

use crate::region::{Backing, Region};
use hypercalls::PAGE_SIZE;
use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};

/// Where buffers come from. Those of one page, which nearly all are, are kept for the next call: to map, touch and unmap a
/// page costs more than most hypercalls.
#[derive(Debug)]
pub(crate) struct Pool {
    /// `/dev/xen/hypercall`, whose pages the kernel never migrates. Without it (before Linux 4.18) the memory is locked and
    /// anonymous, which the kernel may migrate for a moment; the call then fails with `EFAULT`.
    device: Option<File>,
    spare: Mutex<Vec<Region>>,
}

/// Most pages kept: more than one thread's calls use at once.
const SPARE: usize = 16;

impl Pool {
    pub(crate) fn new(device: Option<File>) -> Self {
        Self { device, spare: Mutex::new(Vec::new()) }
    }

    pub(crate) fn buffer(self: &Arc<Self>, len: usize) -> io::Result<HypercallBuffer> {
        let room = len.max(1).next_multiple_of(PAGE_SIZE);
        let region = if room == PAGE_SIZE { self.reuse(len) } else { None };
        let region = match region {
            Some(region) => region,
            None => {
                let device = self.device.as_ref().map(AsFd::as_fd);
                Region::map(device.map_or(Backing::Locked, |fd| Backing::Device(fd, 0)), room, true)?
            }
        };
        Ok(HypercallBuffer { region: ManuallyDrop::new(region), len, pool: Arc::clone(self) })
    }

    /// A spare page whose first `len` bytes are zero again.
    fn reuse(&self, len: usize) -> Option<Region> {
        let region = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
        region.fill(0, len, 0).is_ok().then_some(region)
    }

    fn take_back(&self, region: Region) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if region.len() == PAGE_SIZE && spare.len() < SPARE {
            spare.push(region);
        }
    }
}

/// Page-aligned memory the hypervisor can reach at any time: never swapped, never migrated. Zeroed at first.
///
/// The hypervisor writes to it only during a [`crate::Privcmd::hypercall`] that names its address.
#[derive(Debug)]
pub struct HypercallBuffer {
    region: ManuallyDrop<Region>,
    len: usize,
    pool: Arc<Pool>,
}

impl HypercallBuffer {
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

impl Drop for HypercallBuffer {
    fn drop(&mut self) {
        // SAFETY: taken once, here; `region` is not used afterwards.
        self.pool.take_back(unsafe { ManuallyDrop::take(&mut self.region) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zeroed_aligned_and_of_the_length_asked_for() {
        let pool = Arc::new(Pool::new(None));
        let mut buffer = pool.buffer(5000).unwrap();
        assert_eq!(buffer.address() % 4096, 0);
        assert_eq!(buffer.as_bytes(), [0; 5000]);
        buffer.as_bytes_mut()[4999] = 7;
        assert_eq!(buffer.as_bytes()[4999], 7);
        assert_eq!(pool.buffer(0).unwrap().as_bytes(), []);
    }

    #[test]
    fn a_page_is_used_again_and_zeroed() {
        let pool = Arc::new(Pool::new(None));
        let mut first = pool.buffer(4096).unwrap();
        first.as_bytes_mut().fill(7);
        let second = pool.buffer(1).unwrap();
        assert_ne!(first.address(), second.address());
        let address = first.address();
        drop(first);
        let again = pool.buffer(4000).unwrap();
        assert_eq!(again.address(), address);
        assert_eq!(again.as_bytes(), [0; 4000]);
    }
}
