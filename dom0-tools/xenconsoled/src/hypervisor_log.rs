// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The hypervisor's own log, copied to a file as it grows.

use crate::log::{Log, Rotation};
use std::path::{Path, PathBuf};
use xen_control::Control;

/// Bytes one read asks for.
const PIECE: usize = 16 * 1024;
/// Reads in one turn; the guests' turn comes then.
const READS: usize = 8;

/// Copies the hypervisor's console ring. Where it stands is kept in a small file, so that a daemon that starts again does
/// not copy the ring twice.
#[derive(Debug)]
pub(crate) struct HypervisorLog {
    log: Log,
    /// The hypervisor's name of the place to go on; `None` before the first read.
    next: Option<u32>,
    state: PathBuf,
}

impl HypervisorLog {
    /// Goes on where the file `state` says; it lies where a reboot empties it.
    pub(crate) fn new(directory: &Path, rotation: Rotation, state: PathBuf) -> Self {
        let next = std::fs::read_to_string(&state).ok().and_then(|text| text.trim().parse().ok());
        Self { log: Log::new(directory.join("hypervisor.log"), rotation), next, state }
    }

    /// Copies what is new; whether there may be more.
    ///
    /// # Errors
    /// One line for the daemon's own log.
    pub(crate) fn copy(&mut self, control: &Control) -> Result<bool, String> {
        for _ in 0..READS {
            let text = control.read_console(self.next, PIECE).map_err(|error| error.to_string())?;
            let done = text.bytes.is_empty();
            let moved = self.next != Some(text.next);
            self.next = Some(text.next);
            let written =
                self.log.append(&text.bytes).map_err(|error| format!("{}: {error}", self.log.path().display()));
            if moved {
                // After the text: a daemon killed in between repeats a little rather than lose it.
                let name = self.state.display().to_string();
                std::fs::write(&self.state, text.next.to_string()).map_err(|error| format!("{name}: {error}"))?;
            }
            written?;
            if done {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
