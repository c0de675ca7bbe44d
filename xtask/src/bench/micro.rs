// SPDX-License-Identifier: MIT OR Apache-2.0
//! What hypercalls, faults and switches cost, in instructions: the test guest `bench_micro` as dom0 of both hypervisors, one CPU,
//! QEMU counting instructions. The same numbers every time, whatever else the host does.

use super::row::{self, Limit, Rows, Side, Targets};
use super::{Setup, turns};
use anyhow::{Context, Result, bail};
use harness::dom0::Hypervisor;
use harness::guest::{self, Verdict};
use harness::paths;
use std::path::Path;
use std::time::Duration;

/// At most half of Xen's instructions, and less where only registers are touched.
const TARGETS: Targets = Targets {
    group: "micro",
    usual: Some(Limit::Ratio(0.5)),
    own: &[("xen_version", Some(Limit::Ratio(0.3)))],
    exceptions: EXCEPTIONS,
};

/// Rows over their limit: why, and what was tried.
const EXCEPTIONS: &[(&str, &str)] = &[];

const GUEST: &str = "bench_micro";

/// Runs the guest on both.
pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    if setup.peer.hypervisor() == Hypervisor::None {
        bail!("the micro rows are hypercalls: on the bare machine there is nothing to compare with, use --vs xen");
    }
    let mut rows = Rows::new(TARGETS);
    for round in 1..=setup.rounds(1) {
        for (side, hypervisor) in [Side::Ours, Side::Peer].into_iter().zip(turns::sides(setup.peer)) {
            setup.progress.say(&format!("micro: round {round} on {}", hypervisor.name()));
            measure(hypervisor, &setup.qemu, side, &mut rows)?;
        }
    }
    Ok(rows)
}

/// One row a line of the guest's console.
fn measure(hypervisor: Hypervisor, qemu: &Path, side: Side, rows: &mut Rows) -> Result<()> {
    let image = paths::products().join("guests").join(GUEST);
    let done = guest::run_on(&guest::Setup::counting(), hypervisor, &image, qemu, Duration::from_secs(600))?;
    if done.verdict != Verdict::Success {
        let (tail, log) = (&done.tail, done.log.display());
        bail!(
            "{GUEST} on {}: {:?}; the console ended with\n{tail}\n(all of it: {log})",
            hypervisor.name(),
            done.verdict
        );
    }
    let found: Vec<_> = done.console.lines().filter_map(row::parse).collect();
    found.iter().for_each(|measured| rows.add(side, measured));
    (!found.is_empty()).then_some(()).with_context(|| format!("{GUEST} printed no row, see {}", done.log.display()))
}
