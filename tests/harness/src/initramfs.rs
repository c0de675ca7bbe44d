// SPDX-License-Identifier: MIT OR Apache-2.0
//! Initramfs images: busybox, some of a kernel's modules, and an `/init`. dom0's has the drivers that QEMU's devices need
//! and runs a shell or a script; a Linux domU's has Xen's frontends and does what its kernel command line says.
//! The part that is the same for every boot of a kernel is cached; a script and its files follow as a second archive.

use crate::cpio::Archive;
use crate::debian::{self, Kernel};
use crate::{paths, process};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What an initramfs is made of, besides busybox.
struct Recipe {
    /// The first word of the cached file's name.
    stem: &'static str,
    init: &'static str,
    /// Names of the modules that go in, with all they depend on; those that are built in are silently absent.
    modules: &'static [&'static str],
    /// gzip's level: dom0's image is read by TCG and GRUB, a domU's has to be small in a small domain.
    level: &'static str,
}

const DOM0: Recipe = Recipe { stem: "initrd", init: include_str!("init.sh"), modules: DOM0_MODULES, level: "-1" };

const DOMU: Recipe = Recipe { stem: "domu", init: include_str!("domu-init.sh"), modules: DOMU_MODULES, level: "-9" };

/// A domU's frontends, and the file system of its disks with the checksum that ext4 asks for by algorithm.
const DOMU_MODULES: &[&str] = &["xen-blkfront", "xen-netfront", "ext4", "crc32c_generic"];

const DOM0_MODULES: &[&str] = &[
    // The devices that the system tests use, and file systems.
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_rng",
    "ahci",
    "ata_piix",
    "ata_generic",
    "sd_mod",
    "sr_mod",
    "nvme",
    "e1000",
    "e1000e",
    "ext4",
    "loop",
    "efivarfs",
    "rtc-cmos",
    // Checksums that ext4 asks for by algorithm, not by dependency.
    "crc32c_generic",
    "crc32c-intel",
    "crc32c-cryptoapi",
    // Something harmless to load and unload.
    "dummy",
    // Xen's drivers for a control domain.
    "xenfs",
    "xen-evtchn",
    "xen-privcmd",
    "xen-gntdev",
    "xen-gntalloc",
    "xen-blkback",
    "xen-netback",
    "xen-blkfront",
    "xen-netfront",
    // What connects domains' interfaces.
    "bridge",
];

/// A file for the second archive: path in dom0, permission bits, content.
pub type ExtraFile = (String, u32, Vec<u8>);

/// An initramfs for `kernel` that runs `script` (or a shell), with `files` in it; written to `to`.
///
/// # Errors
/// When the packages it is made of cannot be fetched, or `to` cannot be written.
pub fn write(kernel: &Kernel, script: Option<&str>, files: &[ExtraFile], to: &Path) -> Result<()> {
    let base = base(kernel, &DOM0)?;
    let mut bytes = fs::read(&base).with_context(|| format!("cannot read {}", base.display()))?;
    // The kernel looks for the next archive at a multiple of four.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes.extend(overlay(script, files));
    process::write_atomically(to, &bytes)
}

/// The initramfs of a Linux domU with `kernel`.
///
/// # Errors
/// When the packages it is made of cannot be fetched.
pub fn domu(kernel: &Kernel) -> Result<PathBuf> {
    base(kernel, &DOMU)
}

/// The archive with `script` and `files` alone.
#[must_use]
pub fn overlay(script: Option<&str>, files: &[ExtraFile]) -> Vec<u8> {
    let mut archive = Archive::new();
    let mut made = BTreeSet::new();
    archive.directory("/xt");
    made.insert("/xt".to_owned());
    if let Some(script) = script {
        archive.file("/xt/exec", 0o755, script.as_bytes());
    }
    for (path, mode, content) in files {
        directories(&mut archive, path, &mut made);
        archive.file(path, *mode, content);
    }
    archive.finish()
}

/// The cached part. Its name carries a fingerprint of all that it is made of.
fn base(kernel: &Kernel, recipe: &Recipe) -> Result<PathBuf> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (recipe.init, recipe.modules, recipe.level, &kernel.release).hash(&mut hasher);
    let stem = format!("{}-{}-{:016x}", recipe.stem, kernel.release, hasher.finish());
    let file = paths::products().join("initrd").join(format!("{stem}.gz"));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("xtask: making {}", file.file_name().unwrap_or_default().display());
    let mut archive = Archive::new();
    for dir in ["bin", "sbin", "usr", "usr/bin", "usr/sbin", "proc", "sys", "dev", "tmp", "run", "root", "mnt", "lib"] {
        archive.directory(dir);
    }
    archive.character_device("dev/console", 5, 1);
    archive.file("init", 0o755, recipe.init.as_bytes());
    archive.file("bin/busybox", 0o755, &fs::read(debian::busybox()?)?);
    // The kernel starts this path when it wants a module.
    archive.symlink("sbin/modprobe", "/bin/busybox");
    add_modules(&mut archive, kernel, recipe.modules)?;
    let plain = crate::qemu::scratch_file("cpio");
    process::write_atomically(&plain, &archive.finish())?;
    let packed = process::output(Command::new("gzip").args([recipe.level, "-n", "-c"]).arg(&plain))?;
    process::write_atomically(&file, &packed)?;
    fs::remove_file(&plain)?;
    Ok(file)
}

fn directories(archive: &mut Archive, path: &str, made: &mut BTreeSet<String>) {
    for (at, _) in path.match_indices('/').skip(usize::from(path.starts_with('/'))) {
        let dir = path[..at].to_owned();
        if made.insert(dir.clone()) {
            archive.directory(&dir);
        }
    }
}

/// Copies the wanted modules, unpacked, with the indexes that busybox's modprobe reads cut down to them.
fn add_modules(archive: &mut Archive, kernel: &Kernel, names: &[&str]) -> Result<()> {
    let dir = kernel.root.join("lib/modules").join(&kernel.release);
    let depends = fs::read_to_string(dir.join("modules.dep")).context("no modules.dep: has depmod run?")?;
    let depends: BTreeMap<&str, Vec<&str>> = depends
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| (module, needs.split_whitespace().collect()))
        .collect();
    let by_name: BTreeMap<String, &str> = depends.keys().map(|path| (module_name(path), *path)).collect();
    let mut wanted = BTreeSet::new();
    for name in names {
        if let Some(path) = by_name.get(&name.replace('-', "_")) {
            // modules.dep lists what is needed, directly or not.
            wanted.insert(*path);
            wanted.extend(depends.get(path).into_iter().flatten());
        }
    }
    let root = format!("lib/modules/{}", kernel.release);
    let mut made = BTreeSet::from(["lib".to_owned()]);
    let mut index = String::new();
    for path in &wanted {
        let inside = format!("{root}/{}", unpacked_name(path));
        directories(archive, &inside, &mut made);
        archive.file(&inside, 0o644, &module_bytes(&dir.join(path))?);
        let needs: Vec<&str> = depends.get(path).into_iter().flatten().map(|p| unpacked_name(p)).collect();
        index.push_str(&format!("{}: {}\n", unpacked_name(path), needs.join(" ")));
    }
    archive.file(&format!("{root}/modules.dep"), 0o644, index.as_bytes());
    let names: BTreeSet<String> = wanted.iter().map(|path| module_name(path)).collect();
    for file in ["modules.alias", "modules.symbols"] {
        let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
        let kept: String = text
            .lines()
            .filter(|line| line.rsplit(' ').next().is_some_and(|name| names.contains(&name.replace('-', "_"))))
            .flat_map(|line| [line, "\n"])
            .collect();
        archive.file(&format!("{root}/{file}"), 0o644, kept.as_bytes());
    }
    Ok(())
}

fn unpacked_name(path: &str) -> &str {
    path.strip_suffix(".xz").unwrap_or(path)
}

fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    unpacked_name(file).trim_end_matches(".ko").replace('-', "_")
}

fn module_bytes(path: &Path) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|e| e == "xz") {
        process::output(Command::new("xz").arg("-dc").arg(path))
    } else {
        fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    }
}
