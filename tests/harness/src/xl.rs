// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian's own Xen tools as files for dom0: the toolstack that ours is compared with on real Xen, and the C clients of
//! xenstore, which must work with our daemon. Taken out of Debian's packages with the libraries they link to.

use crate::debian;
use crate::initramfs::ExtraFile;
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What every dynamic program of them needs.
const LIBRARIES: &[&str] = &["libc6", "libgcc-s1", "libxenstore4", "libxentoolcore1"];

/// `xl`, its daemons, and what its hot-plug scripts call that busybox has not or has otherwise.
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
    "coreutils",
    "libselinux1",
    "libpcre2-8-0",
    "libattr1",
    "libacl1",
    "libgmp10",
];

/// Folders of the packages that no program here opens.
const LEFT_OUT: &[&str] = &[
    "usr/share/",
    "usr/lib/xen-4.17/boot/",
    "usr/lib/xen-4.17/lib/python",
    "usr/lib/python3",
    "usr/lib/x86_64-linux-gnu/gconv/",
    "usr/lib/debug/",
    "lib/systemd/",
    "boot/",
];

/// The C clients of xenstore-utils.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn store_clients() -> Result<Vec<ExtraFile>> {
    files(&[&["xenstore-utils"], LIBRARIES].concat())
}

/// The whole toolstack of Debian's Xen 4.17; its programs are in `/usr/lib/xen-4.17/bin`.
///
/// # Errors
/// When Debian cannot be reached and the cache is empty.
pub fn toolstack() -> Result<Vec<ExtraFile>> {
    files(&[&["xenstore-utils"], LIBRARIES, TOOLSTACK].concat())
}

fn files(packages: &[&str]) -> Result<Vec<ExtraFile>> {
    let mut files = Vec::new();
    for package in packages {
        let root = debian::package(package)?;
        collect(&root, &root, &mut files)?;
    }
    Ok(files)
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

/// Adds every file below `dir`; a link to a file of the same package becomes that file.
fn collect(root: &Path, dir: &Path, files: &mut Vec<ExtraFile>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))? {
        let path = entry?.path();
        let inside = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if LEFT_OUT.iter().any(|start| format!("{inside}/").starts_with(start)) {
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
