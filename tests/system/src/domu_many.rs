// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many domains: at once, and one after another. Nothing of them stays.

use crate::host;
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;

const AT_ONCE: &[&str] = &[
    "listed-20",
    "answering-20",
    "neighbours",
    "memory-back-20",
    "listed-200",
    "up-200",
    "alive-200",
    "memory-back-200",
    "nobody-left",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("domu-many-at-once", |context| {
            case(context, "domu-many-at-once", 3584, 1500, include_str!("dom0/domu_many.sh"), AT_ONCE)
        }),
        Case::new("domu-cycles-linux", |context| {
            let wanted = ["cycles-linux", "heap"];
            case(context, "domu-cycles-linux", 1792, 1500, include_str!("dom0/cycles_linux.sh"), &wanted)
        }),
        Case::new("domu-cycles-tiny", |context| {
            let wanted = ["cycles-tiny", "heap", "last", "last-up"];
            case(context, "domu-cycles-tiny", 1024, 1500, include_str!("dom0/cycles_tiny.sh"), &wanted)
        }),
    ]
}

fn case(
    context: &Context,
    name: &str,
    memory_mib: u64,
    seconds: u64,
    script: &str,
    wanted: &[&str],
) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let spec = host::host(context, memory_mib, 640, &[Series::V6_1])?;
    let done = host::run(context, name, &spec, script, seconds)?;
    for line in done.output.lines().filter(|line| line.starts_with("time ")) {
        println!("     {name}: {line}");
    }
    Ok(host::judge(&done, wanted))
}
