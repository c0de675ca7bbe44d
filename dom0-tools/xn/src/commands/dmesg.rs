// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn dmesg`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn dmesg`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn dmesg | tail")]
pub(crate) struct Args {
    /// Forget the messages after they are shown
    #[arg(short = 'c', long)]
    pub(crate) clear: bool,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Shows the hypervisor's messages.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
