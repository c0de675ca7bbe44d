// SPDX-License-Identifier: MIT OR Apache-2.0
//! A disk with Debian and GRUB, where Xenolith was installed from its packages: what a user's machine is like.
//!
//! Debian is installed once and kept. The packages are installed by a machine that boots from a copy of that disk: GRUB's tools
//! want a real disk under `/`, and so they need neither loop devices nor mounts on the host.

use crate::dom0::{deadline, tail};
use crate::qemu::{self, Boot, DiskKind, Machine};
use crate::qmp::Shutdown;
use crate::rootfs::{self, PASSWORD, Recipe};
use crate::{debian, paths, process};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Debian with systemd, its stock kernel and GRUB; `recommends` are left out.
const RECIPE: Recipe = Recipe {
    packages: "systemd-sysv,udev,kmod,e2fsprogs,dosfstools,linux-image-amd64,grub2-common,grub-pc-bin,grub-efi-amd64-bin",
    left_out: &[
        "/usr/share/man/*",
        "/usr/share/locale/*",
        "/usr/share/doc/*",
        "/usr/share/info/*",
        // Modules for hardware that QEMU has not, or that would only take their time to load.
        "/lib/modules/*/kernel/arch/x86/crypto/*",
        "/lib/modules/*/kernel/sound/*",
        "/lib/modules/*/kernel/drivers/char/*",
        "/lib/modules/*/kernel/drivers/cpufreq/*",
        "/lib/modules/*/kernel/drivers/edac/*",
        "/lib/modules/*/kernel/drivers/gpu/*",
        "/lib/modules/*/kernel/drivers/hid/*",
        "/lib/modules/*/kernel/drivers/hwmon/*",
        "/lib/modules/*/kernel/drivers/i2c/*",
        "/lib/modules/*/kernel/drivers/iio/*",
        "/lib/modules/*/kernel/drivers/infiniband/*",
        "/lib/modules/*/kernel/drivers/input/*",
        "/lib/modules/*/kernel/drivers/media/*",
        "/lib/modules/*/kernel/drivers/net/ethernet/*",
        "/lib/modules/*/kernel/drivers/net/wireless/*",
        "/lib/modules/*/kernel/drivers/platform/*",
        "/lib/modules/*/kernel/drivers/powercap/*",
        "/lib/modules/*/kernel/drivers/staging/*",
        "/lib/modules/*/kernel/drivers/usb/*",
        "/lib/modules/*/kernel/drivers/watchdog/*",
    ],
    // The initramfs is packed on the host, whose hardware says nothing about that of the machine.
    early: &[
        ("etc/initramfs-tools/conf.d/modules", "MODULES=list\n"),
        ("etc/initramfs-tools/modules", "virtio_pci\nvirtio_blk\nahci\nsd_mod\nnvme\next4\n"),
    ],
    files: &[
        ("etc/hostname", "debian\n"),
        ("etc/fstab", "LABEL=debian / ext4 errors=remount-ro 0 1\nLABEL=EFI /boot/efi vfat umask=0077 0 2\n"),
        (
            // For TCG's sake: programs start more quickly when their code lies where it lay and stays translated (norandmaps),
            // and mitigations are indirect jumps, which are slow.
            "etc/default/grub.d/serial.cfg",
            "GRUB_TIMEOUT=1\nGRUB_TERMINAL=serial\nGRUB_SERIAL_COMMAND='serial --unit=0 --speed=115200'\n\
             GRUB_CMDLINE_LINUX='norandmaps mitigations=off'\nGRUB_CMDLINE_LINUX_DEFAULT=console=ttyS0\n\
             GRUB_CMDLINE_LINUX_XEN_REPLACE_DEFAULT=console=hvc0\n\
             GRUB_CMDLINE_XEN='dom0_mem=768M,max:768M com1=115200,8n1 console=com1 loglvl=all guest_loglvl=all'\n",
        ),
    ],
    links: &[],
};

/// In MiB: of the disk, and where its third partition starts, which has the root file system.
const SIZE_MIB: u64 = 800;
const ROOT_MIB: u64 = 34;

/// GRUB's own partition for BIOS, UEFI's with the boot loader, Linux's.
const PARTITIONS: &str = "label: gpt\n\
    start=1MiB, size=1MiB, type=21686148-6449-6E6F-744E-656564454649\n\
    start=2MiB, size=32MiB, type=uefi\n\
    start=34MiB, type=linux\n";

const INSTALL: &str = include_str!("disk-install.sh");

/// The serial number of the disk that files are handed over on: an archive that is the whole disk.
const PARCEL: &str = "parcel";

/// What unpacks a parcel into `/run`.
pub const UNPACK: &str = "tar -C /run -xf /dev/disk/by-id/virtio-parcel";

/// Hands `files` over to `machine`; the path of what is to be removed at its end.
///
/// # Errors
/// When they cannot be packed.
pub fn hand_over(machine: &mut Machine, files: &[(&str, &[u8])]) -> Result<PathBuf> {
    let parcel = qemu::scratch_file("parcel");
    rootfs::scratch(&parcel.file_name().unwrap_or_default().to_string_lossy(), |dir| {
        for (name, bytes) in files {
            fs::write(dir.join(name), bytes)?;
        }
        process::output(Command::new("tar").arg("-C").arg(dir).arg("-cf").arg(&parcel).arg("."))
    })?;
    machine.templates.push((PARCEL.into(), parcel.clone()));
    Ok(parcel)
}

/// The disk with the packages of `cargo xtask deb`, from the cache or made anew.
///
/// # Errors
/// When the packages are not built, Debian cannot be reached, or the installation fails.
pub fn image(qemu: &Path) -> Result<PathBuf> {
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let packages = packages()?;
    let base = base()?;
    let file = base.join(format!("installed-{:016x}.img", fingerprint(&(INSTALL, &packages))));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("xtask: installing Xenolith's packages on a disk with Debian (a minute)");
    for entry in fs::read_dir(&base)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("installed-")) {
            // Of another build; they are large.
            fs::remove_file(path)?;
        }
    }
    let part = base.join("installed.part");
    process::output(Command::new("cp").arg("--sparse=always").arg(base.join("disk.img")).arg(&part))?;
    install(qemu, &base, &part, &packages)?;
    fs::rename(&part, &file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn fingerprint(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The built packages: names and bytes, sorted.
fn packages() -> Result<Vec<(String, Vec<u8>)>> {
    let dir = paths::products().join("deb");
    let mut packages = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("no {}: run `cargo xtask deb`", dir.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".deb") {
            packages.push((name, fs::read(entry.path())?));
        }
    }
    packages.sort();
    Ok(packages)
}

/// The folder with Debian's disk before anything of ours is on it, and its kernel and initramfs.
fn base() -> Result<PathBuf> {
    let made = fingerprint(&(RECIPE, SIZE_MIB, PARTITIONS, PASSWORD, debian::SOURCES));
    let dir = debian::folder()?.join(format!("disk-{made:016x}"));
    if dir.exists() {
        return Ok(dir);
    }
    eprintln!("xtask: making a disk with Debian, its kernel and GRUB (a minute)");
    rootfs::scratch("disk", |scratch| {
        let tar = RECIPE.install(scratch)?;
        let new = scratch.join("new");
        fs::create_dir(&new)?;
        for name in ["vmlinuz", "initrd.img"] {
            let pattern = format!("./boot/{name}-*");
            let bytes = process::output(Command::new("tar").arg("-xOf").arg(&tar).arg("--wildcards").arg(pattern))?;
            fs::write(new.join(name), bytes)?;
        }
        let image = new.join("disk.img");
        File::create(&image)?.set_len(SIZE_MIB << 20)?;
        let table = scratch.join("partitions");
        fs::write(&table, PARTITIONS)?;
        let sfdisk = process::find("sfdisk").context("sfdisk (package fdisk) is missing")?;
        let script = format!("'{}' -q '{}' <'{}'", sfdisk.display(), image.display(), table.display());
        process::output(Command::new("sh").args(["-c", &script]))?;
        // The last MiB has the copy of the table.
        rootfs::format(&tar, &image, "debian", ROOT_MIB, SIZE_MIB - ROOT_MIB - 1)?;
        fs::rename(&new, &dir).with_context(|| format!("cannot make {}", dir.display()))
    })?;
    Ok(dir)
}

/// Boots `disk`, of those in `base`, with [`INSTALL`] in place of init.
fn install(qemu: &Path, base: &Path, disk: &Path, packages: &[(String, Vec<u8>)]) -> Result<()> {
    let mut machine = Machine::new(Boot::Kernel {
        image: base.join("vmlinuz"),
        // The same options as on the disk.
        cmdline: format!(
            "console=ttyS0 root=/dev/vda3 rw mitigations=off norandmaps init=/bin/sh -- -c \
             \"{UNPACK} && sh /run/install; poweroff -ff\""
        ),
        modules: vec![(base.join("initrd.img"), String::new())],
    });
    machine.qemu = qemu.to_owned();
    machine.memory_mib = 512;
    machine.disks.push((DiskKind::VirtioBlk, disk.to_owned()));
    let mut files: Vec<(&str, &[u8])> = vec![("install", INSTALL.as_bytes())];
    files.extend(packages.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let parcel = hand_over(&mut machine, &files)?;
    let mut running = machine.start("disk-install")?;
    let installed = running.console.expect("@installed@", deadline(Duration::from_secs(400)));
    let ended = running.wait(Duration::from_secs(30))?;
    fs::remove_file(parcel)?;
    if installed.is_err() || ended != Some(Shutdown::PowerOff) {
        bail!(
            "installing the packages failed ({installed:?}, {ended:?}); the console ended with\n{}\n(all of it: {})",
            tail(&running.console.text(), 25),
            running.log.display()
        );
    }
    Ok(())
}
