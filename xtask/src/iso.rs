// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask iso`.

use crate::build;
use crate::flags::{Hypervisor, IsoArgs};
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use harness::iso;
use harness::qemu::Boot;
use std::fs;

/// Makes the bootable image.
pub(crate) fn run(arguments: &IsoArgs) -> Result<()> {
    tools::ensure(&[Need::Dom0, Need::Iso])?;
    if arguments.software.hypervisor == Hypervisor::Xenolith {
        build::hypervisor()?;
    }
    let mut spec = arguments.software.spec()?;
    spec.grub = true;
    let (machine, made) = spec.prepare(None)?;
    let Boot::Cd(image) = machine.boot else { bail!("a CD image was asked for") };
    let to = arguments.output.clone().unwrap_or_else(iso::default_path);
    fs::copy(&image, &to).with_context(|| format!("cannot write {}", to.display()))?;
    for file in made {
        fs::remove_file(file)?;
    }
    println!("{}", to.display());
    Ok(())
}
