// SPDX-License-Identifier: MIT OR Apache-2.0
//! As much of QEMU's machine protocol as tells why a machine ended, and reads its memory.
//! One JSON object a line; the few facts needed are found as text, so no JSON library is.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Why a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// The guest switched it off (ACPI S5).
    PowerOff,
    /// The guest reset it.
    Reset,
    /// A triple fault (QEMU reports it apart).
    Crash,
    /// Somebody on the host did.
    Other,
}

/// A connection to a running QEMU.
pub struct Monitor {
    stream: UnixStream,
    lines: Receiver<String>,
    seen: Option<Shutdown>,
}

impl Monitor {
    /// Connects to `socket`, which `child` is about to open.
    ///
    /// # Errors
    /// When QEMU ends first or opens no socket within ten seconds.
    pub fn connect(socket: &Path, child: &mut Child) -> Result<Self> {
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = loop {
            match UnixStream::connect(socket) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < deadline && child.try_wait()?.is_none() => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => {
                    // It is of no use without its monitor.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(error).context("cannot reach QEMU's monitor");
                }
            }
        };
        let (send, lines) = channel();
        let reader = BufReader::new(stream.try_clone()?);
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let mut monitor = Self { stream, lines, seen: None };
        monitor.execute("{\"execute\":\"qmp_capabilities\"}")?;
        Ok(monitor)
    }

    /// Why the machine ended, once it did.
    pub fn shutdown(&mut self) -> Option<Shutdown> {
        // QEMU has gone: the reader thread ends after the last line.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.note(&line);
        }
        self.seen
    }

    /// Writes `size` bytes of the machine's memory from `address` to `file`.
    ///
    /// # Errors
    /// When QEMU refuses or has gone.
    pub fn save_memory(&mut self, address: u64, size: u64, file: &Path) -> Result<()> {
        let file = file.display().to_string().replace('\\', "\\\\").replace('"', "\\\"");
        let arguments = format!("{{\"val\":{address},\"size\":{size},\"filename\":\"{file}\"}}");
        self.execute(&format!("{{\"execute\":\"pmemsave\",\"arguments\":{arguments}}}"))
    }

    fn execute(&mut self, request: &str) -> Result<()> {
        self.stream.write_all(request.as_bytes()).context("QEMU has gone")?;
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(10)).context("QEMU does not answer")?;
            self.note(&line);
            if line.starts_with("{\"return\"") {
                return Ok(());
            }
            if line.starts_with("{\"error\"") {
                bail!("QEMU refused: {line}");
            }
        }
    }

    fn note(&mut self, line: &str) {
        if !line.contains("\"event\": \"SHUTDOWN\"") {
            return;
        }
        self.seen = Some(if line.contains("\"guest-shutdown\"") {
            Shutdown::PowerOff
        } else if line.contains("\"guest-reset\"") {
            Shutdown::Reset
        } else if line.contains("\"guest-panic\"") {
            Shutdown::Crash
        } else {
            Shutdown::Other
        });
    }
}
