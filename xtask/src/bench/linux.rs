// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a Linux kernel's common operations cost, in dom0 and in a domU: wall clock, two CPUs.

use super::row::{Rows, Targets};
use super::{Setup, turns};
use anyhow::Result;

const TARGETS: Targets = Targets { group: "linux", at_most: Some(1.0), own: &[], exceptions: &[] };

/// No row is held to more than the peer's cost, and on the bare machine there is nothing to be held to.
pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    let mut rows = Rows::new(setup.held_to(TARGETS));
    let mut machines = Vec::new();
    for hypervisor in turns::sides(setup.peer) {
        let mut spec = turns::machine(setup, hypervisor, 1536, 640)?;
        turns::add_program(&mut spec, "bench_linux")?;
        let body = include_str!("../../../tests/system/src/dom0/bench_linux.sh");
        machines.push((spec, turns::script(hypervisor, setup.rounds(5), body)));
    }
    let machines = machines.try_into().unwrap_or_else(|_| unreachable!("there are two sides"));
    turns::play(setup, &mut rows, "linux", machines)?;
    Ok(rows)
}
