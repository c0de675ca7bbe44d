// SPDX-License-Identifier: MIT OR Apache-2.0
//! The monitor's log: one line for each thing it does.

use crate::error::{Class, Failure};
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const PATH: &str = "/var/log/xen/xn-monitor.log";
/// Past this many bytes the log becomes `.1`, and a new one is begun.
const LONG: u64 = 1 << 20;

/// The open log.
#[derive(Debug)]
pub(crate) struct Log(Mutex<File>);

impl Log {
    /// Opens it for appending.
    pub(crate) fn open() -> Result<Self, Failure> {
        open(Path::new(PATH)).map(|file| Self(Mutex::new(file))).map_err(|error| {
            Failure::new(Class::Failed, format!("{PATH}: {error}"))
                .remedy("run it as root; see that there is space left")
        })
    }

    /// Writes a line.
    pub(crate) fn line(&self, what: impl fmt::Display) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if file.metadata().is_ok_and(|about| about.len() > LONG) {
            // If it cannot be renamed, it goes on growing: better than silence.
            if fs::rename(PATH, format!("{PATH}.1")).is_ok()
                && let Ok(new) = open(Path::new(PATH))
            {
                *file = new;
            }
        }
        let line = format!("{} {what}\n", timestamp(crate::guests::record::now()));
        if let Err(error) = file.write_all(line.as_bytes()) {
            eprint!("xn monitor: {PATH}: {error}: {line}");
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::options().create(true).append(true).open(path)
}

/// Seconds since 1970 as `2026-11-23T04:05:06Z`.
fn timestamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Counted in eras of 400 years from March 1st, 0000, so that the leap day is a year's last.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let date = in_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn timestamps_are_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(timestamp(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
