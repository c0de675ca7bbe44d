// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// The store that all domains share: configuration and state of domains and devices, with watches.
///
/// Run it in dom0, once, before any domain is created. Unless told otherwise it goes to the background as soon as it serves. It may be
/// killed and started again at any time: it goes on where it was.
///
/// Exit codes: 0 it runs (or was told to stop), 1 it could not start, 2 wrong usage.
#[derive(Clone, Debug, Parser)]
#[command(name = "xenstored", version)]
pub(crate) struct Options {
    /// Stay in the foreground, and log to the standard error.
    #[arg(short = 'f', long)]
    pub(crate) foreground: bool,
    /// Write the process id there.
    #[arg(short = 'F', long, value_name = "FILE", default_value = "/run/xenstored.pid")]
    pub(crate) pid_file: PathBuf,
    /// Log there; renamed to FILE.1 when it is longer than 1 MiB. In the foreground the default is the standard error.
    #[arg(short = 'l', long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Log every request.
    #[arg(long)]
    pub(crate) trace: bool,
    /// Listen there (default: where clients look, /run/xenstored/socket and /var/run/xenstored/socket).
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Keep the state that outlives this process there, on a tmpfs.
    #[arg(long, value_name = "FOLDER", default_value = "/run/xenolith/xenstored")]
    pub(crate) state: PathBuf,
    /// Serve the socket only, without Xen: for tests.
    #[arg(long)]
    pub(crate) no_xen: bool,
    /// How the parent of a background server starts it.
    #[arg(long, hide = true)]
    pub(crate) background: bool,
}

impl Options {
    /// Where the log goes.
    pub(crate) fn log(&self) -> Option<PathBuf> {
        let default = || (!self.foreground).then(|| PathBuf::from("/var/log/xen/xenstored.log"));
        self.log_file.clone().or_else(default)
    }
}
