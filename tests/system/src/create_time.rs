// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn create` on Xenolith against Debian's `xl create` on Debian's Xen: two machines of the same QEMU settings, which take
//! turns, so that what else the host does falls on both.

use crate::turns::Player;
use crate::{host, log_name, programs, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::{self, Release, Series};
use harness::dom0::{Hypervisor, Spec};
use harness::{paths, toolstack, xl};
use std::fs;
use std::time::Duration;

/// The longest that one turn may take.
const PATIENCE: Duration = Duration::from_secs(200);

/// Rows: the word of the measurement, what it is, and the largest share of Xen's time that is allowed.
const ROWS: &[(&str, &str, f64)] = &[
    ("tiny", "a minimal PV guest", 0.5),
    ("packed", "Debian's compressed kernel", 0.5),
    ("devices", "with disk and interface", 0.5),
    ("packed-until", "Debian's compressed kernel, to /init", 1.0),
    ("devices-until", "with disk and interface, to /init", 1.0),
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("create-time-half-of-xl", create_time)]
}

fn create_time(context: &Context) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith || !context.oracle {
        return Ok(Outcome::Skip("it compares Xenolith with Xen".into()));
    }
    let body = include_str!("dom0/create_time.sh");
    let on_xen = Context { hypervisor: Hypervisor::Xen, ..context.clone() };
    let mut ours = start(context, &machine(context)?, &script(context.hypervisor, body))?;
    let mut theirs = start(&on_xen, &machine(&on_xen)?, &script(on_xen.hypervisor, body))?;
    // Both have come to their first turn before either starts.
    ours.finish_turn()?;
    theirs.finish_turn()?;
    while !(ours.ended && theirs.ended) {
        for side in [&mut ours, &mut theirs] {
            side.take_turn()?;
        }
    }
    Ok(judge(&ours, &theirs))
}

/// A machine whose hypervisor's own toolstack creates domains: `xn` on Xenolith, `xl` on Xen.
///
/// # Errors
/// When something of it is not built or cannot be had.
pub fn machine(context: &Context) -> Result<Spec> {
    let mut spec = spec(context);
    spec.machine.memory_mib = 2048;
    spec.hv_cmdline = "dom0_mem=1280M,max:1280M".into();
    spec.files =
        if context.hypervisor == Hypervisor::Xen { xl::toolstack(Release::Bookworm)? } else { toolstack::tools()? };
    spec.files.extend(toolstack::guest(Series::V6_1)?);
    let guest = paths::products().join("guests/domu_idle");
    spec.files.push(("/boot/guest/domu_idle".into(), 0o644, fs::read(guest)?));
    spec.files.extend(programs(&["stopwatch"])?);
    spec.files.push(("/xt/vmlinux".into(), 0o644, fs::read(debian::kernel(Series::V6_1)?.unpacked()?)?));
    spec.files.extend(host::prelude()?);
    Ok(spec)
}

/// `body` behind the prelude; `$TOOL` is the toolstack, and runs.
#[must_use]
pub fn script(hypervisor: Hypervisor, body: &str) -> String {
    let start = if hypervisor == Hypervisor::Xen { include_str!("dom0/xl_start.sh") } else { "TOOL=xn" };
    format!("{start}\n. /xt/prelude\n{body}")
}

fn start(context: &Context, spec: &Spec, script: &str) -> Result<Player> {
    Player::start(spec, &log_name(context, "create-time"), script, PATIENCE)
}

fn judge(ours: &Player, theirs: &Player) -> Outcome {
    let mut wrong: Vec<String> = Vec::new();
    for side in [ours, theirs] {
        wrong.extend(side.said.iter().filter(|line| line.starts_with("bad ")).cloned());
        if !side.said.iter().any(|line| line == "ok create-time") {
            wrong.push(format!("the script did not come to its end, see {}", side.dom0.running.log.display()));
        }
    }
    for (word, what, most) in ROWS {
        let (our, their) = (median(ours, word), median(theirs, word));
        let ratio = our / their;
        let row = format!("{what}: {our:.3} s, xl on Xen {their:.3} s, ratio {ratio:.2} (at most {most})");
        println!("     create-time: {row}");
        // A measurement that is missing is a NaN, and no number compares with that.
        let fast = ratio <= *most;
        if !fast {
            wrong.push(row);
        }
    }
    let (first, thirtieth) = (median(ours, "first"), median(ours, "thirtieth"));
    let row = format!("the 30th creation: {thirtieth:.3} s, the first {first:.3} s, ratio {:.2}", thirtieth / first);
    println!("     create-time: {row}");
    let even = thirtieth <= 1.2 * first;
    if !even {
        wrong.push(row);
    }
    if wrong.is_empty() { Outcome::Pass } else { Outcome::Fail(wrong.join("\n")) }
}

fn median(side: &Player, word: &str) -> f64 {
    host::median(&side.times(word))
}
