// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn trigger`.

use crate::context::Context;
use crate::error::{Class, Failure};

/// What can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Non-maskable interrupt.
    Nmi,
    /// Reset: HVM only.
    Reset,
    /// INIT: HVM only.
    Init,
    /// Power button: HVM only.
    Power,
    /// Sleep button: HVM only.
    Sleep,
    /// Resume from sleep: HVM only.
    S3resume,
}

/// Options of `xn trigger`.
#[derive(Debug, clap::Args)]
#[command(after_help = "PV guests take 'nmi' only.\nExample: xn trigger demo nmi 0")]
pub(crate) struct Args {
    /// Name or number
    pub(crate) domain: String,
    /// What to send
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    /// To which vCPU
    #[arg(default_value_t = 0)]
    pub(crate) vcpu: u32,
}

/// Sends the trigger.
pub(crate) fn run(_args: &Args, _context: &mut Context) -> Result<(), Failure> {
    Err(Failure::new(Class::Failed, "this command is not built yet"))
}
