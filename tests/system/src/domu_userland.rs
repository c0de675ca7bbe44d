// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's real userland in domUs: it comes up whole, its network and disk carry data unharmed, and a death in the middle of
//! writing costs no more than its journal mends.

use crate::{host, programs};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::{self, Series};
use harness::{toolstack, userland};
use std::fs;

const WANTED: &[&str] = &[
    "create-1",
    "create-2",
    "running-1",
    "running-2",
    "login",
    "to-guest",
    "disk-write-and-read",
    "from-guest",
    "guest-to-guest",
    "guest-from-guest",
    "kill-9-data",
    "kill-9",
    "destroyed",
    "fsck",
    "shut-down",
    "fsck-2",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("domu-userland", userland)]
}

fn userland(context: &Context) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let mut spec = host::host(context, 1536, 640, &[Series::V6_1])?;
    spec.machine.templates.push((format!("{}-2", toolstack::DEMO_DISK), userland::image()?));
    let checker = debian::static_e2fsck()?;
    spec.files.push(("/usr/sbin/e2fsck.static".into(), 0o755, fs::read(checker)?));
    spec.files.extend(programs(&["bulk", "tcp"])?);
    let done = host::run(context, "domu-userland", &spec, include_str!("dom0/userland.sh"), 1200)?;
    Ok(host::judge(&done, WANTED))
}
