// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: hands addresses to the kernel.
#![expect(unsafe_code, reason = "requests with addresses in them")]
//! `/dev/xen/privcmd`: hypercalls, and mappings of other domains' memory.

use crate::buffer::{HypercallBuffer, Pool};
use crate::ioctl::{self, Hypercall, MmapBatchV2, MmapResource};
use crate::region::{Backing, Region};
use crate::shared::SharedMemory;
use hypercalls::memory::ResourceType;
use hypercalls::{DomId, HypercallNumber, Mfn, PAGE_SIZE};
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The right to make hypercalls. One per process is enough; threads may share it.
#[derive(Debug)]
pub struct Privcmd {
    file: File,
    buffers: Arc<Pool>,
}

/// Frames of another domain; unmapped when dropped.
#[derive(Debug)]
pub struct ForeignMapping(SharedMemory);

impl Deref for ForeignMapping {
    type Target = SharedMemory;

    fn deref(&self) -> &SharedMemory {
        &self.0
    }
}

/// Frames that could not be mapped.
#[derive(Debug)]
pub struct MapFailure {
    /// The first frame that was refused, with its place in the list; `None` if the whole request was.
    pub frame: Option<(usize, Mfn)>,
    /// Why.
    pub error: io::Error,
}

impl From<io::Error> for MapFailure {
    fn from(error: io::Error) -> Self {
        Self { frame: None, error }
    }
}

impl std::fmt::Display for MapFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.frame {
            Some((place, mfn)) => write!(f, "frame {:#x} (number {place} of the list): {}", mfn.raw(), self.error),
            None => self.error.fmt(f),
        }
    }
}

impl std::error::Error for MapFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl Privcmd {
    /// Where the device is.
    pub const PATH: &str = "/dev/xen/privcmd";

    /// Opens the devices.
    ///
    /// # Errors
    /// `ENOENT` if this is no Xen domain (or `xen-privcmd` is not loaded), `EACCES` if not root.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(Self::PATH)?;
        let buffers = OpenOptions::new().read(true).write(true).open("/dev/xen/hypercall").ok();
        Ok(Self { file, buffers: Arc::new(Pool::new(buffers)) })
    }

    /// Makes a hypercall. Every address in `args`, and in the memory they point to, must lie in a live
    /// [`HypercallBuffer`] to which no reference is held; see the crate's README.
    ///
    /// # Errors
    /// The hypervisor's error, as the `errno` of the same number.
    pub fn hypercall(&self, number: HypercallNumber, args: [u64; 5]) -> io::Result<u64> {
        let mut call = Hypercall { op: number.raw(), arg: args };
        // SAFETY: the argument is what the request asks for; addresses in `args` are the caller's promise.
        unsafe { ioctl::call(self.file.as_fd(), ioctl::PRIVCMD_HYPERCALL, &raw mut call) }
    }

    /// Memory for a hypercall's arguments: `len` zeroed bytes.
    ///
    /// # Errors
    /// No memory, or no right to lock it.
    pub fn buffer(&self, len: usize) -> io::Result<HypercallBuffer> {
        self.buffers.buffer(len)
    }

    /// Maps machine frames of a domain, one after the other, in this order.
    ///
    /// # Errors
    /// The first frame that was refused: nothing stays mapped.
    pub fn map_foreign(&self, domain: DomId, frames: &[Mfn], writable: bool) -> Result<ForeignMapping, MapFailure> {
        let region = self.reserve(frames.len(), writable)?;
        let numbers: Vec<u64> = frames.iter().map(|frame| frame.raw()).collect();
        let mut errors = vec![0_i32; frames.len()];
        let mut batch = MmapBatchV2 {
            num: u32::try_from(frames.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?,
            dom: domain.raw(),
            _pad: 0,
            addr: region.address(),
            arr: numbers.as_ptr(),
            err: errors.as_mut_ptr(),
        };
        // SAFETY: the argument is what the request asks for; both lists have `num` elements; the addresses at `addr`
        // are a fresh mapping of this device, of the same number of pages, which nobody else knows.
        let done = unsafe { ioctl::call(self.file.as_fd(), ioctl::PRIVCMD_MMAPBATCH_V2, &raw mut batch) };
        let refused = errors.iter().zip(frames).enumerate().find(|(_, (error, _))| **error != 0);
        if let Some((place, (error, mfn))) = refused {
            return Err(MapFailure {
                frame: Some((place, *mfn)),
                error: io::Error::from_raw_os_error(error.wrapping_neg()),
            });
        }
        done?;
        Ok(ForeignMapping(SharedMemory::new(region, writable)))
    }

    /// Maps `count` pages of a domain's resource from page `first`, e.g. its grant table.
    ///
    /// # Errors
    /// `EOPNOTSUPP` or `ENOTTY` if the hypervisor or the kernel does not know this way; `EINVAL` past the end.
    pub fn map_resource(
        &self,
        domain: DomId,
        kind: ResourceType,
        id: u32,
        first: u32,
        count: usize,
    ) -> io::Result<ForeignMapping> {
        let region = self.reserve(count, true)?;
        let mut resource = MmapResource {
            dom: domain.raw(),
            _pad: 0,
            kind: u32::from(kind.raw()),
            id,
            idx: first,
            num: count as u64,
            addr: region.address(),
        };
        // SAFETY: the argument is what the request asks for; the addresses at `addr` are a fresh mapping of this device,
        // of the same number of pages, which nobody else knows.
        unsafe { ioctl::call(self.file.as_fd(), ioctl::PRIVCMD_MMAP_RESOURCE, &raw mut resource) }?;
        Ok(ForeignMapping(SharedMemory::new(region, true)))
    }

    /// Address space the device can put `pages` frames into.
    fn reserve(&self, pages: usize, writable: bool) -> io::Result<Region> {
        let len = pages.checked_mul(PAGE_SIZE).ok_or(io::Error::from_raw_os_error(libc::EOVERFLOW))?;
        Region::map(Backing::Device(self.file.as_fd(), 0), len, writable)
    }
}
