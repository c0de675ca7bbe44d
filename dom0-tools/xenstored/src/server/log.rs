// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The log: lines with a time, to the standard error or a file that is renamed to `.1` when it has become long. What a domain can cause is
//! limited to so many lines in so many seconds for each domain.

use hypercalls::ids::DomId;
use std::collections::HashMap;
use std::fmt::Arguments;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A file of this many bytes is renamed.
const LONG: u64 = 1 << 20;
/// This many lines of one domain ...
const LINES: u32 = 5;
/// ... in this time.
const WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Target {
    path: PathBuf,
    file: File,
    len: u64,
}

#[derive(Debug)]
struct Share {
    since: Instant,
    lines: u32,
    dropped: u64,
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Log {
    target: Option<Target>,
    shares: HashMap<DomId, Share>,
    /// Whether every request is logged.
    pub(crate) trace: bool,
}

impl Target {
    fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, len })
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        if self.len > LONG {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            *self = Self::open(&self.path)?;
        }
        self.len = self.len.saturating_add(line.len() as u64);
        self.file.write_all(line.as_bytes())
    }
}

impl Log {
    /// A log to the standard error, or to the end of a file.
    pub(crate) fn open(path: Option<&Path>) -> io::Result<Self> {
        Ok(Self { target: path.map(Target::open).transpose()?, shares: HashMap::new(), trace: false })
    }

    /// Opens the file again, after somebody else has renamed it.
    pub(crate) fn reopen(&mut self) {
        if let Some(target) = &mut self.target {
            match Target::open(&target.path) {
                Ok(new) => *target = new,
                Err(error) => self.line(format_args!("cannot open the log again: {error}")),
            }
        }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: Arguments<'_>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} xenstored: {text}\n", utc(now.as_secs()), now.subsec_millis());
        let done = self.target.as_mut().map_or(Err(io::ErrorKind::NotFound.into()), |target| target.line(&line));
        if done.is_err() {
            // Without a file, or when it cannot be written. Nobody is left to hear of a failure here.
            let _lost = io::stderr().write_all(line.as_bytes());
        }
    }

    /// Writes a line a domain has caused, unless it has caused many.
    pub(crate) fn domain(&mut self, domain: DomId, text: Arguments<'_>) {
        let now = Instant::now();
        let share = self.shares.entry(domain).or_insert(Share { since: now, lines: 0, dropped: 0 });
        let mut dropped = 0;
        if now.duration_since(share.since) >= WITHIN {
            dropped = share.dropped;
            *share = Share { since: now, lines: 0, dropped: 0 };
        }
        share.lines = share.lines.saturating_add(1);
        if share.lines > LINES {
            share.dropped = share.dropped.saturating_add(1);
            return;
        }
        if dropped > 0 {
            self.line(format_args!("domain {}: {dropped} more lines were not written", domain.raw()));
        }
        self.line(format_args!("domain {}: {text}", domain.raw()));
    }

    /// Forgets a domain that is gone.
    pub(crate) fn forget(&mut self, domain: DomId) {
        self.shares.remove(&domain);
    }
}

/// Date and time of day, UTC, of a number of seconds since 1970.
fn utc(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March put the leap day at their end; 719,468 days lie between March of year 0 and 1970.
    let days = days.saturating_add(719_468);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let year = era * 400 + year;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00");
        assert_eq!(utc(951_782_399), "2000-02-28T23:59:59");
        assert_eq!(utc(951_782_400), "2000-02-29T00:00:00");
        assert_eq!(utc(1_735_689_599), "2024-12-31T23:59:59");
        assert_eq!(utc(1_795_403_105), "2026-11-23T03:05:05");
    }

    #[test]
    fn a_domain_fills_no_log_and_a_long_one_is_renamed() {
        let path = std::env::temp_dir().join(format!("xenstored-log-{}", std::process::id()));
        let old = path.with_extension("1");
        let mut log = Log::open(Some(&path)).unwrap();
        for n in 0..1000 {
            log.domain(DomId::new(3), format_args!("line {n}"));
        }
        log.domain(DomId::new(4), format_args!("another"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 6);
        assert!(text.contains("domain 3: line 4\n") && text.contains("domain 4: another\n"));
        let long = "x".repeat(100_000);
        for _ in 0..12 {
            log.line(format_args!("{long}"));
        }
        let sizes = [&path, &old].map(|path| std::fs::metadata(path).unwrap().len());
        assert!(sizes[0] < LONG && sizes[1] > LONG, "{sizes:?}");
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(&old).unwrap();
    }
}
