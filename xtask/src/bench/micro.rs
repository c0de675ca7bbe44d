// SPDX-License-Identifier: MIT OR Apache-2.0
//! What hypercalls, faults and switches cost, in instructions: the test guest `bench_micro` as dom0 of both hypervisors, one CPU,
//! QEMU counting instructions. The same numbers every time, whatever else the host does.

use super::row::{self, Exception, Limit, Rows, Side, Targets};
use super::{Setup, turns};
use anyhow::{Context as _, Result, bail};
use harness::case::{Case, Context, Outcome};
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
const EXCEPTIONS: &[Exception] = &[
    over(
        "evtchn_send_pending",
        0.6,
        "six saved registers, the table's lock, the look at the peer's end; tried: a direct way from the entry, inlined table logic, no look-up of oneself",
    ),
    over("evtchn_send_cleared", 0.6, "as evtchn_send_pending"),
    over(
        "cpuid_forced",
        0.8,
        "the whole entry of an exception, and the domain's CPUID policy under its lock; tried: the instruction read as one word",
    ),
    over(
        "va_mapping_map",
        0.58,
        "existence and type of the new page are two counts; tried: one inlined way for L1 entries",
    ),
    over(
        "mmuext_invlpg_local",
        0.73,
        "the loop for lists of operations, 24 bytes copied for each; tried: no look at other CPUs",
    ),
    over("mmuext_tlb_flush_local", 0.7, "as mmuext_invlpg_local"),
    over(
        "grant_map_unmap",
        0.65,
        "three rounds of the grant table's lock and the exchange of the entry's flags; tried: no look-up of the caller, no heap",
    ),
    over("grant_copy_64", 0.61, "both sides claimed, held and released one by one; tried: one pass for each segment"),
    over("grant_copy_4k", 0.71, "as grant_copy_64, and 512 iterations of a string move, which count here and on Xen"),
    over(
        "memory_populate_page",
        0.97,
        "512 iterations of zeroing a page; tried: nothing yet, pages could be cleared while a CPU is idle",
    ),
];

const fn over(row: &'static str, at_most: f64, why: &'static str) -> Exception {
    Exception { row, at_most, why }
}

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

/// The same as a test.
pub(crate) fn case() -> Case {
    Case::new("bench-micro-half-of-xen", half_of_xen)
}

fn half_of_xen(context: &Context) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith || !context.oracle {
        return Ok(Outcome::Skip("it compares Xenolith with Xen".into()));
    }
    let mut rows = Rows::new(TARGETS);
    measure(Hypervisor::Xenolith, &context.qemu, Side::Ours, &mut rows)?;
    measure(Hypervisor::Xen, &context.qemu, Side::Peer, &mut rows)?;
    Ok(judge(&rows))
}

/// Every row within its limit or excused; and excuses only for rows that are there and need one.
fn judge(rows: &Rows) -> Outcome {
    let wrong = rows.rows.iter().filter(|row| row.is_wrong()).map(|row| {
        let (ours, peer) = (row.our_median(), row.peer_median());
        format!("{}: {ours:.0} {}, Xen {peer:.0}, ratio {:.3}", row.name, row.unit, row.ratio())
    });
    let needed = |exception: &&Exception| rows.rows.iter().any(|row| row.name == exception.row && row.is_over());
    let idle = EXCEPTIONS.iter().filter(|exception| !needed(exception));
    let wrong: Vec<String> =
        wrong.chain(idle.map(|exception| format!("{} needs no exception", exception.row))).collect();
    if wrong.is_empty() { Outcome::Pass } else { Outcome::Fail(wrong.join("\n")) }
}
