// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn sysrq`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn sysrq`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn sysrq demo s")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The key, as in the Linux kernel's sysrq documentation
    pub(crate) letter: char,
}

/// Sends the key.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
