// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A pseudo-terminal somebody may attach to.
//!
//! Nothing is written to it while nobody has it open: the kernel would keep the first four KiB and refuse the rest, so a
//! late reader would find old text, a gap, and new text. The kernel tells of an opening by inotify, of the last closing by
//! a hang-up on our side.

use rustix::fs::{Mode, OFlags, inotify};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A pseudo-terminal, from the master's side.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    path: String,
    /// The inotify watch of `path`.
    watch: i32,
    attached: bool,
}

/// What an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many bytes went, at least one.
    Bytes(usize),
    /// Not now.
    Later,
    /// Nobody is attached (any more).
    Detached,
}

impl Pty {
    /// Makes one; `notify` is an inotify instance that will tell of openings.
    pub(crate) fn new(notify: BorrowedFd<'_>) -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        rustix::io::ioctl_fionbio(&master, true)?;
        let path = ptsname(&master, Vec::new())?.into_string().map_err(io::Error::other)?;
        // On Linux the master's settings are the slave's: bytes pass as they are, and no key makes a signal.
        let mut settings = tcgetattr(&master)?;
        settings.make_raw();
        tcsetattr(&master, OptionalActions::Now, &settings)?;
        let watch = inotify::add_watch(notify, path.as_str(), inotify::WatchFlags::OPEN)?;
        Ok(Self { master, path, watch, attached: false })
    }

    /// What to open to attach.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn watch(&self) -> i32 {
        self.watch
    }

    /// Somebody opened it.
    pub(crate) fn set_attached(&mut self) {
        self.attached = true;
    }

    /// The last reader closed it.
    pub(crate) fn set_detached(&mut self) {
        self.attached = false;
    }

    /// Whether somebody has it open, as far as is known.
    pub(crate) fn is_attached(&self) -> bool {
        self.attached
    }

    /// Writes for the reader.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<Progress> {
        self.outcome(rustix::io::write(&self.master, bytes))
    }

    /// Reads what was typed.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Progress> {
        let done = rustix::io::read(&self.master, into);
        self.outcome(done)
    }

    /// How many bytes were written but not read by the other side yet.
    pub(crate) fn unread(&self) -> io::Result<u64> {
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(self.path.as_str(), flags, Mode::empty())?;
        Ok(rustix::io::ioctl_fionread(&slave)?)
    }

    fn outcome(&mut self, done: rustix::io::Result<usize>) -> io::Result<Progress> {
        match done {
            Ok(0) | Err(Errno::AGAIN | Errno::INTR) => Ok(Progress::Later),
            Ok(count) => Ok(Progress::Bytes(count)),
            // What the kernel says when the other side is closed.
            Err(Errno::IO) => {
                self.attached = false;
                Ok(Progress::Detached)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the watch of openings; the kernel does it too when the file goes, but later.
    pub(crate) fn close(self, notify: BorrowedFd<'_>) {
        // Fails only if the kernel has ended it already.
        inotify::remove_watch(notify, self.watch).ok();
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;
    use std::io::{Read, Write};
    use std::mem::MaybeUninit;
    use std::os::unix::fs::OpenOptionsExt;

    #[test]
    fn openings_are_told_and_bytes_pass_unchanged() {
        let notify = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        let mut pty = Pty::new(notify.as_fd()).unwrap();
        let mut buffer = [MaybeUninit::uninit(); 512];
        let mut events = inotify::Reader::new(&notify, &mut buffer);
        assert!(events.next().is_err(), "an opening before anybody opened it");
        for round in 0..2 {
            let mut options = OpenOptions::new();
            options.read(true).write(true).custom_flags(rustix::fs::OFlags::NOCTTY.bits() as i32);
            let mut slave = options.open(pty.path()).unwrap();
            assert_eq!(events.next().unwrap().wd(), pty.watch(), "round {round}");
            let text = b"\x03a\nb\r\x1d\xff\x11\x13";
            assert_eq!(pty.write(text).unwrap(), Progress::Bytes(text.len()));
            let mut read = [0; 64];
            let count = slave.read(&mut read).unwrap();
            assert_eq!(&read[..count], text);
            slave.write_all(text).unwrap();
            assert_eq!(pty.read(&mut read).unwrap(), Progress::Bytes(text.len()));
            assert_eq!(pty.read(&mut read).unwrap(), Progress::Later);
            assert_eq!(&read[..text.len()], text);
            pty.write(b"left").unwrap();
            while pty.unread().unwrap() < 4 {
                std::thread::yield_now();
            }
            slave.read_exact(&mut read[..4]).unwrap();
            assert_eq!(pty.unread().unwrap(), 0);
            while events.next().is_ok() {}
            drop(slave);
            assert_eq!(pty.read(&mut read).unwrap(), Progress::Detached);
        }
        pty.close(notify.as_fd());
    }
}
