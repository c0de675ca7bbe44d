// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a user's machine does: Debian's disk with the packages of `cargo xtask deb` starts, by the entry that update-grub wrote,
//! on BIOS and on UEFI, into a Debian with nothing failed, whose tools work.

use crate::{fail, host, log_name};
use anyhow::{Context as _, Result};
use harness::case::{Case, Context, Outcome};
use harness::dom0::{Dom0, Hypervisor, deadline, tail};
use harness::qemu::{Boot, Chipset, Firmware, Machine};
use harness::qmp::Shutdown;
use harness::{disk, paths};
use std::fs;
use std::time::Duration;

const WANTED: &[&str] = &[
    "running",
    "nothing-failed",
    "type",
    "extra",
    "firmware",
    "entry",
    "xenstored",
    "xenconsoled",
    "xn-monitor",
    "dom0-listed",
    "create",
    "guest",
    "destroy",
];

pub(crate) fn cases() -> Vec<Case> {
    let shapes = [("bios-pc", Firmware::Bios, Chipset::Pc), ("uefi-q35", Firmware::Uefi, Chipset::Q35)];
    let case = |(shape, firmware, chipset)| {
        let name = format!("disk-image-{shape}");
        Case::new(name.clone(), move |context| boot(context, &name, firmware, chipset))
    };
    shapes.into_iter().map(case).collect()
}

fn boot(context: &Context, name: &str, firmware: Firmware, chipset: Chipset) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith {
        return Ok(Outcome::Skip("what is on the disk is Xenolith".into()));
    }
    let mut machine = Machine::new(Boot::Disk(disk::image(&context.qemu)?));
    machine.qemu.clone_from(&context.qemu);
    machine.firmware = firmware;
    machine.chipset = chipset;
    machine.cpus = 2;
    machine.one_thread = !context.long;
    machine.memory_mib = 1536;
    let guest = paths::products().join("guests/domu_idle");
    let guest = fs::read(&guest).with_context(|| format!("no {}: run `cargo xtask build`", guest.display()))?;
    let wanted = if firmware == Firmware::Uefi { "uefi" } else { "bios" };
    let script = format!("wanted={wanted}\n{}", include_str!("dom0/disk_image.sh"));
    let parcel = disk::hand_over(
        &mut machine,
        &[("prelude", host::PRELUDE.as_bytes()), ("check", script.as_bytes()), ("domu_idle", &guest)],
    )?;
    let mut dom0 = Dom0::of(machine.start(&log_name(context, name))?, vec![parcel]);
    let run = format!("{} && sh /run/check\n", disk::UNPACK);
    // What must be seen, and what is then typed. Echoes of what is typed must not match.
    let dialogue = [
        ("Loading Xen xenolith-", ""),
        ("debian login:", "root\n"),
        ("Password:", "xenolith\n"),
        ("root@debian:", run.as_str()),
    ];
    for (said, typed) in dialogue {
        if let Err(silence) = dom0.running.console.expect(said, deadline(Duration::from_secs(240))) {
            let (text, log) = (tail(&dom0.running.console.text(), 25), dom0.running.log.display());
            return Ok(Outcome::Fail(format!(
                "there is no '{said}' ({silence:?}); the console ended with\n{text}\n(all of it: {log})"
            )));
        }
        dom0.running.send(typed)?;
    }
    // The script tells no status: what ends its output is the machine's end, and Debian takes its time to get there.
    let done = dom0.finish(Duration::from_secs(500), |_| {})?;
    if done.shutdown != Some(Shutdown::PowerOff) {
        fail!(done, "Debian did not switch the machine off: {:?}", done.shutdown);
    }
    Ok(host::judge(&done, WANTED))
}
