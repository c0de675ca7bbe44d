// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn console`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Which console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// The one every PV guest has.
    Pv,
    /// Refused: only HVM guests have one.
    Serial,
}

/// Options of `xn console`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ctrl-] leaves the console.\nExample: xn console demo")]
pub(crate) struct Args {
    /// Kind of console
    #[arg(short = 't', long = "type", value_enum, default_value = "pv")]
    pub(crate) kind: Kind,
    /// Number of the console
    #[arg(short = 'n', long = "num", value_name = "NUM", default_value_t = 0)]
    pub(crate) number: u32,
    /// Name or number
    pub(crate) domain: String,
}

/// Attaches to a console until it ends or Ctrl-] is typed.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
