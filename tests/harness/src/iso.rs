// SPDX-License-Identifier: MIT OR Apache-2.0
//! A CD image that boots on BIOS and on UEFI through GRUB, with the menu entry that Debian's `update-grub` would write
//! (`/etc/grub.d/20_linux_xen` for a hypervisor, `10_linux` for none).

use crate::{paths, process};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// GRUB's last words on the serial console, when everything is loaded.
pub const HANDOVER: &str = "GRUB hands over";

/// What a CD image boots.
pub struct Contents<'a> {
    /// The hypervisor and its options; none: Linux alone.
    pub hypervisor: Option<(&'a Path, &'a str)>,
    /// The kernel and its options; a hypervisor without one is a test of bad input.
    pub kernel: Option<(&'a Path, &'a str)>,
    /// The initramfs.
    pub initrd: Option<&'a Path>,
}

/// Writes a bootable image of `contents` to `to`.
///
/// # Errors
/// When GRUB's tools are missing or fail.
pub fn write(contents: &Contents<'_>, to: &Path) -> Result<()> {
    let tree = crate::qemu::scratch_file("iso.d");
    let _ = fs::remove_dir_all(&tree);
    let boot = tree.join("boot");
    fs::create_dir_all(boot.join("grub"))?;
    let place = |file: &Path| -> Result<String> {
        let name = file.file_name().context("a boot file needs a name")?.to_string_lossy().into_owned();
        fs::copy(file, boot.join(&name)).with_context(|| format!("cannot copy {}", file.display()))?;
        Ok(format!("/boot/{name}"))
    };
    let mut entry = String::new();
    let mut line = |text: String| entry.push_str(&format!("    {text}\n"));
    match contents.hypervisor {
        Some((hypervisor, options)) => {
            let hypervisor = place(hypervisor)?;
            line(format!("echo 'Loading {hypervisor} ...'"));
            line("if [ \"$grub_platform\" = \"pc\" -o \"$grub_platform\" = \"\" ]; then".into());
            line("    xen_rm_opts=".into());
            line("else".into());
            line("    xen_rm_opts=\"no-real-mode edd=off\"".into());
            line("fi".into());
            line(format!("multiboot2 {hypervisor} placeholder {} ${{xen_rm_opts}}", grub_words(options)));
            if let Some((kernel, options)) = contents.kernel {
                line(format!("module2 {} placeholder {}", place(kernel)?, grub_words(options)));
            }
            if let Some(initrd) = contents.initrd {
                line(format!("module2 --nounzip {}", place(initrd)?));
            }
        }
        None => {
            if let Some((kernel, options)) = contents.kernel {
                line(format!("linux {} {}", place(kernel)?, grub_words(options)));
            }
            if let Some(initrd) = contents.initrd {
                line(format!("initrd {}", place(initrd)?));
            }
        }
    }
    entry.push_str(&format!("    echo '{HANDOVER}'\n"));
    let menu = format!(
        "serial --unit=0 --speed=115200\nterminal_input serial console\nterminal_output serial console\n\
         set timeout=0\nset timeout_style=hidden\nmenuentry 'Debian GNU/Linux' {{\n{entry}}}\n"
    );
    fs::write(boot.join("grub/grub.cfg"), menu)?;
    let part = to.with_extension("part");
    fs::create_dir_all(to.parent().unwrap_or(&paths::products()))?;
    let made = process::output(Command::new("grub-mkrescue").arg("-o").arg(&part).arg(&tree));
    let _ = fs::remove_dir_all(&tree);
    made.context("cannot make the CD image")?;
    fs::rename(&part, to).with_context(|| format!("cannot write {}", to.display()))
}

/// Protects what GRUB's shell would take for itself.
fn grub_words(options: &str) -> String {
    let mut text = String::new();
    for c in options.chars() {
        if "\\\"'$;&|{}<>#".contains(c) {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// The image that `cargo xtask iso` makes.
#[must_use]
pub fn default_path() -> PathBuf {
    paths::products().join("xenolith.iso")
}
