// SPDX-License-Identifier: MIT OR Apache-2.0
//! dom0 switches the machine off and on again, and a dom0 that crashes leaves a report.

use crate::{fail, log_name, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::dom0::Hypervisor;
use harness::qmp::Shutdown;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(200);

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("power-off", |context| ends_by(context, "power-off", "true", Shutdown::PowerOff)),
        Case::new("power-reboot", |context| ends_by(context, "power-reboot", "reboot -f", Shutdown::Reset)),
        Case::new("power-typed-keys", typed_keys),
        Case::new("power-dom0-panic-reboots", panic_reboots).idles(),
        Case::new("power-dom0-panic-noreboot-halts", panic_halts).idles(),
    ]
}

fn ends_by(context: &Context, name: &str, script: &str, wanted: Shutdown) -> Result<Outcome> {
    let done = spec(context).exec(&log_name(context, name), script, PATIENCE)?;
    if done.shutdown != Some(wanted) {
        fail!(done, "the machine ended by {:?}, not by {wanted:?}", done.shutdown);
    }
    Ok(Outcome::Pass)
}

/// Who types the switch character three times talks to the hypervisor: it prints what is asked for while dom0 runs on, and `R` reboots.
fn typed_keys(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let mut dom0 = spec(context).start(&log_name(context, "power-typed-keys"), Some("sleep 200"))?;
    dom0.wait_for_init(PATIENCE)?;
    dom0.running.send("\x01\x01\x01")?;
    dom0.running.send("h")?;
    if dom0.running.console.expect("'h' pressed", harness::dom0::deadline(Duration::from_secs(30))).is_err() {
        let text = dom0.running.console.text();
        return Ok(Outcome::Fail(format!("nobody lists the keys:\n{}", harness::dom0::tail(&text, 25))));
    }
    dom0.running.send("R")?;
    match dom0.running.wait(Duration::from_secs(30))? {
        Some(Shutdown::Reset) => Ok(Outcome::Pass),
        ended => Ok(Outcome::Fail(format!("after 'R' the machine ended by {ended:?}"))),
    }
}

const PANIC: &str = "sync; echo c >/proc/sysrq-trigger";

/// A Linux that panics asks the hypervisor for SHUTDOWN_crash; the machine is restarted, after a line that says so.
fn panic_reboots(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let done = spec(context).exec(&log_name(context, "power-dom0-panic-reboots"), PANIC, PATIENCE)?;
    if done.shutdown != Some(Shutdown::Reset) {
        fail!(done, "the machine ended by {:?}, not by a reset", done.shutdown);
    }
    if !crash_said(&done.console) {
        fail!(done, "the hypervisor did not say that dom0 crashed");
    }
    Ok(Outcome::Pass)
}

/// With `noreboot` the same machine stands still, so that the report can be read.
fn panic_halts(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let mut spec = spec(context);
    spec.hv_cmdline = "noreboot".into();
    let mut dom0 = spec.start(&log_name(context, "power-dom0-panic-noreboot-halts"), Some(PANIC))?;
    dom0.wait_for_init(PATIENCE)?;
    let said = dom0.running.console.expect("noreboot", harness::dom0::deadline(Duration::from_secs(60)));
    let ended = dom0.running.wait(Duration::from_secs(8))?;
    let text = dom0.running.console.text();
    if said.is_err() || !crash_said(&text) {
        return Ok(Outcome::Fail(format!("nothing says that dom0 crashed:\n{}", harness::dom0::tail(&text, 25))));
    }
    if ended.is_some() {
        return Ok(Outcome::Fail(format!("the machine ended by {ended:?} in spite of noreboot")));
    }
    Ok(Outcome::Pass)
}

/// Xen's words: `Hardware Dom0 crashed: rebooting machine in 5 seconds.`
fn crash_said(console: &str) -> bool {
    console.lines().any(|line| line.contains("(XEN)") && line.contains("Dom0 crashed"))
}
