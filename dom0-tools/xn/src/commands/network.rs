// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn network-attach`, `network-detach`, `network-list`.

use crate::context::Context;
use crate::error::{Class, Failure};
use crate::output::OutputArgs;

/// Options of `xn network-attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-attach demo bridge=xenbr0 mac=00:16:3e:01:02:03")]
pub(crate) struct AttachArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The interface as in the configuration's 'vif', in one word or several
    #[arg(value_name = "VIF")]
    pub(crate) vif: Vec<String>,
}

/// Options of `xn network-detach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-detach demo 0")]
pub(crate) struct DetachArgs {
    /// Do not wait for the guest
    #[arg(long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Number of the interface, or its MAC address
    #[arg(value_name = "DEVICE|MAC")]
    pub(crate) device: String,
}

/// Options of `xn network-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn network-list demo -o json")]
pub(crate) struct ListArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Adds an interface.
pub(crate) fn attach(_args: &AttachArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Takes an interface away.
pub(crate) fn detach(_args: &DetachArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Lists interfaces.
pub(crate) fn list(_args: &ListArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
