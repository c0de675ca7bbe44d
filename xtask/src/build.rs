// SPDX-License-Identifier: MIT OR Apache-2.0
//! Building the hypervisor and the test guests for the bare machine.

use crate::flags::BuildArgs;
use crate::tools;
use anyhow::{Context, Result, bail};
use harness::{paths, process};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask build`.
pub(crate) fn run(arguments: &BuildArgs) -> Result<()> {
    println!("{}", hypervisor()?.display());
    if !arguments.no_guests {
        for guest in guests()? {
            println!("{}", guest.display());
        }
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
    bare(&["-p", "xenolith", "--bin", "xenolith"])?;
    let to = paths::products().join("xenolith");
    place(&release("xenolith"), &to)?;
    Ok(to)
}

/// Builds every test guest; their paths, sorted.
pub(crate) fn guests() -> Result<Vec<PathBuf>> {
    bare(&["-p", "guests", "--bins"])?;
    let dir = paths::products().join("guests");
    let mut built = Vec::new();
    for name in guest_names()? {
        let to = dir.join(&name);
        place(&release(&name), &to)?;
        built.push(to);
    }
    for entry in fs::read_dir(&dir).with_context(|| format!("no test guests in {}", dir.display()))? {
        let path = entry?.path();
        if !built.contains(&path) {
            // Its source has gone.
            fs::remove_file(path)?;
        }
    }
    Ok(built)
}

/// The names of the test guests: one file, one ELF.
pub(crate) fn guest_names() -> Result<Vec<String>> {
    let dir = paths::workspace().join("tests/guests/src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn bare(what: &[&str]) -> Result<()> {
    tools::ensure_target()?;
    let mut command = cargo();
    command.args(["build", "--release", "--target", tools::TARGET]).args(what);
    // Standard output is the caller's.
    command.stdout(std::io::stderr());
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("`{}` failed", process::show(&command));
    }
    Ok(())
}

fn release(name: &str) -> PathBuf {
    paths::cargo_target().join(tools::TARGET).join("release").join(name)
}

/// Copies only what changed, so that a running QEMU's or GRUB's input is not touched without need.
fn place(from: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(from).with_context(|| format!("cargo built no {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    process::write_atomically(to, &bytes)
}
