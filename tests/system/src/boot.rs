// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stock kernels on machines of several shapes come up with every CPU, the right hypervisor and a clean log.

use crate::{dmesg, fail, log_name, spec};
use anyhow::Result;
use harness::case::{Case, Context, Outcome};
use harness::debian::Series;
use harness::dom0::{Hypervisor, KernelChoice, Spec};
use harness::qemu::{Chipset, Firmware};
use std::time::Duration;

#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    firmware: Firmware,
    chipset: Chipset,
    cpus: u32,
    memory_mib: u64,
    grub: bool,
}

const fn shape(name: &'static str, firmware: Firmware, chipset: Chipset, cpus: u32, memory_mib: u64) -> Shape {
    Shape { name, firmware, chipset, cpus, memory_mib, grub: false }
}

const SHAPES: &[Shape] = &[
    shape("bios-pc-1cpu-512m", Firmware::Bios, Chipset::Pc, 1, 512),
    shape("bios-q35-2cpu-2g", Firmware::Bios, Chipset::Q35, 2, 2048),
    shape("uefi-q35-4cpu-6g", Firmware::Uefi, Chipset::Q35, 4, 6144),
    shape("bios-q35-8cpu-2g", Firmware::Bios, Chipset::Q35, 8, 2048),
    Shape { grub: true, ..shape("bios-pc-grub", Firmware::Bios, Chipset::Pc, 2, 1024) },
];

const SCRIPT: &str = r#"
echo "nproc $(nproc)"
echo "type $(cat /sys/hypervisor/type 2>/dev/null)"
cd /sys/hypervisor/version 2>/dev/null && echo "version $(cat major).$(cat minor) $(cat extra)"
[ -d /sys/firmware/efi/efivars ] && echo "efivars $(ls /sys/firmware/efi/efivars | wc -l)"
"#;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for series in [Series::V6_1, Series::V6_12] {
        for shape in SHAPES {
            let name = format!("boot-{}-{}", series.prefix(), shape.name);
            let log = name.clone();
            cases.push(Case::new(name, move |context| boot(context, &log, series, *shape)));
        }
    }
    cases
}

fn machine(context: &Context, series: Series, shape: Shape) -> Spec {
    let mut spec = spec(context);
    spec.kernel = KernelChoice::Debian(series);
    spec.unpacked = false;
    spec.grub = shape.grub;
    spec.machine.firmware = shape.firmware;
    spec.machine.chipset = shape.chipset;
    spec.machine.cpus = shape.cpus;
    spec.machine.memory_mib = shape.memory_mib;
    spec
}

fn boot(context: &Context, name: &str, series: Series, shape: Shape) -> Result<Outcome> {
    let spec = machine(context, series, shape);
    let script = format!("{SCRIPT}{}", dmesg::SCRIPT);
    let done =
        spec.exec(&log_name(context, name), &script, Duration::from_secs(if shape.cpus > 4 { 600 } else { 400 }))?;
    let said = |key: &str| done.output.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    if done.status != Some(0) {
        fail!(done, "the script ended with {:?}", done.status);
    }
    if said("nproc") != Some(&shape.cpus.to_string()) {
        fail!(done, "nproc says {:?}, the machine has {} CPUs", said("nproc"), shape.cpus);
    }
    if shape.firmware == Firmware::Uefi && said("efivars").is_none_or(|count| count == "0") {
        fail!(done, "no EFI variable can be listed");
    }
    let (kind, version) = match context.hypervisor {
        Hypervisor::None => (Some(""), None),
        Hypervisor::Xen => (Some("xen"), Some("4.17 ")),
        Hypervisor::Xenolith => (Some("xen"), Some("4.17 -xenolith")),
    };
    if said("type") != kind {
        fail!(done, "/sys/hypervisor/type says {:?}, not {kind:?}", said("type"));
    }
    if let Some(wanted) = version
        && !said("version").is_some_and(|version| version.starts_with(wanted.trim()))
    {
        fail!(done, "/sys/hypervisor/version says {:?}, not {wanted:?}", said("version"));
    }
    let messages = dmesg::of(&done.output);
    let bad = dmesg::bad(messages);
    if !bad.is_empty() {
        fail!(done, "dmesg has\n{}", bad.join("\n"));
    }
    let errors = dmesg::errors(messages);
    if context.hypervisor != Hypervisor::Xenolith || errors.is_empty() {
        return Ok(Outcome::Pass);
    }
    // How many CPUs there are changes no message but in its numbers.
    let mut like = spec.clone();
    like.unpacked = true;
    like.machine.cpus = like.machine.cpus.min(2);
    let shape = format!("{:?}-{:?}-{}", shape.firmware, shape.chipset, shape.grub).to_lowercase();
    if let Some(known) = dmesg::oracle(context, &shape, &like)? {
        let new: Vec<String> = errors.difference(&known).cloned().collect();
        if !new.is_empty() {
            fail!(done, "dmesg has errors that it has not on Debian's Xen:\n{}", new.join("\n"));
        }
    }
    Ok(Outcome::Pass)
}
