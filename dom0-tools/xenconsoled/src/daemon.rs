// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Being a daemon: alone, detached, and ready before whoever started it goes on.

use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

/// What the detached process prints when it serves.
const READY: &[u8] = b"ready\n";

/// Prints a line to standard error, which is the daemon's own log once it is detached.
pub fn say(line: &str) {
    // If this cannot be written there is no other place to tell.
    writeln!(io::stderr(), "xenconsoled: {line}").ok();
}

/// Runs this program again with `arguments`, apart from this terminal, and waits until it serves. The result is that
/// process's if it ended before.
///
/// # Errors
/// It could not be started.
pub fn start_detached(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> io::Result<ExitCode> {
    let mut child =
        Command::new(std::env::current_exe()?).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut told = [0; READY.len()];
    if let Some(mut output) = child.stdout.take()
        && output.read_exact(&mut told).is_ok()
        && told == READY
    {
        return Ok(ExitCode::SUCCESS);
    }
    let code = child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

/// In the process that [`start_detached`] started: tells that it serves, and turns to `log` from then on.
///
/// # Errors
/// The log cannot be written.
pub fn detach(log: &Path) -> io::Result<()> {
    // The parent is another process's child, never a group's leader, so this cannot be refused.
    rustix::process::setsid()?;
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)?;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o640).open(log)?;
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    rustix::stdio::dup2_stderr(&file)?;
    rustix::stdio::dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?;
    Ok(())
}

/// Keeps a second daemon from running: a lock on the file that holds this one's number. The kernel releases it however the
/// process ends.
#[derive(Debug)]
pub struct PidFile {
    _locked: File,
}

/// Why the lock was not got.
#[derive(Debug)]
pub enum PidError {
    /// Another daemon runs; what its file says.
    Running(String),
    /// The file cannot be used.
    Io(io::Error),
}

impl PidFile {
    /// Takes the lock and writes this process's number.
    ///
    /// # Errors
    /// As said there.
    pub fn take(path: &Path) -> Result<Self, PidError> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(PidError::Io)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(path)
            .map_err(PidError::Io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(PidError::Io)?;
                return Err(PidError::Running(text.trim().to_owned()));
            }
            Err(error) => return Err(PidError::Io(error.into())),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(PidError::Io)?;
        Ok(Self { _locked: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_has_the_lock() {
        let path = std::env::temp_dir().join(format!("xenconsoled-pid-{}", std::process::id()));
        fs::write(&path, "123456789 and more").unwrap();
        let first = PidFile::take(&path).unwrap();
        let second = PidFile::take(&path);
        assert!(matches!(second, Err(PidError::Running(pid)) if pid == std::process::id().to_string()));
        drop(first);
        PidFile::take(&path).unwrap();
        fs::remove_file(&path).unwrap();
    }
}
