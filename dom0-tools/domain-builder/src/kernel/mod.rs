// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Kernel files: read, unpacked, remembered.

mod cache;
mod entry;
mod outline;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use guest_image::{ImageError, Kernel, bzimage};

pub(crate) use cache::Key;
pub use cache::{Cache, DEFAULT_BOUND, DEFAULT_FOLDER};
pub(crate) use entry::{CHUNK, Run, is_zero};
use entry::{Entry, chunks};
use outline::{Outline, OutlineError, ReadAt};

use crate::error::{BuildError, Class, Result, Step};
use crate::progress::{self, Callback, Progress};

/// No kernel is larger, in bytes.
const MAX_FILE: u64 = 512 << 20;
/// ELF files of this length on gain by an entry in the cache, which leaves out what is zero.
const LARGE_ELF: u64 = 4 << 20;

/// A kernel whose contents can be loaded.
#[derive(Debug)]
pub struct KernelImage {
    path: PathBuf,
    outline: Outline,
    source: Source,
    /// Where a freshly unpacked one belongs.
    key: Option<Key>,
}

/// Where the contents are.
#[derive(Debug)]
enum Source {
    /// In an ELF file.
    File(File),
    /// In memory, unpacked just now.
    Memory(Vec<u8>),
    /// In the cache.
    Entry(Entry),
}

/// Where a kernel's contents came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The file itself is ELF.
    File,
    /// It was unpacked.
    Unpacked,
    /// It had been unpacked before.
    Cache,
}

/// Why loading stopped.
#[derive(Debug)]
pub(crate) enum LoadError<E> {
    /// The cache's entry is damaged: [`KernelImage::unpack_again`] and start over.
    Damaged,
    /// The file cannot be read.
    Read(io::Error),
    /// What the receiver of the bytes says.
    Write(E),
}

impl KernelImage {
    /// Reads the kernel in `path`. What can go wrong with the cache only costs time.
    ///
    /// # Errors
    /// The file cannot be read, or holds no kernel that can run here.
    pub fn open(path: &Path, cache: Option<&Cache>, callback: &mut Callback<'_>) -> Result<Self> {
        let step = || Step::Kernel(path.to_owned());
        let unreadable = |error: io::Error| unreadable(step(), &error);
        let file = open_file(path).map_err(unreadable)?;
        let mut magic = [0; 4];
        let is_elf = file.read_into(&mut magic, 0).is_ok() && bzimage::is_elf(&magic);
        let key = match cache {
            Some(cache) if is_elf => file
                .metadata()
                .map(|metadata| cache.stand_in(&metadata).filter(|_| metadata.len() >= LARGE_ELF))
                .map_err(unreadable)?,
            Some(cache) => Some(content_key(&file, Some(cache)).map_err(unreadable)?),
            None => None,
        };
        let outline_error = |error| outline_error(step(), error);
        let (outline, source) = match cache.zip(key).and_then(|(cache, key)| cache.find(key)) {
            Some(entry) => (entry.outline.clone(), Source::Entry(entry)),
            None if is_elf => (Outline::read(&file).map_err(outline_error)?, Source::File(file)),
            None => {
                let elf = progress::beside(callback, step, Progress::Unpacking, move || unpack(&file))?;
                let elf = elf.map_err(|error| self::outline_error(step(), error))?;
                (Outline::read(elf.as_slice()).map_err(outline_error)?, Source::Memory(elf))
            }
        };
        let image = Self { path: path.to_owned(), outline, source, key };
        let segments = image.parsed()?.segments().len();
        if segments != image.outline.parts.len() {
            return Err(outline_error(ImageError::BadElf("the list of segments").into()));
        }
        // Only kernels that can be used are worth a place.
        image.keep_in(cache);
        Ok(image)
    }

    /// What guest-image makes of it: its segments have no bytes.
    ///
    /// # Errors
    /// It cannot run here.
    pub fn parsed(&self) -> Result<Kernel<'_>> {
        Kernel::parse(&self.outline.elf).map_err(|error| image_error(self.step(), error))
    }

    /// Where the contents come from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match self.source {
            Source::File(_) => Origin::File,
            Source::Memory(_) => Origin::Unpacked,
            Source::Entry(_) => Origin::Cache,
        }
    }

    /// The step its errors belong to.
    pub(crate) fn step(&self) -> Step {
        Step::Kernel(self.path.clone())
    }

    /// All bytes that are not known to be zero, in pieces.
    pub(crate) fn runs(&self) -> Vec<Run> {
        match &self.source {
            Source::Entry(entry) => entry.runs().collect(),
            Source::File(_) | Source::Memory(_) => {
                self.outline.parts.iter().enumerate().flat_map(|(segment, part)| chunks(segment, *part)).collect()
            }
        }
    }

    /// Hands the bytes of all runs to `write`.
    pub(crate) fn read_runs<E>(
        &self,
        runs: &[Run],
        mut write: impl FnMut(&Run, &[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), LoadError<E>> {
        // No longer than needed: memory that is touched for the first time costs more than what is done with it.
        let mut buffer = vec![0; runs.iter().map(|run| run.len).max().unwrap_or(0)];
        for run in runs {
            let room = buffer.get_mut(..run.len).unwrap_or_default();
            match &self.source {
                Source::Memory(elf) => elf.as_slice().read_into(room, run.offset).map_err(LoadError::Read)?,
                Source::File(file) => file.read_into(room, run.offset).map_err(LoadError::Read)?,
                Source::Entry(entry) if entry.read(run, room) => {}
                Source::Entry(_) => return Err(LoadError::Damaged),
            }
            write(run, room).map_err(LoadError::Write)?;
        }
        Ok(())
    }

    /// Unpacks the file again, because what the cache had was damaged.
    ///
    /// # Errors
    /// As [`KernelImage::open`]; also the file changed meanwhile.
    pub(crate) fn unpack_again(&mut self, cache: Option<&Cache>, callback: &mut Callback<'_>) -> Result<()> {
        if let (Some(cache), Some(key)) = (cache, self.key) {
            cache.forget(key);
        }
        let again = Self::open(&self.path, cache, callback)?;
        if again.key != self.key {
            let cause = "the file changed while the domain was being built";
            return Err(BuildError::new(self.step(), Class::Configuration, cause, "try again"));
        }
        *self = again;
        Ok(())
    }

    fn keep_in(&self, cache: Option<&Cache>) {
        if let (Some(key), Some(cache)) = (self.key, cache) {
            // Without room or right to write, the next guest unpacks again.
            let _ = match &self.source {
                Source::Memory(elf) => cache.keep(key, &self.outline, elf.as_slice()),
                Source::File(file) => cache.keep(key, &self.outline, file),
                Source::Entry(_) => Ok(()),
            };
        }
    }
}

/// Opens a file that can be read as a whole: no folder, no device without end.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    if metadata.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 512 MiB"));
    }
    Ok(file)
}

pub(crate) fn unreadable(step: Step, error: &io::Error) -> BuildError {
    let setting = match step {
        Step::Ramdisk(_) => "ramdisk",
        _ => "kernel",
    };
    let remedy = match error.kind() {
        io::ErrorKind::NotFound => format!("create the file or correct '{setting}'"),
        io::ErrorKind::PermissionDenied => "run this as root, or make the file readable".to_owned(),
        _ => format!("check the file and '{setting}'"),
    };
    BuildError::new(step, Class::Configuration, error.to_string(), remedy)
}

/// The name of a file's content, from the cache's memory or by reading it all.
pub(crate) fn content_key(file: &File, cache: Option<&Cache>) -> io::Result<Key> {
    let before = file.metadata()?;
    if let Some(key) = cache.and_then(|cache| cache.known(&before)) {
        return Ok(key);
    }
    let key = hash(file)?;
    let after = file.metadata()?;
    let same = (before.len(), before.ctime(), before.ctime_nsec()) == (after.len(), after.ctime(), after.ctime_nsec());
    if let (true, Some(cache)) = (same, cache) {
        // If that fails, the next guest hashes again.
        let _ = cache.know(&before, key);
    }
    Ok(key)
}

fn hash(file: &File) -> io::Result<Key> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 64 << 10];
    let mut offset = 0;
    loop {
        let got = std::os::unix::fs::FileExt::read_at(file, &mut buffer, offset)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        offset += got as u64;
    }
    Ok(Key(*hasher.finalize().as_bytes()))
}

fn unpack(mut file: &File) -> std::result::Result<Vec<u8>, OutlineError> {
    let mut packed = Vec::new();
    file.read_to_end(&mut packed)?;
    let mut elf = vec![0; bzimage::kernel_elf_len(&packed)?];
    bzimage::unpack_into(&packed, &mut elf)?;
    Ok(elf)
}

fn outline_error(step: Step, error: OutlineError) -> BuildError {
    match error {
        OutlineError::Io(error) => unreadable(step, &error),
        OutlineError::Image(error) => image_error(step, error),
    }
}

/// guest-image's texts end in what to do, so there is no remedy beside them.
pub(crate) fn image_error(step: Step, error: ImageError) -> BuildError {
    let cause = match error {
        // Its own text speaks of boot modules.
        ImageError::NotAKernel => {
            "not a kernel (neither bzImage nor ELF): give a Linux vmlinuz with CONFIG_XEN_PV=y".to_owned()
        }
        other => other.to_string(),
    };
    BuildError::new(step, Class::Configuration, cause, "")
}
