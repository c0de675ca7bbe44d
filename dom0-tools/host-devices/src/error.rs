// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Why a device could not be set up or removed, and what the administrator can do about it.

use std::fmt;
use std::io;

/// The class of a failure; `xn` maps it to its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A file, device, bridge or interface does not exist.
    Missing,
    /// The file or device is not of a kind that can be a disk, or a value makes no sense.
    Unsuitable,
    /// Dom0's kernel says no for want of rights.
    NotPermitted,
    /// Another domain, or dom0 itself, uses it.
    InUse,
    /// The backend driver in dom0 is missing or reported a failure.
    Backend,
    /// The other side did not answer in time.
    Timeout,
    /// The store refused or went away.
    Store,
    /// Any other failure of dom0's kernel.
    System,
}

/// What failed, why, and the remedy: `disk xvda: /x/y.img: No such file or directory; create the file ...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The class.
    pub kind: ErrorKind,
    /// Subject and cause, without a full stop.
    pub cause: String,
    /// What to do, as an imperative; empty where nothing can be advised.
    pub remedy: String,
}

impl Error {
    /// A failure with its remedy.
    pub fn new(kind: ErrorKind, cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, cause: cause.into(), remedy: remedy.into() }
    }

    /// A failed system call on `subject`.
    pub(crate) fn system(subject: impl fmt::Display, error: &io::Error) -> Self {
        let (kind, remedy) = match error.kind() {
            io::ErrorKind::NotFound => (ErrorKind::Missing, ""),
            io::ErrorKind::PermissionDenied => (ErrorKind::NotPermitted, "run it as root in dom0"),
            io::ErrorKind::TimedOut => (ErrorKind::Timeout, ""),
            _ => (ErrorKind::System, ""),
        };
        Self::new(kind, format!("{subject}: {}", reason(error)), remedy)
    }

    /// The same failure, named as one of `subject`'s.
    #[must_use]
    pub fn of(mut self, subject: impl fmt::Display) -> Self {
        self.cause = format!("{subject}: {}", self.cause);
        self
    }
}

/// The system's words for an error, without Rust's `(os error N)`.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_subject_cause_and_remedy() {
        let error = Error::system("/x/y.img", &io::Error::from_raw_os_error(2)).of("disk xvda");
        assert_eq!(
            (error.kind, error.to_string().as_str()),
            (ErrorKind::Missing, "disk xvda: /x/y.img: No such file or directory")
        );
        assert_eq!(Error::new(ErrorKind::InUse, "a", "b").to_string(), "a; b");
    }
}
