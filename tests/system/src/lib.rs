// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of whole machines. Each case boots QEMU, does something in dom0 and looks at what came out; most also run on
//! Debian's Xen (`cargo xtask test --hypervisor xen`), which is how we know that the *case* is right.
//!
//! `cargo xtask test` runs [`cases`] in order; `--filter` picks some by name.
#![forbid(unsafe_code)]

mod asked;
mod bad_input;
mod boot;
mod boot_time;
mod clock;
pub mod create_time;
mod demo;
mod devices;
mod disk_image;
mod dmesg;
mod domu_boot;
mod domu_many;
mod domu_userland;
mod failures;
mod fairness;
pub mod host;
mod power;
mod stress;
mod tools;
pub mod turns;
mod virsh;
mod xl;

use anyhow::{Context as _, Result};
use harness::case::{Case, Context};
use harness::dom0::Spec;
use harness::initramfs::ExtraFile;
use harness::paths;
use std::fs;

/// Every case, cheap and basic ones first, but no long one at the end, where nothing runs beside it.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(boot::cases());
    all.extend(power::cases());
    all.extend(devices::cases());
    all.extend(bad_input::cases());
    all.extend(stress::cases());
    all.extend(demo::cases());
    all.extend(disk_image::cases());
    all.extend(domu_boot::cases());
    all.extend(domu_many::cases());
    all.extend(create_time::cases());
    all.extend(domu_userland::cases());
    all.extend(fairness::cases());
    all.extend(failures::cases());
    all.extend(tools::cases());
    all.extend(xl::cases());
    all.extend(virsh::cases());
    all.extend(clock::cases());
    all.extend(boot_time::cases());
    all
}

/// A dom0 of two CPUs and 1 GiB on what is tested, with an unpacked kernel: the cases about boot take Debian's as it is. The CPUs take
/// turns, so that the host's processors are left to other cases, unless time does not matter; cases about what CPUs do at the same time
/// say so.
fn spec(context: &Context) -> Spec {
    let mut spec = Spec::new(context.hypervisor);
    spec.machine.qemu.clone_from(&context.qemu);
    spec.unpacked = true;
    spec.machine.cpus = 2;
    spec.machine.one_thread = !context.long;
    spec.machine.memory_mib = 1024;
    spec
}

/// Programs of ours (`tests/system/programs`) as files of dom0, in `/xt`.
///
/// # Errors
/// When they have not been built.
pub fn programs(names: &[&str]) -> Result<Vec<ExtraFile>> {
    let dir = paths::products().join("programs");
    let read = |name: &&str| {
        let file = dir.join(name);
        let bytes = fs::read(&file).with_context(|| format!("no {}: run `cargo xtask build`", file.display()))?;
        Ok((format!("/xt/{name}"), 0o755, bytes))
    };
    names.iter().map(read).collect()
}

/// A log name for `case` on what is tested.
fn log_name(context: &Context, case: &str) -> String {
    format!("{case}-{}", context.hypervisor.name())
}

/// Ends a case as failed, with the end of the console.
macro_rules! fail {
    ($finished:expr, $($text:tt)*) => {
        return Ok(harness::case::Outcome::Fail(format!(
            "{}; the console ended with\n{}\n(all of it: {})",
            format_args!($($text)*),
            harness::dom0::tail(&$finished.console, 25),
            $finished.log.display()
        )))
    };
}
use fail;
