// SPDX-License-Identifier: MIT OR Apache-2.0
//! House rules as a program. Each rule looks at one file's path and text and says what is against it.

use anyhow::Result;
use harness::case::Outcome;
use harness::{paths, process};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Where a module may opt in to unsafe code; the same list stands in `hypervisor/README.md`.
const UNSAFE_PLACES: &[&str] = &[
    "hypervisor/src/x86/",
    "hypervisor/src/sync/",
    "hypervisor/src/entry.rs",
    "hypervisor/src/mm/map.rs",
    "hypervisor/src/mm/frame_table.rs",
    "hypervisor/src/mm/heap.rs",
    "hypervisor/src/mm/host_pt.rs",
    "hypervisor/src/mm/m2p.rs",
    "tests/guest-rt/",
    "dom0-tools/xen-sys/",
];

/// Test guests export their entry by a macro, whose attribute `forbid` would refuse; the workspace's `deny` holds there.
const DENIED: &str = "tests/guests/src/bin/";

/// The hypervisor's modules from the machine upwards: each may use its own row and lower ones.
const ROWS: &[&[&str]] = &[
    &["sync", "config", "budget"],
    &["x86"],
    &["mm"],
    &["sched", "time", "console", "ending", "latency"],
    &["domain"],
    &["pv", "irq"],
    &["hypercall", "keys"],
    &["boot", "entry", "run", "panic"],
];

/// What may be used from above all the same: the user, the path, and (here) why.
const UPWARD: &[(&str, &str)] = &[
    // Constants of the virtual memory map; nothing in them calls anything.
    ("hypervisor/src/x86/", "crate::mm::layout"),
];

/// Which of this workspace's crates a crate may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("hypercalls", &[]),
    ("event-channels", &["hypercalls"]),
    ("grant-tables", &["hypercalls"]),
    ("hypervisor/guest-image", &["hypercalls"]),
    ("hypervisor", &["hypercalls", "event-channels", "grant-tables", "guest-image"]),
    ("dom0-tools/xen-sys", &["hypercalls"]),
    ("dom0-tools/xen-control", &["hypercalls", "xen-sys"]),
    ("dom0-tools/domain-builder", &["hypercalls", "guest-image", "xen-control"]),
    ("dom0-tools/xenstore", &["hypercalls"]),
    ("dom0-tools/xenstored", &["hypercalls", "xenstore", "xen-sys", "xen-control"]),
    ("dom0-tools/host-devices", &["hypercalls", "xen-sys", "xenstore"]),
    (
        "dom0-tools/xn",
        &[
            "hypercalls",
            "xen-sys",
            "xen-control",
            "xenstore",
            "xenconsoled",
            "guest-image",
            "domain-builder",
            "host-devices",
        ],
    ),
    ("dom0-tools/xenconsoled", &["hypercalls", "xen-control", "xen-sys", "xenstore"]),
    ("tests/harness", &[]),
    ("tests/system", &["harness"]),
    ("tests/system/programs", &[]),
    ("tests/guest-rt", &["hypercalls"]),
    ("tests/guests", &["hypercalls", "guest-rt"]),
    ("xtask", &["harness", "hypercalls", "system"]),
];

const PROJECT_CRATES: &[&str] = &[
    "hypercalls",
    "event-channels",
    "grant-tables",
    "guest-image",
    "xenolith",
    "xen-sys",
    "xen-control",
    "domain-builder",
    "host-devices",
    "xenstore",
    "xenstored",
    "xenconsoled",
    "xn",
    "guest-rt",
    "guests",
    "harness",
    "system",
    "xtask",
];

/// Lines of code past which a file has usually become two ideas.
const LONG: usize = 500;

/// Checks every file that git knows or would add.
pub(crate) fn check() -> Result<Outcome> {
    let listed = process::text(Command::new("git").current_dir(paths::workspace()).args([
        "ls-files",
        "-co",
        "--exclude-standard",
    ]))?;
    let names: BTreeSet<&str> = listed.lines().collect();
    let mut wrong = Vec::new();
    let forbidding = |path: &str| fs::read_to_string(paths::workspace().join(path)).is_ok_and(|text| forbids(&text));
    for path in &names {
        let file = paths::workspace().join(path);
        // A file that was removed but not yet committed is still listed; binary files have no rules.
        let Ok(bytes) = fs::read(&file) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let mut found = Vec::new();
        licence(path, &text, &mut found);
        machine_paths(&text, &mut found);
        if path.ends_with(".rs") {
            unsafety(path, &text, covered(path, &names, forbidding), &mut found);
            layers(path, &text, &mut found);
            habits(path, &text, &mut found);
        }
        if path.ends_with(".md") {
            links(&text, |link| file.parent().is_some_and(|folder| folder.join(link).exists()), &mut found);
        }
        if let Some(folder) = path.strip_suffix("/Cargo.toml") {
            dependencies(folder, &text, &mut found);
        }
        wrong.extend(found.into_iter().map(|what| format!("{path}: {what}")));
        let lines = code(&text).count();
        if path.ends_with(".rs") && lines > LONG {
            println!("     tidy: {path} has {lines} lines of code: is it still one idea?");
        }
    }
    if wrong.is_empty() {
        return Ok(Outcome::Pass);
    }
    Ok(Outcome::Fail(format!("{} against the house rules\n{}", wrong.len(), wrong.join("\n"))))
}

/// The lines before the unit tests that are neither comments nor empty.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !(line.starts_with("#[cfg(") && line.contains("test")))
        .filter(|line| !line.trim_start().starts_with("//") && !line.trim().is_empty())
}

fn licence(path: &str, text: &str, wrong: &mut Vec<String>) {
    let source = [".rs", ".toml", ".S", ".ld", ".sh", ".s"].iter().any(|end| path.ends_with(end)) || path == ".ci/run";
    let mut lines = text.lines().skip_while(|line| line.starts_with("#!/"));
    let first = lines.next().unwrap_or_default();
    if source && !first.contains("SPDX-License-Identifier: MIT OR Apache-2.0") {
        wrong.push("the first line is not the SPDX line".into());
    }
}

fn machine_paths(text: &str, wrong: &mut Vec<String>) {
    // Spelled in two parts, or this file would be against its own rule.
    let places = ["work", "root", "home", "farm"].map(|place| format!("/{place}/"));
    for (number, line) in text.lines().enumerate() {
        let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_.}-".contains(c));
        if places.iter().any(|place| line.match_indices(place.as_str()).any(|(at, _)| starts(at))) {
            wrong.push(format!("line {}: a path of one machine", number + 1));
        }
    }
}

fn forbids(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]")
}

/// Whether a module above `path` forbids unsafe code for it.
fn covered(path: &str, names: &BTreeSet<&str>, forbids: impl Fn(&str) -> bool) -> bool {
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/') {
        let tops = ["mod.rs", "lib.rs", "main.rs"].map(|top| format!("{parent}/{top}"));
        if tops.iter().any(|top| top != path && names.contains(top.as_str()) && forbids(top)) {
            return true;
        }
        folder = parent;
    }
    false
}

/// A file with modules below it: where some of those need unsafe code it cannot forbid it for all.
fn is_top(path: &str) -> bool {
    ["/lib.rs", "/mod.rs"].iter().any(|name| path.ends_with(name))
}

fn unsafety(path: &str, text: &str, covered: bool, wrong: &mut Vec<String>) {
    // The attribute may be broken over lines. Its words are joined here, or this file would be found too.
    let dense: String = text.split_whitespace().collect();
    let may = UNSAFE_PLACES.iter().any(|place| path.starts_with(place));
    let opts_in = ["expect", "allow"].iter().any(|word| dense.contains(&format!("#![{word}({}", "unsafe_code")));
    if opts_in {
        if !may {
            wrong.push("opts in to unsafe code, which only the listed places may".into());
        }
        if !text.lines().any(|line| line.starts_with("// UNSAFETY:")) {
            wrong.push("opts in to unsafe code without an UNSAFETY line that says why".into());
        }
    } else if !(path.starts_with(DENIED) || (may && is_top(path)) || forbids(text) || covered)
        && code(text).any(|line| !only_modules(line))
    {
        wrong.push("neither forbids unsafe code nor opts in to it".into());
    }
}

/// A line that a file of mere module declarations may have: such a file cannot forbid for those below.
fn only_modules(line: &str) -> bool {
    let line = line.trim();
    ["mod ", "pub mod ", "pub(crate) mod ", "use ", "pub use ", "extern crate ", "#[", "#![", "}"]
        .iter()
        .any(|start| line.starts_with(start))
}

fn row(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

fn layers(path: &str, text: &str, wrong: &mut Vec<String>) {
    let Some(inside) = path.strip_prefix("hypervisor/src/") else { return };
    let own = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let Some(own_row) = row(own) else { return };
    let mut code: String = code(text).flat_map(|line| [line, "\n"]).collect();
    for (user, used) in UPWARD {
        if path.starts_with(user) {
            code = code.replace(used, "");
        }
    }
    for module in crate_modules(&code) {
        match row(&module) {
            Some(other) if other > own_row => wrong.push(format!("{own} may not use crate::{module}, a higher row")),
            _ => {}
        }
    }
}

/// The first names of all `crate::` paths, groups in braces included.
fn crate_modules(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        // `$crate::` is a macro's own; `super_crate::` is another word.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            modules.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut fresh = true;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => fresh = true,
                c if fresh && !c.is_whitespace() => {
                    modules.insert(word(&group[i..]));
                    fresh = false;
                }
                _ => {}
            }
        }
    }
    modules
}

fn habits(path: &str, text: &str, wrong: &mut Vec<String>) {
    let test_file = path.ends_with("_tests.rs")
        || path.ends_with("/tests.rs")
        || (path.contains("/tests/") && !path.starts_with("tests/"));
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[ignore") {
            wrong.push("an ignored test: assert today's behaviour, with a FIXME".into());
        }
        if line.starts_with("#[should_panic") {
            wrong.push("should_panic: assert what is returned".into());
        }
    }
    let glob = |line: &&str| {
        let line = line.trim();
        (line.starts_with("use ") || line.starts_with("pub use ")) && line.ends_with("::*;")
    };
    if !test_file && code(text).any(|line| glob(&line)) {
        wrong.push("a glob import outside tests".into());
    }
}

/// Links to files must lead somewhere.
fn links(text: &str, exists: impl Fn(&str) -> bool, wrong: &mut Vec<String>) {
    for (at, _) in text.match_indices("](") {
        let link = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
        if !link.is_empty() && !link.contains("://") && !exists(link) {
            wrong.push(format!("a link to {link}, which is not there"));
        }
    }
}

fn dependencies(folder: &str, text: &str, wrong: &mut Vec<String>) {
    let Some((_, allowed)) = CRATES.iter().find(|(name, _)| *name == folder) else { return };
    let mut section = "";
    for line in text.lines() {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
        let is_dependency = section.ends_with("dependencies") && PROJECT_CRATES.contains(&name);
        if is_dependency && !allowed.contains(&name) {
            wrong.push(format!("may not depend on {name}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rule: impl Fn(&mut Vec<String>)) -> usize {
        let mut wrong = Vec::new();
        rule(&mut wrong);
        wrong.len()
    }

    #[test]
    fn the_licence_line_comes_first() {
        let good = "// SPDX-License-Identifier: MIT OR Apache-2.0\n";
        assert_eq!(found(|w| licence("a.rs", good, w)), 0);
        assert_eq!(found(|w| licence("a.rs", "//! doc\n", w)), 1);
        assert_eq!(found(|w| licence("a.sh", "#!/bin/sh\n# SPDX-License-Identifier: MIT OR Apache-2.0\n", w)), 0);
        assert_eq!(found(|w| licence("README.md", "# x\n", w)), 0);
    }

    #[test]
    fn unsafe_code_stands_only_in_its_places() {
        let opting = concat!("// UNSAFETY: x\n#![expect(", "unsafe_code, reason = \"x\")]\n");
        assert_eq!(found(|w| unsafety("hypervisor/src/x86/msr.rs", opting, false, w)), 0);
        assert_eq!(found(|w| unsafety("hypervisor/src/pv/iret.rs", opting, false, w)), 1);
        assert_eq!(found(|w| unsafety("hypervisor/src/pv/iret.rs", "fn f() {}\n", false, w)), 1);
        assert_eq!(found(|w| unsafety("hypervisor/src/pv/iret.rs", "fn f() {}\n", true, w)), 0);
        assert_eq!(found(|w| unsafety("hypervisor/src/pv/iret.rs", "#![forbid(unsafe_code)]\nfn f() {}", false, w)), 0);
    }

    #[test]
    fn modules_look_down() {
        let text = "use crate::{mm::map, domain::{Domain, Vcpu}};\n// crate::boot\nfn f() { crate::sync::x() }\n";
        let modules = crate_modules(text);
        assert_eq!(modules.into_iter().collect::<Vec<_>>(), ["boot", "domain", "mm", "sync"]);
        assert_eq!(found(|w| layers("hypervisor/src/sched/mod.rs", text, w)), 1);
        assert_eq!(found(|w| layers("hypervisor/src/pv/mod.rs", text, w)), 0);
        let tested = "#[cfg(test)]\nmod tests { use crate::boot; }\n";
        assert_eq!(found(|w| layers("hypervisor/src/mm/mod.rs", tested, w)), 0);
    }

    #[test]
    fn crates_know_only_their_own() {
        let text = "[dependencies]\nhypercalls = { workspace = true }\nguest-rt = { workspace = true }\nlog = \"1\"\n";
        assert_eq!(found(|w| dependencies("grant-tables", text, w)), 1);
        assert_eq!(found(|w| dependencies("tests/guests", text, w)), 0);
    }

    #[test]
    fn links_lead_somewhere() {
        let text = "[a](LICENSE) [b](gone.md) [c](https://example.org/) [d](#part)";
        assert_eq!(found(|w| links(text, |link| link == "LICENSE", w)), 1);
    }

    #[test]
    fn habits_are_checked() {
        assert_eq!(found(|w| habits("xtask/src/a.rs", "use std::io::*;\n", w)), 1);
        assert_eq!(found(|w| habits("grant-tables/tests/a.rs", "use std::io::*;\n", w)), 0);
        assert_eq!(found(|w| habits("xtask/src/a.rs", "#[cfg(test)]\nmod t {\n    use super::*;\n}\n", w)), 0);
    }
}
