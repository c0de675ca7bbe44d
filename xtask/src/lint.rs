// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of the tests that needs no machine: house rules, format, lints, host tests, documentation.

use crate::tools::{LINUX, Need, TARGET};
use crate::{build, tidy, tools};
use anyhow::{Context as _, Result};
use harness::case::{Case, Outcome};
use harness::dom0::tail;
use harness::{paths, process};
use std::process::{Command, Stdio};

/// In the order in which they should be mended.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("tidy", |_| tidy::check()),
        Case::new("format", |_| cargo("format", &["fmt", "--all", "--check"], &[])),
        Case::new("clippy-host", |_| cargo("clippy-host", &["clippy", "--all-targets", "--", "-D", "warnings"], &[])),
        Case::new("clippy-bare-metal", |_| {
            tools::ensure_target()?;
            let packages = ["-p", "xenolith", "-p", "guest-rt", "-p", "guests"];
            let mut words = vec!["clippy", "--target", TARGET];
            words.extend(packages);
            // The host's run looks at the hypervisor without it.
            words.extend(["--features", "xenolith/latency", "--", "-D", "warnings"]);
            cargo("clippy-bare-metal", &words, &[])
        }),
        Case::new("host-tests", |_| {
            tools::ensure(&[Need::Compiler, Need::Headers])?;
            cargo("host-tests", &["test"], &[])
        }),
        Case::new("loom", |_| {
            // The flag is for the target alone: what runs in the compiler has been built.
            let words = ["test", "--target", LINUX, "-p", "event-channels", "-p", "grant-tables"];
            let words = [&words[..], &["--test", "loom_*"]].concat();
            cargo("loom", &words, &[("RUSTFLAGS", "--cfg loom")])
        }),
        Case::new("docs", |_| cargo("docs", &["doc", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])),
    ]
}

/// Runs cargo; what it says goes to a log, and its end into the failure.
fn cargo(name: &str, words: &[&str], environment: &[(&str, &str)]) -> Result<Outcome> {
    let mut command: Command = build::cargo();
    command.args(words).envs(environment.iter().copied()).env("CARGO_TERM_COLOR", "never").stdin(Stdio::null());
    let shown = process::show(&command);
    let done = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    let log = paths::logs().join(format!("{name}.log"));
    process::write_atomically(&log, said.as_bytes())?;
    if done.status.success() {
        return Ok(Outcome::Pass);
    }
    let end = tail(&said, 60);
    Ok(Outcome::Fail(format!("`{shown}` failed\n{end}\n(all of it: {})", log.display())))
}
