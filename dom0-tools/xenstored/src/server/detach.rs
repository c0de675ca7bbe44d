// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Going to the background: the program starts itself again, waits until that one serves, and ends. A fork of this process would need unsafe
//! code.

use std::io::{self, Read, Write};
use std::process::{Command, ExitCode, Stdio};

const READY: &[u8] = b"ready\n";

/// Starts the server and waits until it is ready, or has failed and said why.
pub(crate) fn start() -> io::Result<ExitCode> {
    // By its name, not by /proc/self/exe: that would be its name for `ps` and `pidof`.
    let mut child = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .arg("--background")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()?;
    let mut said = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        // It keeps its end open until it is ready, and no longer.
        output.read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(ExitCode::SUCCESS);
    }
    let status = child.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1)))
}

/// In the server: leaves the terminal's session.
pub(crate) fn leave() -> io::Result<()> {
    // Fails for the leader of a session, which need not leave.
    if let Err(error) = rustix::process::setsid()
        && error != rustix::io::Errno::PERM
    {
        return Err(error.into());
    }
    std::env::set_current_dir("/")
}

/// In the server: says that it serves, and lets go of the standard output and error.
pub(crate) fn ready() -> io::Result<()> {
    io::stdout().write_all(READY)?;
    io::stdout().flush()?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
