// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a Linux kernel's common operations cost, in dom0 and in a domU: wall clock, two CPUs.

use super::row::{Limit, Rows, Targets};
use super::{Setup, turns};
use anyhow::Result;

const TARGETS: Targets = Targets { group: "linux", usual: Some(Limit::Ratio(1.0)), own: &[], exceptions: &[] };

/// No row is held to more than the peer's cost, and on the bare machine there is nothing to be held to.
pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    let mut rows = Rows::new(setup.held_to(TARGETS));
    let body = include_str!("../../../tests/system/src/dom0/bench_linux.sh");
    let machines = turns::pair(setup, (1536, 640), &["bench_linux"], (setup.rounds(5), body))?;
    turns::play(setup, &mut rows, "linux", machines)?;
    Ok(rows)
}
