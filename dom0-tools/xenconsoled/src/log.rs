// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A log file that is rotated when it has grown to a size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// When a log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// Bytes a file may have.
    pub(crate) size: u64,
    /// How many old ones are kept, as `NAME.1` (the newest) and so on.
    pub(crate) keep: u32,
}

/// A log. Appends; survives the disk being full: what cannot be written is counted and the next piece tried again.
#[derive(Debug)]
pub(crate) struct Log {
    path: PathBuf,
    rotation: Rotation,
    file: Option<(File, u64)>,
    lost: u64,
}

impl Log {
    /// Nothing is opened yet.
    pub(crate) fn new(path: PathBuf, rotation: Rotation) -> Self {
        Self { path, rotation, file: None, lost: 0 }
    }

    /// The log of a guest's console. The name cannot lead out of the directory.
    pub(crate) fn of_guest(directory: &Path, name: &str, rotation: Rotation) -> Self {
        let name: String = name.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
        Self::new(directory.join(format!("guest-{name}.log")), rotation)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes could not be written.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Appends.
    ///
    /// # Errors
    /// The first failure of a row of them; the following ones are only counted.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let first = self.lost == 0;
        match self.try_append(bytes) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.lost += bytes.len() as u64;
                // Opened again next time: the directory may have been made, the file removed.
                self.file = None;
                if first { Err(error) } else { Ok(()) }
            }
        }
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let full = |size: u64| size > 0 && size + bytes.len() as u64 > self.rotation.size;
        let (mut file, mut size) = match self.file.take() {
            Some(open) => open,
            None => self.open()?,
        };
        if full(size) {
            drop(file);
            self.rotate()?;
            (file, size) = self.open()?;
        }
        file.write_all(bytes)?;
        self.file = Some((file, size + bytes.len() as u64));
        Ok(())
    }

    fn open(&self) -> io::Result<(File, u64)> {
        let open = || OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path);
        let file = match (open(), self.path.parent()) {
            (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(folder)?;
                open()?
            }
            (file, _) => file?,
        };
        let size = file.metadata()?.len();
        Ok((file, size))
    }

    /// The name of the `number`th old file; 0 is the current one.
    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }

    fn rotate(&self) -> io::Result<()> {
        if self.rotation.keep == 0 {
            return fs::remove_file(&self.path);
        }
        for number in (0..self.rotation.keep).rev() {
            match fs::rename(self.numbered(number), self.numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test's own.
    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("xenconsoled-log-{name}-{}", std::process::id()));
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        path
    }

    #[test]
    fn a_log_is_rotated_and_old_ones_go() {
        let directory = directory("rotate");
        let mut log = Log::of_guest(&directory, "demo", Rotation { size: 10, keep: 2 });
        for piece in ["aaaa", "bbbb", "cccc", "dddddddddddddddd", "ee", "ffffffff", "g"] {
            log.append(piece.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
        assert_eq!(read("guest-demo.log"), "g");
        assert_eq!(read("guest-demo.log.1"), "eeffffffff");
        assert_eq!(read("guest-demo.log.2"), "dddddddddddddddd");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 3);
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_new_daemon_goes_on_with_the_same_file() {
        let directory = directory("again");
        for piece in ["one", "two", "three"] {
            let mut log = Log::of_guest(&directory, "demo", Rotation { size: 6, keep: 0 });
            log.append(piece.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(directory.join("guest-demo.log")).unwrap(), "three");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_name_cannot_leave_the_directory_and_failures_are_told_once() {
        let directory = directory("evil");
        let log = Log::of_guest(&directory, "../../x\n", Rotation { size: 6, keep: 0 });
        assert_eq!(log.path(), directory.join("guest-.._.._x_.log"));
        fs::write(&directory, "no directory").unwrap();
        let mut log = Log::of_guest(&directory, "demo", Rotation { size: 6, keep: 0 });
        assert!(log.append(b"abc").is_err());
        assert!(log.append(b"de").is_ok());
        assert_eq!(log.lost(), 5);
        fs::remove_file(&directory).unwrap();
        log.append(b"fgh").unwrap();
        assert_eq!(fs::read(log.path()).unwrap(), b"fgh");
        fs::remove_dir_all(&directory).unwrap();
    }
}
