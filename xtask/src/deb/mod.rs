// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask deb`: Debian packages of the hypervisor and of dom0's tools, and what must hold of them.
#![forbid(unsafe_code)]

mod docs;

use crate::build;
use crate::tools::{self, Need};
use anyhow::{Context, Result, bail};
use harness::{paths, process, toolstack};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The units of the tools, and what of the boot wants each. Whoever does not want one masks it.
const UNITS: &[(&str, &str, &str)] = &[
    ("proc-xen.mount", "sysinit.target", include_str!("../../deb/proc-xen.mount")),
    ("xenstored.service", "multi-user.target", include_str!("../../deb/xenstored.service")),
    ("xenconsoled.service", "multi-user.target", include_str!("../../deb/xenconsoled.service")),
    ("xn-monitor.service", "multi-user.target", include_str!("../../deb/xn-monitor.service")),
];

/// `cargo xtask deb`: builds everything first.
pub(crate) fn run() -> Result<()> {
    build::hypervisor()?;
    build::tools()?;
    for package in packages()? {
        println!("{}", package.display());
    }
    Ok(())
}

/// Makes the packages of what was built, and checks them; their paths.
pub(crate) fn packages() -> Result<[PathBuf; 2]> {
    tools::ensure(&[Need::Iso, Need::Compiler])?;
    let made = [hypervisor()?, tools_package()?];
    check(&made)?;
    Ok(made)
}

/// The image lies where update-grub's 20_linux_xen looks for hypervisors: `/boot/xen*`.
fn hypervisor() -> Result<PathBuf> {
    let tree = Tree::new("xenolith-hypervisor")?;
    let image = tree.path(&image_name());
    fs::create_dir_all(tree.path("boot"))?;
    process::output(Command::new("strip").arg("-o").arg(&image).arg(paths::products().join("xenolith")))?;
    process::output(Command::new("gzip").args(["-9", "-n"]).arg(&image))?;
    fs::set_permissions(tree.path(&format!("{}.gz", image_name())), fs::Permissions::from_mode(0o644))?;
    tree.file("etc/default/grub.d/xenolith.cfg", 0o644, include_str!("../../deb/grub.cfg"))?;
    tree.file("DEBIAN/conffiles", 0o644, "/etc/default/grub.d/xenolith.cfg\n")?;
    let about = include_str!("../../deb/README.Debian");
    tree.file("usr/share/doc/xenolith-hypervisor/README.Debian", 0o644, about)?;
    let script = include_str!("../../deb/update-grub.sh");
    tree.file("DEBIAN/postinst", 0o755, script)?;
    tree.file("DEBIAN/postrm", 0o755, script)?;
    tree.pack(
        "Provides: xen-hypervisor\nRecommends: xenolith-tools | xen-utils-4.17\nSection: kernel\n",
        "small hypervisor with Xen's paravirtual ABI\n \
         GRUB starts it with an unmodified Debian kernel, which becomes the control\n domain. It may be installed \
         beside Xen: GRUB's menu lists both.",
    )
}

/// The path of the image before it is packed.
fn image_name() -> String {
    format!("boot/xenolith-{VERSION}")
}

fn tools_package() -> Result<PathBuf> {
    let tree = Tree::new("xenolith-tools")?;
    for name in toolstack::PROGRAMS {
        let bytes = fs::read(toolstack::programs().join(name)).with_context(|| format!("{name} is not built"))?;
        tree.file(&format!("usr/sbin/{name}"), 0o755, bytes)?;
        let page = docs::man_page(&toolstack::programs().join(name), VERSION)?;
        tree.packed(&format!("usr/share/man/man8/{name}.8"), &page)?;
    }
    for (name, target, text) in UNITS {
        tree.file(&format!("lib/systemd/system/{name}"), 0o644, text)?;
        let wants = tree.path(&format!("lib/systemd/system/{target}.wants/{name}"));
        fs::create_dir_all(wants.parent().context("a link is in a folder")?)?;
        std::os::unix::fs::symlink(format!("../{name}"), wants)?;
    }
    let completion = docs::completion(&toolstack::programs().join("xn"))?;
    tree.file("usr/share/bash-completion/completions/xn", 0o644, completion)?;
    tree.file("etc/xen/xnexample.cfg", 0o644, include_str!("../../deb/example.cfg"))?;
    tree.file("DEBIAN/conffiles", 0o644, "/etc/xen/xnexample.cfg\n")?;
    let script = include_str!("../../deb/reload.sh");
    tree.file("DEBIAN/postinst", 0o755, script)?;
    tree.file("DEBIAN/postrm", 0o755, script)?;
    // Both want the one store and the one daemon of consoles; the C clients of xenstore-utils work with ours.
    tree.pack(
        "Conflicts: xen-utils-common\nReplaces: xen-utils-common\nRecommends: kmod\nSection: admin\n",
        "tools of a Xen control domain\n \
         xn, the command that makes and manages domains, and the daemons xenstored and\n xenconsoled. They run on \
         Xenolith and on Xen, in place of xen-utils.",
    )
}

/// What becomes a package.
struct Tree {
    name: &'static str,
    root: PathBuf,
}

impl Tree {
    /// An empty one.
    fn new(name: &'static str) -> Result<Self> {
        let root = paths::products().join("deb").join(name);
        if root.exists() {
            fs::remove_dir_all(&root)?;
        }
        let tree = Self { name, root };
        let copyright = format!(
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: Xenolith\n\n\
             Files: *\nCopyright: the Xenolith developers\nLicense: Expat or Apache-2.0\n\n\
             License: Apache-2.0\n See /usr/share/common-licenses/Apache-2.0.\n\nLicense: Expat\n{}",
            indented(include_str!("../../../LICENSE-MIT"))
        );
        tree.file(&format!("usr/share/doc/{name}/copyright"), 0o644, copyright)?;
        Ok(tree)
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    fn file(&self, inside: &str, mode: u32, text: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path(inside);
        process::write_atomically(&path, text.as_ref())?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).context("cannot set a file's mode")
    }

    /// The same, with gzip.
    fn packed(&self, inside: &str, text: &str) -> Result<()> {
        self.file(inside, 0o644, text)?;
        process::output(Command::new("gzip").args(["-9", "-n"]).arg(self.path(inside)))?;
        Ok(())
    }

    /// The package; `fields` and `description` are its own.
    fn pack(&self, fields: &str, description: &str) -> Result<PathBuf> {
        let kib = process::text(Command::new("du").args(["-sk", "--apparent-size"]).arg(&self.root))?;
        let kib = kib.split_whitespace().next().unwrap_or("0");
        let control = format!(
            "Package: {}\nVersion: {VERSION}\nArchitecture: amd64\nMaintainer: the Xenolith developers \
             <xenolith@localhost>\nInstalled-Size: {kib}\nPriority: optional\n{fields}Description: {description}\n",
            self.name
        );
        self.file("DEBIAN/control", 0o644, control)?;
        let to = self.root.with_file_name(format!("{}_{VERSION}_amd64.deb", self.name));
        let mut pack = Command::new("dpkg-deb");
        pack.args(["--root-owner-group", "-Zgzip", "-b"]).arg(&self.root).arg(&to);
        // The same files make the same package, whenever that is: the disk image is kept until a package changes.
        process::output(pack.env("SOURCE_DATE_EPOCH", "1735689600"))?;
        Ok(to)
    }
}

/// As a paragraph of a control file.
fn indented(text: &str) -> String {
    let line = |line: &str| if line.trim().is_empty() { " .\n".to_owned() } else { format!(" {line}\n") };
    text.trim_end().lines().map(line).collect()
}

/// What the packages must be: complete, root's, and with an image that GRUB's scripts take for a hypervisor.
fn check([hypervisor, tools]: &[PathBuf; 2]) -> Result<()> {
    let image = paths::products().join(format!("deb/xenolith-hypervisor/{}.gz", image_name()));
    process::output(Command::new("grub-file").arg("--is-x86-multiboot2").arg(&image))
        .context("update-grub would not load the image by multiboot2")?;
    let mut wanted: Vec<String> = vec!["./usr/share/bash-completion/completions/xn".into()];
    wanted.extend(toolstack::PROGRAMS.iter().map(|name| format!("./usr/sbin/{name}")));
    wanted.extend(toolstack::PROGRAMS.iter().map(|name| format!("./usr/share/man/man8/{name}.8.gz")));
    wanted.extend(UNITS.iter().map(|(name, _, _)| format!("./lib/systemd/system/{name}")));
    let boot = [format!("./{}.gz", image_name()), "./etc/default/grub.d/xenolith.cfg".into()];
    check_one(hypervisor, "Provides: xen-hypervisor", &boot)?;
    check_one(tools, "Conflicts: xen-utils-common", &wanted)
}

fn check_one(package: &Path, field: &str, wanted: &[String]) -> Result<()> {
    let about = process::text(Command::new("dpkg-deb").arg("-I").arg(package))?;
    if !about.lines().any(|line| line.trim() == field) {
        bail!("{} does not say `{field}`:\n{about}", package.display());
    }
    let listed = process::text(Command::new("dpkg-deb").arg("-c").arg(package))?;
    for path in wanted {
        let found = listed.lines().find(|line| line.split_whitespace().any(|word| word == path));
        let line = found.with_context(|| format!("{} has no {path}:\n{listed}", package.display()))?;
        if !line.contains("root/root") {
            bail!("{}: {path} is not root's: {line}", package.display());
        }
    }
    Ok(())
}
