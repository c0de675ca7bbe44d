// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! From settings to a configuration: what each option means.

use std::path::PathBuf;

use super::action::Action;
use super::cpus::{Affinity, CpuList};
use super::disk::Disk;
use super::error::{Fault, Problem, Warning, place_of, shorten};
use super::keys::{self, Standing};
use super::number;
use super::piece::{Mark, Piece};
use super::source::Source;
use super::syntax::{Operator, Setting, Value};
use super::vif::Vif;
use super::{Config, Places};

/// Memory of a guest whose file does not say, in MiB, as with `xl`.
const DEFAULT_MEMORY_MIB: u64 = 32;
/// No guest has more memory than x86-64 can address, in MiB.
const MAX_MEMORY_MIB: u64 = 64 << 20;
/// Most vCPUs of a PV guest.
const MAX_VCPUS: u64 = 128;
/// Most event channels of the FIFO ABI.
const MAX_EVENT_CHANNELS: u64 = 131_071;
/// Longest kernel command line, in bytes (`MAX_GUEST_CMDLINE` less its NUL).
const MAX_CMDLINE: usize = 1023;
/// Longest name, so that logs and store paths with it stay valid.
const MAX_NAME: usize = 200;

/// An option with its final value.
struct Entry {
    name: Piece,
    value: Value,
}

/// The options of all sources.
pub(crate) struct Options<'a> {
    sources: &'a [Source<'a>],
    entries: Vec<Entry>,
    warnings: Vec<Warning>,
}

impl<'a> Options<'a> {
    /// Puts settings together, later ones over earlier ones.
    pub(crate) fn new(sources: &'a [Source<'a>], settings: Vec<Setting>) -> Result<Self, Fault> {
        let mut entries: Vec<Entry> = Vec::new();
        for Setting { name, operator, value } in settings {
            let old = entries.iter_mut().find(|entry| entry.name.as_str() == name.as_str());
            match (old, operator) {
                (None, _) => entries.push(Entry { name, value }),
                (Some(old), Operator::Set) => *old = Entry { name, value },
                (Some(old), Operator::Add) => add(&name, &mut old.value, value)?,
            }
        }
        Ok(Self { sources, entries, warnings: Vec::new() })
    }

    /// What the options mean, and what to tell the user.
    pub(crate) fn interpret(mut self) -> Result<(Config, Vec<Warning>), Fault> {
        self.check_standing()?;
        self.check_type()?;
        let name = self.name()?;
        let kernel = self.path("kernel")?.ok_or_else(|| self.missing("kernel"))?;
        let (memory_mib, maxmem_mib) = self.memory()?;
        let (vcpus, maxvcpus) = self.vcpus()?;
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let narrower = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
        let config = Config {
            name,
            uuid: self.uuid()?,
            memory_mib,
            maxmem_mib,
            vcpus,
            maxvcpus,
            cpus: self.affinity("cpus")?,
            cpus_soft: self.affinity("cpus_soft")?,
            cpu_weight: self.number("cpu_weight", 1, 65535)?.map(narrower),
            cap: self.number("cap", 0, 65535)?.map(narrower),
            kernel,
            ramdisk: self.path("ramdisk")?,
            cmdline: self.cmdline()?,
            disks: self.disks()?,
            vifs: self.vifs()?,
            on_poweroff: self.action("on_poweroff")?.unwrap_or(Action::Destroy),
            on_reboot: self.action("on_reboot")?.unwrap_or(Action::Restart),
            on_crash: self.action("on_crash")?.unwrap_or(Action::Destroy),
            on_watchdog: self.action("on_watchdog")?.unwrap_or(Action::Destroy),
            max_grant_frames: self.number("max_grant_frames", 1, 65535)?.map(narrow),
            max_maptrack_frames: self.number("max_maptrack_frames", 0, 65535)?.map(narrow),
            max_grant_version: self.number("max_grant_version", 1, 2)?.map(narrow),
            max_event_channels: self.number("max_event_channels", 1, MAX_EVENT_CHANNELS)?.map(narrow),
            places: self.places(),
        };
        Ok((config, self.warnings))
    }

    fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name.as_str() == name)
    }

    fn warn(&mut self, piece: &Piece, message: impl Into<String>) {
        let place = place_of(piece.start(), self.sources);
        self.warnings.push(Warning { place, text: shorten(piece.as_str()), message: message.into() });
    }

    /// The fault of an option that is not there; it shows the end of the first source.
    fn missing(&self, option: &'static str) -> Fault {
        let end = self.sources.first().map_or(0, |source| source.text.len());
        Fault::at(Mark { source: 0, offset: end }, "", Problem::Missing(option))
    }

    /// Looks at all options before any value, so that a misspelt one is named and not what is missing for it.
    fn check_standing(&mut self) -> Result<(), Fault> {
        let mut ignored = Vec::new();
        for entry in &self.entries {
            match keys::standing(entry.name.as_str()) {
                Standing::Known => {}
                Standing::Ignored(why) => ignored.push((entry.name.clone(), why)),
                Standing::Refused(_) if says_no(entry.name.as_str(), &entry.value) => {}
                Standing::Refused(what) => return Err(Fault::new(&entry.name, Problem::Refused(what.into()))),
                Standing::Unknown => {
                    return Err(Fault::new(&entry.name, Problem::UnknownOption).suggest(keys::names()));
                }
            }
        }
        for (name, why) in ignored {
            self.warn(&name, format!("ignored: {why}"));
        }
        Ok(())
    }

    fn check_type(&self) -> Result<(), Fault> {
        for (option, own, others) in
            [("type", ["pv", "pv"], ["hvm", "pvh"]), ("builder", ["generic", "linux"], ["hvm", "pvh"])]
        {
            let Some(kind) = self.text(option)? else { continue };
            if others.contains(&kind.as_str()) {
                let what = format!("be of type {}; only type=\"pv\" runs here", kind.as_str());
                return Err(Fault::new(&kind, Problem::Refused(what)));
            }
            if !own.contains(&kind.as_str()) {
                return Err(Fault::not_one_of(&kind, own.get(..1).unwrap_or_default()));
            }
        }
        Ok(())
    }

    /// The text of an option; numbers are text too.
    fn text(&self, name: &str) -> Result<Option<Piece>, Fault> {
        self.find(name).map(|entry| text_of(&entry.value)).transpose()
    }

    fn number(&self, name: &str, least: u64, greatest: u64) -> Result<Option<u64>, Fault> {
        let Some(entry) = self.find(name) else { return Ok(None) };
        match &entry.value {
            Value::Text(piece) | Value::Number(piece) => number::within(piece, least, greatest).map(Some),
            Value::List(_, start) => Err(Fault::at(*start, "[", Problem::WrongKind("a number"))),
        }
    }

    /// The texts of a list, with its own place.
    fn texts(&self, name: &str) -> Result<Vec<Piece>, Fault> {
        let Some(entry) = self.find(name) else { return Ok(Vec::new()) };
        match &entry.value {
            Value::List(values, _) => values.iter().map(text_of).collect(),
            Value::Text(piece) | Value::Number(piece) => {
                Err(Fault::new(piece, Problem::WrongKind("a list: [\"...\", \"...\"]")))
            }
        }
    }

    fn name(&mut self) -> Result<String, Fault> {
        let name = self.text("name")?.ok_or_else(|| self.missing("name"))?;
        let text = name.as_str().to_owned();
        let valid = !matches!(text.as_str(), "" | "." | "..")
            && text.len() <= MAX_NAME
            && !text.chars().any(|c| c == '/' || c.is_control());
        if !valid {
            let form = "1 to 200 bytes without '/' and control characters";
            let entry = self.find("name").map_or(&name, |entry| if text.is_empty() { &entry.name } else { &name });
            return Err(Fault::new(entry, Problem::Malformed(form)));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.warn(&name, "commands will take this name for a domain's number");
        }
        Ok(text)
    }

    fn uuid(&self) -> Result<Option<super::Uuid>, Fault> {
        let Some(piece) = self.text("uuid")? else { return Ok(None) };
        let form = "01234567-89ab-cdef-0123-456789abcdef";
        piece.as_str().parse().map(Some).map_err(|_| Fault::new(&piece, Problem::Malformed(form)))
    }

    /// The absolute path an option holds; none if it is empty.
    fn path(&self, name: &str) -> Result<Option<PathBuf>, Fault> {
        match self.text(name)? {
            None => Ok(None),
            Some(piece) if piece.as_str().is_empty() => Ok(None),
            Some(piece) if piece.as_str().starts_with('/') && !piece.as_str().contains('\0') => {
                Ok(Some(PathBuf::from(piece.as_str())))
            }
            // It would mean another file after a reboot of the guest, which runs in another folder.
            Some(piece) => Err(Fault::new(&piece, Problem::Malformed("an absolute path (/boot/vmlinuz)"))),
        }
    }

    fn memory(&self) -> Result<(u64, u64), Fault> {
        let memory = self.number("memory", 1, MAX_MEMORY_MIB)?;
        let maxmem = self.number("maxmem", 1, MAX_MEMORY_MIB)?;
        let memory_mib = memory.or(maxmem).unwrap_or(DEFAULT_MEMORY_MIB);
        let maxmem_mib = maxmem.unwrap_or(memory_mib);
        if maxmem_mib < memory_mib {
            return Err(self.less_than("maxmem", maxmem_mib, "memory", memory_mib));
        }
        Ok((memory_mib, maxmem_mib))
    }

    fn vcpus(&self) -> Result<(u32, u32), Fault> {
        let vcpus = self.number("vcpus", 1, MAX_VCPUS)?.unwrap_or(1);
        let maxvcpus = self.number("maxvcpus", 1, MAX_VCPUS)?.unwrap_or(vcpus);
        if maxvcpus < vcpus {
            return Err(self.less_than("maxvcpus", maxvcpus, "vcpus", vcpus));
        }
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Ok((narrow(vcpus), narrow(maxvcpus)))
    }

    fn less_than(&self, most: &str, limit: u64, some: &str, number: u64) -> Fault {
        let why = format!("{most}={limit} is less than {some}={number}; raise {most} or lower {some}");
        let piece = self.find(most).map_or(Piece::empty(Mark { source: 0, offset: 0 }), |entry| entry.name.clone());
        Fault::new(&piece, Problem::Contradiction(why))
    }

    fn affinity(&self, name: &str) -> Result<Option<Affinity>, Fault> {
        let Some(entry) = self.find(name) else { return Ok(None) };
        match &entry.value {
            Value::List(values, _) => {
                let lists =
                    values.iter().map(|value| CpuList::parse(&text_of(value)?)).collect::<Result<Vec<_>, _>>()?;
                Ok((!lists.is_empty()).then_some(Affinity::Each(lists)))
            }
            Value::Text(piece) if piece.as_str().trim().is_empty() => Ok(None),
            Value::Text(piece) | Value::Number(piece) => Ok(Some(Affinity::Together(CpuList::parse(piece)?))),
        }
    }

    fn cmdline(&mut self) -> Result<String, Fault> {
        let (cmdline, root, extra) = (self.text("cmdline")?, self.text("root")?, self.text("extra")?);
        let first = cmdline.clone().or(root.clone()).or(extra.clone());
        let line = match cmdline {
            Some(cmdline) => {
                for vain in [root, extra].into_iter().flatten() {
                    self.warn(&vain, "ignored, because cmdline= is set");
                }
                cmdline.as_str().to_owned()
            }
            None => {
                let root = root.map(|root| format!("root={}", root.as_str()));
                let parts: Vec<String> = root.into_iter().chain(extra.map(|extra| extra.as_str().to_owned())).collect();
                parts.join(" ")
            }
        };
        if line.len() > MAX_CMDLINE || line.contains('\0') {
            let piece = first.unwrap_or(Piece::empty(Mark { source: 0, offset: 0 }));
            return Err(Fault::new(&piece, Problem::Malformed("a command line of at most 1023 bytes without NUL")));
        }
        Ok(line)
    }

    fn disks(&self) -> Result<Vec<Disk>, Fault> {
        let mut disks: Vec<Disk> = Vec::new();
        for spec in self.texts("disk")? {
            let mut disk = Disk::parse(&spec)?;
            if disks.iter().any(|other| other.vdev.number() == disk.vdev.number()) {
                let why = format!("the guest already has a disk {}; choose another name", disk.vdev);
                return Err(Fault::new(&spec, Problem::Contradiction(why)));
            }
            disk.place = Some(place_of(spec.start(), self.sources));
            disks.push(disk);
        }
        Ok(disks)
    }

    fn vifs(&mut self) -> Result<Vec<Vif>, Fault> {
        let specs = self.texts("vif")?;
        let mut vifs: Vec<Vif> = Vec::new();
        for spec in &specs {
            let free = (0..).find(|devid| vifs.iter().all(|vif| vif.devid != *devid)).unwrap_or(0);
            let parsed = Vif::parse(spec, free)?;
            let mut vif = parsed.vif;
            if vifs.iter().any(|other| other.devid == vif.devid) {
                let why = format!("the guest already has an interface {}; choose another devid", vif.devid);
                return Err(Fault::new(spec, Problem::Contradiction(why)));
            }
            for (piece, why) in parsed.ignored {
                self.warn(&piece, format!("ignored: {why}"));
            }
            vif.place = Some(place_of(spec.start(), self.sources));
            vifs.push(vif);
        }
        Ok(vifs)
    }

    fn action(&self, name: &str) -> Result<Option<Action>, Fault> {
        let Some(piece) = self.text(name)? else { return Ok(None) };
        if matches!(piece.as_str(), "soft-reset" | "soft_reset") {
            return Err(Fault::new(&piece, Problem::Refused("do a soft reset; only HVM guests can".into())));
        }
        // xend wrote some of them with underscores.
        let word = piece.as_str().replace('_', "-");
        let found = Action::ALL.into_iter().find(|action| action.word() == word);
        found.map(Some).ok_or_else(|| Fault::not_one_of(&piece, &Action::ALL.map(Action::word)))
    }

    fn places(&self) -> Places {
        let place = |name: &str| {
            let entry = self.find(name)?;
            Some(match &entry.value {
                Value::Text(piece) | Value::Number(piece) => place_of(piece.start(), self.sources),
                Value::List(_, start) => place_of(*start, self.sources),
            })
        };
        Places {
            name: place("name"),
            memory: place("memory"),
            vcpus: place("vcpus"),
            cpus: place("cpus"),
            kernel: place("kernel"),
            ramdisk: place("ramdisk"),
        }
    }
}

/// `+=`.
fn add(name: &Piece, old: &mut Value, new: Value) -> Result<(), Fault> {
    match (old, new) {
        (Value::Text(old), Value::Text(new)) => old.append(&new),
        (Value::List(old, _), Value::List(new, _)) => old.extend(new),
        (Value::List(..), Value::Text(piece) | Value::Number(piece)) => {
            return Err(Fault::new(&piece, Problem::WrongKind("a list: [\"...\", \"...\"]")));
        }
        (Value::Text(_), Value::List(_, start)) => {
            return Err(Fault::at(start, "[", Problem::WrongKind("text in quotes")));
        }
        _ => return Err(Fault::new(name, Problem::CannotAdd)),
    }
    Ok(())
}

fn text_of(value: &Value) -> Result<Piece, Fault> {
    match value {
        Value::Text(piece) | Value::Number(piece) => Ok(piece.clone()),
        Value::List(_, start) => Err(Fault::at(*start, "[", Problem::WrongKind("text in quotes"))),
    }
}

/// Whether the value of a refused option asks for nothing.
fn says_no(name: &str, value: &Value) -> bool {
    match value {
        Value::List(values, _) => values.is_empty(),
        Value::Number(piece) | Value::Text(piece) => match piece.as_str() {
            "" | "0" => true,
            "disabled" | "default" => name == "passthrough",
            "Pool-0" => name == "pool",
            _ => false,
        },
    }
}
