// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn info` and `xn claims`.

use crate::context::Context;
use crate::error::{Class, Failure};
use crate::output::OutputArgs;

/// Options of `xn info`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn info free_memory")]
pub(crate) struct Args {
    /// The CPUs' places and the memory nodes too
    #[arg(short = 'n', long)]
    pub(crate) numa: bool,
    /// Only this fact, without its name
    #[arg(value_name = "FIELD")]
    pub(crate) field: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn claims`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn claims")]
pub(crate) struct ClaimsArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Shows the host.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Shows claims.
pub(crate) fn claims(_args: &ClaimsArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
