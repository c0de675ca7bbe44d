// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's packages, fetched into a cache under `target/debian` by the host's own apt with a private configuration:
//! the host's sources, lists and package database are neither read nor changed, and no root is needed.

use crate::{paths, process};
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where packages come from, in the form of `sources.list`.
pub(crate) const SOURCES: &str = "\
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-updates main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security bookworm-security main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian bookworm-backports main
";

const TRIXIE_SOURCES: &str = "\
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie-updates main
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian-security trixie-security main
";

/// The Debian that a package is of. Each has its own part of the cache: names are the same, contents are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12, with Xen 4.17.
    Bookworm,
    /// Debian 13, with Xen 4.20.
    Trixie,
}

impl Release {
    fn cache(self) -> PathBuf {
        match self {
            Self::Bookworm => paths::debian(),
            Self::Trixie => paths::debian().join("trixie"),
        }
    }

    fn sources(self) -> &'static str {
        match self {
            Self::Bookworm => SOURCES,
            Self::Trixie => TRIXIE_SOURCES,
        }
    }
}

/// The stock kernels that dom0 is tested with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Series {
    /// bookworm's 6.1.
    V6_1,
    /// bookworm-backports' 6.12.
    V6_12,
}

impl Series {
    /// The version that package versions and releases start with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }
}

/// A Debian kernel, unpacked.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// What `uname -r` says.
    pub release: String,
    /// The bzImage.
    pub image: PathBuf,
    /// The folder that has `lib/modules/<release>`.
    pub root: PathBuf,
}

impl Kernel {
    /// The ELF inside the bzImage, made once. Only of an xz payload, which is what bookworm's 6.1 has.
    ///
    /// # Errors
    /// When the bzImage cannot be read or has no such payload.
    pub fn unpacked(&self) -> Result<PathBuf> {
        let _alone = cache();
        let file = paths::products().join(format!("vmlinux-{}", self.release));
        if file.exists() {
            return Ok(file);
        }
        let image = fs::read(&self.image).with_context(|| format!("cannot read {}", self.image.display()))?;
        let magic = b"\xfd7zXZ\0";
        let start = image.windows(magic.len()).position(|window| window == magic);
        let start = start.with_context(|| format!("{} has no xz payload", self.image.display()))?;
        let packed = file.with_extension("xz");
        process::write_atomically(&packed, image.get(start..).unwrap_or_default())?;
        // What follows the stream in the bzImage is no part of it.
        let unpacked = process::output(Command::new("xz").args(["-dc", "--single-stream"]).arg(&packed))?;
        fs::remove_file(&packed)?;
        process::write_atomically(&file, &unpacked)?;
        Ok(file)
    }
}

/// Debian's Xen, unpacked.
#[derive(Clone, Debug)]
pub struct Xen {
    /// As packaged: gzip, what GRUB loads.
    pub packed: PathBuf,
    /// The ELF inside, what QEMU's `-kernel` loads.
    pub plain: PathBuf,
}

/// The cache's folder, which is there.
pub(crate) fn folder() -> Result<PathBuf> {
    let dir = paths::debian();
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// The cache is filled by one thread at a time.
pub(crate) fn cache() -> MutexGuard<'static, ()> {
    static CACHE: Mutex<()> = Mutex::new(());
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The kernel of `series`, from the cache or from Debian.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn kernel(series: Series) -> Result<Kernel> {
    let _alone = cache();
    let note = paths::debian().join(format!("kernel-{}", series.prefix()));
    let release = match fs::read_to_string(&note) {
        Ok(text) => text.trim().to_owned(),
        Err(_) => resolve_kernel(series)?,
    };
    let package = format!("linux-image-{release}");
    let root = unpacked(&package)?;
    let kernel = Kernel { image: root.join("boot").join(format!("vmlinuz-{release}")), release, root };
    let modules = kernel.root.join("lib/modules").join(&kernel.release);
    if !modules.join("modules.dep").exists() {
        // The package's installation script would do this; it never runs here.
        let depmod = process::find("depmod").context("depmod (package kmod) is missing")?;
        process::output(Command::new(depmod).arg("-b").arg(&kernel.root).arg(&kernel.release))?;
    }
    if !note.exists() {
        process::write_atomically(&note, kernel.release.as_bytes())?;
    }
    Ok(kernel)
}

/// Debian's Xen 4.17: the oracle.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn xen() -> Result<Xen> {
    let _alone = cache();
    let root = unpacked("xen-hypervisor-4.17-amd64")?;
    let packed = root.join("boot/xen-4.17-amd64.gz");
    let plain = root.join("boot/xen-4.17-amd64");
    if !plain.exists() {
        let bytes = process::output(Command::new("gzip").arg("-dc").arg(&packed))?;
        process::write_atomically(&plain, &bytes)?;
    }
    Ok(Xen { packed, plain })
}

/// A static busybox.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn busybox() -> Result<PathBuf> {
    let _alone = cache();
    Ok(unpacked("busybox-static")?.join("bin/busybox"))
}

/// A static e2fsck: dom0 has no libraries.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn static_e2fsck() -> Result<PathBuf> {
    let _alone = cache();
    Ok(unpacked("e2fsck-static")?.join("sbin/e2fsck.static"))
}

/// The folders with `packages` of `release`, whatever they are.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn packages(release: Release, packages: &[&str]) -> Result<Vec<PathBuf>> {
    let _alone = cache();
    let missing: Vec<&str> = packages.iter().copied().filter(|name| !release.cache().join(name).is_dir()).collect();
    fetch(release, &missing)?;
    packages.iter().map(|name| unpacked_of(release, name)).collect()
}

fn unpacked(package: &str) -> Result<PathBuf> {
    unpacked_of(Release::Bookworm, package)
}

/// The folder that `package` was unpacked to, fetching it when the cache has it not.
fn unpacked_of(release: Release, package: &str) -> Result<PathBuf> {
    let dir = release.cache().join(package);
    if dir.is_dir() {
        return Ok(dir);
    }
    fetch(release, &[package])?;
    let file = downloaded(release, package)?.with_context(|| format!("apt fetched no {package}"))?;
    let part = release.cache().join(format!(".{package}.{}.part", std::process::id()));
    let _ = fs::remove_dir_all(&part);
    process::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&part))?;
    match fs::rename(&part, &dir) {
        Ok(()) => Ok(dir),
        // Somebody else unpacked the same package meanwhile.
        Err(_) if dir.is_dir() => fs::remove_dir_all(&part).map(|()| dir).context("cannot clean up"),
        Err(error) => Err(error).with_context(|| format!("cannot make {}", dir.display())),
    }
}

/// Downloads those of `packages` that are not there yet, all at once: apt reads its lists each time.
fn fetch(release: Release, packages: &[&str]) -> Result<()> {
    let dir = archives(release);
    fs::create_dir_all(&dir)?;
    let mut missing = Vec::new();
    for package in packages {
        if downloaded(release, package)?.is_none() {
            missing.push(*package);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    update_lists(release)?;
    eprintln!("xtask: fetching Debian {release:?}'s {}", missing.join(" "));
    process::output(apt(release, "apt-get").current_dir(&dir).arg("download").args(missing)).map(drop)
}

fn archives(release: Release) -> PathBuf {
    release.cache().join("packages")
}

fn downloaded(release: Release, package: &str) -> Result<Option<PathBuf>> {
    let start = format!("{package}_");
    for entry in fs::read_dir(archives(release))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) && name.ends_with(".deb") {
            return Ok(Some(entry.path()));
        }
    }
    Ok(None)
}

/// What `linux-image-amd64` of the series depends on just now.
fn resolve_kernel(series: Series) -> Result<String> {
    update_lists(Release::Bookworm)?;
    let shown = process::text(apt(Release::Bookworm, "apt-cache").args(["show", "linux-image-amd64"]))?;
    let wanted = format!("{}.", series.prefix());
    for stanza in shown.split("\n\n") {
        let field = |name: &str| stanza.lines().find_map(|l| l.strip_prefix(name)).map(str::trim);
        if !field("Version:").is_some_and(|version| version.starts_with(&wanted)) {
            continue;
        }
        let first = field("Depends:").and_then(|d| d.split([' ', ',']).next()).unwrap_or_default();
        if let Some(release) = first.strip_prefix("linux-image-") {
            return Ok(release.to_owned());
        }
    }
    bail!("Debian has no linux-image-amd64 of version {wanted}* any more")
}

fn apt_dir(release: Release) -> PathBuf {
    release.cache().join("apt")
}

fn apt(release: Release, program: &str) -> Command {
    let dir = apt_dir(release);
    let mut command = Command::new(program);
    let settings = [
        ("Dir::Etc::sourcelist", dir.join("sources.list")),
        ("Dir::Etc::sourceparts", dir.join("none")),
        ("Dir::Etc::preferences", dir.join("none")),
        ("Dir::Etc::preferencesparts", dir.join("none")),
        ("Dir::State", dir.join("state")),
        ("Dir::State::status", dir.join("status")),
        ("Dir::Cache", dir.join("cache")),
    ];
    for (name, value) in settings {
        command.arg("-o").arg(format!("{name}={}", value.display()));
    }
    let plain = ["APT::Architecture=amd64", "Acquire::Languages=none", "APT::Sandbox::User=", "Acquire::Retries=3"];
    for setting in plain {
        command.arg("-o").arg(setting);
    }
    command.env("LC_ALL", "C").arg("-q");
    command
}

/// Fetches the package lists once; `target/debian/apt` may be removed to fetch them anew.
fn update_lists(release: Release) -> Result<()> {
    let dir = apt_dir(release);
    let done = dir.join("updated");
    if done.exists() {
        return Ok(());
    }
    eprintln!("xtask: fetching the package lists of Debian's {release:?}");
    for sub in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(dir.join(sub))?;
    }
    fs::write(dir.join("sources.list"), release.sources())?;
    fs::write(dir.join("status"), "")?;
    process::output(apt(release, "apt-get").arg("update"))
        .context("cannot fetch Debian's package lists: is deb.debian.org reachable?")?;
    fs::write(done, "")?;
    Ok(())
}

/// Where a QEMU of this project's own lies, if one was made.
#[must_use]
pub fn private_qemu() -> Option<PathBuf> {
    Some(paths::debian().join("qemu/qemu-system-x86_64")).filter(|path| path.is_file())
}

/// Unpacks bookworm's QEMU with all it needs but libc; for hosts where installing it would clash with what is there.
///
/// # Errors
/// When Debian cannot be reached.
pub fn make_private_qemu() -> Result<PathBuf> {
    update_lists(Release::Bookworm)?;
    let dir = paths::debian().join("qemu");
    let archives = dir.join("archives");
    fs::create_dir_all(archives.join("partial"))?;
    eprintln!("xtask: fetching Debian's QEMU and the libraries that it needs");
    // The private configuration knows no installed package, so everything is fetched and nothing can clash.
    let mut install = apt(Release::Bookworm, "apt-get");
    install.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
    process::output(install.args(["-y", "--download-only", "--no-install-recommends", "install", "qemu-system-x86"]))?;
    let root = dir.join("root");
    for entry in fs::read_dir(&archives)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Program loader and libc must be one pair: the host's.
        if name.ends_with(".deb") && !name.starts_with("libc6_") {
            process::output(Command::new("dpkg-deb").arg("-x").arg(&path).arg(&root))?;
        }
    }
    fs::remove_dir_all(&archives)?;
    let libraries =
        ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"].map(|sub| root.join(sub).display().to_string());
    let program = root.join("usr/bin/qemu-system-x86_64");
    let script = format!("#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n", libraries.join(":"), program.display());
    let wrapper = dir.join("qemu-system-x86_64");
    process::write_atomically(&wrapper, script.as_bytes())?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}
