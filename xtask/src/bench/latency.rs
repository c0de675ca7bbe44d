// SPDX-License-Identifier: MIT OR Apache-2.0
//! The longest times with interrupts off: Linux with its domains, and every test guest, as dom0 of a hypervisor that measures them, one
//! CPU, QEMU counting instructions. One row for each hypercall or vector that was ever long, and one for all the time that the hypervisor
//! takes when thirty Linux domains do nothing.

use super::Setup;
use super::row::{Exception, Limit, Measured, Rows, Side, Targets};
use crate::build;
use anyhow::{Context as _, Result, anyhow, bail};
use harness::case::{Context, Outcome};
use harness::debian::Series;
use harness::dom0::Hypervisor;
use harness::guest::{self, Verdict};
use hypercalls::domctl::DomctlCmd;
use hypercalls::event_channel::EventChannelOp;
use hypercalls::grant_table::GrantTableOp;
use hypercalls::hypfs::HypfsOp;
use hypercalls::memory::MemoryOp;
use hypercalls::mmu::MmuextCmd;
use hypercalls::number::HypercallNumber;
use hypercalls::sched::SchedOp;
use hypercalls::sysctl::SysctlCmd;
use hypercalls::vcpu::VcpuOp;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const TARGETS: Targets = Targets {
    group: "latency",
    usual: Some(Limit::Value(60_000.0)),
    own: &[(SHARE, Some(Limit::Value(0.1)))],
    exceptions: EXCEPTIONS,
};

/// Rows over their limit: why, and what was tried.
const EXCEPTIONS: &[Exception] = &[Exception {
    row: SHARE,
    at_most: 0.2,
    why: "QEMU's CPU executes one instruction a nanosecond: each domain wakes up nine times a second, for 6,000 instructions; tried: timers \
              armed without asking the scheduler, no switch where the same vCPU comes back, a scheduler that is asked once for each \
              wake-up and not for timers, descriptor pages found without a walk",
}];

/// The row of the CPU time that the hypervisor takes while nothing happens.
const SHARE: &str = "hypervisor-with-30-idle-linux-domus";
const DOMUS: u32 = 30;

/// Runs Linux domains, then every guest, two at a time; a guest that needs two CPUs gives up, which is no loss here.
pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    let image = build::hypervisor_with_latency()?;
    setup.progress.say(&format!("latency: Linux, and {DOMUS} domains of it"));
    let linux = linux(setup, &image)?;
    let machine = guest::Setup { xenolith: Some(image), ..guest::Setup::counting() };
    let mut guests = build::guests()?;
    guests.retain(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("domu_")));
    let mut seen = BTreeMap::new();
    linux.lines().filter_map(parse).for_each(|(kind, ticks)| note(&mut seen, kind, ticks, "linux"));
    let (next, longest) = (AtomicUsize::new(0), Mutex::new(seen));
    let lane = || -> Result<()> {
        while let Some(path) = guests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            setup.progress.say(&format!("latency: {name}, one of {}", guests.len()));
            let done = guest::run_on(&machine, Hypervisor::Xenolith, path, &setup.qemu, Duration::from_secs(120))
                .with_context(|| format!("latency of {name}"))?;
            if let Verdict::Silence(why) | Verdict::Failure(why) = &done.verdict {
                bail!("latency of {name}: {why} (all of it: {})", done.log.display());
            }
            let mut longest = longest.lock().unwrap_or_else(PoisonError::into_inner);
            done.console.lines().filter_map(parse).for_each(|(kind, ticks)| note(&mut longest, kind, ticks, &name));
        }
        Ok(())
    };
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(lane);
        (lane(), other.join())
    });
    one?;
    other.map_err(|_| anyhow!("a thread panicked"))??;
    let mut rows = Rows::new(TARGETS);
    let value = share(&linux).context("the hypervisor did not tell its time")?;
    rows.add(Side::Ours, &Measured { row: SHARE.into(), unit: "% of a CPU".into(), value });
    let longest = longest.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut sorted: Vec<_> = longest.into_iter().collect();
    sorted.sort_by_key(|(_, (ticks, _))| std::cmp::Reverse(*ticks));
    for (kind, (ticks, guest)) in sorted {
        let row = format!("{kind}_in_{guest}");
        rows.add(Side::Ours, &Measured { row, unit: "instructions".into(), value: ticks as f64 });
    }
    Ok(rows)
}

/// What the console said of a machine with Linux domains that come, do this and that, go, and at last do nothing.
fn linux(setup: &Setup, image: &Path) -> Result<String> {
    let context = Context { hypervisor: Hypervisor::Xenolith, oracle: false, qemu: setup.qemu.clone(), long: false };
    let mut spec = system::host::host(&context, 4096, 640, &[Series::V6_1])?;
    spec.machine.cpus = 1;
    spec.machine.icount = Some(guest::COUNTING.into());
    spec.xenolith = Some(image.to_owned());
    let script = format!("DOMUS={DOMUS}\n{}", include_str!("../../../tests/system/src/dom0/bench_latency.sh"));
    let done = system::host::run(&context, "latency-linux", &spec, &script, 3000)?;
    match system::host::judge(&done, &["end"]) {
        Outcome::Pass => Ok(done.console),
        wrong => bail!("latency of Linux: {wrong:?}"),
    }
}

/// The hypervisor's share of the time between the last two times it told, in percent.
fn share(console: &str) -> Option<f64> {
    let told = |line: &str| -> Option<(u64, u64)> {
        let (total, now) = line.split_once("(XEN) latency-total ")?.1.split_once(" of ")?;
        Some((total.trim().parse().ok()?, now.trim().parse().ok()?))
    };
    let told: Vec<_> = console.lines().filter_map(told).collect();
    let &[.., (total_before, before), (total_after, after)] = told.as_slice() else { return None };
    Some(100.0 * total_after.checked_sub(total_before)? as f64 / after.checked_sub(before)? as f64)
}

/// Keeps the longest of each kind, and where it was seen.
fn note(longest: &mut BTreeMap<String, (u64, String)>, kind: &str, ticks: u64, guest: &str) {
    let entry = longest.entry(name(kind)).or_default();
    if ticks > entry.0 {
        *entry = (ticks, guest.to_owned());
    }
}

/// What the hypervisor prints of a long stretch: its kind and its length.
fn parse(line: &str) -> Option<(&str, u64)> {
    let mut words = line.split_once("(XEN) latency ")?.1.split_whitespace();
    let ticks = words.next()?.parse().ok()?;
    Some((words.next()?, ticks))
}

/// A kind as people call it: `hypercall-12-6` is `memory_op-populate_physmap`.
fn name(kind: &str) -> String {
    let numbers = kind.strip_prefix("hypercall-").and_then(|rest| rest.split_once('-'));
    let Some((Ok(call), Ok(op))) = numbers.map(|(call, op)| (call.parse(), op.parse())) else { return kind.into() };
    let operation = match HypercallNumber(call) {
        HypercallNumber::DOMCTL => DomctlCmd(op).name(),
        HypercallNumber::EVENT_CHANNEL_OP => EventChannelOp(op).name(),
        HypercallNumber::GRANT_TABLE_OP => GrantTableOp(op).name(),
        HypercallNumber::HYPFS_OP => HypfsOp(op).name(),
        HypercallNumber::MEMORY_OP => MemoryOp(op.into()).name(),
        HypercallNumber::MMUEXT_OP => MmuextCmd(op).name(),
        HypercallNumber::SCHED_OP => SchedOp(op).name(),
        HypercallNumber::SYSCTL => SysctlCmd(op).name(),
        HypercallNumber::VCPU_OP => VcpuOp(op).name(),
        _ => None,
    };
    let call = HypercallNumber(call).name().map_or_else(|| format!("hypercall-{call}"), str::to_lowercase);
    operation.map_or_else(|| call.clone(), |operation| format!("{call}-{}", operation.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names() {
        assert_eq!(name("hypercall-12-6"), "memory_op-populate_physmap");
        assert_eq!(name("hypercall-13-0"), "multicall");
        assert_eq!(name("hypercall-63-2"), "hypercall-63");
        assert_eq!(name("vector-14"), "vector-14");
    }

    #[test]
    fn the_share_is_of_the_last_time_told() {
        let told = "(XEN) latency-total 5 of 10\n(XEN) latency-total 100 of 1000\nx\n(XEN) latency-total 300 of 9000\n";
        assert!((share(told).unwrap() - 2.5).abs() < 1e-9);
        assert_eq!(share("(XEN) latency-total 100 of 1000\n"), None);
        assert_eq!(parse("(XEN) latency-total 100 of 1000"), None);
    }

    #[test]
    fn the_longest_of_each_kind_is_kept() {
        let console = "(XEN) latency 20000 hypercall-12-6\nnoise latency 5 x\n(XEN) latency 30000 hypercall-12-6\n\
            (XEN) latency 12000 vector-14\n(XEN) latency many vector-14\n";
        let mut longest = BTreeMap::new();
        console.lines().filter_map(parse).for_each(|(kind, ticks)| note(&mut longest, kind, ticks, "g"));
        assert_eq!(longest["memory_op-populate_physmap"], (30_000, "g".into()));
        assert_eq!(longest["vector-14"], (12_000, "g".into()));
        assert_eq!(longest.len(), 2);
    }
}
