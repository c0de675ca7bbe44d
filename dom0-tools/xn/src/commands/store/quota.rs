// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store quota`.

use super::QuotaArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::output;

/// Shows what the server says of its limits.
pub(super) fn run(args: &QuotaArgs, context: &mut Context) -> Result<(), Failure> {
    let answer = match &args.domain {
        None => context.store()?.control(&["quota"])?,
        Some(domain) => {
            let id = context.domain(domain)?.raw().to_string();
            context.store()?.control(&["quota", &id])?
        }
    };
    output::text(&answer)
}
