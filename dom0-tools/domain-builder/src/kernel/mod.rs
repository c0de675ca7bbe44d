// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Kernel files: read, unpacked, remembered.

mod cache;
mod outline;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use guest_image::{ImageError, Kernel, bzimage};

pub(crate) use cache::{CHUNK, Key};
pub use cache::{Cache, DEFAULT_BOUND, DEFAULT_FOLDER};
use outline::{Outline, OutlineError, ReadAt};

use crate::error::{BuildError, Class, Result, Step};
use crate::progress::{self, Callback, Progress};

/// No kernel is larger, in bytes.
const MAX_FILE: u64 = 512 << 20;

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
    Entry(cache::Entry),
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
        let is_elf = ReadAt::read_exact_at(&file, &mut magic, 0).is_ok() && bzimage::is_elf(&magic);
        let (outline, source, key) = if is_elf {
            (Outline::read(&file).map_err(|error| outline_error(step(), error))?, Source::File(file), None)
        } else {
            let key = content_key(&file).map_err(unreadable)?;
            match cache.and_then(|cache| cache.find(key)) {
                Some(entry) => (entry.outline.clone(), Source::Entry(entry), Some(key)),
                None => {
                    progress::report(callback, step, Progress::Unpacking)?;
                    let elf = unpack(&file, step)?;
                    let outline = Outline::read(elf.as_slice()).map_err(|error| outline_error(step(), error))?;
                    (outline, Source::Memory(elf), Some(key))
                }
            }
        };
        let image = Self { path: path.to_owned(), outline, source, key };
        let segments = image.parsed()?.segments().len();
        if segments != image.outline.parts.len() {
            return Err(outline_error(step(), ImageError::BadElf("the list of segments").into()));
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

    /// Bytes of each segment that come from the file.
    pub(crate) fn data_lens(&self) -> impl Iterator<Item = u64> {
        self.outline.parts.iter().map(|part| part.len)
    }

    /// Bytes of all segments.
    pub(crate) fn data_len(&self) -> u64 {
        self.outline.parts.iter().map(|part| part.len).sum()
    }

    /// Hands all bytes to `write`: the segment's number, the offset in it, the bytes.
    pub(crate) fn for_each_chunk<E>(
        &self,
        mut write: impl FnMut(usize, u64, &[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), LoadError<E>> {
        let mut buffer = Vec::new();
        let mut number = 0;
        for (segment, part) in self.outline.parts.iter().enumerate() {
            let mut done = 0;
            while done < part.len {
                let len = (part.len - done).min(CHUNK as u64);
                let room = usize::try_from(len).unwrap_or(CHUNK);
                let offset = part.offset + done;
                let chunk = match &self.source {
                    Source::Memory(elf) => {
                        let from = usize::try_from(offset).unwrap_or(usize::MAX);
                        elf.get(from..from.saturating_add(room))
                            .ok_or(LoadError::Read(io::ErrorKind::UnexpectedEof.into()))?
                    }
                    Source::File(file) => {
                        buffer.resize(room, 0);
                        ReadAt::read_exact_at(file, &mut buffer, offset).map_err(LoadError::Read)?;
                        buffer.as_slice()
                    }
                    Source::Entry(entry) => {
                        buffer.resize(room, 0);
                        if !entry.read(number, offset, &mut buffer) {
                            return Err(LoadError::Damaged);
                        }
                        buffer.as_slice()
                    }
                };
                write(segment, done, chunk).map_err(LoadError::Write)?;
                done += len;
                number += 1;
            }
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
        if let (Source::Memory(elf), Some(key), Some(cache)) = (&self.source, self.key, cache) {
            // Without room or right to write, the next guest unpacks again.
            let _ = cache.keep(key, &self.outline, elf);
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

/// The name of a file's content, read in pieces.
pub(crate) fn content_key(file: &File) -> io::Result<Key> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut offset = 0;
    loop {
        let got = std::os::unix::fs::FileExt::read_at(file, &mut buffer, offset)?;
        let Some(bytes) = buffer.get(..got).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
        offset += got as u64;
    }
    Ok(Key(*hasher.finalize().as_bytes()))
}

fn unpack(mut file: &File, step: impl Fn() -> Step) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    file.read_to_end(&mut packed).map_err(|error| unreadable(step(), &error))?;
    let len = bzimage::kernel_elf_len(&packed).map_err(|error| image_error(step(), error))?;
    let mut elf = vec![0; len];
    bzimage::unpack_into(&packed, &mut elf).map_err(|error| image_error(step(), error))?;
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
