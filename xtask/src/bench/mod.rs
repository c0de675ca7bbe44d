// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask bench`: what things cost on Xenolith, beside Debian's Xen or the bare machine, measured in one run, the two taking
//! turns. Every row is a cost: less is better, and its ratio is ours by the peer's.

mod boot;
mod elf;
mod history;
mod io;
mod latency;
mod linux;
pub(crate) mod micro;
mod picture;
mod progress;
mod report;
mod row;
mod scale;
mod stats;
mod turns;

use crate::build;
use crate::flags::{BenchArgs, BenchGroup};
use crate::tools::{self, Need};
use anyhow::{Result, bail};
use clap::ValueEnum;
use harness::dom0::Hypervisor;
use progress::Progress;
use row::{Rows, Targets};
use std::path::PathBuf;
use std::process::ExitCode;

/// Whom we are compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Xen,
    Bare,
}

impl Peer {
    pub(crate) fn hypervisor(self) -> Hypervisor {
        match self {
            Self::Xen => Hypervisor::Xen,
            Self::Bare => Hypervisor::None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Xen => "xen",
            Self::Bare => "bare",
        }
    }
}

/// What every group needs to know.
pub(crate) struct Setup {
    pub(crate) peer: Peer,
    pub(crate) qemu: PathBuf,
    pub(crate) progress: Progress,
    rounds: Option<usize>,
}

impl Setup {
    /// How often each side has its turn, unless the user says otherwise.
    pub(crate) fn rounds(&self, usual: usize) -> usize {
        self.rounds.unwrap_or(usual)
    }

    /// Limits are relative to Xen; the bare machine is only shown.
    pub(crate) fn held_to(&self, targets: Targets) -> Targets {
        match self.peer {
            Peer::Xen => targets,
            Peer::Bare => Targets { usual: None, own: &[], exceptions: &[], ..targets },
        }
    }
}

/// Measures the groups asked for.
pub(crate) fn run(arguments: &BenchArgs) -> Result<ExitCode> {
    tools::ensure(&[Need::Dom0, Need::Userland, Need::Iso, Need::Compiler])?;
    let setup = Setup {
        peer: arguments.vs.peer(),
        qemu: tools::qemu(arguments.qemu.as_deref())?,
        progress: Progress::new(),
        rounds: arguments.rounds.map(|rounds| usize::try_from(rounds).unwrap_or(usize::MAX)),
    };
    build::hypervisor()?;
    build::guests()?;
    build::programs()?;
    build::tools()?;
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for group in groups(arguments, setup.peer) {
        match measure(group, &setup) {
            Ok(rows) => {
                setup.progress.clear();
                let (name, peer) = (group.name(), setup.peer.name());
                let picture = history::keep(name, peer, &rows.rows)?;
                if !arguments.json {
                    println!("{name}: {}", conditions(group, setup.peer));
                    println!("{}picture: {}\n", report::table(&rows.rows, peer), picture.display());
                }
                all.extend(rows.rows);
            }
            Err(error) => {
                setup.progress.clear();
                eprintln!("xtask: {}: {error:#}", group.name());
                failed.push(group.name());
            }
        }
    }
    if arguments.json {
        let records: Vec<_> = all.iter().map(row::Row::record).collect();
        println!("{}", serde_json::to_string_pretty(&records)?);
    }
    if failed.is_empty() { Ok(ExitCode::SUCCESS) } else { bail!("could not be measured: {}", failed.join(", ")) }
}

/// Those asked for, or all that mean something beside `peer`.
fn groups(arguments: &BenchArgs, peer: Peer) -> Vec<BenchGroup> {
    if !arguments.groups.is_empty() {
        return arguments.groups.clone();
    }
    match peer {
        Peer::Xen => BenchGroup::value_variants().to_vec(),
        Peer::Bare => vec![BenchGroup::Linux, BenchGroup::Io, BenchGroup::Boot],
    }
}

fn measure(group: BenchGroup, setup: &Setup) -> Result<Rows> {
    match group {
        BenchGroup::Micro => micro::run(setup),
        BenchGroup::Linux => linux::run(setup),
        BenchGroup::Io => io::run(setup),
        BenchGroup::Scale => scale::run(setup),
        BenchGroup::Boot => boot::run(setup),
        BenchGroup::Latency => latency::run(setup),
    }
}

/// Under which conditions the numbers are what they are.
fn conditions(group: BenchGroup, peer: Peer) -> String {
    let how = match group {
        BenchGroup::Micro => "instructions by QEMU's -icount, one CPU: exact, whatever else the host does",
        BenchGroup::Latency => "instructions by QEMU's -icount, one CPU; Xen cannot be asked",
        _ => "wall clock, two CPUs, taking turns; what else the host does shows in the spread",
    };
    let eager = match peer {
        Peer::Xen => {
            "; Xen runs with spec-ctrl=eager-fpu, since QEMU 7.2 lets some vector instructions pass CR0.TS, so its switches \
             cost what they cost on Intel's CPUs, not its lazy way on AMD's"
        }
        Peer::Bare => "",
    };
    format!("{how}{eager}")
}
