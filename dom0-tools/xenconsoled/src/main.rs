// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xenconsoled`: see the crate's README.
#![forbid(unsafe_code)]

use clap::Parser;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use xenconsoled::daemon::{self, PidError, PidFile, say};
use xenconsoled::{Options, Server};

/// Serves the consoles of all guests: logs them, and offers each as a pseudo-terminal.
#[derive(Debug, Parser)]
#[command(
    name = "xenconsoled",
    version,
    after_help = "Exit codes: 0 it serves (or did), 1 it cannot, 2 wrong usage, 3 another one is running."
)]
struct Arguments {
    /// Stay in the foreground and print messages instead of logging them
    #[arg(long, short = 'i', alias = "interactive")]
    foreground: bool,
    /// File that holds the daemon's process number, and the lock that keeps a second one away
    #[arg(long, value_name = "FILE", default_value = "/run/xenolith/xenconsoled.pid")]
    pid_file: PathBuf,
    /// Where the logs go: guest-NAME.log, hypervisor.log, xenconsoled.log
    #[arg(long, value_name = "DIRECTORY", default_value = "/var/log/xen/console")]
    log_dir: PathBuf,
    /// Rotate a log when it would grow past this many KiB
    #[arg(long, value_name = "KIB", default_value_t = 16 * 1024, value_parser = clap::value_parser!(u64).range(1..))]
    log_size: u64,
    /// Keep this many old files of each log
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    log_keep: u32,
    /// Keep this many KiB of what nobody has read yet, for whoever attaches
    #[arg(long, value_name = "KIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65536))]
    backlog: u32,
    /// Do not copy the hypervisor's log
    #[arg(long)]
    no_hypervisor_log: bool,
    /// Where small state lies that a reboot may lose
    #[arg(long, value_name = "DIRECTORY", default_value = "/run/xenolith/xenconsoled")]
    state_dir: PathBuf,
    /// Wait this many seconds for xenstored
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    /// Started by itself to run in the background
    #[arg(long, hide = true)]
    detached: bool,
}

/// Another daemon is running.
const RUNNING: u8 = 3;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.foreground && !arguments.detached {
        let again = std::env::args_os().skip(1).chain([OsString::from("--detached")]);
        return daemon::start_detached(again).unwrap_or_else(|error| {
            say(&format!("start in the background: {error}; try --foreground"));
            ExitCode::FAILURE
        });
    }
    serve(arguments)
}

fn serve(arguments: Arguments) -> ExitCode {
    // Held until the process ends.
    let _lock = match PidFile::take(&arguments.pid_file) {
        Ok(lock) => lock,
        Err(PidError::Running(pid)) => {
            say(&format!("already running as process {pid} ({})", arguments.pid_file.display()));
            return ExitCode::from(RUNNING);
        }
        Err(PidError::Io(error)) => {
            say(&format!("{}: {error}", arguments.pid_file.display()));
            return ExitCode::FAILURE;
        }
    };
    let own_log = arguments.log_dir.join("xenconsoled.log");
    let started = Server::start(Options {
        log_directory: arguments.log_dir,
        log_size: arguments.log_size.saturating_mul(1024),
        log_keep: arguments.log_keep,
        backlog: arguments.backlog as usize * 1024,
        hypervisor_log: !arguments.no_hypervisor_log,
        state_directory: arguments.state_dir,
        wait: Duration::from_secs(arguments.wait),
    });
    let server = match started {
        Ok(server) => server,
        Err(error) => {
            say(&error.to_string());
            return ExitCode::FAILURE;
        }
    };
    if arguments.detached
        && let Err(error) = daemon::detach(&own_log)
    {
        say(&format!("{}: {error}", own_log.display()));
        return ExitCode::FAILURE;
    }
    match server.run() {
        Ok(never) => match never {},
        Err(error) => {
            say(&format!("poll: {error}"));
            ExitCode::FAILURE
        }
    }
}
