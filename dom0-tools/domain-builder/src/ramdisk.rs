// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! RAM disks. The guest gets the file as it is; damage is found before there is a guest, which could only panic.
//!
//! A RAM disk is a chain of archives with zeros between them: cpio as it is, or compressed. cpio is walked through, gzip
//! is unpacked (into nothing) because its checksum is the only proof; other compressions end the walk, as their decoders
//! would need the whole disk in memory. What starts like none of them is no Linux RAM disk but may be what another guest
//! wants.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::error::{BuildError, Class, Result, Step};
use crate::kernel::{Cache, content_key, open_file, unreadable};
use crate::progress::{self, Callback, Progress};

/// A RAM disk that was checked.
#[derive(Debug)]
pub struct Ramdisk {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) len: u64,
}

/// Compressions whose contents are not looked at.
const OTHERS: [&[u8]; 6] =
    [b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x5d\0\0", b"BZh", b"\x89LZO\0\r\n\x1a"];

impl Ramdisk {
    /// Opens and checks the file. That a content was good is kept in mind in `cache`.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or is damaged.
    pub fn open(path: &Path, cache: Option<&Cache>, callback: &mut Callback<'_>) -> Result<Self> {
        let step = || Step::Ramdisk(path.to_owned());
        let unreadable = |error: io::Error| unreadable(step(), &error);
        let file = open_file(path).map_err(unreadable)?;
        let len = file.metadata().map_err(unreadable)?.len();
        let damaged = |cause: String| {
            BuildError::new(step(), Class::Configuration, cause, "copy it again, or make it anew (update-initramfs -u)")
        };
        if len == 0 {
            return Err(damaged("the file is empty".into()));
        }
        let key = content_key(&file, cache).map_err(unreadable)?;
        if !cache.is_some_and(|cache| cache.remembers(key)) {
            let again = file.try_clone().map_err(unreadable)?;
            let look = move || check(&mut BufReader::with_capacity(128 << 10, &again), len);
            let looked = progress::beside(callback, step, Progress::CheckingRamdisk, look)?;
            looked.map_err(|error| match error {
                Finding::Io(error) => unreadable(error),
                Finding::Damaged(what) => damaged(what),
            })?;
            if let Some(cache) = cache {
                // Without it, the next guest's RAM disk is checked again.
                let _ = cache.remember(key);
            }
        }
        Ok(Self { path: path.to_owned(), file, len })
    }
}

/// What came of looking.
#[derive(Debug)]
enum Finding {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for Finding {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Walks through a RAM disk of `len` bytes.
fn check<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> std::result::Result<(), Finding> {
    let mut first = true;
    loop {
        skip_zeros(reader)?;
        let at = reader.stream_position()?;
        let mut magic = [0; 8];
        let got = peek(reader, &mut magic)?;
        let magic = magic.get(..got).unwrap_or_default();
        if magic.is_empty() {
            return Ok(());
        }
        if magic.starts_with(b"070701") || magic.starts_with(b"070702") {
            check_cpio(reader, len)?;
        } else if magic.starts_with(b"\x1f\x8b") {
            check_gzip(reader, at)?;
        } else if first || OTHERS.iter().any(|other| magic.starts_with(other)) {
            return Ok(());
        } else {
            return Err(Finding::Damaged(format!("damaged: what starts at byte {at} is no archive")));
        }
        first = false;
    }
}

/// Fills `magic` with what comes next without taking it; answers how much there is.
fn peek<R: Read + Seek>(reader: &mut BufReader<R>, magic: &mut [u8]) -> io::Result<usize> {
    let at = reader.stream_position()?;
    let mut got = 0;
    while let Some(rest) = magic.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest)? {
            0 => break,
            n => got += n,
        }
    }
    // The buffer usually still has it.
    let back = i64::try_from(reader.stream_position()? - at).unwrap_or(0);
    reader.seek_relative(-back)?;
    Ok(got)
}

fn skip_zeros(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
        let done = zeros < buffer.len() || buffer.is_empty();
        reader.consume(zeros);
        if done {
            return Ok(());
        }
    }
}

fn check_gzip(reader: &mut impl BufRead, at: u64) -> std::result::Result<(), Finding> {
    let mut decoder = GzDecoder::new(reader);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.raw_os_error().is_some() => return Err(Finding::Io(error)),
            Err(error) => {
                let what = if error.kind() == io::ErrorKind::UnexpectedEof {
                    "it ends too early"
                } else {
                    "it does not unpack"
                };
                return Err(Finding::Damaged(format!("damaged: the gzip archive at byte {at}: {what} ({error})")));
            }
        }
    }
}

/// Walks through the entries of a "newc" cpio archive up to its trailer.
fn check_cpio<R: Read + Seek>(reader: &mut BufReader<R>, len: u64) -> std::result::Result<(), Finding> {
    const HEADER: usize = 110;
    let start = reader.stream_position()?;
    loop {
        let at = reader.stream_position()?;
        let damaged = |what: &str| Finding::Damaged(format!("damaged: the cpio archive's entry at byte {at} {what}"));
        let mut header = [0; HEADER];
        reader.read_exact(&mut header).map_err(|error| end(error, || damaged("is cut off")))?;
        let field = |index: usize| {
            let digits = header.get(6 + index * 8..14 + index * 8)?;
            u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
        };
        let known = header.starts_with(b"070701") || header.starts_with(b"070702");
        let (Some(size), Some(name_len), true) = (field(6), field(11), known) else {
            return Err(damaged("has no valid header"));
        };
        if name_len == 0 || name_len > 4096 {
            return Err(damaged("has no valid name"));
        }
        let mut name = vec![0; usize::try_from(name_len).unwrap_or(0)];
        reader.read_exact(&mut name).map_err(|error| end(error, || damaged("is cut off")))?;
        if name == b"TRAILER!!!\0" {
            return Ok(());
        }
        // Name and contents are padded to 4 bytes, counted from the archive's start.
        let name_end = (at - start + HEADER as u64 + name_len).next_multiple_of(4) + start;
        let next = (name_end - start).saturating_add(size).next_multiple_of(4).saturating_add(start);
        if next > len {
            return Err(damaged("is cut off"));
        }
        let skip = i64::try_from(next.saturating_sub(reader.stream_position()?)).unwrap_or(i64::MAX);
        reader.seek_relative(skip)?;
    }
}

/// The end of the file is damage; other errors are the reader's.
fn end(error: io::Error, damaged: impl FnOnce() -> Finding) -> Finding {
    if error.kind() == io::ErrorKind::UnexpectedEof { damaged() } else { Finding::Io(error) }
}

impl Ramdisk {
    /// Goes back to the start; reading is by offset, so this only checks that the length is still the same.
    pub(crate) fn unchanged(&self) -> Result<()> {
        let now = self.file.metadata().map_err(|error| unreadable(self.step(), &error))?.len();
        if now == self.len {
            return Ok(());
        }
        let cause = "the file changed while the domain was being built";
        Err(BuildError::new(self.step(), Class::Configuration, cause, "try again"))
    }

    /// The step its errors belong to.
    pub(crate) fn step(&self) -> Step {
        Step::Ramdisk(self.path.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn cpio(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (name, data) in files.iter().copied().chain([("TRAILER!!!", &[][..])]) {
            let fields = [1, 0o100_644, 0, 0, 1, 0, data.len(), 0, 0, 0, 0, name.len() + 1, 0];
            out.extend(b"070701");
            fields.iter().for_each(|field| out.extend(format!("{field:08x}").as_bytes()));
            out.extend(name.as_bytes());
            out.push(0);
            out.resize(out.len().next_multiple_of(4), 0);
            out.extend(data);
            out.resize(out.len().next_multiple_of(4), 0);
        }
        out
    }

    fn look(bytes: &[u8]) -> std::result::Result<(), String> {
        let len = bytes.len() as u64;
        check(&mut BufReader::with_capacity(64, Cursor::new(bytes)), len).map_err(|finding| match finding {
            Finding::Damaged(what) => what,
            Finding::Io(error) => panic!("{error}"),
        })
    }

    fn noise(len: u32) -> Vec<u8> {
        (0..len).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    #[test]
    fn whole_ones_pass() {
        let plain = cpio(&[("init", b"#!/bin/sh\n"), ("bin/x", &noise(5000))]);
        look(&plain).unwrap();
        look(&gzip(&plain)).unwrap();
        let mut chain = plain.clone();
        chain.resize(chain.len().next_multiple_of(512), 0);
        chain.extend(gzip(&plain));
        chain.extend([0; 7]);
        chain.extend(gzip(b""));
        look(&chain).unwrap();
        look(b"\x28\xb5\x2f\xfdsomething").unwrap();
        look(b"menu.lst of a boot loader").unwrap();
    }

    #[test]
    fn every_cut_and_every_flip_in_gzip_is_noticed() {
        let plain = cpio(&[("init", &noise(3000))]);
        let good = gzip(&plain);
        for len in 2..good.len() {
            assert!(look(&good[..len]).is_err(), "cut at {len}");
        }
        for at in (10..good.len()).step_by(7) {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            // A few bits of the format mean nothing.
            let mut unpacked = Vec::new();
            let harmless = GzDecoder::new(bad.as_slice()).read_to_end(&mut unpacked).is_ok() && unpacked == plain;
            assert!(look(&bad).is_err() || harmless, "flip at {at} of {}", good.len());
        }
    }

    #[test]
    fn cpio_that_is_cut_or_followed_by_noise_is_noticed() {
        let good = cpio(&[("init", &noise(300)), ("b", &noise(77))]);
        for len in [6, 109, 112, 200, 420, good.len() - 20] {
            assert!(look(&good[..len]).unwrap_err().contains("cpio"), "cut at {len}");
        }
        let mut noisy = good;
        noisy.extend(b"noise");
        assert!(look(&noisy).unwrap_err().contains("no archive"));
    }
}
