// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask run`.

use crate::build;
use crate::flags::{Firmware, Hypervisor, RunArgs};
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use harness::debian::Series;
use harness::dom0::Spec;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;
use std::time::Duration;

/// Boots dom0: a shell, or one command.
pub(crate) fn run(arguments: &RunArgs) -> Result<ExitCode> {
    let mut needs = vec![Need::Dom0];
    if arguments.hardware.firmware == Firmware::Uefi {
        needs.extend([Need::Iso, Need::Uefi]);
    } else if arguments.hardware.grub {
        needs.push(Need::Iso);
    }
    // A dom0 of the harness's own making on a hypervisor is a host for domUs.
    let host = arguments.software.hypervisor != Hypervisor::None && arguments.software.initrd.is_none();
    if host {
        needs.push(Need::Userland);
    }
    tools::ensure(&needs)?;
    let mut spec = arguments.software.spec()?;
    spec.machine.qemu = tools::qemu(arguments.hardware.qemu.as_deref())?;
    let scratch = arguments.hardware.apply(&mut spec)?;
    for file in &arguments.add {
        let name = file.file_name().with_context(|| format!("--add {}: not a file", file.display()))?;
        let bytes = fs::read(file).with_context(|| format!("--add {}", file.display()))?;
        let mode = fs::metadata(file)?.permissions().mode() & 0o777;
        spec.files.push((format!("/xt/{}", name.to_string_lossy()), mode, bytes));
    }
    if arguments.software.hypervisor == Hypervisor::Xenolith {
        build::hypervisor()?;
    }
    if host {
        build::tools()?;
        spec.add_toolkit(&[Series::V6_1])?;
    }
    let done = match &arguments.exec {
        Some(script) => exec(arguments, &spec, script),
        None => shell(&spec),
    };
    for file in scratch {
        fs::remove_file(file)?;
    }
    done
}

fn shell(spec: &Spec) -> Result<ExitCode> {
    let (machine, made) = spec.prepare(None)?;
    eprintln!("xtask: starting QEMU; Ctrl-A x ends it, Ctrl-A c is its monitor");
    let status = machine.run_interactively();
    for file in made {
        fs::remove_file(file)?;
    }
    let status = status?;
    if status.success() { Ok(ExitCode::SUCCESS) } else { bail!("QEMU failed ({status})") }
}

fn exec(arguments: &RunArgs, spec: &Spec, script: &str) -> Result<ExitCode> {
    if arguments.software.initrd.is_some() {
        bail!("--exec needs the built initramfs: leave --initrd out");
    }
    let mut stdout = std::io::stdout();
    let dom0 = spec.start(&format!("exec-{}", spec.hypervisor.name()), Some(script))?;
    let mut broken = None;
    let done = dom0.finish(Duration::from_secs(arguments.timeout), |line| {
        if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
            broken.get_or_insert(error);
        }
    })?;
    if arguments.verbose {
        eprint!("{}", done.console);
    }
    if let Some(error) = broken {
        return Err(error).context("cannot write the output");
    }
    if done.shutdown.is_none() {
        eprintln!("xtask: dom0 could not switch the machine off; QEMU was ended (log: {})", done.log.display());
    }
    match done.status {
        Some(status) => Ok(ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))),
        None => bail!(
            "the machine ended before the command did; the console ended with\n{}\n(all of it: {})",
            harness::dom0::tail(&done.console, 25),
            done.log.display()
        ),
    }
}
