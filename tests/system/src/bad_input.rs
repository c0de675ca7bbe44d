// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bad input at boot. Each is answered by one clear line that says what is wrong and what to do, and then the machine
//! restarts, or halts if `noreboot` says so. Real Xen uses other words, so there only the way it ends is compared.

use crate::{log_name, spec};
use anyhow::{Context as _, Result};
use harness::case::{Case, Context, Outcome};
use harness::debian::{self, Series};
use harness::dom0::{Hypervisor, deadline, tail};
use harness::qemu::{Boot, Machine, scratch_file};
use harness::qmp::Shutdown;
use harness::{paths, process};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What is wrong.
#[derive(Clone, Copy)]
enum Bad {
    NoModule,
    NotAKernel,
    NoXenNotes,
    NoDom0Support,
    DamagedPayload,
    InitrdTooLarge,
    KernelTooLarge,
    /// The options alone are.
    Nothing,
}

/// A name, what is wrong, hypervisor options, and words that the one line must have (in any case).
struct Row(&'static str, Bad, &'static str, &'static [&'static str]);

const ROWS: &[Row] = &[
    Row("no-module", Bad::NoModule, "", &["no", "module", "kernel"]),
    Row("not-a-kernel", Bad::NotAKernel, "", &["no kernel", "vmlinuz"]),
    Row("not-a-kernel-noreboot", Bad::NotAKernel, "noreboot", &["no kernel", "vmlinuz"]),
    Row("no-xen-notes", Bad::NoXenNotes, "", &["no xen elf notes", "config_xen_pv"]),
    Row("no-dom0-support", Bad::NoDom0Support, "", &["control domain", "config_xen_pv_dom0"]),
    Row("damaged-payload", Bad::DamagedPayload, "", &["damaged", "copy the file again"]),
    Row("initrd-too-large", Bad::InitrdTooLarge, "dom0_mem=256M", &["need", "initial ram disk", "dom0_mem="]),
    Row("dom0-mem-beyond-ram", Bad::Nothing, "dom0_mem=64G", &["dom0_mem", "mib"]),
    Row("kernel-too-large", Bad::KernelTooLarge, "dom0_mem=32M", &["need", "dom0_mem="]),
];

pub(crate) fn cases() -> Vec<Case> {
    let row = |row: &'static Row| Case::new(format!("bad-input-{}", row.0), |context| refused(context, row)).idles();
    let mut cases: Vec<Case> = ROWS.iter().map(row).collect();
    cases.push(Case::new("bad-input-unknown-option", unknown_option));
    cases.push(Case::new("bad-input-no-console", no_console));
    cases.push(Case::new("bad-input-dom0-crash", dom0_crash).idles());
    cases
}

fn hypervisor_image(context: &Context) -> Result<PathBuf> {
    Ok(match context.hypervisor {
        Hypervisor::Xen => debian::xen()?.plain,
        _ => paths::products().join("xenolith"),
    })
}

fn machine(context: &Context, options: &str, modules: Vec<PathBuf>) -> Result<Machine> {
    let modules = modules.into_iter().map(|file| (file, String::new())).collect();
    let boot = Boot::Kernel { image: hypervisor_image(context)?, cmdline: options.into(), modules };
    let mut machine = Machine::new(boot);
    machine.qemu.clone_from(&context.qemu);
    machine.memory_mib = 1024;
    Ok(machine)
}

/// A test guest's ELF, on which small damages are done.
fn guest_elf() -> Result<Vec<u8>> {
    let file = paths::products().join("guests/abi_version");
    fs::read(&file).with_context(|| format!("no test guest {}: run `cargo xtask build`", file.display()))
}

/// Replaces every `from` by `to`, which is as long.
fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) -> Result<()> {
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, window)| *window == from).map(|(at, _)| at).collect();
    anyhow::ensure!(!places.is_empty(), "the test guest has no bytes {from:02x?} to be damaged");
    for at in places {
        if let Some(place) = bytes.get_mut(at..at + to.len()) {
            place.copy_from_slice(to);
        }
    }
    Ok(())
}

/// The modules that are wrong in that way; all but Debian's files are made anew in the scratch folder.
fn modules(bad: Bad) -> Result<Vec<PathBuf>> {
    let kernel = || debian::kernel(Series::V6_1).map(|kernel| kernel.image);
    let scratch = |bytes: &[u8]| -> Result<PathBuf> {
        let file = scratch_file("bad");
        process::write_atomically(&file, bytes)?;
        Ok(file)
    };
    Ok(match bad {
        Bad::NoModule => Vec::new(),
        Bad::NotAKernel => vec![scratch(&b"This is a letter, not a kernel.\n".repeat(2000))?],
        Bad::NoXenNotes => {
            let mut elf = guest_elf()?;
            replace(&mut elf, b"Xen\0", b"Xyz\0")?;
            vec![scratch(&elf)?]
        }
        Bad::NoDom0Support => {
            let mut elf = guest_elf()?;
            // Note 17, supported features: writable page tables and dom0; the latter goes.
            let note = |features: &[u8; 2]| [b"\x04\0\0\0\x11\0\0\0Xen\0", &features[..]].concat();
            replace(&mut elf, &note(b"\x01\x08"), &note(b"\x01\x00"))?;
            vec![scratch(&elf)?]
        }
        Bad::DamagedPayload => {
            let mut bytes = fs::read(kernel()?)?;
            let middle = bytes.len() / 2;
            bytes.iter_mut().skip(middle).take(4096).for_each(|byte| *byte ^= 0x55);
            vec![scratch(&bytes)?]
        }
        Bad::InitrdTooLarge => {
            let initrd = scratch_file("bad");
            fs::create_dir_all(paths::scratch())?;
            File::create(&initrd)?.set_len(400 << 20)?;
            vec![kernel()?, initrd]
        }
        Bad::KernelTooLarge | Bad::Nothing => vec![kernel()?],
    })
}

fn refused(context: &Context, Row(name, bad, options, words): &Row) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let modules = modules(*bad)?;
    let options = format!("{} {options}", context.hypervisor.console_options());
    let mut running =
        machine(context, &options, modules.clone())?.start(&log_name(context, &format!("bad-input-{name}")))?;
    let halts = options.contains("noreboot");
    // Xen waits five seconds before it restarts; a machine that halts must still be there after longer.
    let ended = if halts {
        let last =
            if context.hypervisor == Hypervisor::Xen { "Manual reset required" } else { "the machine is halted" };
        // If it does not come, the words are missed below.
        let _ = running.console.expect(last, deadline(Duration::from_secs(30)));
        running.wait(Duration::from_secs(8))?
    } else {
        running.wait(Duration::from_secs(120))?
    };
    for file in modules.iter().filter(|file| file.starts_with(paths::scratch())) {
        fs::remove_file(file)?;
    }
    let text = running.console.text();
    let wanted = if halts { None } else { Some(Shutdown::Reset) };
    if ended != wanted {
        return Ok(wrong(&text, &format!("the machine ended by {ended:?}, not by {wanted:?}")));
    }
    if context.hypervisor == Hypervisor::Xenolith && !says(&text, words) {
        return Ok(wrong(&text, &format!("no line of the hypervisor's has the words {words:?}")));
    }
    Ok(Outcome::Pass)
}

/// Whether one line of the hypervisor's has all `words`.
fn says(console: &str, words: &[&str]) -> bool {
    console.lines().filter(|line| line.contains("(XEN)")).any(|line| {
        let line = line.to_lowercase();
        words.iter().all(|word| line.contains(word))
    })
}

fn wrong(console: &str, what: &str) -> Outcome {
    Outcome::Fail(format!("{what}; the console ended with\n{}", tail(console, 25)))
}

/// An unknown option is named and ignored; dom0 boots.
fn unknown_option(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let mut spec = spec(context);
    spec.hv_cmdline = "frobnicate=7".into();
    let done = spec.exec(&log_name(context, "bad-input-unknown-option"), "true", Duration::from_secs(200))?;
    if done.status != Some(0) {
        return Ok(wrong(&done.console, "dom0 did not come up"));
    }
    if context.hypervisor == Hypervisor::Xenolith && !says(&done.console, &["unknown", "frobnicate"]) {
        return Ok(wrong(&done.console, "the hypervisor does not name the unknown option"));
    }
    Ok(Outcome::Pass)
}

/// A console that is not there: what can be shown on the screen is.
fn no_console(context: &Context) -> Result<Outcome> {
    if context.hypervisor != Hypervisor::Xenolith {
        return Ok(Outcome::Skip("Xen says nothing about it".into()));
    }
    let mut machine = machine(context, "console=com2 noreboot", Vec::new())?;
    machine.vga = true;
    let mut running = machine.start(&log_name(context, "bad-input-no-console"))?;
    let until = deadline(Duration::from_secs(60));
    loop {
        let seen = format!("{}\n{}", running.console.text(), running.screen()?);
        let lines: Vec<&str> = seen.lines().filter(|line| line.to_lowercase().contains("console")).collect();
        if lines.iter().any(|line| line.contains("(XEN)") && line.contains("com2")) {
            return Ok(Outcome::Pass);
        }
        if std::time::Instant::now() >= until {
            return Ok(wrong(&seen, "neither screen nor first serial port says that there is no console com2"));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// A dom0 that faults before it can take a fault: registers, page walk and stack are reported as Xen reports them.
fn dom0_crash(context: &Context) -> Result<Outcome> {
    if context.hypervisor == Hypervisor::None {
        return Ok(Outcome::Skip("there is no hypervisor".into()));
    }
    let mut elf = guest_elf()?;
    // The entry of every guest, `cld; mov rdi, rsi; lea rsp, [rip+...]`, becomes `mov al, [0x10]`.
    replace(&mut elf, b"\xfc\x48\x89\xf7\x48\x8d\x25", b"\x8a\x04\x25\x10\x00\x00\x00")?;
    let file = scratch_file("bad");
    process::write_atomically(&file, &elf)?;
    let done = crash_report(context, &file);
    fs::remove_file(&file)?;
    let (text, ended) = done?;
    let report = [
        &["domain 0 (vcpu#0) crashed on cpu#"][..],
        &["rip:"],
        &["rax:", "rbx:", "rcx:"],
        &["cr3:", "cr2: 0000000000000010"],
        &["pagetable walk from 0000000000000010"],
        &["guest stack trace from rsp="],
        &["dom0 crashed"],
    ];
    for words in report {
        if !says(&text, words) {
            return Ok(wrong(&text, &format!("no line of the hypervisor's has the words {words:?}")));
        }
    }
    if ended != Some(Shutdown::Reset) {
        return Ok(wrong(&text, &format!("the machine ended by {ended:?}, not by a reset")));
    }
    Ok(Outcome::Pass)
}

fn crash_report(context: &Context, image: &Path) -> Result<(String, Option<Shutdown>)> {
    let options = format!("{} dom0_mem=128M", context.hypervisor.console_options());
    let machine = machine(context, &options, vec![image.to_owned()])?;
    let mut running = machine.start(&log_name(context, "bad-input-dom0-crash"))?;
    let ended = running.wait(Duration::from_secs(90))?;
    Ok((running.console.text(), ended))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_must_have_all_the_words() {
        let console = "(XEN) the module is no kernel: give a Linux VMLINUZ\nno kernel vmlinuz\n(XEN) vmlinuz\n";
        assert!(says(console, &["no kernel", "vmlinuz"]));
        assert!(!says("(XEN) no kernel\n(XEN) vmlinuz\n", &["no kernel", "vmlinuz"]));
        assert!(!says("no kernel vmlinuz\n", &["no kernel", "vmlinuz"]));
    }
}
