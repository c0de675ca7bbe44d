// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn vcpu-list`, `vcpu-set`, `vcpu-pin`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn vcpu-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "States: r running, b blocked, p offline.\nExample: xn vcpu-list demo")]
pub(crate) struct ListArgs {
    /// Names or numbers; all domains without any
    #[arg(value_name = "DOMAIN")]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: crate::output::OutputArgs,
}

/// Options of `xn vcpu-set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn vcpu-set demo 2")]
pub(crate) struct SetArgs {
    /// More vCPUs than the host has CPUs are no reason to ask
    #[arg(short = 'i', long = "ignore-host")]
    pub(crate) ignore_host: bool,
    /// Name or number
    pub(crate) domain: String,
    /// How many vCPUs
    #[arg(value_name = "COUNT")]
    pub(crate) count: u32,
}

/// Options of `xn vcpu-pin`.
#[derive(Debug, clap::Args)]
#[command(after_help = "CPUs: '0-3,^2', 'all', 'none', or '-' to leave them as they are.\n\
                        Example: xn vcpu-pin demo all 0-1")]
pub(crate) struct PinArgs {
    /// Override a pinning by the operating system
    #[arg(short = 'f', long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Number of the vCPU, or 'all'
    pub(crate) vcpu: String,
    /// CPUs it must run on
    #[arg(value_name = "HARD", allow_hyphen_values = true)]
    pub(crate) hard: String,
    /// CPUs it had better run on
    #[arg(value_name = "SOFT", allow_hyphen_values = true)]
    pub(crate) soft: Option<String>,
}

/// Lists vCPUs.
pub(crate) fn list(_args: &ListArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Asks the guest to use so many vCPUs.
pub(crate) fn set(_args: &SetArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Sets affinities.
pub(crate) fn pin(_args: &PinArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
