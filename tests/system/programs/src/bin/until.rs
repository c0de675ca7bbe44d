// SPDX-License-Identifier: MIT OR Apache-2.0
//! `until SECONDS FILE TEXT` waits so long at most until FILE has TEXT in it: status 0 if it has. A shell that looks again and again
//! would take the time of whoever is to write it.
#![forbid(unsafe_code)]

use anyhow::{Context, Result};
use dom0_programs::{argument, await_text};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(20);

fn main() -> Result<ExitCode> {
    let end = Instant::now() + Duration::from_secs(argument(1)?);
    let words = std::env::args().collect::<Vec<_>>();
    let [_, _, file, text] = words.as_slice() else { anyhow::bail!("usage: until SECONDS FILE TEXT") };
    let found = await_text(file.as_ref(), text, end, PAUSE).with_context(|| format!("cannot read {file}"))?;
    Ok(if found { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
