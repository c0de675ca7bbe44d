// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn mem-set` and `xn mem-max`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// Options of `xn mem-set`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sizes are in KiB unless they end in b, k, m, g or t.\nExample: xn mem-set demo 256m")]
pub(crate) struct SetArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The memory the guest shall use
    #[arg(value_name = "SIZE")]
    pub(crate) size: String,
}

/// Options of `xn mem-max`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sizes are in KiB unless they end in b, k, m, g or t.\nExample: xn mem-max demo 512m")]
pub(crate) struct MaxArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The most memory the hypervisor lets it have
    #[arg(value_name = "SIZE")]
    pub(crate) size: String,
}

/// Sets the balloon's target.
pub(crate) fn set(_args: &SetArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Sets the limit.
pub(crate) fn max(_args: &MaxArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
