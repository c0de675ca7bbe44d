// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Disks: what the configuration says, the file or device behind it, and the store nodes that make one.

use crate::error::{Error, ErrorKind};
use crate::nodes::{self, Dir};
use crate::wait::Deadline;
use hypercalls::ids::DomId;
use rustix::fs::{FileType, OFlags};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A disk as the configuration describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskSpec {
    /// The name in the guest, such as `xvda`.
    pub name: String,
    /// The virtual device number, such as 51712.
    pub number: u32,
    /// The file or block device.
    pub target: PathBuf,
    /// Whether the guest may write.
    pub writable: bool,
    /// Whether it is shown as a CD-ROM drive.
    pub cdrom: bool,
    /// Whether the guest may discard blocks.
    pub discard: bool,
    /// Whether the guest is told that it can trust dom0 with its data.
    pub trusted: bool,
}

/// What stands behind a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file, by the file system's device number and the inode.
    File { device: u64, inode: u64 },
    /// A block device.
    Block { major: u32, minor: u32 },
}

impl Source {
    /// A name for it that all domains with the same source share.
    pub(crate) fn key(self) -> String {
        match self {
            Self::File { device, inode } => format!("file-{device:x}-{inode:x}"),
            Self::Block { major, minor } => format!("block-{major:x}-{minor:x}"),
        }
    }
}

/// A disk whose file or device has been opened and found fit.
#[derive(Debug)]
pub struct Disk {
    pub(crate) spec: DiskSpec,
    pub(crate) file: File,
    pub(crate) source: Source,
    /// The target without links.
    pub(crate) target: PathBuf,
}

/// How long a block device that somebody else holds is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

impl Disk {
    /// Opens what is behind a disk, and checks that it can be one. Nothing is changed.
    ///
    /// # Errors
    /// `Missing`, `NotPermitted`, `Unsuitable` (a directory, an empty file), `InUse` (dom0 has it mounted).
    pub fn open(spec: DiskSpec) -> Result<Self, Error> {
        let name = format!("disk {}", spec.name);
        Self::open_target(spec).map_err(|error| error.of(name))
    }

    fn open_target(spec: DiskSpec) -> Result<Self, Error> {
        let shown = spec.target.display();
        let explain = |error: io::Error| explain(&spec, &error);
        let target = spec.target.canonicalize().map_err(explain)?;
        let kind = target.metadata().map_err(explain)?.file_type();
        let bad = |what: &str| {
            Error::new(ErrorKind::Unsuitable, format!("{shown}: {what}"), "name a file or a block device in 'disk'")
        };
        if kind.is_dir() {
            return Err(bad("Is a directory"));
        }
        if !kind.is_file() && !kind.is_block_device() {
            return Err(bad("neither a file nor a block device"));
        }
        let file = open(&target, kind.is_block_device(), spec.writable).map_err(explain)?;
        // Looked at again through the open file: this is what the guest will get, whatever the name means by then.
        let about = file.metadata().map_err(explain)?;
        let source = match FileType::from_raw_mode(about.mode()) {
            FileType::BlockDevice => {
                let number = about.rdev();
                Source::Block { major: rustix::fs::major(number), minor: rustix::fs::minor(number) }
            }
            _ if about.len() < 512 => {
                let remedy = format!("give it a size: truncate -s 4G {shown}");
                return Err(Error::new(ErrorKind::Unsuitable, format!("{shown}: holds no whole sector"), remedy));
            }
            _ => Source::File { device: about.dev(), inode: about.ino() },
        };
        Ok(Self { file, source, target, spec })
    }

    /// The two directories of the store that make the disk, for a device in dom0 with these numbers.
    pub(crate) fn dirs(&self, domain: DomId, major: u32, minor: u32) -> [Dir; 2] {
        let number = self.spec.number.to_string();
        let (front, back) = (nodes::frontend(domain, "vbd", &number), nodes::backend(domain, "vbd", &number));
        let flag = |on: bool| if on { "1" } else { "0" }.to_owned();
        let kind = if self.spec.cdrom { "cdrom" } else { "disk" };
        let frontend = Dir::of_guest(
            front.clone(),
            domain,
            vec![
                ("backend", back.clone()),
                ("backend-id", "0".into()),
                ("state", nodes::INITIALISING.into()),
                ("virtual-device", number),
                ("device-type", kind.into()),
                ("trusted", flag(self.spec.trusted)),
                ("protocol", "x86_64-abi".into()),
            ],
        );
        let backend = Dir::of_dom0(
            back,
            domain,
            vec![
                ("frontend", front),
                ("frontend-id", domain.raw().to_string()),
                ("online", "1".into()),
                ("removable", flag(self.spec.cdrom)),
                ("bootable", "1".into()),
                ("state", nodes::INITIALISING.into()),
                ("dev", self.spec.name.clone()),
                ("type", "phy".into()),
                ("mode", if self.spec.writable { "w" } else { "r" }.into()),
                ("device-type", kind.into()),
                ("discard-enable", flag(self.spec.discard && self.spec.writable)),
                ("specification", "xen".into()),
                ("params", self.target.display().to_string()),
                // The claim, so that it can be found again for removal.
                ("source", self.source.key()),
                ("physical-device", format!("{major:x}:{minor:x}")),
                ("hotplug-status", "connected".into()),
            ],
        );
        [frontend, backend]
    }
}

/// Opens a file, or a block device after a look whether dom0 itself uses it.
fn open(target: &Path, block: bool, writable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(writable);
    if block && writable {
        // Without O_CREAT, and for block devices only, O_EXCL means: not if it is mounted or part of something mounted.
        let mut exclusive = options.clone();
        exclusive.custom_flags(OFlags::EXCL.bits().cast_signed());
        let deadline = Deadline::after(PATIENCE);
        loop {
            match exclusive.open(target) {
                Ok(_) => break,
                // A parallel creation holds it for the same look: for a moment only, and nothing tells when that is over.
                Err(error)
                    if error.kind() == io::ErrorKind::ResourceBusy
                        && !mounted(target)
                        && !deadline.left().is_zero() =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error),
            }
        }
    }
    options.open(target)
}

/// Whether dom0 has the device mounted, as far as its list of mounts shows.
fn mounted(target: &Path) -> bool {
    let Ok(about) = target.metadata() else { return false };
    let id = format!("{}:{}", rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mounts.lines().any(|line| line.split(' ').nth(2) == Some(&id))
}

fn explain(spec: &DiskSpec, error: &io::Error) -> Error {
    let shown = spec.target.display();
    let (kind, remedy) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::Missing, "create the file or correct 'disk'".to_owned()),
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::NotPermitted, "run it as root, or change the file's mode".to_owned())
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::NotPermitted, "the guest can only have it with access 'r'".to_owned())
        }
        io::ErrorKind::ResourceBusy => {
            (ErrorKind::InUse, format!("dom0 itself uses it: unmount it first (lsblk {shown})"))
        }
        _ => (ErrorKind::System, String::new()),
    };
    Error::new(kind, format!("{shown}: {}", crate::error::reason(error)), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(target: &Path) -> DiskSpec {
        let name = "xvda".to_owned();
        let target = target.to_owned();
        DiskSpec { name, number: 51712, target, writable: true, cdrom: false, discard: true, trusted: true }
    }

    fn failure(target: &Path) -> (ErrorKind, String) {
        let error = Disk::open(spec(target)).unwrap_err();
        (error.kind, error.to_string())
    }

    #[test]
    fn what_can_be_no_disk_is_refused() {
        let dir = std::env::temp_dir();
        assert_eq!(failure(&dir.join("xenolith-no-such-file")).0, ErrorKind::Missing);
        let (kind, text) = failure(&dir);
        assert_eq!(kind, ErrorKind::Unsuitable);
        assert!(text.contains("Is a directory; name a file or a block device in 'disk'"), "{text}");
        assert_eq!(failure(Path::new("/dev/null")).0, ErrorKind::Unsuitable);
        let empty = dir.join(format!("xenolith-empty-{}", std::process::id()));
        File::create(&empty).unwrap();
        let (kind, text) = failure(&empty);
        std::fs::remove_file(&empty).unwrap();
        assert!(kind == ErrorKind::Unsuitable && text.contains("truncate -s"), "{text}");
    }

    #[test]
    fn the_nodes_are_those_xl_writes() {
        let path = std::env::temp_dir().join(format!("xenolith-disk-{}", std::process::id()));
        std::fs::write(&path, [0; 512]).unwrap();
        let disk = Disk::open(spec(&path)).unwrap();
        let [front, back] = disk.dirs(DomId::new(3), 7, 10);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(front.path(), "/local/domain/3/device/vbd/51712");
        assert_eq!(front.get("backend"), Some("/local/domain/0/backend/vbd/3/51712"));
        assert_eq!(back.get("frontend"), Some("/local/domain/3/device/vbd/51712"));
        assert_eq!((back.get("physical-device"), back.get("mode")), (Some("7:a"), Some("w")));
        assert!(back.get("source").unwrap().starts_with("file-"));
    }
}
