// SPDX-License-Identifier: MIT OR Apache-2.0
//! Debian installed into a file system, by mmdebstrap and mkfs.ext4, without mounting anything and without touching the host.

use crate::{debian, process};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// root's password in all of them; the README says it too.
pub(crate) const PASSWORD: &str = "xenolith";

/// What is installed; texts and link targets by their paths, without the leading slash.
#[derive(Hash)]
pub(crate) struct Recipe {
    /// Packages besides minbase's, joined by commas.
    pub packages: &'static str,
    /// Patterns of files that are left out of packages.
    pub left_out: &'static [&'static str],
    /// Files that the installation of packages heeds already.
    pub early: &'static [(&'static str, &'static str)],
    /// Files that an administrator would write.
    pub files: &'static [(&'static str, &'static str)],
    /// Links that `systemctl enable` and `mask` would make.
    pub links: &'static [(&'static str, &'static str)],
}

impl Recipe {
    /// Installs it; the archive of all files, in the folder `scratch`.
    pub(crate) fn install(&self, scratch: &Path) -> Result<PathBuf> {
        let [early, ours] = ["early", "ours"].map(|name| scratch.join(name));
        for (root, files) in [(&early, self.early), (&ours, self.files)] {
            fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
            for (path, text) in files {
                fs::write(made(root, path)?, text)?;
            }
        }
        for (path, to) in self.links {
            symlink(to, made(&ours, path)?)?;
        }
        let sources = scratch.join("sources.list");
        fs::write(&sources, debian::SOURCES)?;
        let tar = scratch.join("root.tar");
        let mut mmdebstrap = Command::new("mmdebstrap");
        mmdebstrap.args(["--quiet", "--variant=minbase", &format!("--include={}", self.packages)]);
        mmdebstrap.arg("--aptopt=APT::Install-Recommends \"false\"");
        // What comes of it is packed at once: nothing is lost if the host dies before that.
        mmdebstrap.arg("--dpkgopt=force-unsafe-io");
        for pattern in self.left_out {
            mmdebstrap.arg(format!("--dpkgopt=path-exclude={pattern}"));
        }
        for (hook, root) in [("essential", &early), ("customize", &ours)] {
            let copy = format!("tar -C '{}' -c . | tar -C \"$1\" -x --no-same-owner", root.display());
            mmdebstrap.arg(format!("--{hook}-hook={copy}"));
        }
        mmdebstrap.arg(format!("--customize-hook=echo root:{PASSWORD} | chroot \"$1\" chpasswd"));
        process::output(mmdebstrap.arg("bookworm").arg(&tar).arg(&sources))?;
        Ok(tar)
    }
}

/// The path `inside` of `root`, in a folder that exists.
fn made(root: &Path, inside: &str) -> Result<PathBuf> {
    let path = root.join(inside);
    fs::create_dir_all(path.parent().context("a folder")?)?;
    Ok(path)
}

/// Fills `size_mib` of the file `image`, from `offset_mib`, with an ext4 file system of what is in the archive `tar`.
pub(crate) fn format(tar: &Path, image: &Path, label: &str, offset_mib: u64, size_mib: u64) -> Result<()> {
    // Owners and device nodes of the archive need root, or something that feels like it.
    let script = format!(
        "mkdir '{root}' && tar -C '{root}' -xf '{tar}' && \
         '{mkfs}' -q -F -L {label} -m 0 -E offset={offset} -d '{root}' '{image}' {size_mib}M && rm -r '{root}'",
        root = tar.with_extension("d").display(),
        tar = tar.display(),
        mkfs = process::find("mkfs.ext4").context("mkfs.ext4 (package e2fsprogs) is missing")?.display(),
        offset = offset_mib << 20,
        image = image.display(),
    );
    let root = process::text(Command::new("id").arg("-u"))?.trim() == "0";
    let mut shell = if root { Command::new("sh") } else { Command::new("fakeroot") };
    if !root {
        shell.arg("sh");
    }
    process::output(shell.args(["-c", &script])).map(drop)
}

/// What `make` makes in a folder of its own that is gone afterwards.
pub(crate) fn scratch<T>(name: &str, make: impl FnOnce(&Path) -> Result<T>) -> Result<T> {
    let scratch = crate::paths::scratch().join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let made = make(&scratch);
    // Half a tree of somebody else's ids is of no use either.
    let removed = fs::remove_dir_all(&scratch);
    let made = made?;
    removed.with_context(|| format!("cannot remove {}", scratch.display()))?;
    Ok(made)
}
