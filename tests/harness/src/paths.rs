// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where things live. All products are under the workspace's own `target/`, whatever `CARGO_TARGET_DIR` says, so
//! that documented paths hold; only cargo's intermediate files follow that variable.

use std::path::{Path, PathBuf};

/// The workspace root.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// The workspace's `target/`.
#[must_use]
pub fn target() -> PathBuf {
    workspace().join("target")
}

/// Products: hypervisor, ISO, initramfs images, test guests.
#[must_use]
pub fn products() -> PathBuf {
    target().join("xenolith")
}

/// The cache of Debian packages and what was unpacked from them.
#[must_use]
pub fn debian() -> PathBuf {
    target().join("debian")
}

/// Console logs, one file per boot.
#[must_use]
pub fn logs() -> PathBuf {
    target().join("logs")
}

/// Short-lived files of running machines (firmware variables, sockets, scratch disks).
#[must_use]
pub fn scratch() -> PathBuf {
    target().join("xenolith").join("scratch")
}

/// Where cargo puts what it builds.
#[must_use]
pub fn cargo_target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(target, PathBuf::from)
}
