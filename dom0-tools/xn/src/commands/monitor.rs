// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn monitor`: the daemon that carries out `on_poweroff`, `on_reboot`, `on_crash`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn monitor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn monitor &")]
pub(crate) struct Args {}

/// Runs until it is told to end.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
