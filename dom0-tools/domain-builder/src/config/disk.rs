// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Disks: `disk=["/dev/vg/root,raw,xvda,rw"]`, `"format=raw,vdev=xvda,target=/x"`, `"phy:/dev/vg/root,xvda,w"`.
//!
//! xl-disk-configuration(5) has the rules.

use serde::{Deserialize, Serialize};

use super::error::{Fault, Place, Problem};
use super::piece::Piece;
use super::vdev::Vdev;

/// A virtual disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Absolute path of an image file or a block device.
    pub target: String,
    /// What the guest knows it as.
    pub vdev: Vdev,
    /// The guest cannot write.
    pub read_only: bool,
    /// Shown to the guest as a CD-ROM drive.
    #[serde(default)]
    pub cdrom: bool,
    /// The guest may tell the backend to forget blocks.
    #[serde(default = "yes")]
    pub discard: bool,
    /// The guest is told that it can trust the backend.
    #[serde(default = "yes")]
    pub trusted: bool,
    /// Where it was configured, for messages; not for disks that were attached later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

const fn yes() -> bool {
    true
}

/// Names of parameters that take a value.
const KEYS: [&str; 11] = [
    "target",
    "format",
    "vdev",
    "access",
    "devtype",
    "backend",
    "backendtype",
    "script",
    "specification",
    "discard",
    "trusted",
];
/// Words that stand alone.
const FLAGS: [&str; 6] = ["cdrom", "discard", "no-discard", "trusted", "untrusted", "direct-io-safe"];
/// Positional parameters in their order.
const POSITIONS: [&str; 4] = ["target", "format", "vdev", "access"];
const ACCESS: [&str; 6] = ["ro", "r", "rw", "w", "!", "w!"];
/// Image formats that need a program to read them.
const OTHER_FORMATS: [&str; 5] = ["qcow", "qcow2", "vhd", "qed", "vmdk"];
/// Prefixes of old files that mean nothing any more.
const IGNORED_PREFIXES: [&str; 8] = ["phy:", "file:", "raw:", "tapdisk:", "tap2:", "tap:", "aio:", "ioemu:"];
/// Prefixes of old files that named a script.
const SCRIPT_PREFIXES: [&str; 4] = ["iscsi:", "nbd:", "enbd:", "drbd:"];

/// The parameters as they are found.
#[derive(Default)]
struct Fields {
    target: Option<Piece>,
    format: Option<Piece>,
    vdev: Option<Piece>,
    access: Option<Piece>,
    devtype: Option<Piece>,
    discard: Option<bool>,
    trusted: Option<bool>,
}

impl Disk {
    /// Reads one disk specification.
    pub(crate) fn parse(spec: &Piece) -> Result<Self, Fault> {
        let trimmed = spec.trim_start();
        let fields = match strip_prefixes(&trimmed)? {
            Some(rest) => Fields::deprecated(&rest)?,
            None => Fields::modern(&trimmed)?,
        };
        fields.finish(spec)
    }
}

/// Takes the old prefixes off; `None` if there are none.
fn strip_prefixes(spec: &Piece) -> Result<Option<Piece>, Fault> {
    let mut rest = spec.clone();
    let mut any = false;
    'again: loop {
        for format in OTHER_FORMATS {
            if rest.strip_prefix(format).is_some_and(|after| after.as_str().starts_with(':')) {
                return Err(Fault::new(&rest.slice(0..format.len()), other_format()));
            }
        }
        for prefix in SCRIPT_PREFIXES {
            if rest.as_str().starts_with(prefix) {
                return Err(Fault::new(&rest.slice(0..prefix.len()), script()));
            }
        }
        for prefix in IGNORED_PREFIXES {
            if let Some(after) = rest.strip_prefix(prefix) {
                (rest, any) = (after, true);
                continue 'again;
            }
        }
        return Ok(any.then_some(rest));
    }
}

fn other_format() -> Problem {
    Problem::Refused("use images that need a program to read them; convert it with 'qemu-img convert -O raw'".into())
}

fn script() -> Problem {
    Problem::Refused("have their disks set up by scripts; attach the storage in dom0 and give its block device".into())
}

/// Stores a parameter that was not there yet.
fn fill<T>(slot: &mut Option<T>, value: T, piece: &Piece) -> Result<(), Fault> {
    if slot.replace(value).is_some() { Err(Fault::new(piece, Problem::Repeated)) } else { Ok(()) }
}

impl Fields {
    /// `[target],vdev[:devtype],access`, behind the prefixes.
    fn deprecated(spec: &Piece) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let parts = spec.split(',');
        let [target, vdev, rest @ ..] = parts.as_slice() else {
            return Err(Fault::new(spec, Problem::Malformed("phy:/dev/vg/root,xvda,w")));
        };
        fields.target = Some(target.trim());
        let vdev = vdev.trim();
        match vdev.split_once(':') {
            Some((vdev, devtype)) => (fields.vdev, fields.devtype) = (Some(vdev), Some(devtype)),
            None => fields.vdev = Some(vdev),
        }
        match rest {
            [] => {}
            [access] => fields.access = Some(access.trim()),
            [_, extra, ..] => return Err(Fault::new(extra, Problem::Malformed("phy:/dev/vg/root,xvda,w"))),
        }
        Ok(fields)
    }

    /// Key=value pairs, flags and positional parameters in any mixture.
    fn modern(spec: &Piece) -> Result<Self, Fault> {
        let mut fields = Self::default();
        let mut position = 0;
        let mut rest = Some(spec.clone());
        while let Some(piece) = rest {
            let piece = piece.trim_start();
            // `target=` takes all that follows, commas too.
            if let Some(target) = piece.strip_prefix("target=") {
                if fields.target.as_ref().is_some_and(|old| !old.as_str().is_empty()) {
                    return Err(Fault::new(&piece, Problem::Repeated));
                }
                fields.target = Some(target);
                break;
            }
            let (part, after) = match piece.split_once(',') {
                Some((part, after)) => (part, Some(after)),
                None => (piece, None),
            };
            rest = after;
            fields.part(&part.trim(), &mut position)?;
        }
        Ok(fields)
    }

    fn part(&mut self, part: &Piece, position: &mut usize) -> Result<(), Fault> {
        if let Some((key, value)) = part.split_once('=') {
            return self.named(&key.trim(), &value.trim());
        }
        // The first positional parameter is a path, which may be called as it likes.
        if FLAGS.contains(&part.as_str()) {
            return self.flag(part);
        }
        loop {
            let Some(name) = POSITIONS.get(*position) else {
                return Err(Fault::new(part, Problem::NotOneOf(FLAGS.to_vec())).suggest(FLAGS));
            };
            *position += 1;
            let slot = self.positional(name);
            if slot.is_none() {
                *slot = Some(part.clone());
                return Ok(());
            }
        }
    }

    fn positional(&mut self, name: &str) -> &mut Option<Piece> {
        match name {
            "target" => &mut self.target,
            "format" => &mut self.format,
            "vdev" => &mut self.vdev,
            _ => &mut self.access,
        }
    }

    fn named(&mut self, key: &Piece, value: &Piece) -> Result<(), Fault> {
        match key.as_str() {
            name @ ("format" | "vdev" | "access") => fill(self.positional(name), value.clone(), key),
            "devtype" => fill(&mut self.devtype, value.clone(), key),
            "backendtype" => match value.as_str() {
                "phy" | "" => Ok(()),
                "qdisk" | "standalone" | "tap" => {
                    let what =
                        "have disks served by another program than the kernel's own backend; use backendtype=phy";
                    Err(Fault::new(value, Problem::Refused(what.into())))
                }
                _ => Err(Fault::not_one_of(value, &["phy"])),
            },
            "backend" => own_backend(value),
            "specification" => match value.as_str() {
                "xen" | "" => Ok(()),
                "virtio" => Err(Fault::new(value, Problem::Refused("have virtio disks; use specification=xen".into()))),
                _ => Err(Fault::not_one_of(value, &["xen"])),
            },
            "script" => Err(Fault::new(value, script())),
            name if name.starts_with("colo") || matches!(name, "active-disk" | "hidden-disk") => {
                Err(Fault::new(key, Problem::Refused("have replicated disks".into())))
            }
            _ => Err(Fault::new(key, Problem::NotOneOf(KEYS.to_vec())).suggest(KEYS.into_iter().chain(FLAGS))),
        }
    }

    fn flag(&mut self, flag: &Piece) -> Result<(), Fault> {
        match flag.as_str() {
            "cdrom" => fill(&mut self.devtype, flag.clone(), flag),
            "discard" => fill(&mut self.discard, true, flag),
            "no-discard" => fill(&mut self.discard, false, flag),
            "trusted" => fill(&mut self.trusted, true, flag),
            "untrusted" => fill(&mut self.trusted, false, flag),
            // About a work-around of QEMU's; the kernel's backend does not have it.
            _ => Ok(()),
        }
    }

    fn finish(self, spec: &Piece) -> Result<Disk, Fault> {
        let filled = |piece: Option<Piece>| piece.filter(|piece| !piece.as_str().is_empty());
        match filled(self.format) {
            Some(format) if OTHER_FORMATS.contains(&format.as_str()) => {
                return Err(Fault::new(&format, other_format()));
            }
            Some(format) if format.as_str() != "raw" => return Err(Fault::not_one_of(&format, &["raw"])),
            _ => {}
        }
        let cdrom = match filled(self.devtype) {
            Some(devtype) if devtype.as_str() == "cdrom" => true,
            Some(devtype) if devtype.as_str() == "disk" => false,
            Some(devtype) => return Err(Fault::not_one_of(&devtype, &["cdrom", "disk"])),
            None => false,
        };
        let read_only = match filled(self.access) {
            None => cdrom,
            Some(access) => match access.as_str() {
                "ro" | "r" => true,
                "rw" | "w" => cdrom,
                // What xend called "share this disk, at your own risk".
                "!" | "w!" => {
                    return Err(Fault::new(&access, Problem::Refused("share a writable disk by '!'; use w".into())));
                }
                _ => return Err(Fault::not_one_of(&access, ACCESS.get(..4).unwrap_or_default())),
            },
        };
        let target = filled(self.target).ok_or_else(|| {
            let problem = if cdrom {
                Problem::Refused("have an empty CD-ROM drive; give an image or remove the line".into())
            } else {
                Problem::Missing("target")
            };
            Fault::new(spec, problem)
        })?;
        let vdev = filled(self.vdev).ok_or_else(|| Fault::new(spec, Problem::Missing("vdev")))?;
        Ok(Disk {
            target: path(&target)?,
            vdev: vdev.as_str().parse().map_err(|error| super::vdev::fault(&vdev, error))?,
            read_only,
            cdrom,
            discard: self.discard.unwrap_or(true),
            trusted: self.trusted.unwrap_or(true),
            place: None,
        })
    }
}

/// A path below `/dev` unless it is absolute.
fn path(target: &Piece) -> Result<String, Fault> {
    let text = target.as_str();
    if text.chars().any(char::is_control) {
        return Err(Fault::new(target, Problem::Malformed("a path without control characters")));
    }
    Ok(if text.starts_with('/') { text.to_owned() } else { format!("/dev/{text}") })
}

/// Accepts dom0 as the domain that serves a device, and no other.
pub(crate) fn own_backend(value: &Piece) -> Result<(), Fault> {
    match value.as_str() {
        "" | "0" | "Domain-0" | "dom0" => Ok(()),
        _ => Err(Fault::new(value, Problem::Refused("have devices served by another domain than dom0".into()))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::piece::Mark;
    use super::*;

    fn parse(text: &str) -> Result<Disk, Fault> {
        Disk::parse(&Piece::verbatim(text, Mark { source: 0, offset: 0 }))
    }

    fn same(text: &str, target: &str, vdev: &str, flags: &str) {
        let disk = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let found = format!(
            "{}{}{}{}",
            if disk.read_only { "r" } else { "w" },
            if disk.cdrom { "c" } else { "" },
            if disk.discard { "" } else { "n" },
            if disk.trusted { "" } else { "u" }
        );
        assert_eq!((disk.target.as_str(), disk.vdev.name(), found.as_str()), (target, vdev, flags), "{text}");
    }

    #[test]
    fn the_manuals_examples() {
        for text in [
            "/dev/vg/guest-volume,,hda",
            "/dev/vg/guest-volume,raw,hda,rw",
            "format=raw, vdev=hda, access=rw, target=/dev/vg/guest-volume",
            "raw:/dev/vg/guest-volume,hda,w",
            "vg/guest-volume,,hda",
        ] {
            same(text, "/dev/vg/guest-volume", "hda", "w");
        }
        for text in [
            "/i/image.iso,,hdc,cdrom",
            "/i/image.iso,,hdc,,cdrom",
            "/i/image.iso,raw,hdc,devtype=cdrom",
            "format=raw, vdev=hdc, access=ro, devtype=cdrom, target=/i/image.iso",
            "raw:/i/image.iso,hdc:cdrom,ro",
        ] {
            same(text, "/i/image.iso", "hdc", "rc");
        }
    }

    #[test]
    fn what_xl_takes() {
        same("phy:/dev/vg/x,xvda,w", "/dev/vg/x", "xvda", "w");
        same("file:/x/y.img,sda1,r", "/x/y.img", "sda1", "r");
        same("tap:aio:/x/y.img,hda,w", "/x/y.img", "hda", "w");
        same("format=raw, vdev=xvdaa, access=ro, target=/x/y,z.img ", "/x/y,z.img ", "xvdaa", "r");
        same("/x:y,raw,xvda,w", "/x:y", "xvda", "w");
        same("/x,,xvda,", "/x", "xvda", "w");
        same("/x,raw,xvda,w,discard", "/x", "xvda", "w");
        same("/x,raw,xvda,no-discard,w,untrusted", "/x", "xvda", "wnu");
        same(",raw,xvda,w,target=/a,b", "/a,b", "xvda", "w");
        same("vdev=xvda,/x", "/x", "xvda", "w");
    }

    #[test]
    fn refusals_point_at_the_part() {
        let refused = |text: &str, part: &str, near: Option<&str>| {
            let error = parse(text).unwrap_err().resolve(&[]);
            assert_eq!((error.text.as_str(), error.nearest.as_deref()), (part, near), "{text}: {error}");
        };
        refused("/x,raw", "/x,raw", None);
        refused("/x,raw,xvda,x", "x", Some("r"));
        refused("/x,qcow2,xvda,w", "qcow2", None);
        refused("qcow2:/x,xvda,w", "qcow2", None);
        refused("/x,raww,xvda,w", "raww", Some("raw"));
        refused("/x,raw,xvda,w,foo", "foo", None);
        refused("/x,raw,xvda,w,discrad", "discrad", Some("discard"));
        refused("/x,raw,xvda,w,vdev=xvdb", "vdev", None);
        refused("fromat=raw,vdev=xvda,target=/x", "fromat", Some("format"));
        refused("format=raw,vdev=xvda", "format=raw,vdev=xvda", None);
        refused("/x,raw,xvdA,w", "xvdA", None);
        refused("/x,raw,sdq,w", "sdq", None);
        refused("/x,raw,xvda,w,backend=other", "other", None);
        refused("/x,raw,xvda,w,backendtype=qdisk", "qdisk", None);
        refused("/x,raw,xvda,w,script=block-nbd", "block-nbd", None);
        refused("nbd:127.0.0.1,xvda,w", "nbd:", None);
        refused(",,hdc,cdrom", ",,hdc,cdrom", None);
        refused("phy:/x,raw,xvda,w", "w", None);
        refused("", "", None);
    }
}
