// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who gets how much of a CPU, and how soon: weights, caps and the promptness of those that sleep, as `xn sched-credit2` sets them.

use crate::host;
use anyhow::{Context as _, Result};
use harness::case::{Case, Context, Outcome};
use harness::dom0::{Hypervisor, Spec};
use harness::paths;
use std::fs;

const WANTED: &[&str] = &[
    "weight-1",
    "weight-2",
    "weight-3",
    "shown",
    "listed",
    "refused",
    "parameters",
    "share-256",
    "share-512",
    "share-1024",
    "cap",
    "cap-shown",
    "capped",
    "rest-by-weight",
    "uncap",
    "pool-cpu-remove",
    "pool-create",
    "pool-migrate",
    "pool-listed",
    "pool-of",
    "pool-in-use",
    "pool-own",
    "pool-rest",
    "pool-migrate-back",
    "pool-destroy",
    "pool-cpu-add",
    "pool-whole",
    "pool-unpinned",
    "pin-1",
    "pin-2",
    "pin-3",
    "spoke",
    "end",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("fair-shares", fair_shares).alone(), Case::new("fair-shares-8cpu", fair_shares_of_many).alone()]
}

/// A host with the guest that is always busy.
fn busy_host(context: &Context) -> Result<Spec> {
    let mut spec = host::host(context, 1280, 640, &[])?;
    spec.machine.one_thread = false;
    let guest = paths::products().join("guests/domu_busy");
    let bytes = fs::read(&guest).with_context(|| format!("no {}: run `cargo xtask build`", guest.display()))?;
    spec.files.push(("/boot/guest/domu_busy".into(), 0o644, bytes));
    Ok(spec)
}

fn fair_shares_of_many(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let mut spec = busy_host(context)?;
    // dom0 on the first, the others for those that are busy.
    spec.machine.cpus = 9;
    spec.hv_cmdline += " dom0_max_vcpus=1 dom0_vcpus_pin";
    let phases: &[&str] = match (context.hypervisor, context.long) {
        // Better on purpose: in the same machine credit2 gives 64 vCPUs on 8 CPUs a third for each of three weights.
        (Hypervisor::Xen, _) => &["2-on-1"],
        (_, true) => &["2-on-1", "8-on-2", "24-on-4", "64-on-8"],
        (_, false) => &["2-on-1", "64-on-8"],
    };
    let script = format!("PHASES='{}'\n{}", phases.join(" "), include_str!("dom0/fairness_many.sh"));
    let done = host::run(context, "fair-shares-8cpu", &spec, &script, 500)?;
    for line in done.output.lines().filter(|line| line.starts_with("share ")) {
        println!("     fair-shares-8cpu: {line}");
    }
    Ok(host::judge(&done, &[phases, &["end"]].concat()))
}

fn fair_shares(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let spec = busy_host(context)?;
    let done = host::run(context, "fair-shares", &spec, include_str!("dom0/fairness.sh"), 300)?;
    for line in done.output.lines().filter(|line| ["ran ms", "late "].iter().any(|start| line.starts_with(start))) {
        println!("     fair-shares: {line}");
    }
    // Xen lets a unit run for a millisecond before it is preempted, and then asks who has more credit.
    let is_tardy = done.output.lines().any(|line| line.starts_with("tardy"));
    if is_tardy && context.hypervisor == Hypervisor::Xenolith {
        return Ok(Outcome::Fail("a domain that wakes up beside busy ones waits longer than a millisecond".into()));
    }
    let wanted: Vec<&str> = WANTED
        .iter()
        .copied()
        .filter(|word| *word != "pool-rest" || context.hypervisor == Hypervisor::Xenolith)
        .collect();
    Ok(host::judge(&done, &wanted))
}
