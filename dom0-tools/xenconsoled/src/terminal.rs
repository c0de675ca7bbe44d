// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The user's terminal while it belongs to a guest.

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// A terminal in raw mode: keys pass as they are, Ctrl-C among them. As before when dropped. Not a terminal: nothing to do.
#[derive(Debug)]
pub(crate) struct RawTerminal<'fd> {
    before: Option<(BorrowedFd<'fd>, Termios)>,
}

impl<'fd> RawTerminal<'fd> {
    pub(crate) fn new<F: AsFd>(terminal: &'fd F) -> io::Result<Self> {
        let fd = terminal.as_fd();
        if !isatty(fd) {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(fd)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(fd, OptionalActions::Now, &raw)?;
        Ok(Self { before: Some((fd, before)) })
    }

    /// Whether there is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.before.is_some()
    }
}

impl Drop for RawTerminal<'_> {
    fn drop(&mut self) {
        if let Some((fd, before)) = &self.before {
            // A terminal that was closed meanwhile needs nothing.
            tcsetattr(fd, OptionalActions::Flush, before).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};

    #[test]
    fn keys_pass_as_they_are_and_the_terminal_is_as_before_afterwards() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let user = rustix::fs::open(path.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let settings = |fd: &std::os::fd::OwnedFd| {
            let all = tcgetattr(fd).unwrap();
            (all.input_modes, all.output_modes, all.local_modes)
        };
        let before = settings(&user);
        let raw = RawTerminal::new(&user).unwrap();
        assert!(raw.is_terminal());
        rustix::io::write(&master, b"\x03\x04\r").unwrap();
        let mut bytes = [0; 8];
        let count = rustix::io::read(&user, &mut bytes).unwrap();
        assert_eq!(&bytes[..count], b"\x03\x04\r");
        assert_ne!(settings(&user), before);
        drop(raw);
        assert_eq!(settings(&user), before);
    }

    #[test]
    fn what_is_no_terminal_is_left_alone() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(!RawTerminal::new(&file).unwrap().is_terminal());
    }
}
