// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn sysrq`.

use crate::context::Context;
use crate::error::{At, Class, Failure};
use hypercalls::DomId;

/// Options of `xn sysrq`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: xn sysrq demo s")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// The key, as in the Linux kernel's sysrq documentation
    pub(crate) letter: char,
}

/// Sends the key: the guest takes it from its node.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    let domain = context.domain(&args.domain).at(|| "sysrq")?;
    if domain == DomId::DOM0 {
        return Err(Failure::new(Class::Usage, "dom0 takes its own requests")
            .remedy("write the letter to /proc/sysrq-trigger")
            .at("sysrq"));
    }
    if !args.letter.is_ascii_graphic() {
        return Err(Failure::new(Class::Usage, format!("{:?} is no key", args.letter)).at("sysrq"));
    }
    let path = format!("/local/domain/{}/control/sysrq", domain.raw());
    context.store()?.write(&path, args.letter.to_string()).at(|| "sysrq")
}
