// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The link between dom0's kernel and xenstored: a page and a port the kernel offers.

use crate::ioctl;
use crate::region::{Backing, Region};
use crate::shared::SharedMemory;
use hypercalls::{PAGE_SIZE, Port};
use std::fs::{self, OpenOptions};
use std::io;
use std::os::fd::AsFd;

/// What dom0's kernel offers xenstored.
#[derive(Debug)]
pub struct StoreRing {
    /// The ring page (`hypercalls::io::xs_wire`).
    pub page: SharedMemory,
    /// The kernel's port; bind it with domain 0.
    pub port: Port,
}

impl StoreRing {
    /// Asks `/dev/xen/xenbus_backend`, or `/proc/xen` where that is missing.
    ///
    /// # Errors
    /// `ENOENT` if there is neither: this is not dom0, or `/proc/xen` is not mounted (`mount -t xenfs xenfs /proc/xen`).
    pub fn open() -> io::Result<Self> {
        Self::from_device().or_else(|first| match first.kind() {
            io::ErrorKind::NotFound => Self::from_proc(),
            _ => Err(first),
        })
    }

    fn from_device() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open("/dev/xen/xenbus_backend")?;
        let port = ioctl::call_words::<0>(file.as_fd(), ioctl::XENBUS_BACKEND_EVTCHN, [])?;
        let port = Port::new(u32::try_from(port).map_err(io::Error::other)?);
        let region = Region::map(Backing::Device(file.as_fd(), 0), PAGE_SIZE, true)?;
        Ok(Self { page: SharedMemory::new(region, true), port })
    }

    fn from_proc() -> io::Result<Self> {
        let text = fs::read_to_string("/proc/xen/xsd_port")?;
        let port = text.trim().parse().map_err(|_| io::Error::other("/proc/xen/xsd_port does not hold a number"))?;
        let file = OpenOptions::new().read(true).write(true).open("/proc/xen/xsd_kva")?;
        let region = Region::map(Backing::Device(file.as_fd(), 0), PAGE_SIZE, true)?;
        Ok(Self { page: SharedMemory::new(region, true), port: Port::new(port) })
    }
}
