// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn domid` and `xn domname`.

use crate::context::Context;
use crate::error::{At, Class, Failure};

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
pub(crate) fn domid(args: &IdArgs, context: &mut Context) -> Result<(), Failure> {
    let domain = context.domain_by_name(&args.name).at(|| "domid")?;
    args.output.print(&domain.raw(), |id| format!("{id}\n"))
}

/// From number to name.
pub(crate) fn domname(args: &NameArgs, context: &mut Context) -> Result<(), Failure> {
    let domain = context.domain(&args.id.to_string()).at(|| "domname")?;
    let Some(name) = context.name(domain).at(|| "domname")? else {
        return Err(Failure::new(Class::NoDomain, format!("domain {} has no name", args.id)).at("domname"));
    };
    args.output.print(&name, |name| format!("{name}\n"))
}
