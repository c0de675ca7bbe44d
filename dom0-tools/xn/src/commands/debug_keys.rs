// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn debug-keys`.

use crate::context::Context;
use crate::error::{At, Failure};

/// Options of `xn debug-keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = "What the keys say is in 'xn dmesg'.\nExample: xn debug-keys h; xn dmesg | tail -40")]
pub(crate) struct Args {
    /// One character for each key; 'h' lists them
    pub(crate) keys: String,
}

/// Presses keys.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<(), Failure> {
    context.control()?.debug_keys(&args.keys).at(|| "debug-keys")
}
