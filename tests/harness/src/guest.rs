// SPDX-License-Identifier: MIT OR Apache-2.0
//! Test guests: tiny PV kernels that boot as dom0 and end with one verdict line.

use crate::dom0::{Hypervisor, tail};
use crate::qemu::{Boot, Machine};
use crate::{debian, paths};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a guest judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check held.
    Success,
    /// The machine lacks what the test needs.
    Skip(String),
    /// The test is broken.
    Error(String),
    /// The hypervisor is wrong.
    Failure(String),
    /// Nothing was said to the end of the time. On real Xen the same image gives a verdict, so the hypervisor is to blame.
    Silence(String),
}

/// A verdict, and where the console's copy is.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the guest said last.
    pub verdict: Verdict,
    /// The console's copy.
    pub log: PathBuf,
    /// The end of what the console said.
    pub tail: String,
    /// All that the console said.
    pub console: String,
}

/// The machine a guest runs on.
#[derive(Clone, Debug)]
pub struct Setup {
    /// CPUs.
    pub cpus: u32,
    /// QEMU's `-icount`. [`COUNTING`] makes the time-stamp counter count instructions.
    pub icount: Option<String>,
    /// Another image of Xenolith than the usual one.
    pub xenolith: Option<PathBuf>,
}

/// The value of `-icount` with which one instruction takes one tick, and waiting takes no time.
pub const COUNTING: &str = "shift=0,sleep=off";

impl Default for Setup {
    fn default() -> Self {
        Self { cpus: 2, icount: None, xenolith: None }
    }
}

impl Setup {
    /// One CPU whose time-stamp counter counts the instructions it executes: for guests that measure.
    #[must_use]
    pub fn counting() -> Self {
        Self { cpus: 1, icount: Some(COUNTING.into()), ..Self::default() }
    }
}

const MARK: &str = "XENOLITH-VERDICT ";

/// Finds the verdict in a console line.
#[must_use]
pub fn parse(line: &str) -> Option<Verdict> {
    let rest = &line[line.find(MARK)? + MARK.len()..];
    let (_name, rest) = rest.split_once(' ')?;
    let (word, reason) = rest.split_once(':')?;
    let reason = reason.trim().to_owned();
    match word {
        "success" => Some(Verdict::Success),
        "skip" => Some(Verdict::Skip(reason)),
        "error" => Some(Verdict::Error(reason)),
        "failure" => Some(Verdict::Failure(reason)),
        _ => None,
    }
}

/// Boots the guest ELF `image` as dom0 of `hypervisor` and waits for its verdict.
///
/// # Errors
/// When the machine cannot be started.
pub fn run(hypervisor: Hypervisor, image: &Path, qemu: &Path, patience: Duration) -> Result<Outcome> {
    run_on(&Setup::default(), hypervisor, image, qemu, patience)
}

/// As [`run`], on a machine of one's choice.
///
/// # Errors
/// When the machine cannot be started.
pub fn run_on(setup: &Setup, hypervisor: Hypervisor, image: &Path, qemu: &Path, patience: Duration) -> Result<Outcome> {
    let name = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let hv = match hypervisor {
        Hypervisor::Xen => debian::xen()?.plain,
        _ => setup.xenolith.clone().unwrap_or_else(|| paths::products().join("xenolith")),
    };
    let options = format!("{} dom0_mem=128M", hypervisor.console_options());
    let modules = vec![(image.to_owned(), String::new())];
    let mut machine = Machine::new(Boot::Kernel { image: hv, cmdline: options, modules });
    machine.qemu = qemu.to_owned();
    machine.cpus = setup.cpus;
    machine.icount.clone_from(&setup.icount);
    machine.memory_mib = 512;
    let mut running = machine
        .start(&format!("guest-{}-{name}", hypervisor.name()))
        .with_context(|| format!("cannot boot {}", image.display()))?;
    let deadline = Instant::now() + patience;
    let verdict = loop {
        match running.console.line(deadline) {
            Ok(line) => {
                if let Some(verdict) = parse(&line) {
                    break verdict;
                }
            }
            Err(silence) => break Verdict::Silence(format!("no verdict: {silence:?}")),
        }
    };
    // A verdict is complete only with a working way off.
    let verdict = match (verdict, running.wait(Duration::from_secs(20))) {
        (Verdict::Success, Ok(None)) => Verdict::Failure("success, but the machine did not switch off".into()),
        (Verdict::Success, Err(error)) => Verdict::Failure(format!("success, but {error:#}")),
        (verdict, _) => verdict,
    };
    let console = running.console.text();
    Ok(Outcome { verdict, log: running.log.clone(), tail: tail(&console, 25), console })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_found_amid_other_text() {
        assert_eq!(parse("(d0) XENOLITH-VERDICT mmu_pin success: all 12 held"), Some(Verdict::Success));
        assert_eq!(
            parse("XENOLITH-VERDICT time_set failure: line 12: got 0x1: want 0x2"),
            Some(Verdict::Failure("line 12: got 0x1: want 0x2".into()))
        );
        assert_eq!(parse("XENOLITH-VERDICT x skip: no MPX"), Some(Verdict::Skip("no MPX".into())));
        assert_eq!(parse("XENOLITH-TEST x: step"), None);
        assert_eq!(parse("XENOLITH-VERDICT x perhaps: y"), None);
    }
}
