// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong while a domain is made or lives: one message with step, cause and remedy, a documented exit status, and
//! nothing left behind; daemons that die and come back.

use crate::host;
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;

const WANTED: &[&str] = &[
    "no-memory",
    "no-memory-clean",
    "missing-kernel",
    "missing-kernel-clean",
    "damaged-ramdisk",
    "damaged-ramdisk-clean",
    "absent-disk",
    "absent-disk-clean",
    "no-bridge",
    "no-bridge-clean",
    "wrong-config",
    "name-in-use",
    "name-first-lives",
    "name-in-use-clean",
    "never-connects-clean",
    "panic-words-destroy",
    "on-crash-destroy",
    "panic-destroy-clean",
    "panic-words-preserve",
    "on-crash-preserve",
    "panic-preserve-clean",
    "panic-words-restart",
    "on-crash-restart",
    "panic-restart-clean",
    "on-poweroff",
    "on-poweroff-clean",
    "on-reboot",
    "on-reboot-clean",
    "ctrl-c",
    "ctrl-c-gone",
    "ctrl-c-clean",
    "store-restart",
    "store-restart-clean",
    "daemons-die",
    "console-again",
    "monitor-again",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("domu-failures", |context| {
        if let Some(skip) = host::nobody(context) {
            return Ok(skip);
        }
        failures(context)
    })]
}

fn failures(context: &Context) -> Result<Outcome> {
    let spec = host::host(context, 1280, 640, &[Series::V6_1])?;
    let done = host::run(context, "domu-failures", &spec, include_str!("dom0/failures.sh"), 900)?;
    Ok(host::judge(&done, WANTED))
}
