// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn monitor`: the daemon that carries out `on_poweroff`, `on_reboot`, `on_crash`.

use crate::context::Context;
use crate::error::{At, Failure};
use crate::monitor;

/// Options of `xn monitor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One is enough for all domains; 'xn create' starts it when none runs. It logs to /var/log/xen/xn-monitor.log.\n\
                        Example: xn monitor &"
)]
pub(crate) struct Args {
    /// Leave the terminal's session
    #[arg(long, hide = true)]
    pub(crate) background: bool,
}

/// Runs until it is told to end.
pub(crate) fn run(args: &Args, _context: &mut Context) -> Result<(), Failure> {
    monitor::run(args.background).at(|| "monitor")
}
