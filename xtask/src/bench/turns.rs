// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two machines of the same QEMU settings that take turns, ours and its peer, and the rows that their scripts print.

use super::row::{self, Measured, Rows, Side};
use super::{Peer, Setup};
use anyhow::{Result, bail};
use harness::debian::Series;
use harness::dom0::{Hypervisor, Spec};
use harness::paths;
use std::fs;
use std::time::{Duration, Instant};
use system::turns::Player;

/// The longest that one turn may take.
const PATIENCE: Duration = Duration::from_secs(900);

const PRELUDE: &str = include_str!("../../../tests/system/src/dom0/bench_prelude.sh");

/// A machine of two CPUs on `hypervisor` for the scripts, with the toolkit unless it is bare: `memory_mib`, of which dom0 has
/// `dom0_mib`. Both sides have our tools: what differs is the hypervisor.
fn machine(setup: &Setup, hypervisor: Hypervisor, memory_mib: u64, dom0_mib: u64) -> Result<Spec> {
    let mut spec = Spec::new(hypervisor);
    let guest = paths::products().join("guests/domu_idle");
    spec.files.push(("/boot/guest/domu_idle".into(), 0o644, fs::read(guest)?));
    spec.machine.qemu.clone_from(&setup.qemu);
    spec.machine.cpus = 2;
    if hypervisor == Hypervisor::None {
        spec.machine.memory_mib = dom0_mib;
    } else {
        spec.machine.memory_mib = memory_mib;
        spec.hv_cmdline = format!("dom0_mem={dom0_mib}M,max:{dom0_mib}M");
        spec.add_toolkit(&[Series::V6_1])?;
    }
    spec.files.extend(system::host::prelude()?);
    Ok(spec)
}

/// [`machine`]s for ours and the peer with `programs` in dom0, and `body` as their script.
pub(crate) fn pair(
    setup: &Setup,
    (memory_mib, dom0_mib): (u64, u64),
    programs: &[&str],
    (rounds, body): (usize, &str),
) -> Result<[(Spec, String); 2]> {
    let one = |hypervisor| -> Result<(Spec, String)> {
        let mut spec = machine(setup, hypervisor, memory_mib, dom0_mib)?;
        spec.files.extend(system::programs(programs)?);
        Ok((spec, script(hypervisor, rounds, body)))
    };
    let [ours, peer] = sides(setup.peer);
    Ok([one(ours)?, one(peer)?])
}

/// The script behind its prelude.
fn script(hypervisor: Hypervisor, rounds: usize, body: &str) -> String {
    let bare = if hypervisor == Hypervisor::None { "BARE=yes" } else { "" };
    format!("ROUNDS={rounds} {bare}\n{PRELUDE}\n{body}")
}

/// Lets ours and the peer's machine run their scripts in turns, and adds what they print to `rows`. In a turn in which a script says
/// `idle ROW` and nothing else, QEMU's CPU time is the measurement.
pub(crate) fn play(setup: &Setup, rows: &mut Rows, group: &str, machines: [(Spec, String); 2]) -> Result<()> {
    let mut players = Vec::new();
    for (side, (spec, script)) in [Side::Ours, Side::Peer].into_iter().zip(&machines) {
        setup.progress.say(&format!("{group}: booting dom0 on {}", spec.hypervisor.name()));
        let log = format!("bench-{group}-{}", spec.hypervisor.name());
        players.push((side, spec.hypervisor, Player::start(spec, &log, script, PATIENCE)?));
    }
    // Both have come to their first turn before either starts.
    for (_, hypervisor, player) in &mut players {
        setup.progress.say(&format!("{group}: waiting for {}", hypervisor.name()));
        player.finish_turn()?;
    }
    let mut turn = 0;
    while players.iter().any(|(_, _, player)| !player.ended) {
        turn += 1;
        for (side, hypervisor, player) in &mut players {
            setup.progress.say(&format!("{group}: turn {turn} on {}", hypervisor.name()));
            let said = player.said.len();
            let (cpu, start) = (player.dom0.running.cpu_time()?, Instant::now());
            player.take_turn()?;
            if let Some(row) = player.said[said..].iter().find_map(|line| line.strip_prefix("idle ")) {
                let used = player.dom0.running.cpu_time()?.saturating_sub(cpu);
                let value = used.as_secs_f64() / start.elapsed().as_secs_f64() * 100.0;
                rows.add(*side, &Measured { row: row.into(), unit: "percent".into(), value });
            }
        }
    }
    for (side, _, player) in &players {
        let bad: Vec<&str> = player.said.iter().map(String::as_str).filter(|line| line.starts_with("bad ")).collect();
        if !bad.is_empty() || !player.said.iter().any(|line| line == "ok bench") {
            let said = harness::dom0::tail(&player.said.join("\n"), 15);
            let log = player.dom0.running.log.display();
            bail!("the script for {group} failed: {}\n{said}\n(all of it: {log})", bad.join("\n"));
        }
        player.said.iter().filter_map(|line| row::parse(line)).for_each(|measured| rows.add(*side, &measured));
    }
    Ok(())
}

/// Ours, then the peer.
pub(crate) fn sides(peer: Peer) -> [Hypervisor; 2] {
    [Hypervisor::Xenolith, peer.hypervisor()]
}
