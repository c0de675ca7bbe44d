// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domU's disk with Debian's real userland: bookworm's minbase with systemd, udev and networkd, as an ext4 image.
//! Made once by mmdebstrap, without mounting anything and without touching the host, and kept in the cache.
//! The kernel and the initramfs that finds this disk come from dom0 ([`crate::initramfs::domu`]).

use crate::{debian, paths, process};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What minbase lacks for a system that boots, gets an address and can check its file system.
const PACKAGES: &str = "systemd-sysv,udev,iproute2,e2fsprogs";

/// MiB: the packages take 190, the rest is for what tests write.
const SIZE_MIB: u64 = 640;

/// root's password; the README says it too.
const PASSWORD: &str = "xenolith";

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
    let _alone = debian::cache();
    let mut hasher = DefaultHasher::new();
    (PACKAGES, SIZE_MIB, PASSWORD, LEFT_OUT, FILES, LINKS, debian::SOURCES).hash(&mut hasher);
    let file = paths::debian().join(format!("userland-{:016x}.img", hasher.finish()));
    if file.exists() {
        return Ok(file);
    }
    eprintln!("xtask: making a domU's disk with Debian's userland (half a minute)");
    let scratch = paths::scratch().join(format!("userland-{}", std::process::id()));
    let made = make(&scratch, &file);
    // Half a tree of somebody else's ids is of no use either.
    let removed = fs::remove_dir_all(&scratch);
    made?;
    removed.with_context(|| format!("cannot remove {}", scratch.display()))?;
    Ok(file)
}

fn make(scratch: &Path, image: &Path) -> Result<()> {
    let ours = scratch.join("ours");
    for (path, text) in FILES {
        let file = ours.join(path);
        fs::create_dir_all(file.parent().context("a folder")?)?;
        fs::write(file, text)?;
    }
    for (path, to) in LINKS {
        let link = ours.join(path);
        fs::create_dir_all(link.parent().context("a folder")?)?;
        symlink(to, link)?;
    }
    let sources = scratch.join("sources.list");
    fs::write(&sources, debian::SOURCES)?;
    let tar = scratch.join("root.tar");
    let mut mmdebstrap = Command::new("mmdebstrap");
    mmdebstrap.args(["--quiet", "--variant=minbase", &format!("--include={PACKAGES}")]);
    mmdebstrap.arg("--aptopt=APT::Install-Recommends \"false\"");
    for pattern in LEFT_OUT {
        mmdebstrap.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    mmdebstrap.arg(format!("--customize-hook=tar -C '{}' -c . | tar -C \"$1\" -x --no-same-owner", ours.display()));
    mmdebstrap.arg(format!("--customize-hook=echo root:{PASSWORD} | chroot \"$1\" chpasswd"));
    mmdebstrap.arg("bookworm").arg(&tar).arg(&sources);
    process::output(&mut mmdebstrap)?;
    let part = image.with_extension("part");
    File::create(&part)?.set_len(SIZE_MIB << 20)?;
    // Owners and device nodes of the archive need root, or something that feels like it.
    let script = format!(
        "mkdir '{root}' && tar -C '{root}' -xf '{tar}' && '{mkfs}' -q -F -L debian -m 0 -d '{root}' '{part}' && rm -r '{root}'",
        root = scratch.join("root").display(),
        tar = tar.display(),
        mkfs = process::find("mkfs.ext4").context("mkfs.ext4 (package e2fsprogs) is missing")?.display(),
        part = part.display(),
    );
    let root = process::text(Command::new("id").arg("-u"))?.trim() == "0";
    let mut shell = if root { Command::new("sh") } else { Command::new("fakeroot") };
    if !root {
        shell.arg("sh");
    }
    process::output(shell.args(["-c", &script]))?;
    fs::rename(&part, image).with_context(|| format!("cannot write {}", image.display()))
}
