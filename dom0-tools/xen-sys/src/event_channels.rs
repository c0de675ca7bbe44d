// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! `/dev/xen/evtchn`: event channels for this process.

use crate::ioctl;
use hypercalls::{DomId, Port, Virq};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// A set of ports and their one queue of events. Dropping it unbinds them all.
///
/// An event is read once by [`EventChannels::pending`]; its port then stays masked until [`EventChannels::unmask`].
#[derive(Debug)]
pub struct EventChannels {
    file: File,
}

/// How many ports one [`EventChannels::pending`] reads at most.
const PORTS_AT_ONCE: usize = 256;

impl EventChannels {
    /// Where the device is.
    pub const PATH: &str = "/dev/xen/evtchn";

    /// Opens the device: no ports yet.
    ///
    /// # Errors
    /// `ENOENT` if this is no Xen domain (or `xen-evtchn` is not loaded), `EACCES` if not root.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(Self::PATH)?;
        Ok(Self { file })
    }

    fn port(answer: u64) -> io::Result<Port> {
        Ok(Port::new(u32::try_from(answer).map_err(io::Error::other)?))
    }

    /// Connects to a port another domain offered; answers with this side's port.
    ///
    /// # Errors
    /// `EINVAL` if it does not offer that port (any more), `ESRCH` if there is no such domain.
    pub fn bind_interdomain(&self, domain: DomId, remote: Port) -> io::Result<Port> {
        let words = [u32::from(domain.raw()), remote.raw()];
        Self::port(ioctl::call_words(self.file.as_fd(), ioctl::EVTCHN_BIND_INTERDOMAIN, words)?)
    }

    /// Makes a port the other domain may connect to.
    ///
    /// # Errors
    /// `ENOSPC` if there are no ports left.
    pub fn bind_unbound(&self, domain: DomId) -> io::Result<Port> {
        Self::port(ioctl::call_words(self.file.as_fd(), ioctl::EVTCHN_BIND_UNBOUND_PORT, [u32::from(domain.raw())])?)
    }

    /// Takes a virtual interrupt of vCPU 0 (or a global one).
    ///
    /// # Errors
    /// `EEXIST` or `EBUSY` if somebody has it.
    pub fn bind_virq(&self, virq: Virq) -> io::Result<Port> {
        Self::port(ioctl::call_words(self.file.as_fd(), ioctl::EVTCHN_BIND_VIRQ, [virq.raw()])?)
    }

    /// Gives a port up.
    ///
    /// # Errors
    /// `ENOTCONN` if it is not one of these.
    pub fn unbind(&self, port: Port) -> io::Result<()> {
        ioctl::call_words(self.file.as_fd(), ioctl::EVTCHN_UNBIND, [port.raw()]).map(drop)
    }

    /// Signals the other end.
    ///
    /// # Errors
    /// `ENOTCONN` if the port is not one of these.
    pub fn notify(&self, port: Port) -> io::Result<()> {
        ioctl::call_words(self.file.as_fd(), ioctl::EVTCHN_NOTIFY, [port.raw()]).map(drop)
    }

    /// The ports with events, in the order of the events; empty if there are none. Does not wait. If the kernel's queue
    /// overflowed, it is emptied and `EFBIG` returned: events may be lost, so look at all ports.
    ///
    /// # Errors
    /// As said.
    pub fn pending(&self) -> io::Result<Vec<Port>> {
        let mut bytes = [0; PORTS_AT_ONCE * 4];
        let count = match (&self.file).read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) if error.raw_os_error() == Some(libc::EFBIG) => {
                ioctl::call_words::<0>(self.file.as_fd(), ioctl::EVTCHN_RESET, [])?;
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let (words, _) = bytes.get(..count).unwrap_or_default().as_chunks::<4>();
        Ok(words.iter().map(|word| Port::new(u32::from_ne_bytes(*word))).collect())
    }

    /// Lets ports signal again. An event that came meanwhile is signalled at once.
    ///
    /// # Errors
    /// What the kernel answers; ports that are not of these are skipped.
    pub fn unmask(&self, ports: &[Port]) -> io::Result<()> {
        let bytes: Vec<u8> = ports.iter().flat_map(|port| port.raw().to_ne_bytes()).collect();
        // The kernel takes at most a page at once.
        bytes.chunks(4096).try_for_each(|some| (&self.file).write_all(some))
    }
}

/// Readable when [`EventChannels::pending`] has something.
impl AsFd for EventChannels {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
