// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn domid` and `xn domname`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn domid`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn domid demo")]
pub(crate) struct IdArgs {
    /// Name of a domain
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Options of `xn domname`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn domname 3")]
pub(crate) struct NameArgs {
    /// Number of a domain
    pub(crate) id: u16,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// From name to number.
pub(crate) fn domid(_args: &IdArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// From number to name.
pub(crate) fn domname(_args: &NameArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
