// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The state file: a description of the whole state, then one record for each turn of the server. When the records have become more than the
//! description, a new file takes the old one's place.
//!
//! The file is meant to outlive the server, not the machine: it lies on a tmpfs, is not synced, and is void after a reboot. A record that
//! was not written whole does not count; nothing of its turn has been told to anybody.

use super::record::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8] = b"xenolith store, format 1\n";
const HEAD: usize = 12;
/// Below this many bytes of records nothing is written anew.
const SMALL: u64 = 1 << 20;

/// The open state file.
#[derive(Debug)]
pub(crate) struct Journal {
    folder: PathBuf,
    boot: String,
    file: File,
    described: u64,
    written: u64,
}

/// Names this boot of the machine.
fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join("state")
}

impl Journal {
    /// What an earlier server left in `folder`, in order; `None` if it left nothing, or before the machine's last boot.
    pub(crate) fn load(folder: &Path) -> io::Result<Option<Vec<Entry>>> {
        let mut bytes = Vec::new();
        match File::open(state_path(folder)) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(read(&bytes, &boot_id()?))
    }

    /// Whether there is a file, readable or not.
    pub(crate) fn exists(folder: &Path) -> bool {
        state_path(folder).exists()
    }

    /// Begins a new file with this description.
    pub(crate) fn create(folder: &Path, description: &[Entry]) -> io::Result<Self> {
        let boot = boot_id()?;
        let (file, described) = describe(folder, &boot, description)?;
        Ok(Self { folder: folder.to_owned(), boot, file, described, written: 0 })
    }

    /// Writes down what a turn did.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        if entries.is_empty() {
            return Ok(());
        }
        let record = record(entries);
        self.file.write_all(&record)?;
        self.written = self.written.saturating_add(record.len() as u64);
        Ok(())
    }

    /// Whether it is time to describe everything anew.
    pub(crate) fn is_long(&self) -> bool {
        self.written > SMALL.max(self.described)
    }

    /// Describes everything anew.
    pub(crate) fn renew(&mut self, description: &[Entry]) -> io::Result<()> {
        (self.file, self.described) = describe(&self.folder, &self.boot, description)?;
        self.written = 0;
        Ok(())
    }
}

fn describe(folder: &Path, boot: &str, description: &[Entry]) -> io::Result<(File, u64)> {
    let temporary = folder.join("state.new");
    let mut bytes = [MAGIC, boot.as_bytes(), b"\n"].concat();
    bytes.extend(record(description));
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().append(true).create_new(true).open(&temporary)?;
    file.write_all(&bytes)?;
    fs::rename(&temporary, state_path(folder))?;
    Ok((file, bytes.len() as u64))
}

/// A record: length, checksum, entries.
pub(super) fn record(entries: &[Entry]) -> Vec<u8> {
    let mut payload = Vec::new();
    entries.iter().for_each(|entry| entry.encode(&mut payload));
    let mut bytes = Vec::with_capacity(payload.len().saturating_add(HEAD));
    bytes.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(&checksum(&payload).to_le_bytes());
    bytes.extend_from_slice(&payload);
    bytes
}

/// FNV-1a: tells a torn record, which is all it is for.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The entries of all whole records; `None` if the file is of another boot, or none of ours.
pub(super) fn read(bytes: &[u8], boot: &str) -> Option<Vec<Entry>> {
    let mut rest = bytes.strip_prefix(MAGIC)?.strip_prefix(boot.as_bytes())?.strip_prefix(b"\n")?;
    let mut entries = Vec::new();
    let mut whole = 0_usize;
    while let Some((payload, after)) = take(rest) {
        let mut payload = payload;
        while !payload.is_empty() {
            entries.push(Entry::decode(&mut payload)?);
        }
        rest = after;
        whole = whole.saturating_add(1);
    }
    // Without a description there is nothing.
    (whole > 0).then_some(entries)
}

fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, rest) = rest.split_first_chunk::<8>()?;
    let (payload, after) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    (checksum(payload) == u64::from_le_bytes(*sum)).then_some((payload, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercalls::ids::DomId;

    #[test]
    fn whole_records_count_and_torn_ones_do_not() {
        let entries: Vec<Entry> =
            (0..4_u8).map(|n| Entry::Output(DomId::new(n.into()), vec![n; usize::from(n)])).collect();
        let mut file = [MAGIC, b"boot\n"].concat();
        let mut ends = vec![];
        for entry in &entries {
            file.extend(record(std::slice::from_ref(entry)));
            ends.push(file.len());
        }
        for cut in 0..=file.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let expected = (whole > 0).then(|| entries[..whole].to_vec());
            assert_eq!(read(&file[..cut], "boot"), expected, "cut at {cut}");
        }
        assert_eq!(read(&file, "another boot"), None);
        let last = file.len() - 1;
        file[last] ^= 1;
        assert_eq!(read(&file, "boot"), Some(entries[..3].to_vec()));
    }
}
