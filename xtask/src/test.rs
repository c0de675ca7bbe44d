// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask test`: everything that must hold, cheapest first, one line a case, one line of sums at the end.

use crate::flags::{Hypervisor, TestArgs};
use crate::tools::{self, Need};
use crate::{build, lint};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::{dom0, guest};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs the tests; fails when one of them does.
pub(crate) fn run(arguments: &TestArgs) -> Result<ExitCode> {
    let mut tally = Tally { filter: arguments.filter.clone(), list: arguments.list, ..Tally::default() };
    let context = Context {
        hypervisor: arguments.hypervisor.choice(),
        oracle: !arguments.no_oracle,
        qemu: PathBuf::from("qemu-system-x86_64"),
        long: arguments.long,
    };
    if !arguments.no_host {
        tally.run_all(lint::cases(), &context, 1);
    }
    if !arguments.quick {
        machines(arguments, context, &mut tally)?;
    }
    Ok(tally.finish())
}

/// The cases that need QEMU.
fn machines(arguments: &TestArgs, mut context: Context, tally: &mut Tally) -> Result<()> {
    if !arguments.list {
        tools::ensure(&[Need::Dom0, Need::Userland, Need::Iso, Need::Uefi, Need::Compiler])?;
        context.qemu = tools::qemu(arguments.qemu.as_deref())?;
        if arguments.hypervisor == Hypervisor::Xenolith {
            let built = build::hypervisor();
            let failed = built.is_err();
            tally.record("build-hypervisor", Duration::ZERO, outcome_of(built.map(drop)));
            if failed {
                return Ok(());
            }
        }
    }
    if !arguments.list
        && let Err(error) = build::programs()
    {
        tally.record("build-programs", Duration::ZERO, Outcome::Fail(format!("{error:#}")));
    }
    if !arguments.list
        && arguments.hypervisor != Hypervisor::None
        && let Err(error) = build::tools()
    {
        tally.record("build-tools", Duration::ZERO, Outcome::Fail(format!("{error:#}")));
    }
    let guests = match guests(arguments, &context) {
        Ok(guests) => guests,
        Err(error) => {
            tally.record("build-guests", Duration::ZERO, Outcome::Fail(format!("{error:#}")));
            Vec::new()
        }
    };
    tally.run_all(guests, &context, arguments.jobs);
    tally.run_all(system::cases(), &context, arguments.jobs);
    Ok(())
}

fn outcome_of(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Pass,
        Err(error) => Outcome::Fail(format!("{error:#}")),
    }
}

/// One case for each test guest on what is tested, and one on real Xen, where it must hold as well.
fn guests(arguments: &TestArgs, context: &Context) -> Result<Vec<Case>> {
    if context.hypervisor == dom0::Hypervisor::None {
        return Ok(Vec::new());
    }
    let images =
        if arguments.list { build::guest_names()?.into_iter().map(PathBuf::from).collect() } else { build::guests()? };
    let mut on = vec![context.hypervisor];
    if context.oracle && context.hypervisor == dom0::Hypervisor::Xenolith {
        on.push(dom0::Hypervisor::Xen);
    }
    let mut cases = Vec::new();
    for hypervisor in on {
        for image in &images {
            let name = image.file_name().unwrap_or_default().to_string_lossy();
            if !build::is_test(&name) {
                continue;
            }
            let name = name.replace('_', "-");
            let image = image.clone();
            let case = Case::new(format!("guest-{name}-on-{}", hypervisor.name()), move |context| {
                let done = guest::run(hypervisor, &image, &context.qemu, Duration::from_secs(120))?;
                let fail = |what: &str, why: &str| {
                    let (tail, log) = (&done.tail, done.log.display());
                    Outcome::Fail(format!("{what}: {why}; the console ended with\n{tail}\n(all of it: {log})"))
                };
                Ok(match &done.verdict {
                    guest::Verdict::Success => Outcome::Pass,
                    guest::Verdict::Skip(why) => Outcome::Skip(why.clone()),
                    guest::Verdict::Error(why) => fail("the test is broken", why),
                    guest::Verdict::Failure(why) => fail("the hypervisor is wrong", why),
                })
            });
            cases.push(case);
        }
    }
    Ok(cases)
}

/// What happened so far.
#[derive(Default)]
struct Tally {
    filter: Option<String>,
    list: bool,
    passed: usize,
    skipped: usize,
    failures: Vec<(String, String)>,
}

impl Tally {
    /// Runs `cases`, at most `jobs` at a time; those that want to be alone run after the others.
    fn run_all(&mut self, cases: Vec<Case>, context: &Context, jobs: usize) {
        let wanted = |case: &Case| self.filter.as_ref().is_none_or(|filter| matches(filter, &case.name));
        let cases: Vec<Case> = cases.into_iter().filter(wanted).collect();
        if self.list {
            cases.iter().for_each(|case| println!("{}", case.name));
            return;
        }
        let (alone, together): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.alone);
        let next = AtomicUsize::new(0);
        let shared = Mutex::new(&mut *self);
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, together.len().max(1)) {
                scope.spawn(|| {
                    while let Some(case) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let (took, outcome) = timed(case, context);
                        shared.lock().unwrap_or_else(PoisonError::into_inner).record(&case.name, took, outcome);
                    }
                });
            }
        });
        for case in &alone {
            let (took, outcome) = timed(case, context);
            self.record(&case.name, took, outcome);
        }
    }

    fn record(&mut self, name: &str, took: Duration, outcome: Outcome) {
        let seconds = took.as_secs_f64();
        match outcome {
            Outcome::Pass => {
                self.passed += 1;
                println!("ok   {name} ({seconds:.1} s)");
            }
            Outcome::Skip(why) => {
                self.skipped += 1;
                println!("skip {name} ({seconds:.1} s): {why}");
            }
            Outcome::Fail(why) => {
                println!("FAIL {name} ({seconds:.1} s): {}", why.lines().next().unwrap_or_default());
                self.failures.push((name.to_owned(), why));
            }
        }
    }

    fn finish(self) -> ExitCode {
        if self.list {
            return ExitCode::SUCCESS;
        }
        for (name, why) in &self.failures {
            println!("\n---- {name}\n{why}");
        }
        println!("\n{} passed, {} failed, {} skipped", self.passed, self.failures.len(), self.skipped);
        if self.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn timed(case: &Case, context: &Context) -> (Duration, Outcome) {
    let start = Instant::now();
    let outcome = case.run(context);
    (start.elapsed(), outcome)
}

/// Whether `name` has the pattern in it: words, with `*` for anything between them; alternatives joined by commas.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.split(',').any(|pattern| {
        let mut rest = name;
        pattern.split('*').all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_pick_by_parts() {
        assert!(matches("boot", "boot-6.1-bios"));
        assert!(matches("boot*uefi", "boot-6.1-uefi-q35"));
        assert!(!matches("uefi*boot", "boot-6.1-uefi-q35"));
        assert!(matches("devices,power", "power-off"));
        assert!(!matches("devices,power", "boot"));
    }
}
