// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is kept of each domain on disk, so that whoever comes later (the monitor, `xn destroy`) knows what it was made from: one file for each,
//! named by its UUID. And the lock that each operation on the domain holds.

use crate::error::{At, Class, Failure};
use crate::output;
use domain_builder::config::{Config, Uuid};
use hypercalls::DomId;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

const RECORDS: &str = "/var/lib/xenolith/domains";
const LOCKS: &str = "/run/xenolith/domains";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// How far a domain is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// Being made. If nobody holds the lock, whoever made it is dead.
    Creating,
    /// It runs, or has ended and nobody has looked yet.
    Running,
    /// It has ended and stays as it is, until it is destroyed.
    Preserved,
    /// It has been destroyed and shall be made anew.
    Restarting,
}

/// What is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    /// Its UUID, which is the file's name too.
    pub(crate) uuid: Uuid,
    /// Its number, once it has one.
    pub(crate) domid: Option<u16>,
    /// How far it is.
    pub(crate) phase: Phase,
    /// Whether the monitor carries out `on_poweroff` and the like.
    pub(crate) monitored: bool,
    /// What it is made from, at the next restart too.
    pub(crate) config: Config,
    /// When it was made: seconds since 1970.
    pub(crate) created: u64,
    /// How often in a row it ended shortly after its start.
    pub(crate) short_runs: u32,
    /// Dom0's boot: with the next, all domains are gone.
    boot: String,
}

impl Record {
    /// A record of a domain that is about to be made.
    pub(crate) fn new(uuid: Uuid, config: Config, monitored: bool, short_runs: u32) -> Self {
        let created = now();
        Self {
            uuid,
            domid: None,
            phase: Phase::Creating,
            monitored,
            config,
            created,
            short_runs,
            boot: boot().to_owned(),
        }
    }

    /// Its number.
    pub(crate) fn dom_id(&self) -> Option<DomId> {
        self.domid.map(DomId::new)
    }

    /// The record of the domain with this UUID; none of one of an earlier boot.
    pub(crate) fn load(uuid: Uuid) -> Result<Option<Self>, Failure> {
        let path = path(uuid);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refused(&path, &error)),
        };
        let record: Self = serde_json::from_slice(&text)
            .map_err(|error| Failure::new(Class::Failed, format!("{}: {error}", path.display())))?;
        Ok(Some(record).filter(|record| record.boot == boot()))
    }

    /// All records of this boot. Those that cannot be read are named on standard error.
    pub(crate) fn all() -> Result<Vec<Self>, Failure> {
        let mut records = Records::default();
        records.look()?;
        Ok(records.0.into_values().map(|(_, record)| record).collect())
    }

    /// Writes it, all or nothing.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path(self.uuid);
        let draft = path.with_extension("new");
        let text =
            serde_json::to_vec_pretty(self).map_err(|error| Failure::new(Class::Failed, error)).at(|| "record")?;
        let written = in_folder(RECORDS, || fs::write(&draft, &text)).and_then(|()| fs::rename(&draft, &path));
        written.map_err(|error| refused(&path, &error))
    }
}

/// All records of this boot as they were at the last look, which reads those again that have changed since.
#[derive(Debug, Default)]
pub(crate) struct Records(HashMap<Uuid, (Stamp, Record)>);

/// What is another with each [`Record::save`]: inode, size, and time in seconds and nanoseconds.
type Stamp = (u64, u64, i64, i64);

impl Records {
    /// Looks at the folder. Records that cannot be read are named on standard error.
    pub(crate) fn look(&mut self) -> Result<(), Failure> {
        let mut old = std::mem::take(&mut self.0);
        let folder = match fs::read_dir(RECORDS) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(refused(Path::new(RECORDS), &error)),
        };
        for entry in folder.flatten() {
            let name = entry.file_name();
            let Some(uuid) = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok()) else { continue };
            // One that has just been removed is none.
            let Ok(now) = entry.metadata() else { continue };
            let stamp = (now.ino(), now.size(), now.mtime(), now.mtime_nsec());
            if let Some(known) = old.remove(&uuid).filter(|(then, _)| *then == stamp) {
                self.0.insert(uuid, known);
                continue;
            }
            match Record::load(uuid) {
                Ok(Some(record)) => drop(self.0.insert(uuid, (stamp, record))),
                Ok(None) => forget(uuid)?,
                Err(failure) => output::note(failure),
            }
        }
        Ok(())
    }

    /// Those seen.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &Record> {
        self.0.values().map(|(_, record)| record)
    }
}

/// Removes a record; that there is none is no error.
pub(crate) fn forget(uuid: Uuid) -> Result<(), Failure> {
    let path = path(uuid);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(&path, &error)),
        _ => Ok(()),
    }
}

/// Makes something in a folder, which is made first if it is missing.
pub(crate) fn in_folder<T>(folder: &str, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match make() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(folder).and_then(|()| make()),
        done => done,
    }
}

fn path(uuid: Uuid) -> PathBuf {
    Path::new(RECORDS).join(format!("{uuid}.json"))
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Class::Failed, format!("{}: {error}", path.display()))
        .remedy("run it as root; see that there is space left")
}

fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| fs::read_to_string(BOOT_ID).unwrap_or_default().trim().to_owned())
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// The right to change one domain. Ends with the process that holds it.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Waits for it.
    pub(crate) fn take(uuid: Uuid) -> Result<Self, Failure> {
        Self::with(uuid, FlockOperation::LockExclusive)
            .map_err(|error| refused(&Path::new(LOCKS).join(uuid.to_string()), &error))
    }

    /// Takes it if nobody has it.
    pub(crate) fn try_take(uuid: Uuid) -> Result<Option<Self>, Failure> {
        match Self::with(uuid, FlockOperation::NonBlockingLockExclusive) {
            Ok(lock) => Ok(Some(lock)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(refused(&Path::new(LOCKS).join(uuid.to_string()), &error)),
        }
    }

    fn with(uuid: Uuid, operation: FlockOperation) -> io::Result<Self> {
        let path = Path::new(LOCKS).join(uuid.to_string());
        loop {
            let open = || File::options().create(true).truncate(false).write(true).open(&path);
            let file = in_folder(LOCKS, open)?;
            rustix::io::retry_on_intr(|| rustix::fs::flock(&file, operation))?;
            // Its holder may have removed it meanwhile; then this is a lock on nothing.
            let own = file.metadata()?;
            if fs::metadata(&path).is_ok_and(|there| there.ino() == own.ino() && there.dev() == own.dev()) {
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still held, so that nobody can hold what is removed. Whoever waits for it notices.
        fs::remove_file(&self.path).ok();
        rustix::fs::flock(&self.file, FlockOperation::Unlock).ok();
    }
}
