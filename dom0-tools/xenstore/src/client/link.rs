// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The way to the server: its socket, or the kernel's device where no server runs.

use crate::wire::Message;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{RecvFlags, SendFlags};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where the server listens; `XENSTORED_PATH` and `XENSTORED_RUNDIR` move it, as for Xen's own clients.
const SOCKET: &str = "/run/xenstored/socket";
/// The kernel's way to the store, for a domain without a server.
const DEVICE: &str = "/dev/xen/xenbus";
const CAPABILITIES: &str = "/proc/xen/capabilities";

#[derive(Debug)]
enum Stream {
    Socket(UnixStream),
    Device(File),
}

#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    // Read, but not yet taken as messages.
    bytes: Vec<u8>,
}

/// Where the socket is meant to be.
pub(super) fn socket_path() -> PathBuf {
    if let Some(path) = std::env::var_os("XENSTORED_PATH") {
        return path.into();
    }
    std::env::var_os("XENSTORED_RUNDIR").map_or_else(|| SOCKET.into(), |dir| Path::new(&dir).join("socket"))
}

impl Link {
    /// Opens the socket `path`, or the kernel's device if there is no such socket and this domain is no control domain (where the
    /// device is a way to the missing server, and never answers).
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let stream = match UnixStream::connect(path) {
            Ok(socket) => Stream::Socket(socket),
            Err(error) if error.kind() == ErrorKind::NotFound && path == Path::new(SOCKET) && !is_control_domain() => {
                let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
                let device = OpenOptions::new().read(true).write(true).custom_flags(flags).open(DEVICE);
                Stream::Device(device.map_err(|_| error)?)
            }
            Err(error) => return Err(error),
        };
        Ok(Self { stream, bytes: Vec::new() })
    }

    /// Sends all of `bytes`.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = match &mut self.stream {
                Stream::Socket(socket) => {
                    rustix::net::send(&*socket, rest, SendFlags::NOSIGNAL).map_err(io::Error::from)
                }
                Stream::Device(device) => device.write(rest),
            };
            match sent {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.wait_for(PollFlags::OUT, None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next message, whatever it is; `None` if there is none until `deadline`.
    pub(super) fn receive(&mut self, deadline: Option<Instant>) -> io::Result<Option<Message>> {
        loop {
            let taken = Message::decode(&self.bytes).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
            if let Some((message, used)) = taken {
                self.bytes.drain(..used);
                return Ok(Some(message));
            }
            // A socket waits by itself: for an answer, one system call is enough.
            let waits = deadline.is_none() && matches!(self.stream, Stream::Socket(_));
            if !self.fill(waits)? && !waits && !self.wait_for(PollFlags::IN, deadline)? {
                return Ok(None);
            }
        }
    }

    /// Reads what is there; false if that is nothing, or the wait for it was interrupted.
    fn fill(&mut self, wait: bool) -> io::Result<bool> {
        let mut part = [0; 8192];
        let got = match &mut self.stream {
            Stream::Socket(socket) => {
                let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
                rustix::net::recv(&*socket, &mut part, flags).map(|(got, _)| got).map_err(io::Error::from)
            }
            Stream::Device(device) => device.read(&mut part),
        };
        match got {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(got) => {
                self.bytes.extend_from_slice(part.get(..got).unwrap_or_default());
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wait_for(&self, what: PollFlags, deadline: Option<Instant>) -> io::Result<bool> {
        wait_for(self.as_fd(), what, deadline)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.stream {
            Stream::Socket(socket) => socket.as_fd(),
            Stream::Device(device) => device.as_fd(),
        }
    }
}

/// Waits until `deadline` for `what` or the end of the connection; says whether it came.
fn wait_for(fd: BorrowedFd<'_>, what: PollFlags, deadline: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::from(i32::MAX), tv_nsec: 0 })
        });
        match poll(&mut [PollFd::from_borrowed_fd(fd, what)], left.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn is_control_domain() -> bool {
    fs::read_to_string(CAPABILITIES).is_ok_and(|text| text.contains("control_d"))
}
