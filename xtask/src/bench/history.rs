// SPDX-License-Identifier: MIT OR Apache-2.0
//! What was measured before: `target/bench/history.jsonl`, one line a run, and the latest picture of each group.

use super::picture;
use super::row::{Record, Row};
use anyhow::{Context, Result};
use harness::{paths, process};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Serialize)]
struct Run<'a> {
    /// Seconds since 1970.
    time: u64,
    /// What git calls the sources, with `-dirty` if they were changed since.
    commit: String,
    group: &'a str,
    vs: &'a str,
    rows: Vec<Record<'a>>,
}

/// Keeps `rows` of `group`, measured against `peer`; the path of their picture.
pub(crate) fn keep(group: &str, peer: &str, rows: &[Row]) -> Result<PathBuf> {
    let dir = paths::target().join("bench");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let commit = Command::new("git").current_dir(paths::workspace()).args(["describe", "--always", "--dirty"]).output();
    // Sources without git have no name.
    let commit = commit.map_or_else(|_| String::new(), |said| String::from_utf8_lossy(&said.stdout).trim().to_owned());
    let time = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let run = Run { time, commit, group, vs: peer, rows: rows.iter().map(Row::record).collect() };
    let mut line = serde_json::to_string(&run)?;
    line.push('\n');
    let file = dir.join("history.jsonl");
    let mut history = OpenOptions::new().create(true).append(true).open(&file);
    history
        .as_mut()
        .map_err(|error| anyhow::anyhow!("{error}"))
        .and_then(|file| Ok(file.write_all(line.as_bytes())?))
        .with_context(|| format!("cannot write {}", file.display()))?;
    let image = dir.join(format!("{group}-vs-{peer}.svg"));
    let title = format!("{group}: Xenolith's cost as a share of {peer}'s (less is better)");
    process::write_atomically(&image, picture::svg(rows, &title).as_bytes())?;
    Ok(image)
}
