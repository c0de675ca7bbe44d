// SPDX-License-Identifier: MIT OR Apache-2.0
//! What there is before anything is done: the way to dom0, domains' creation and end by either toolstack, memory that the hypervisor
//! takes, CPU time of an idle machine.

use super::row::{Limit, Measured, Rows, Side, Targets};
use super::{Peer, Setup, elf, turns};
use anyhow::{Context as _, Result, bail};
use harness::case::Context;
use harness::dom0::{Hypervisor, Spec};
use harness::{debian, iso, paths};
use std::fs;
use std::time::{Duration, Instant};
use system::create_time;

const TARGETS: Targets = Targets {
    group: "boot",
    usual: Some(Limit::Ratio(0.5)),
    own: &[
        ("grub-to-linux", Some(Limit::Ratio(0.3))),
        ("grub-to-init", Some(Limit::Ratio(0.9))),
        ("image", Some(Limit::Value(1024.0))),
        ("memory-beyond-tables", Some(Limit::Value(8.0))),
        ("memory-per-domu", Some(Limit::Value(200.0))),
        // All of QEMU's: the machine's emulation and dom0's own ticks are in it.
        ("idle-no-domus", Some(Limit::Ratio(1.0))),
        ("idle-30-domus", Some(Limit::Ratio(1.0))),
    ],
    exceptions: &[],
};

const PATIENCE: Duration = Duration::from_secs(900);
/// dom0's memory in the machine whose memory is counted, and the machine's, in MiB.
const DOM0_MIB: u64 = 640;
const MACHINE_MIB: u64 = 1536;

pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    let mut rows = Rows::new(setup.held_to(TARGETS));
    for round in 1..=setup.rounds(5) {
        for (side, hypervisor) in [Side::Ours, Side::Peer].into_iter().zip(turns::sides(setup.peer)) {
            setup.progress.say(&format!("boot: round {round} on {}", hypervisor.name()));
            boot(setup, hypervisor, side, &mut rows)?;
        }
    }
    if setup.peer == Peer::Xen {
        images(&mut rows)?;
        creations(setup, &mut rows)?;
        let body = include_str!("../../../tests/system/src/dom0/bench_memory.sh");
        let body = format!("MACHINE_MIB={MACHINE_MIB}\n{body}");
        let machines = turns::pair(setup, (MACHINE_MIB, DOM0_MIB), &[], (1, &body))?;
        turns::play(setup, &mut rows, "memory", machines)?;
    }
    Ok(rows)
}

/// Through GRUB, from its last words to Linux's first, and to /init's. The hypervisor says as little as it does by default.
fn boot(setup: &Setup, hypervisor: Hypervisor, side: Side, rows: &mut Rows) -> Result<()> {
    let mut spec = Spec::new(hypervisor);
    spec.machine.qemu.clone_from(&setup.qemu);
    spec.machine.cpus = 2;
    spec.machine.memory_mib = 1024;
    spec.grub = true;
    if hypervisor != Hypervisor::None {
        spec.hv_cmdline = "loglvl=warning guest_loglvl=warning".into();
    }
    let mut dom0 = spec.start(&format!("bench-boot-{}", hypervisor.name()), Some("true"))?;
    let deadline = Instant::now() + PATIENCE;
    let mut said = |words: &str| -> Result<Instant> {
        match dom0.running.console.expect(words, deadline) {
            Ok(_) => Ok(Instant::now()),
            Err(silence) => bail!("'{words}' was not said: {silence:?}, see {}", dom0.running.log.display()),
        }
    };
    let start = said(iso::HANDOVER)?;
    // On the bare machine Linux's first lines come late, all at once: its console is a driver.
    let linux = if hypervisor == Hypervisor::None { None } else { Some(said("Linux version")?) };
    let init = said("@xt-init@")?;
    let mut add = |row: &str, end: Instant| {
        let value = (end - start).as_secs_f64() * 1e3;
        rows.add(side, &Measured { row: row.into(), unit: "ms".into(), value });
    };
    if let Some(linux) = linux.filter(|_| setup.peer == Peer::Xen) {
        add("grub-to-linux", linux);
    }
    add("grub-to-init", init);
    // The script does nothing; the machine switches itself off.
    dom0.finish(PATIENCE, |_| {}).map(drop)
}

/// What the hypervisors' images take in memory.
fn images(rows: &mut Rows) -> Result<()> {
    let ours = paths::products().join("xenolith");
    for (side, file) in [(Side::Ours, ours), (Side::Peer, debian::xen()?.plain)] {
        let bytes = fs::read(&file).with_context(|| format!("no {}", file.display()))?;
        let loaded = elf::loaded_bytes(&bytes).with_context(|| format!("{} is no ELF", file.display()))?;
        let kib = u32::try_from(loaded / 1024).context("a large image")?;
        rows.add(side, &Measured { row: "image".into(), unit: "KiB".into(), value: kib.into() });
    }
    Ok(())
}

/// `xn` on Xenolith, `xl` on Xen.
fn creations(setup: &Setup, rows: &mut Rows) -> Result<()> {
    let rounds = setup.rounds(5);
    let one = |hypervisor| -> Result<(Spec, String)> {
        let context = Context { hypervisor, oracle: true, qemu: setup.qemu.clone(), long: true };
        let body = include_str!("../../../tests/system/src/dom0/bench_create.sh");
        let script = create_time::script(hypervisor, &format!("ROUNDS={rounds}\n{body}"));
        Ok((create_time::machine(&context)?, script))
    };
    turns::play(setup, rows, "create", [one(Hypervisor::Xenolith)?, one(Hypervisor::Xen)?])
}
