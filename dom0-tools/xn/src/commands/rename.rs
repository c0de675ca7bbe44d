// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn rename`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn rename`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn rename demo web1")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The new name
    pub(crate) new_name: String,
}

/// Changes a name that nobody else has.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
