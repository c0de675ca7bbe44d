// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's own xl, libxl and C daemons on Xenolith as on Debian's Xen: one dom0, the same commands, each with the same
//! exit status and the same output but for numbers.

use crate::{asked, host, log_name, spec};
use anyhow::{Result, anyhow};
use harness::case::{Case, Context, Outcome};
use harness::debian::{self, Release, Series};
use harness::dom0::{Finished, Hypervisor};
use harness::{paths, toolstack, xl};
use std::fs;
use std::time::Duration;

/// Commands that may say and return something else, and why.
const DIFFERENT: &[(&str, &str)] =
    &[("create-hvm", "Xenolith has no hardware-assisted domains, and libxl says so"), ("create-pvh", "the same")];

/// What `xl info` has another value for, as it must: what the hypervisor is, who made it, and what else than PV it can do.
const OWN: &[&str] = &[
    "hw_caps",
    "virt_caps",
    "xen_extra",
    "xen_version",
    "xen_caps",
    "xen_changeset",
    "xen_commandline",
    "cc_compiler",
    "cc_compile_by",
    "cc_compile_domain",
    "cc_compile_date",
    "build_id",
];

pub(crate) fn cases() -> Vec<Case> {
    // libxl gives its scripts 40 seconds of real time.
    vec![Case::new("xl-same-as-on-xen", same_as_on_xen).alone()]
}

fn same_as_on_xen(context: &Context) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith || !context.oracle {
        return Ok(Outcome::Skip("it compares Xenolith with Xen".into()));
    }
    // Side by side: most of the time each waits.
    let on_xen = Context { hypervisor: Hypervisor::Xen, ..context.clone() };
    let (ours, theirs) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| record(&on_xen));
        (record(context), theirs.join())
    });
    let (ours, theirs) = (ours?, theirs.map_err(|_| anyhow!("the thread of Xen's machine panicked"))??);
    let mut wrong = compare(&steps(&ours.output), &steps(&theirs.output));
    wrong.extend(asked::differences("xl 4.17", &ours.output));
    if wrong.is_empty() {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::Fail(format!("{}\n(all of it: {}, {})", wrong.join("\n"), ours.log.display(), theirs.log.display())))
}

/// Runs all commands on what `context` says.
fn record(context: &Context) -> Result<Finished> {
    let mut spec = spec(context);
    spec.machine.memory_mib = 1536;
    spec.hv_cmdline = "dom0_mem=896M,max:896M".into();
    spec.files = xl::toolstack(Release::Bookworm)?;
    spec.files.extend(toolstack::guest(Series::V6_1)?);
    spec.files.push(("/xt/vmlinux".into(), 0o644, fs::read(debian::kernel(Series::V6_1)?.unpacked()?)?));
    let guest = paths::products().join("guests/domu_idle");
    spec.files.push(("/boot/guest/domu_idle".into(), 0o644, fs::read(guest)?));
    spec.files.extend(host::prelude()?);
    let script =
        format!("{}\n. /xt/prelude\n{}", include_str!("dom0/xl_start.sh"), include_str!("dom0/xl_commands.sh"));
    spec.exec(&log_name(context, "xl-same"), &script, Duration::from_secs(900))
}

/// One command: what it printed, without values, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    name: String,
    said: Vec<String>,
    status: Option<i32>,
}

/// The steps that a script printed.
fn steps(output: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in output.lines().filter(|line| !line.starts_with("asked ")) {
        if let Some(name) = line.strip_prefix("step ") {
            steps.push(Step { name: name.into(), said: Vec::new(), status: None });
        } else if let Some(step) = steps.last_mut() {
            match line.strip_prefix("status ").and_then(|rest| rest.rsplit_once(' ')) {
                Some((name, status)) if name == step.name => step.status = status.parse().ok(),
                _ => step.said.push(without_values(line)),
            }
        }
    }
    steps
}

/// The line with `#` for each number, `UUID` for each UUID, one blank between words, and nobody running or blocked: vCPUs
/// come and go. A line that starts with `= ` stays as it is.
fn without_values(line: &str) -> String {
    if line.starts_with("= ") {
        return line.into();
    }
    let own = line.strip_prefix("| ").and_then(|rest| rest.split_once(':')).map(|(key, _)| key.trim());
    if let Some(key) = own.filter(|key| OWN.contains(key)) {
        return key.into();
    }
    let words: Vec<String> = line.split_whitespace().map(word_without_values).collect();
    words.join(" ")
}

fn word_without_values(word: &str) -> String {
    // "r-----" of a domain, "-b-" of a vCPU, "-----r" of xentop
    if word.contains('-') && word.chars().all(|c| "-rbpscd".contains(c)) {
        return word.replace(['r', 'b'], "-");
    }
    let is_uuid = |run: &str| run.len() == 36 && run.matches('-').count() == 4;
    let mut text = String::new();
    for run in word.split_inclusive(|c: char| !c.is_ascii_hexdigit() && c != '-') {
        let core = run.trim_end_matches(|c: char| !c.is_ascii_hexdigit() && c != '-');
        if is_uuid(core) {
            text.push_str("UUID");
            text.push_str(&run[core.len()..]);
        } else {
            text.push_str(run);
        }
    }
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            _ => plain.push(c),
        }
    }
    plain.replace("#.#", "#")
}

/// What differs, one step an entry.
fn compare(ours: &[Step], theirs: &[Step]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (who, steps) in [("Xenolith", ours), ("Xen", theirs)] {
        if steps.last().is_none_or(|step| step.name != "end") {
            wrong.push(format!("the script did not come to its end on {who}"));
        }
    }
    // What both do wrong is wrong too.
    for step in ours.iter().chain(theirs) {
        wrong.extend(
            step.said.iter().filter(|line| line.starts_with("| bad ")).map(|line| format!("{}: {line}", step.name)),
        );
    }
    for their in theirs {
        let Some(our) = ours.iter().find(|our| our.name == their.name) else {
            wrong.push(format!("{}: not done on Xenolith", their.name));
            continue;
        };
        if our != their && !DIFFERENT.iter().any(|(name, _)| *name == their.name) {
            let (our, their_text) = (text(our), text(their));
            wrong.push(format!("{}: on Xenolith\n{our}  and on Xen\n{their_text}", their.name));
        }
    }
    wrong
}

fn text(step: &Step) -> String {
    let mut text = format!("    status {:?}\n", step.status);
    for line in &step.said {
        text += &format!("    {line}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_and_fields_stay() {
        let line = "| Domain-0    0   896     2     r-----     102.4     0";
        assert_eq!(without_values(line), "| Domain-# # # # ------ # #");
        assert_eq!(without_values("| t  1 4 1 --p--- 0.0"), "| t # # # --p--- #");
        assert_eq!(without_values("| cc_compiler  : gcc 12"), "cc_compiler");
        let uuid = "|   \"uuid\": \"6a9eb68c-7b47-467a-a9e3-b55ce554ac0e\",";
        assert_eq!(without_values(uuid), "| \"uuid\": \"UUID\",");
        assert_eq!(without_values("|  17:15:33 up  0:04, g (5)"), "| #:#:# up #:#, g (#)");
        assert_eq!(without_values("= ELF 64"), "= ELF 64");
    }

    #[test]
    fn steps_are_compared_by_name() {
        let output = "step a\n| x 1\nstatus a 0\nstep end\nstatus end 0\n";
        let good = steps(output);
        assert_eq!(good[0], Step { name: "a".into(), said: vec!["| x #".into()], status: Some(0) });
        assert!(compare(&good, &steps(&output.replace('1', "2"))).is_empty());
        assert_eq!(compare(&steps(&output.replace("a 0", "a 1")), &good).len(), 1);
        assert_eq!(compare(&good, &steps("step a\n| x 1\nstatus a 0\n")).len(), 1, "no end");
        assert_eq!(compare(&good[1..], &good).len(), 1, "a step is missing");
        let both = steps(&output.replace("| x 1", "| bad x"));
        assert_eq!(compare(&both, &both).len(), 2, "wrong on both");
    }
}
