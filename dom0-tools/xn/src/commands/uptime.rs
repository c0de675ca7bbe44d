// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn uptime`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn uptime`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn uptime demo")]
pub(crate) struct Args {
    /// In a sentence, with the time of day
    #[arg(short = 's', long)]
    pub(crate) short: bool,
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Shows for how long domains have been there.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
