// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A folder of unpacked kernels, named by the content of the files they came from.
//!
//! Readers trust nothing: a damaged entry is as good as none. Entries appear by renaming, so no reader sees half of one;
//! whoever needs room removes those that were not used for longest. The content's name must resist collisions on purpose
//! (a guest's owner may choose its kernel); the checksums guard against accidents only.
//!
//! Hashing a kernel takes longer than loading it, so the names of files are kept too, by what the file system says of them:
//! a file whose inode, size and both times are the same as when it was hashed, and were not just then changing, is the same.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::{self, Entry};
use super::outline::{Outline, ReadAt};

/// Where `xn` keeps unpacked kernels.
pub const DEFAULT_FOLDER: &str = "/var/cache/xenolith/kernels";
/// How much the entries may take together, in bytes.
pub const DEFAULT_BOUND: u64 = 512 << 20;

/// A file that was not finished within this time was given up.
const STALE: Duration = Duration::from_secs(3600);
/// A file that changed less than this long ago may change again without any of its times telling.
const SETTLING: Duration = Duration::from_secs(2);
/// What a file takes at least, in bytes.
const PAGE: u64 = 4096;

/// The folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    bound: u64,
    settling: Duration,
}

/// The name of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Key {
    fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Cache {
    /// The folder `folder`, which need not exist yet, with room for `bound` bytes.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, bound: u64) -> Self {
        Self { folder: folder.into(), bound, settling: SETTLING }
    }

    /// The same, where a file may change again unseen for `settling`.
    #[cfg(test)]
    pub(crate) fn settling_in(mut self, settling: Duration) -> Self {
        self.settling = settling;
        self
    }

    /// Whether a later change of the file is sure to show in its times.
    fn is_settled(&self, metadata: &Metadata) -> bool {
        let since_1970 =
            |seconds: i64, nanos: i64| Some(Duration::new(seconds.try_into().ok()?, nanos.try_into().ok()?));
        let changed = since_1970(metadata.ctime(), metadata.ctime_nsec()).map(|time| UNIX_EPOCH + time);
        changed.is_some_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age >= self.settling))
    }

    /// The usual one.
    #[must_use]
    pub fn usual() -> Self {
        Self::new(DEFAULT_FOLDER, DEFAULT_BOUND)
    }

    fn path(&self, key: Key) -> PathBuf {
        self.folder.join(format!("{}.kernel", key.text()))
    }

    fn mark(&self, key: Key) -> PathBuf {
        self.folder.join(format!("{}.checked", key.text()))
    }

    /// The entry of a content. `None` if there is none, or none that can be used.
    pub(crate) fn find(&self, key: Key) -> Option<Entry> {
        let path = self.path(key);
        let entry = Entry::open(File::open(&path).ok()?);
        match entry {
            Some(entry) => {
                touch(&path);
                Some(entry)
            }
            None => {
                // It would only be found again.
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps a kernel: `elf` is the unpacked file `outline` was read from.
    pub(crate) fn keep(&self, key: Key, outline: &Outline, elf: &(impl ReadAt + ?Sized)) -> io::Result<()> {
        self.make_folder()?;
        self.write_renamed(&self.path(key), |file| entry::write(file, outline, elf))?;
        self.evict(key);
        Ok(())
    }

    /// The content of a file that was hashed before and is the same still.
    pub(crate) fn known(&self, metadata: &Metadata) -> Option<Key> {
        let bytes = fs::read(self.name(metadata)).ok()?;
        let (key, sum) = bytes.split_first_chunk::<32>()?;
        (sum == entry::checksum(key).to_le_bytes()).then_some(Key(*key))
    }

    /// Keeps the name of a file's content in mind. `metadata` is from before it was hashed; it must be the same after.
    pub(crate) fn know(&self, metadata: &Metadata, key: Key) -> io::Result<()> {
        if self.is_settled(metadata) {
            self.make_folder()?;
            self.write_renamed(&self.name(metadata), |file| {
                file.write_all(&key.0)?;
                file.write_all(&entry::checksum(&key.0).to_le_bytes())
            })?;
        }
        Ok(())
    }

    /// A name for the content of a file that is not hashed, because loading it takes less long.
    pub(crate) fn stand_in(&self, metadata: &Metadata) -> Option<Key> {
        self.is_settled(metadata)
            .then(|| Key(*blake3::hash(self.name(metadata).as_os_str().as_encoded_bytes()).as_bytes()))
    }

    /// The file that holds the name of the content of a file with `metadata`.
    fn name(&self, metadata: &Metadata) -> PathBuf {
        let (modified, changed) =
            ((metadata.mtime(), metadata.mtime_nsec()), (metadata.ctime(), metadata.ctime_nsec()));
        self.folder.join(format!(
            "{:x}-{:x}-{:x}-{:x}.{:x}-{:x}.{:x}.name",
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            modified.0,
            modified.1,
            changed.0,
            changed.1
        ))
    }

    /// Whether a file of that content was found good before ([`Cache::remember`]).
    pub(crate) fn remembers(&self, key: Key) -> bool {
        let path = self.mark(key);
        let known = path.exists();
        if known {
            touch(&path);
        }
        known
    }

    /// Keeps in mind that the content is good.
    pub(crate) fn remember(&self, key: Key) -> io::Result<()> {
        self.make_folder()?;
        self.write_renamed(&self.mark(key), |_| Ok(()))
    }

    /// Removes an entry that turned out to be damaged.
    pub(crate) fn forget(&self, key: Key) {
        // If it cannot be removed, the next reader will see the damage too.
        let _ = fs::remove_file(self.path(key));
    }

    fn make_folder(&self) -> io::Result<()> {
        // What is in it is trusted to be as this program left it.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    /// Writes a file under another name and gives it its own when it is whole.
    fn write_renamed(&self, path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unfinished = self.folder.join(format!("unfinished.{}.{number}", std::process::id()));
        let written = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| write(&mut file))
            .and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes what was not used for longest until the rest fits; never `kept`.
    fn evict(&self, kept: Key) {
        let Ok(listed) = fs::read_dir(&self.folder) else { return };
        let now = SystemTime::now();
        let mut entries = Vec::new();
        let mut sum = 0_u64;
        for entry in listed.flatten() {
            let (path, Ok(metadata)) = (entry.path(), entry.metadata()) else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            let used = metadata.modified().unwrap_or(UNIX_EPOCH);
            if name.starts_with("unfinished.") {
                if now.duration_since(used).is_ok_and(|age| age > STALE) {
                    let _ = fs::remove_file(&path);
                }
            } else if [".kernel", ".checked", ".name"].iter().any(|end| name.ends_with(end)) {
                let size = metadata.blocks().saturating_mul(512).saturating_add(PAGE);
                sum = sum.saturating_add(size);
                if path != self.path(kept) {
                    entries.push((used, size, path));
                }
            }
        }
        entries.sort();
        for (_, size, path) in entries {
            if sum <= self.bound {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                sum = sum.saturating_sub(size);
            }
        }
    }
}

/// Notes that a file was used. Failing to costs the entry its place, no more.
fn touch(path: &Path) {
    if let Ok(file) = File::options().write(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}
