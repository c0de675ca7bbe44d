// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn block-attach`, `block-detach`, `block-list`.

use crate::context::Context;
use crate::error::{Class, Failure};
use crate::output::OutputArgs;

/// Options of `xn block-attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-attach demo format=raw,vdev=xvdb,access=rw,target=/srv/data.img")]
pub(crate) struct AttachArgs {
    /// Name or number
    pub(crate) domain: String,
    /// The disk as in the configuration's 'disk', in one word or several
    #[arg(value_name = "DISK", required = true)]
    pub(crate) disk: Vec<String>,
}

/// Options of `xn block-detach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-detach demo xvdb")]
pub(crate) struct DetachArgs {
    /// Do not wait for the guest
    #[arg(long)]
    pub(crate) force: bool,
    /// Name or number
    pub(crate) domain: String,
    /// Virtual device: its name (xvdb) or number
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
}

/// Options of `xn block-list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn block-list demo -o json")]
pub(crate) struct ListArgs {
    /// Names or numbers
    #[arg(value_name = "DOMAIN", required = true)]
    pub(crate) domains: Vec<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Adds a disk.
pub(crate) fn attach(_args: &AttachArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Takes a disk away.
pub(crate) fn detach(_args: &DetachArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}

/// Lists disks.
pub(crate) fn list(_args: &ListArgs, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
