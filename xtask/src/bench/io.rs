// SPDX-License-Identifier: MIT OR Apache-2.0
//! What disks and connections cost, in dom0 and in a domU: wall clock, two CPUs.

use super::row::{Limit, Rows, Targets};
use super::{Peer, Setup, turns};
use anyhow::Result;
use harness::qemu::{DiskKind, scratch_file};
use std::fs::{self, File};

const TARGETS: Targets = Targets { group: "io", usual: Some(Limit::Ratio(1.0)), own: &[], exceptions: &[] };

const DISK_BYTES: u64 = 128 << 20;

/// On the bare machine there is no domU: its disk is the peer of both, and connections are left out.
pub(crate) fn run(setup: &Setup) -> Result<Rows> {
    let mut rows = Rows::new(setup.held_to(TARGETS));
    let body = include_str!("../../../tests/system/src/dom0/bench_io.sh");
    let mut machines = turns::pair(setup, (1536, 640), &["bench_io"], (setup.rounds(5), body))?;
    let mut scratch = Vec::new();
    for (spec, _) in &mut machines {
        for _ in 0..2 {
            let file = scratch_file("disk");
            fs::create_dir_all(harness::paths::scratch())?;
            File::create(&file)?.set_len(DISK_BYTES)?;
            spec.machine.disks.push((DiskKind::VirtioBlk, file.clone()));
            scratch.push(file);
        }
    }
    let played = turns::play(setup, &mut rows, "io", machines);
    for file in scratch {
        fs::remove_file(file)?;
    }
    played?;
    if setup.peer == Peer::Bare {
        rows.rows.retain(|row| !row.peer.is_empty());
    }
    Ok(rows)
}
