// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's own Xen tools as files for dom0: the toolstacks of Debian 12 and 13, the first of which ours is compared with on real
//! Xen, libvirt on them, and the C clients of xenstore, which must work with our daemon. Taken out of Debian's packages with the libraries they link to.

use crate::debian::{self, Release};
use crate::initramfs::ExtraFile;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What every dynamic program of them needs.
const LIBRARIES: &[&str] = &["libc6", "libgcc-s1", "libxenstore4", "libxentoolcore1"];

/// `xl`, its daemons, what its hot-plug scripts call that busybox has not or has otherwise, and a terminal for its console (`script`).
const TOOLSTACK: &[&str] = &[
    "xen-utils-4.17",
    "xen-utils-common",
    "libxenmisc4.17",
    "libxencall1",
    "libxendevicemodel1",
    "libxenevtchn1",
    "libxenforeignmemory1",
    "libxengnttab1",
    "libxenhypfs1",
    "libxentoollog1",
    "libyajl2",
    "libuuid1",
    "zlib1g",
    "liblzma5",
    "libzstd1",
    "bash",
    "libtinfo6",
    "libncurses6",
    "iproute2",
    "libbpf1",
    "libelf1",
    "libmnl0",
    "libbsd0",
    "libmd0",
    "libcap2",
    "bridge-utils",
    "util-linux",
    "bsdutils",
    "coreutils",
    "libselinux1",
    "libpcre2-8-0",
    "libattr1",
    "libacl1",
    "libgmp10",
];

/// libvirt's daemon with its driver for Xen and no other, `virsh`, and the libraries that they add to those of [`TOOLSTACK`].
const LIBVIRT: &[&str] = &[
    "libvirt-daemon",
    "libvirt-daemon-driver-xen",
    "libvirt-clients",
    "libvirt0",
    "libapparmor1",
    "libaudit1",
    "libblkid1",
    "libbrotli1",
    "libcap-ng0",
    "libcom-err2",
    "libcurl3-gnutls",
    "libffi8",
    "libglib2.0-0",
    "libgnutls30",
    "libgssapi-krb5-2",
    "libhogweed6",
    "libicu72",
    "libidn2-0",
    "libk5crypto3",
    "libkeyutils1",
    "libkrb5-3",
    "libkrb5support0",
    "libldap-2.5-0",
    "libmount1",
    "libnettle8",
    "libnghttp2-14",
    "libnl-3-200",
    "libnuma1",
    "libp11-kit0",
    "libpsl5",
    "libreadline8",
    "librtmp1",
    "libsasl2-2",
    "libssh-4",
    "libssh2-1",
    "libssl3",
    "libstdc++6",
    "libtasn1-6",
    "libtirpc3",
    "libunistring2",
    "libxml2",
];

/// Packages that Debian 13 names otherwise, or has none of, or that want more there.
const IN_TRIXIE: &[(&str, &[&str])] = &[
    ("xen-utils-4.17", &["xen-utils-4.20"]),
    ("libxenmisc4.17", &["libxenmisc4.20"]),
    ("libelf1", &["libelf1t64"]),
    ("bsdutils", &["bsdutils", "libsystemd0"]),
    ("libvirt0", &["libvirt0", "libvirt-common", "libjson-c5"]),
    ("libcurl3-gnutls", &["libcurl3t64-gnutls", "libnghttp3-9", "libngtcp2-16", "libngtcp2-crypto-gnutls8"]),
    ("libglib2.0-0", &["libglib2.0-0t64", "libatomic1"]),
    ("libgnutls30", &["libgnutls30t64"]),
    ("libhogweed6", &["libhogweed6t64"]),
    ("libicu72", &[]),
    ("libldap-2.5-0", &["libldap2"]),
    ("libnettle8", &["libnettle8t64"]),
    ("libpsl5", &["libpsl5t64"]),
    ("libreadline8", &["libreadline8t64"]),
    ("libssh2-1", &["libssh2-1t64"]),
    ("libssl3", &["libssl3t64"]),
    ("libstdc++6", &[]),
    ("libtirpc3", &["libtirpc3t64"]),
    ("libunistring2", &["libunistring5"]),
    ("util-linux", &["util-linux", "libsmartcols1", "mount"]),
];

/// Folders of the packages that no program here opens.
const LEFT_OUT: &[&str] = &[
    "usr/share/",
    "usr/lib/xen-4.17/boot/",
    "usr/lib/xen-4.17/lib/python",
    "usr/lib/xen-4.20/boot/",
    "usr/lib/xen-4.20/lib/python",
    "usr/lib/python3",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/debug/",
    "usr/lib/x86_64-linux-gnu/libvirt/",
    "lib/systemd/",
    "usr/lib/systemd/",
    "boot/",
];

/// What is opened inside of them: libvirt's driver for Xen (the others want more libraries) and the CPUs it knows.
const KEPT: &[&str] =
    &["usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_libxl.so", "usr/share/libvirt/cpu_map/"];

/// The C clients of xenstore-utils.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn store_clients() -> Result<Vec<ExtraFile>> {
    files(Release::Bookworm, &[&["xenstore-utils"], LIBRARIES].concat())
}

/// The whole toolstack of the release's Xen; its programs are in `/usr/lib/xen-VERSION/bin`.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn toolstack(release: Release) -> Result<Vec<ExtraFile>> {
    files(release, &[&["xenstore-utils"], LIBRARIES, TOOLSTACK].concat())
}

/// The release's libvirt on its Xen: [`toolstack`] with `libvirtd` and `virsh`.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn libvirt(release: Release) -> Result<Vec<ExtraFile>> {
    files(release, &[&["xenstore-utils"], LIBRARIES, TOOLSTACK, LIBVIRT].concat())
}

/// The files of `packages`, which are bookworm's names.
fn files(release: Release, packages: &[&str]) -> Result<Vec<ExtraFile>> {
    let packages: Vec<&str> = packages.iter().flat_map(|name| names(release, name)).copied().collect();
    let mut files = Vec::new();
    for root in debian::packages(release, &packages)? {
        collect(&root, &root, &mut files)?;
    }
    Ok(files)
}

/// What `release` has in place of bookworm's package `name`.
fn names<'a>(release: Release, name: &'a &'a str) -> &'a [&'a str] {
    let renamed = IN_TRIXIE.iter().find(|(bookworm, _)| release == Release::Trixie && bookworm == name);
    renamed.map_or(std::slice::from_ref(name), |(_, trixie)| trixie)
}

/// What `path` is in the end; absolute links mean the package's own tree.
fn target_of(root: &Path, path: &Path) -> std::io::Result<PathBuf> {
    if path.is_symlink() {
        let to = fs::read_link(path)?;
        if let Ok(inside) = to.strip_prefix("/") {
            return root.join(inside).canonicalize();
        }
    }
    path.canonicalize()
}

/// Whether no program here opens `inside`, a path in a package.
fn left_out(inside: &str) -> bool {
    let folder = format!("{inside}/");
    let kept = |path: &&str| folder.starts_with(*path) || path.starts_with(&folder) || *path == inside;
    LEFT_OUT.iter().any(|start| folder.starts_with(start)) && !KEPT.iter().any(kept)
}

/// Adds every file below `dir`; a link to a file of the same package becomes that file.
fn collect(root: &Path, dir: &Path, files: &mut Vec<ExtraFile>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let inside = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if left_out(&inside) {
            continue;
        }
        // Links to what other packages' scripts would make lead nowhere, or out of the package.
        let Ok(target) = target_of(root, &path) else { continue };
        if !target.starts_with(root) {
            continue;
        }
        if path.is_symlink() && target.is_dir() {
            continue;
        }
        if target.is_dir() {
            collect(root, &path, files)?;
        } else {
            let mode = fs::metadata(&target)?.permissions().mode() & 0o777;
            files.push((format!("/{inside}"), mode, fs::read(&target)?));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_reached() {
        for path in ["usr/share", "usr/share/libvirt/cpu_map", "usr/share/libvirt/cpu_map/index.xml"] {
            assert!(!left_out(path), "{path}");
        }
        assert!(!left_out("usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_libxl.so"));
        assert!(left_out("usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_network.so"));
        assert!(left_out("usr/share/libvirt/schemas") && left_out("usr/share/doc") && !left_out("usr/bin/virsh"));
    }

    #[test]
    fn releases_have_names_of_their_own() {
        assert_eq!(names(Release::Bookworm, &"libelf1"), ["libelf1"]);
        assert_eq!(names(Release::Trixie, &"libelf1"), ["libelf1t64"]);
        assert_eq!(names(Release::Trixie, &"bash"), ["bash"]);
        let all = [LIBRARIES, TOOLSTACK, LIBVIRT].concat();
        assert!(IN_TRIXIE.iter().all(|(name, _)| all.contains(name)));
    }
}
