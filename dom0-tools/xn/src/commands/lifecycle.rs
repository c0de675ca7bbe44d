// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn shutdown`, `reboot`, `pause`, `unpause`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn shutdown` and `xn reboot`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn shutdown -w demo")]
pub(crate) struct EndArgs {
    /// All guests
    #[arg(short = 'a', long, conflicts_with = "domains")]
    pub(crate) all: bool,
    /// Wait until it has happened; twice: until the domain is gone
    #[arg(short = 'w', long, action = clap::ArgAction::Count)]
    pub(crate) wait: u8,
    /// With -w: give up after so many seconds without a reaction
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) timeout: u64,
    /// For HVM guests; a PV guest has no other way to be asked, so this changes nothing
    #[arg(short = 'F')]
    pub(crate) fallback: bool,
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required_unless_present = "all")]
    pub(crate) domains: Vec<String>,
}

/// Options of `xn pause` and `xn unpause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn pause demo; xn unpause demo")]
pub(crate) struct OneArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
}

/// Asks guests to shut down.
pub(crate) fn shutdown(_args: &EndArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Asks guests to reboot.
pub(crate) fn reboot(_args: &EndArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Keeps domains from running.
pub(crate) fn pause(_args: &OneArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Lets domains run.
pub(crate) fn unpause(_args: &OneArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
