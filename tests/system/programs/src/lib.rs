// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the stress programs share. Each program works for the number of seconds in its first argument, checks all it
//! does, and ends with `ok NAME: ...` and status 0, or with a message and another status. What needs instructions that
//! safe Rust has not (LDT, ports, 32-bit system calls) stands as assembly in `asm/`.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The end of the time given as the program's first argument.
///
/// # Errors
/// When there is none.
pub fn deadline() -> Result<Instant> {
    let seconds = argument(1)?;
    Ok(Instant::now() + Duration::from_secs(seconds))
}

/// The program's argument of that number.
///
/// # Errors
/// When it is missing or no number.
pub fn argument(number: usize) -> Result<u64> {
    let text = std::env::args().nth(number).with_context(|| format!("argument {number} is missing"))?;
    text.parse().with_context(|| format!("{text} is no number"))
}

/// The next of a sequence of numbers without obvious pattern (xorshift, Marsaglia 2003).
pub fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Waits until `file`, which need not be there yet, has `text` in it; looks at it as often as `pause` says, and reads it only when it has
/// changed. False if it has not until `end`.
///
/// # Errors
/// When the file cannot be read.
pub fn await_text(file: &Path, text: &str, end: Instant, pause: Duration) -> io::Result<bool> {
    let mut seen = None;
    loop {
        let now = match file.metadata() {
            Ok(metadata) => Some((metadata.len(), metadata.modified()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if now.is_some() && now != seen {
            match fs::read(file) {
                Ok(bytes) if String::from_utf8_lossy(&bytes).contains(text) => return Ok(true),
                Ok(_) => seen = now,
                // Renamed just now; the next look finds its successor.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        std::thread::sleep(pause);
    }
}
