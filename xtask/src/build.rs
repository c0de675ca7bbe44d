// SPDX-License-Identifier: MIT OR Apache-2.0
//! Building the hypervisor and the test guests for the bare machine.

use crate::flags::BuildArgs;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use harness::{paths, process, toolstack};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask build`.
pub(crate) fn run(arguments: &BuildArgs) -> Result<()> {
    println!("{}", hypervisor()?.display());
    if !arguments.no_guests {
        tools::ensure(&[Need::Compiler])?;
        for guest in guests()? {
            println!("{}", guest.display());
        }
        programs()?;
        tools()?;
    }
    Ok(())
}

/// The cargo that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(paths::workspace());
    command
}

/// Builds the hypervisor; its path.
pub(crate) fn hypervisor() -> Result<PathBuf> {
    bare("release", &["-p", "xenolith", "--bin", "xenolith"])?;
    let to = paths::products().join("xenolith");
    place(&built(tools::TARGET, "release", "xenolith"), &to)?;
    Ok(to)
}

/// Builds a hypervisor that measures how long interrupts are off; its path.
pub(crate) fn hypervisor_with_latency() -> Result<PathBuf> {
    // Other features than the rest, so a folder of its own.
    let dir = paths::cargo_target().join("latency");
    let folder = dir.to_string_lossy();
    bare("release", &["-p", "xenolith", "--bin", "xenolith", "--features", "latency", "--target-dir", &folder])?;
    let to = paths::products().join("xenolith-latency");
    place(&dir.join(tools::TARGET).join("release/xenolith"), &to)?;
    Ok(to)
}

/// Builds every test guest; their paths, sorted.
pub(crate) fn guests() -> Result<Vec<PathBuf>> {
    let names = guest_names()?;
    let dir = paths::products().join("guests");
    // What measures is optimized like the hypervisor.
    for (profile, of_it) in [("release", true), ("quick", false)] {
        let names: Vec<&String> = names.iter().filter(|name| name.starts_with("bench_") == of_it).collect();
        let bins: Vec<&str> = names.iter().flat_map(|name| ["--bin", name.as_str()]).collect();
        bare(profile, &[&["-p", "guests"], bins.as_slice()].concat())?;
        for name in names {
            place(&built(tools::TARGET, profile, name), &dir.join(name))?;
        }
    }
    let guests: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
    for entry in fs::read_dir(&dir).with_context(|| format!("no test guests in {}", dir.display()))? {
        let path = entry?.path();
        if !guests.contains(&path) {
            // Its source has gone.
            fs::remove_file(path)?;
        }
    }
    Ok(guests)
}

/// Builds the programs that system tests run in dom0: static, so that busybox is all the company they need.
pub(crate) fn programs() -> Result<()> {
    let source = paths::workspace().join("tests/system/programs");
    let to = paths::products().join("programs");
    let names = sources(&source.join("src/bin"), "rs")?;
    // AVX2 because one of them is about vector registers.
    linux(&["-p", "dom0-programs", "--bins"], "+crt-static,+avx,+avx2", "", &names, &to)?;
    for name in sources(&source.join("asm"), "S")? {
        let mut gcc = Command::new("gcc");
        gcc.arg(if name == "calls32" { "-m32" } else { "-m64" });
        gcc.args(["-nostdlib", "-static", "-no-pie", "-o"]).arg(to.join(&name));
        process::output(gcc.arg(source.join("asm").join(format!("{name}.S"))))?;
    }
    Ok(())
}

/// Builds dom0's tools: static, so that they drop into any dom0.
pub(crate) fn tools() -> Result<()> {
    let names: Vec<String> = toolstack::PROGRAMS.iter().map(|name| (*name).to_owned()).collect();
    let what: Vec<&str> = toolstack::PROGRAMS.iter().flat_map(|name| ["-p", *name, "--bin", *name]).collect();
    // Linked to fixed addresses: nothing has to be relocated at each start, and QEMU keeps what it has translated of a program.
    linux(&what, "+crt-static", "-C relocation-model=static", &names, &toolstack::programs())
}

/// Builds programs for dom0's Linux and puts those of `names` into the folder `to`.
fn linux(what: &[&str], features: &str, flags: &str, names: &[String], to: &Path) -> Result<()> {
    // A gcc to link with and a static libc.
    tools::ensure(&[Need::Compiler])?;
    let mut command = cargo();
    command.args(["build", "--quiet", "--profile", "quick", "--target", tools::LINUX]).args(what);
    command.env("RUSTFLAGS", format!("-C target-feature={features} {flags} -C strip=symbols"));
    run_cargo(command)?;
    fs::create_dir_all(to)?;
    names.iter().try_for_each(|name| place(&built(tools::LINUX, "quick", name), &to.join(name)))
}

/// The names of the test guests: one file, one ELF.
pub(crate) fn guest_names() -> Result<Vec<String>> {
    sources(&paths::workspace().join("tests/guests/src/bin"), "rs")
}

/// Whether the guest of that name is a test; others are domUs of the system tests, or measure.
pub(crate) fn is_test(name: &str) -> bool {
    !name.starts_with("domu_") && !name.starts_with("bench_")
}

/// The stems of the files in `dir` that end so, sorted.
fn sources(dir: &Path, extension: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn bare(profile: &str, what: &[&str]) -> Result<()> {
    tools::ensure_target()?;
    let mut command = cargo();
    command.args(["build", "--profile", profile, "--target", tools::TARGET]).args(what);
    run_cargo(command)
}

fn run_cargo(mut command: Command) -> Result<()> {
    // Standard output is the caller's.
    command.stdout(std::io::stderr());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("`{}` failed", process::show(&command));
    }
    Ok(())
}

fn built(target: &str, profile: &str, name: &str) -> PathBuf {
    paths::cargo_target().join(target).join(profile).join(name)
}

/// Copies only what changed, so that a running QEMU's or GRUB's input is not touched without need.
fn place(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cargo built no {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    process::write_atomically(to, &bytes)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).context("cannot make it executable")
}
