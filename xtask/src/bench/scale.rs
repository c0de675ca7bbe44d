// SPDX-License-Identifier: MIT OR Apache-2.0
//! How costs grow with the number of domains: creation, end and wake-up of the first, eighth, 64th and 256th, with our tools on both
//! hypervisors. Wall clock, two CPUs.

use super::row::{Limit, Rows, Targets};
use super::{Peer, Setup, turns};
use anyhow::{Result, bail};

const TARGETS: Targets = Targets { group: "scale", usual: Some(Limit::Ratio(1.0)), own: &[], exceptions: &[] };

pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    if setup.peer == Peer::Bare {
        bail!("the bare machine has no domains to compare with, use --vs xen");
    }
    let mut rows = Rows::new(TARGETS);
    let body = include_str!("../../../tests/system/src/dom0/bench_scale.sh");
    let machines = turns::pair(setup, (2560, 768), &["bench_io", "stopwatch"], (setup.rounds(3), body))?;
    turns::play(setup, &mut rows, "scale", machines)?;
    Ok(rows)
}
