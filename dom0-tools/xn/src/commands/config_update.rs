// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn config-update`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn config-update`.
#[derive(Debug, clap::Args)]
#[command(after_help = "The new configuration counts from the domain's next reboot on.\n\
                        Example: xn config-update demo /etc/xen/demo.cfg memory=256")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The configuration file, if not the next word
    #[arg(short = 'f', long = "defconfig", value_name = "FILE")]
    pub(crate) defconfig: Option<String>,
    /// The configuration file, and settings that override those in it
    #[arg(value_name = "CONFIGFILE|KEY=VALUE")]
    pub(crate) words: Vec<String>,
}

/// Checks the new configuration and stores it.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
