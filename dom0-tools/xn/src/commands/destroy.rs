// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn destroy`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn destroy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn destroy demo")]
pub(crate) struct Args {
    /// Allow domain 0, where that is possible at all
    #[arg(short = 'f')]
    pub(crate) force: bool,
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
}

/// Ends domains and takes away what they had.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
