// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn list` and `xn vm-list`.

use crate::context::Context;
use crate::error::{Class, Failure};
use crate::output::OutputArgs;

/// Options of `xn list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "States: r running, b blocked, p paused, s shut down, c crashed, d dying.\n\
                        Example: xn list -o json demo")]
pub(crate) struct Args {
    /// Everything that is known, as JSON, with the configuration
    #[arg(short = 'l', long)]
    pub(crate) long: bool,
    /// UUID and reason of shutdown too
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Security labels too; without a security module there are none
    #[arg(short = 'Z', long)]
    pub(crate) context: bool,
    /// The CPU pool too
    #[arg(short = 'c', long)]
    pub(crate) cpupool: bool,
    /// NUMA node affinity too
    #[arg(short = 'n', long)]
    pub(crate) numa: bool,
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Options of `xn vm-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn vm-list")]
pub(crate) struct VmArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Lists domains.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Lists guests with UUIDs.
pub(crate) fn vm_list(_args: &VmArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
