// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domU's disk with Debian's real userland: bookworm's minbase with systemd, udev and networkd, as an ext4 image.
//! Made once by mmdebstrap, without mounting anything and without touching the host, and kept in the cache.
//! The kernel and the initramfs that finds this disk come from dom0 ([`crate::initramfs::domu`]).

use crate::debian;
use crate::rootfs::{self, PASSWORD, Recipe};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// What minbase lacks for a system that boots, gets an address and can check its file system.
const PACKAGES: &str = "systemd-sysv,udev,iproute2,e2fsprogs";

/// MiB: the packages take 190, the rest is for what tests write.
const SIZE_MIB: u64 = 640;

/// Of what no domU needs, only man pages and translations are left out of packages.
const LEFT_OUT: &[&str] = &["/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*"];

/// Files that an administrator would write.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "debian\n"),
    ("etc/fstab", "/dev/xvda / ext4 errors=remount-ro 0 0\n"),
    // Of two domUs with one image, only the MAC address tells them apart.
    ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
    (
        "etc/systemd/network/eth0.network",
        "[Match]\nType=ether\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n[DHCPv4]\nClientIdentifier=mac\n",
    ),
    ("etc/issue", "Debian GNU/Linux 12 in a domU, address \\4\n\n"),
    // A shell on the bridge, for the tests alone: without `xt.shell` on the kernel's command line there is none.
    (
        "etc/systemd/system/xt-shell.socket",
        "[Unit]\nConditionKernelCommandLine=xt.shell\n[Socket]\nListenStream=23\nAccept=yes\n\
         [Install]\nWantedBy=sockets.target\n",
    ),
    (
        "etc/systemd/system/xt-shell@.service",
        "[Service]\nExecStart=-/bin/bash\nStandardInput=socket\nStandardOutput=socket\nStandardError=socket\n\
         Environment=HOME=/root\n",
    ),
];

/// Links that `systemctl enable` and `mask` would make.
const LINKS: &[(&str, &str)] = &[
    ("etc/systemd/system/sockets.target.wants/xt-shell.socket", "/etc/systemd/system/xt-shell.socket"),
    (
        "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
        "/lib/systemd/system/systemd-networkd.service",
    ),
    ("etc/systemd/system/sockets.target.wants/systemd-networkd.socket", "/lib/systemd/system/systemd-networkd.socket"),
    // Work that pays on a machine that lives for months, modules and file systems that nothing here uses, terminals that a domU
    // has not.
    ("etc/systemd/system/modprobe@.service", "/dev/null"),
    ("etc/systemd/system/getty-static.service", "/dev/null"),
    ("etc/systemd/system/proc-sys-fs-binfmt_misc.automount", "/dev/null"),
    ("etc/systemd/system/sys-kernel-debug.mount", "/dev/null"),
    ("etc/systemd/system/sys-kernel-tracing.mount", "/dev/null"),
    ("etc/systemd/system/dev-mqueue.mount", "/dev/null"),
    ("etc/systemd/system/systemd-sysusers.service", "/dev/null"),
    ("etc/systemd/system/systemd-journal-flush.service", "/dev/null"),
    ("etc/systemd/system/systemd-update-utmp.service", "/dev/null"),
    ("etc/systemd/system/systemd-random-seed.service", "/dev/null"),
    ("etc/systemd/system/systemd-modules-load.service", "/dev/null"),
    ("etc/systemd/system/apt-daily.timer", "/dev/null"),
    ("etc/systemd/system/apt-daily-upgrade.timer", "/dev/null"),
    ("etc/systemd/system/dpkg-db-backup.timer", "/dev/null"),
    ("etc/systemd/system/e2scrub_all.timer", "/dev/null"),
    ("etc/systemd/system/e2scrub_reap.service", "/dev/null"),
    ("etc/systemd/system/fstrim.timer", "/dev/null"),
];

/// The image, from the cache or made anew.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty, or mmdebstrap or mkfs.ext4 fails.
pub fn image() -> Result<PathBuf> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    // A lock of its own: others need the cache meanwhile.
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hasher = DefaultHasher::new();
    (PACKAGES, SIZE_MIB, PASSWORD, LEFT_OUT, FILES, LINKS, debian::SOURCES).hash(&mut hasher);
    let file = debian::folder()?.join(format!("userland-{:016x}.img", hasher.finish()));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("xtask: making a domU's disk with Debian's userland (half a minute)");
    let recipe = Recipe { packages: PACKAGES, left_out: LEFT_OUT, early: &[], files: FILES, links: LINKS };
    let part = file.with_extension("part");
    rootfs::scratch("userland", |scratch| {
        let tar = recipe.install(scratch)?;
        File::create(&part).with_context(|| format!("cannot make {}", part.display()))?.set_len(SIZE_MIB << 20)?;
        rootfs::format(&tar, &part, "debian", 0, SIZE_MIB)
    })?;
    fs::rename(&part, &file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}
