// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store watch`.

use super::WatchArgs;
use crate::context::Context;
use crate::error::Failure;
use crate::output;
use serde::Serialize;

#[derive(Serialize)]
struct Fired<'a> {
    path: &'a str,
    token: &'a str,
}

/// Prints a line for each event: the path, or with JSON an object with path and token. The token is the path as it was given.
pub(super) fn run(args: &WatchArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    for path in &args.paths {
        client.watch(path, path)?;
    }
    let mut seen = 0_u64;
    while args.count.is_none_or(|count| seen < count) {
        let Some(event) = client.next_event(None)? else { continue };
        if args.output.is_json() {
            output::json_line(&Fired { path: &event.path, token: &event.token })?;
        } else {
            output::text(&format!("{}\n", event.path))?;
        }
        seen = seen.saturating_add(1);
    }
    Ok(())
}
