// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the host must have. What is missing is named, with its reason, and then installed.

use anyhow::{Context, Result, bail};
use harness::{debian, process};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The target that hypervisor and test guests are built for.
pub(crate) const TARGET: &str = "x86_64-unknown-none";

/// What the host's and dom0's programs are built for.
pub(crate) const LINUX: &str = "x86_64-unknown-linux-gnu";

/// Something that a job may need from Debian.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Unpacking Debian's kernels and making an initramfs of them.
    Dom0,
    /// Making disks with Debian installed, domUs' and dom0's.
    Userland,
    /// Making bootable CD images.
    Iso,
    /// UEFI machines.
    Uefi,
    /// Assembling the programs of system tests and linking them statically.
    Compiler,
    /// Compiling C against Xen's public headers, to compare the ABI types with.
    Headers,
}

struct Package {
    name: &'static str,
    need: Need,
    /// It is there if this is: a path, or the name of a program.
    sign: &'static str,
    why: &'static str,
}

const fn package(name: &'static str, need: Need, sign: &'static str, why: &'static str) -> Package {
    Package { name, need, sign, why }
}

const PACKAGES: &[Package] = &[
    package(
        "debian-archive-keyring",
        Need::Dom0,
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "checks Debian's packages",
    ),
    package("kmod", Need::Dom0, "depmod", "finds out which kernel module needs which"),
    package("xz-utils", Need::Dom0, "xz", "unpacks kernel modules"),
    package("mmdebstrap", Need::Userland, "mmdebstrap", "installs Debian into a folder"),
    package("e2fsprogs", Need::Userland, "mkfs.ext4", "makes a file system of that folder"),
    package("fdisk", Need::Userland, "sfdisk", "makes partitions in a disk image"),
    package("fakeroot", Need::Userland, "fakeroot", "lets a plain user pack root's files"),
    package("grub-common", Need::Iso, "grub-mkrescue", "makes the bootable CD image"),
    package("xorriso", Need::Iso, "xorriso", "is what grub-mkrescue writes the image with"),
    package("mtools", Need::Iso, "mformat", "is what grub-mkrescue makes the EFI partition with"),
    package("grub-pc-bin", Need::Iso, "/usr/lib/grub/i386-pc/multiboot2.mod", "GRUB for BIOS"),
    package("grub-efi-amd64-bin", Need::Iso, "/usr/lib/grub/x86_64-efi/multiboot2.mod", "GRUB for UEFI"),
    package("ovmf", Need::Uefi, "/usr/share/OVMF/OVMF_CODE_4M.fd", "is the UEFI firmware"),
    package("gcc", Need::Compiler, "gcc", "assembles programs for dom0, compiles the ABI comparison"),
    package("libc6-dev", Need::Compiler, "/usr/lib/x86_64-linux-gnu/libc.a", "is in static programs for dom0"),
    package("libxen-dev", Need::Headers, "/usr/include/xen/xen.h", "Xen's public headers, for the ABI comparison"),
];

/// Installs those packages for `needs` that are missing, after saying so.
pub(crate) fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<&Package> =
        PACKAGES.iter().filter(|package| needs.contains(&package.need) && !present(package.sign)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing Debian packages that are missing here:");
    for package in &missing {
        eprintln!("    {:24} {}", package.name, package.why);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    apt_install(&names)?;
    match missing.iter().find(|package| !present(package.sign)) {
        Some(package) => bail!("package {} is installed, but {} is still missing", package.name, package.sign),
        None => Ok(()),
    }
}

fn present(sign: &str) -> bool {
    if sign.starts_with('/') { Path::new(sign).exists() } else { process::find(sign).is_some() }
}

/// `apt-get install`, as root or through sudo. Its progress goes to standard error: standard output is for `--exec`.
fn apt_install(packages: &[&str]) -> Result<()> {
    let root = process::text(Command::new("id").arg("-u"))?.trim() == "0";
    if !root && process::find("sudo").is_none() {
        bail!("this needs root, and there is no sudo: run `apt-get install {}` as root", packages.join(" "));
    }
    let apt = |words: &[&str]| -> Result<()> {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        command.args(["-o", "DPkg::Lock::Timeout=300", "-q", "-y"]).args(words);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
        let status = command.status().context("cannot start apt-get: is this Debian?")?;
        if status.success() { Ok(()) } else { bail!("`{}` failed ({status})", process::show(&command)) }
    };
    let mut install = vec!["install", "--no-install-recommends"];
    install.extend(packages);
    // A fresh machine has no package lists, an old one has outdated ones.
    apt(&["update"]).and_then(|()| apt(&install))
}

/// The QEMU to use: `asked`, or the host's, or Debian's, installed or (where it clashes with something) private.
pub(crate) fn qemu(asked: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = asked {
        return path.canonicalize().with_context(|| format!("there is no QEMU {}", path.display()));
    }
    let program = "qemu-system-x86_64";
    if let Some(path) = process::find(program) {
        return Ok(path);
    }
    if let Some(path) = debian::private_qemu() {
        return Ok(path);
    }
    eprintln!("xtask: installing Debian packages that are missing here:");
    eprintln!("    {:24} the machine that everything runs on", "qemu-system-x86");
    match apt_install(&["qemu-system-x86"]) {
        Ok(()) => process::find(program).context("qemu-system-x86 is installed, but the program is not there"),
        Err(error) => {
            eprintln!("xtask: {error:#}");
            eprintln!("xtask: so QEMU is unpacked under target/debian/qemu instead, for this project alone");
            debian::make_private_qemu()
        }
    }
}

/// Adds the bare-metal target to the toolchain.
pub(crate) fn ensure_target() -> Result<()> {
    if target_installed()? {
        return Ok(());
    }
    eprintln!("xtask: adding Rust's target {TARGET}: hypervisor and test guests are built for it");
    let added = Command::new("rustup").args(["target", "add", TARGET]).stdout(std::io::stderr()).status();
    if matches!(added, Ok(status) if status.success()) && target_installed()? {
        return Ok(());
    }
    bail!(
        "the Rust target {TARGET} is missing and rustup could not add it.\n\
         With a toolchain of rustup's: `rustup target add {TARGET}` (needs static.rust-lang.org).\n\
         Debian's own compiler packages (rustc, rustc-web) have no such target and are too old for this project."
    )
}

fn target_installed() -> Result<bool> {
    let dir = process::text(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let dir = PathBuf::from(dir.trim());
    Ok(dir.read_dir().is_ok_and(|mut files| files.next().is_some()))
}
