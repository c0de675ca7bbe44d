// SPDX-License-Identifier: MIT OR Apache-2.0
//! Judging dom0's kernel messages: nothing may have gone wrong, and no error may be reported that the same kernel does
//! not report on real Xen.

use crate::log_name;
use anyhow::{Context as _, Result};
use harness::case::Context;
use harness::dom0::{Hypervisor, Spec};
use harness::{paths, process};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// Prints the kernel's messages with their levels, after a line that says so.
pub(crate) const SCRIPT: &str = "echo dmesg:; dmesg -r";

/// Words that no healthy boot has in it.
const BAD: &[&str] = &[
    "Oops",
    "BUG:",
    "WARNING:",
    "Call Trace",
    "unable to handle",
    "general protection fault:",
    "general protection fault,",
    "lockup",
];

/// The messages that `SCRIPT` printed.
pub(crate) fn of(output: &str) -> &str {
    output.split_once("dmesg:\n").map_or("", |(_, messages)| messages)
}

/// Lines that should not be there whatever real Xen does.
pub(crate) fn bad(messages: &str) -> Vec<&str> {
    messages.lines().filter(|line| BAD.iter().any(|word| line.contains(word))).collect()
}

/// Messages of level error and worse, numbers blotted out so that two boots compare.
pub(crate) fn errors(messages: &str) -> BTreeSet<String> {
    messages.lines().filter_map(error).collect()
}

fn error(line: &str) -> Option<String> {
    let (level, rest) = line.strip_prefix('<')?.split_once('>')?;
    // Above the three bits of the level stands the facility; 0 is the kernel's.
    if level.parse::<u32>().ok()? > 3 {
        return None;
    }
    let text = rest.split_once("] ").map_or(rest, |(_, text)| text);
    let mut blotted = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_hexdigit() && (c.is_ascii_digit() || blotted.ends_with('#')) { '#' } else { c };
        if !(c == '#' && blotted.ends_with('#')) {
            blotted.push(c);
        }
    }
    Some(blotted)
}

/// What `spec`'s kernel reports as errors on real Xen; none when that may not be tried and is not known yet.
/// Kept under `target/`, because it changes only with the kernel.
pub(crate) fn oracle(context: &Context, case: &str, spec: &Spec) -> Result<Option<BTreeSet<String>>> {
    let file = paths::products().join("oracle").join(format!("{case}-{}.txt", spec.kernel()?.release));
    if let Ok(text) = fs::read_to_string(&file) {
        return Ok(Some(text.lines().map(ToOwned::to_owned).collect()));
    }
    if !context.oracle {
        return Ok(None);
    }
    let mut spec = spec.clone();
    spec.hypervisor = Hypervisor::Xen;
    let on_xen = Context { hypervisor: Hypervisor::Xen, ..context.clone() };
    let done = spec
        .exec(&log_name(&on_xen, &format!("{case}-oracle")), SCRIPT, Duration::from_secs(400))
        .context("the same boot on Debian's Xen")?;
    let errors = errors(of(&done.output));
    let text: Vec<&str> = errors.iter().map(String::as_str).collect();
    process::write_atomically(&file, text.join("\n").as_bytes())?;
    Ok(Some(errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_count_and_numbers_do_not() {
        let messages = "<6>[    0.1] fine\n<3>[    2.5] ata1: failed 0x1f at 00ab\n<4>[    1.0] hm\n<11>[ 9.0] user\n";
        let errors = errors(messages);
        assert_eq!(errors.into_iter().collect::<Vec<_>>(), ["ata#: failed #x# at #"]);
    }

    #[test]
    fn traces_are_bad() {
        assert_eq!(bad("<4>[ 1.0] WARNING: CPU: 0\n<6>[ 1.0] ok\n").len(), 1);
    }
}
