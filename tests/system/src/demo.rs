// SPDX-License-Identifier: MIT OR Apache-2.0
//! The README's demo, typed as a person would: `xn create -c demo` in dom0's shell leads to a Debian login on the domU's console,
//! with a disk and an address on the bridge.

use crate::{host, log_name, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;
use harness::dom0::{deadline, tail};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("demo", demo)]
}

/// What is typed, and what must then be seen, within so many seconds. Echoes of what is typed must not match.
const DIALOGUE: &[(&str, &str, u64)] = &[
    ("", "switches the machine off", 200),
    ("xn create -c demo\n", "debian login:", 240),
    ("root\n", "Password:", 60),
    ("xenolith\n", "root@debian:", 60),
    ("ip -4 -o addr show scope global | sed s/^/@/\n", " 10.76.", 60),
    ("findmnt -no SOURCE,FSTYPE / | tr ' ' _\n", "/dev/xvda_ext4", 60),
    ("systemctl is-system-running --wait | tr a-z A-Z\n", "RUNNING", 120),
    // Ctrl-] leaves the console; dom0's shell is there again.
    ("\x1d", "dom0:", 30),
    ("xn list | grep -c '^demo .* 256 ' | sed s/^/domains:/\n", "domains:1", 60),
    ("xn destroy demo; xn list | grep -c demo | sed s/^/domains:/\n", "domains:0", 60),
];

fn demo(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let mut spec = spec(context);
    spec.machine.memory_mib = 2048;
    spec.add_toolkit(&[Series::V6_1])?;
    let mut dom0 = spec.start(&log_name(context, "demo"), None)?;
    for (typed, wanted, seconds) in DIALOGUE {
        dom0.running.send(typed)?;
        if let Err(silence) = dom0.running.console.expect(wanted, deadline(Duration::from_secs(*seconds))) {
            let said = tail(&dom0.running.console.text(), 25);
            let log = dom0.running.log.display();
            return Ok(Outcome::Fail(format!(
                "after {typed:?} there is no '{wanted}' ({silence:?}); the console ended with\n{said}\n(all of it: {log})"
            )));
        }
    }
    Ok(Outcome::Pass)
}
