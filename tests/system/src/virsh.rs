// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's libvirt, on Debian's libxl: `virsh` makes domains, asks about them, changes and ends them, and is told of it. And
//! Debian 13's tools in dom0, whose Xen is 4.20: Xen 4.17 refuses them, this hypervisor does not.

use crate::{asked, host, log_name, spec};
use anyhow::{Context as _, Result};
use harness::case::{Case, Context, Outcome};
use harness::debian::{self, Release, Series};
use harness::dom0::Hypervisor;
use harness::initramfs::ExtraFile;
use harness::{paths, toolstack, xl};
use std::fs;
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("virsh", |context| virsh(context, "virsh", Release::Bookworm)),
        Case::new("debian13-virsh", |context| match only_here(context) {
            Some(skip) => Ok(skip),
            None => virsh(context, "debian13-virsh", Release::Trixie),
        }),
        Case::new("debian13-xl", |context| match only_here(context) {
            Some(skip) => Ok(skip),
            None => {
                let tools = xl::toolstack(Release::Trixie)?;
                run(context, "debian13-xl", "xl 4.20", tools, include_str!("dom0/debian13_xl.sh"))
            }
        }),
    ]
}

/// Why Debian 13's tools say nothing about Xen 4.17.
fn only_here(context: &Context) -> Option<Outcome> {
    (context.hypervisor != Hypervisor::Xenolith).then(|| Outcome::Skip("Xen 4.17 refuses tools of 4.20".into()))
}

fn virsh(context: &Context, name: &str, release: Release) -> Result<Outcome> {
    if let Some(skip) = host::nobody(context) {
        return Ok(skip);
    }
    let column = if release == Release::Trixie { "virsh 4.20" } else { "virsh 4.17" };
    run(context, name, column, xl::libvirt(release)?, include_str!("dom0/virsh.sh"))
}

/// Runs `script` in a dom0 of Debian's tools. It says of every check whether it held, and at last that this is the end. `column` is
/// the tool's in the table of what tools ask for.
fn run(context: &Context, name: &str, column: &str, tools: Vec<ExtraFile>, script: &str) -> Result<Outcome> {
    let mut spec = spec(context);
    spec.machine.memory_mib = 1408;
    spec.hv_cmdline = "dom0_mem=1024M,max:1024M".into();
    if context.hypervisor == Hypervisor::Xen {
        // libvirt must find the CPU among the models that it knows. Xen takes SYSENTER from AMD's, which QEMU's is, and then
        // none of them is left. Of Intel's it hides its memory from guests, which costs much here and does nothing.
        spec.machine.cpu = "max,-smap,vendor=GenuineIntel";
        spec.hv_cmdline += " xpti=no";
    }
    spec.files = tools;
    spec.files.extend(toolstack::guest(Series::V6_1)?);
    spec.files.push(("/xt/vmlinux".into(), 0o644, fs::read(debian::kernel(Series::V6_1)?.unpacked()?)?));
    let guest = paths::products().join("guests/domu_idle");
    let bytes = fs::read(&guest).with_context(|| format!("no {}: run `cargo xtask build`", guest.display()))?;
    spec.files.push(("/boot/guest/domu_idle".into(), 0o644, bytes));
    spec.files.extend(host::prelude()?);
    let script = format!("{}\n. /xt/prelude\n{script}", include_str!("dom0/xl_start.sh"));
    let done = spec.exec(&log_name(context, name), &script, Duration::from_secs(400))?;
    let wrong = match (host::judge(&done, &["end"]), context.hypervisor) {
        (Outcome::Pass, Hypervisor::Xenolith) => asked::differences(column, &done.output),
        (other, _) => return Ok(other),
    };
    if wrong.is_empty() { Ok(Outcome::Pass) } else { Ok(Outcome::Fail(wrong.join("\n"))) }
}
