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
