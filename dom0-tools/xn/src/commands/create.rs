// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn create`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn create -c /etc/xen/demo.cfg memory=256")]
pub(crate) struct Args {
    /// Attach to the console before the domain runs, so that nothing is missed
    #[arg(short = 'c')]
    pub(crate) console: bool,
    /// Leave the domain paused
    #[arg(short = 'p', long)]
    pub(crate) paused: bool,
    /// Say nothing but errors
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,
    /// Check the configuration and print it; create nothing
    #[arg(short = 'n', long = "dryrun", visible_alias = "dry-run")]
    pub(crate) dry_run: bool,
    /// Stay until the domain ends
    #[arg(short = 'F', long)]
    pub(crate) foreground: bool,
    /// Do not carry out on_poweroff and the like: whoever started this looks after the domain
    #[arg(short = 'e')]
    pub(crate) no_monitor: bool,
    /// Refused: PV guests of this toolstack have no VNC display
    #[arg(short = 'V', long = "vncviewer", hide = true)]
    pub(crate) vncviewer: bool,
    /// The configuration file, if not the first word
    #[arg(short = 'f', long = "defconfig", value_name = "FILE")]
    pub(crate) defconfig: Option<String>,
    /// The configuration file, and settings that override those in it
    #[arg(value_name = "CONFIGFILE|KEY=VALUE")]
    pub(crate) words: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Creates a domain.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
