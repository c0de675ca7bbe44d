// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A folder of unpacked kernels, named by the content of the files they came from.
//!
//! An entry is a header, the kernel's outline, and the bytes of its segments with a checksum for each chunk. Readers trust
//! nothing: a damaged entry is as good as none. Entries appear by renaming, so no reader sees half of one; whoever needs
//! room removes those that were not used for longest. The content's name must resist collisions on purpose (a guest's
//! owner may choose its kernel); the checksums guard against accidents only.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use twox_hash::XxHash64;

use super::outline::{Outline, Part};

/// Where `xn` keeps unpacked kernels.
pub const DEFAULT_FOLDER: &str = "/var/cache/xenolith/kernels";
/// How much the entries may take together, in bytes.
pub const DEFAULT_BOUND: u64 = 512 << 20;

/// The format's name and version.
const MAGIC: &[u8; 8] = b"XENKRN\x00\x02";
/// Bytes of segments one checksum covers.
pub(crate) const CHUNK: usize = 1 << 20;
/// Headers longer than this are damaged.
const MAX_HEADER: u64 = 16 << 20;
/// A file that was not finished within this time was given up.
const STALE: Duration = Duration::from_secs(3600);
const PAGE: usize = 4096;

/// The folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    bound: u64,
}

/// The name of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) [u8; 32]);

impl Key {
    fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// An entry that is open for reading. It stays readable when it is removed.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) outline: Outline,
    file: File,
    /// For each chunk of each part, in order.
    checksums: Vec<u64>,
    /// Where the first byte of the first part is.
    data: u64,
}

impl Cache {
    /// The folder `folder`, which need not exist yet, with room for `bound` bytes.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, bound: u64) -> Self {
        Self { folder: folder.into(), bound }
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
    pub(crate) fn keep(&self, key: Key, outline: &Outline, elf: &[u8]) -> io::Result<()> {
        self.make_folder()?;
        let (header, parts) = encode(outline, elf);
        self.write_renamed(&self.path(key), |file| {
            file.write_all(&header)?;
            let mut at = header.len() as u64;
            for part in parts {
                write_sparse(file, part, at)?;
                at += part.len() as u64;
            }
            file.set_len(at)
        })?;
        self.evict(key);
        Ok(())
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
        fs::create_dir_all(&self.folder)
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
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if name.starts_with("unfinished.") {
                if now.duration_since(used).is_ok_and(|age| age > STALE) {
                    let _ = fs::remove_file(&path);
                }
            } else if name.ends_with(".kernel") || name.ends_with(".checked") {
                // Zero pages take no room; but each file takes some.
                let size = metadata.blocks().saturating_mul(512).saturating_add(PAGE as u64);
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

/// Leaves pages of zeros out, which reads then fill in.
fn write_sparse(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut offset = at;
    for page in bytes.chunks(PAGE) {
        if page.iter().any(|&byte| byte != 0) {
            file.write_all_at(page, offset)?;
        }
        offset += page.len() as u64;
    }
    Ok(())
}

fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}

/// An entry's header, padded to whole pages, and its parts' bytes.
fn encode<'a>(outline: &Outline, elf: &'a [u8]) -> (Vec<u8>, Vec<&'a [u8]>) {
    let slices = outline.parts.iter().map(|part| {
        let from = usize::try_from(part.offset).unwrap_or(usize::MAX);
        let end = from.saturating_add(usize::try_from(part.len).unwrap_or(usize::MAX));
        elf.get(from..end).unwrap_or_default()
    });
    let parts: Vec<&[u8]> = slices.collect();
    let checksums: Vec<u64> = parts.iter().flat_map(|part| part.chunks(CHUNK)).map(checksum).collect();
    let mut body = Vec::new();
    for number in [outline.elf.len() as u64, parts.len() as u64, checksums.len() as u64] {
        body.extend(number.to_le_bytes());
    }
    parts.iter().for_each(|part| body.extend((part.len() as u64).to_le_bytes()));
    checksums.iter().for_each(|sum| body.extend(sum.to_le_bytes()));
    body.extend(&outline.elf);
    body.resize((body.len() + 24).next_multiple_of(PAGE) - 24, 0);
    let mut header = MAGIC.to_vec();
    header.extend(((body.len() + 24) as u64).to_le_bytes());
    header.extend(checksum(&body).to_le_bytes());
    header.extend(body);
    (header, parts)
}

impl Entry {
    /// Reads the header; `None` if it is damaged or the file ends too early.
    fn open(file: File) -> Option<Self> {
        let mut head = [0; 24];
        file.read_exact_at(&mut head, 0).ok()?;
        let header_len = number(&head, 8)?;
        if head.get(..8)? != MAGIC || !(48..MAX_HEADER).contains(&header_len) {
            return None;
        }
        let mut body = vec![0; usize::try_from(header_len).ok()?.checked_sub(24)?];
        file.read_exact_at(&mut body, 24).ok()?;
        if number(&head, 16)? != checksum(&body) {
            return None;
        }
        let count = |at| usize::try_from(number(&body, at)?).ok();
        let (elf_len, parts_len, sums_len) = (count(0)?, count(8)?, count(16)?);
        let numbers = body.get(24..)?;
        let (lengths, rest) = numbers.split_at_checked(parts_len.checked_mul(8)?)?;
        let (sums, rest) = rest.split_at_checked(sums_len.checked_mul(8)?)?;
        let elf = rest.get(..elf_len)?.to_vec();
        let mut offset = header_len;
        let mut parts = Vec::with_capacity(parts_len);
        for len in lengths.chunks_exact(8).filter_map(|bytes| number(bytes, 0)) {
            parts.push(Part { offset, len });
            offset = offset.checked_add(len)?;
        }
        if file.metadata().ok()?.len() != offset {
            return None;
        }
        let checksums = sums.chunks_exact(8).filter_map(|bytes| number(bytes, 0)).collect();
        Some(Self { outline: Outline { elf, parts }, file, checksums, data: header_len })
    }

    /// Reads chunk `chunk` of all parts' chunks, which starts at `offset`; `false` if it is damaged.
    pub(crate) fn read(&self, chunk: usize, offset: u64, buffer: &mut [u8]) -> bool {
        debug_assert!(offset >= self.data, "parts lie behind the header");
        let read = self.file.read_exact_at(buffer, offset).is_ok();
        read && self.checksums.get(chunk) == Some(&checksum(buffer))
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
