// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is going on, on standard error: one line that is overwritten on a terminal, a line each elsewhere.

use std::io::{IsTerminal, Write};
use std::time::Instant;

pub(crate) struct Progress {
    start: Instant,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), terminal: std::io::stderr().is_terminal() }
    }

    /// Says what happens now.
    pub(crate) fn say(&self, what: &str) {
        let seconds = self.start.elapsed().as_secs();
        if self.terminal {
            let mut out = std::io::stderr();
            // Nobody is hurt when a line of progress is lost.
            let _ = write!(out, "\r\x1b[Kbench: {seconds:4} s  {what}").and_then(|()| out.flush());
        } else {
            eprintln!("bench: {seconds:4} s  {what}");
        }
    }

    /// Makes room for other text.
    pub(crate) fn clear(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
