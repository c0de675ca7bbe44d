// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: hands addresses to the kernel.
#![expect(unsafe_code, reason = "a request of variable length")]
//! `/dev/xen/gntdev`: pages another domain granted.

use crate::ioctl::{self, UnmapGrantRef, UnmapNotify};
use crate::region::{Backing, Region};
use crate::shared::SharedMemory;
use hypercalls::{DomId, GrantRef, PAGE_SIZE, Port};
use std::fs::{File, OpenOptions};
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The right to map grants.
#[derive(Clone, Debug)]
pub struct Grants {
    file: Arc<File>,
}

/// Granted pages, one after the other; released when dropped.
#[derive(Debug)]
pub struct GrantMapping {
    memory: ManuallyDrop<SharedMemory>,
    file: Arc<File>,
    /// The kernel's name of the references.
    index: u64,
    count: u32,
}

/// What the kernel does when the mapping goes, however this process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmapNotice {
    /// Zeroes the byte at this offset.
    pub clear_byte: Option<usize>,
    /// Signals this port.
    pub event: Option<Port>,
}

impl Grants {
    /// Where the device is.
    pub const PATH: &str = "/dev/xen/gntdev";

    /// Opens the device.
    ///
    /// # Errors
    /// `ENOENT` if this is no Xen domain (or `xen-gntdev` is not loaded), `EACCES` if not root.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(Self::PATH)?;
        Ok(Self { file: Arc::new(file) })
    }

    /// Maps the pages a domain granted under these references.
    ///
    /// # Errors
    /// `EINVAL` if one of them is no grant to this domain (or only a read-only one and `writable` is asked for).
    pub fn map(&self, domain: DomId, references: &[GrantRef], writable: bool) -> io::Result<GrantMapping> {
        let count = u32::try_from(references.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
        // The C struct as 64-bit words: count and padding, index (out), then (domain, reference) each.
        let mut words = vec![u64::from(count), 0];
        words.extend(references.iter().map(|one| u64::from(domain.raw()) | u64::from(one.raw()) << 32));
        // SAFETY: the request reads as many references as `count` says, which are there, and writes the index.
        unsafe { ioctl::call(self.file.as_fd(), ioctl::GNTDEV_MAP_GRANT_REF, words.as_mut_ptr()) }?;
        let index = words.get(1).copied().unwrap_or_default();
        match Region::map(Backing::Device(self.file.as_fd(), index), references.len() * PAGE_SIZE, writable) {
            Ok(region) => Ok(GrantMapping {
                memory: ManuallyDrop::new(SharedMemory::new(region, writable)),
                file: Arc::clone(&self.file),
                index,
                count,
            }),
            Err(error) => {
                forget(&self.file, index, count);
                Err(error)
            }
        }
    }
}

/// Takes references from the kernel's list. It refuses only what is not on the list or still mapped.
fn forget(file: &File, index: u64, count: u32) {
    let mut argument = UnmapGrantRef { index, count, _pad: 0 };
    // SAFETY: the argument is what the request asks for; there is no address in it.
    let done = unsafe { ioctl::call(file.as_fd(), ioctl::GNTDEV_UNMAP_GRANT_REF, &raw mut argument) };
    debug_assert!(done.is_ok(), "the kernel does not know own grants: {done:?}");
}

impl GrantMapping {
    /// Says what happens when the mapping goes.
    ///
    /// # Errors
    /// `EINVAL` if the port is not bound, `ENOENT` if the byte is not in the mapping.
    pub fn on_unmap(&self, notice: UnmapNotice) -> io::Result<()> {
        let mut argument = UnmapNotify {
            index: self.index + notice.clear_byte.unwrap_or(0) as u64,
            action: notice.clear_byte.map_or(0, |_| ioctl::UNMAP_NOTIFY_CLEAR_BYTE)
                | notice.event.map_or(0, |_| ioctl::UNMAP_NOTIFY_SEND_EVENT),
            event_channel_port: notice.event.map_or(0, Port::raw),
        };
        // SAFETY: the argument is what the request asks for; there is no address in it.
        unsafe { ioctl::call(self.file.as_fd(), ioctl::GNTDEV_SET_UNMAP_NOTIFY, &raw mut argument) }.map(drop)
    }
}

impl Deref for GrantMapping {
    type Target = SharedMemory;

    fn deref(&self) -> &SharedMemory {
        &self.memory
    }
}

impl Drop for GrantMapping {
    fn drop(&mut self) {
        // The kernel forgets references only after their pages are unmapped.
        // SAFETY: dropped once, here; `memory` is not used afterwards.
        unsafe { ManuallyDrop::drop(&mut self.memory) };
        forget(&self.file, self.index, self.count);
    }
}
