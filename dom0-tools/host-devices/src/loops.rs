// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Loop devices: files as block devices, which blkback needs. Each carries a tag that says whose it is, so that whoever cleans up never frees
//! one that meanwhile serves something else.

use crate::error::{Error, ErrorKind};
use crate::wait::Deadline;
use hypercalls::ids::DomId;
use rustix::net::netlink::{KOBJECT_UEVENT, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// The major number of loop devices.
pub(crate) const MAJOR: u32 = 7;

const CONTROL: &str = "/dev/loop-control";
/// Attempts at getting a free device while others take them away.
const ATTEMPTS: u32 = 1000;

/// A loop device that goes away again unless it is [kept](Loop::keep).
#[derive(Debug)]
pub(crate) struct Loop {
    number: u32,
    device: File,
    kept: bool,
}

impl Loop {
    /// Makes a loop device stand for `file`.
    pub(crate) fn attach(file: &File, read_only: bool, tag: &str) -> Result<Self, Error> {
        let control = OpenOptions::new().read(true).write(true).open(CONTROL).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let remedy = "load its driver into dom0's kernel: modprobe loop";
                Error::new(ErrorKind::Backend, "dom0's kernel has no loop devices, which files need", remedy)
            }
            _ => Error::system(CONTROL, &error),
        })?;
        let mut last = io::Error::from(io::ErrorKind::ResourceBusy);
        for _ in 0..ATTEMPTS {
            let number = xen_sys::free_loop(&control).map_err(|error| Error::system(CONTROL, &error))?;
            let path = path(number);
            let device = open(&path, read_only).map_err(|error| Error::system(&path, &error))?;
            match xen_sys::configure_loop(&device, file, read_only, tag) {
                Ok(()) => return Ok(Self { number, device, kept: false }),
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => last = error,
                Err(error) => return Err(Error::system(path, &error)),
            }
        }
        Err(Error::system("no loop device stays free for long enough", &last))
    }

    /// Its number, which is its minor number too.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Leaves it there for [`release`].
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if !self.kept {
            // It was only just made and serves nobody. If this fails all the same, the monitor finds it by its tag.
            xen_sys::clear_loop(&self.device).ok();
        }
    }
}

/// The tag of a domain's disk.
pub(crate) fn tag(domain: DomId, number: u32) -> String {
    format!("xenolith/{}/{number}", domain.raw())
}

/// The domain and disk of a tag.
fn read_tag(tag: &str) -> Option<(DomId, u32)> {
    let (domain, number) = tag.strip_prefix("xenolith/")?.split_once('/')?;
    Some((DomId::new(domain.parse().ok()?), number.parse().ok()?))
}

/// Frees loop device `number` if it still carries `tag`, and waits until whoever uses it has let go.
pub(crate) fn release(number: u32, tag: &str, deadline: Deadline) -> Result<(), Error> {
    let path = path(number);
    let system = |error: io::Error| Error::system(&path, &error);
    let news = BlockNews::open()?;
    {
        let device = match File::open(&path) {
            Ok(device) => device,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound) => return Ok(()),
            Err(error) => return Err(system(error)),
        };
        match xen_sys::loop_status(&device).map_err(system)? {
            Some(status) if status.tag == tag => xen_sys::clear_loop(&device).map_err(system)?,
            _ => return Ok(()),
        }
    }
    // Bound anew to something else while we waited is as good as free.
    while Path::new(&format!("/sys/block/loop{number}/loop")).exists() && tag_of(number).as_deref() == Some(tag) {
        news.wait(deadline).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                let cause = format!("{path}: still in use after the domain has let go of it");
                Error::new(
                    ErrorKind::Timeout,
                    cause,
                    format!("see who has it open (fuser {path}); it goes away with its last user"),
                )
            }
            _ => system(error),
        })?;
    }
    Ok(())
}

/// The loop devices of domains, by their tags: number, domain, disk.
///
/// # Errors
/// The kernel's.
pub(crate) fn tagged() -> Result<Vec<(u32, DomId, u32)>, Error> {
    let folder = fs::read_dir("/sys/block").map_err(|error| Error::system("/sys/block", &error))?;
    let numbers = folder.flatten().filter_map(|entry| {
        let name = entry.file_name();
        let number = name.to_str()?.strip_prefix("loop")?.parse().ok()?;
        // Opening those that stand for nothing would keep a parallel creation from nothing, but costs time.
        entry.path().join("loop").exists().then_some(number)
    });
    Ok(numbers.filter_map(|number| read_tag(&tag_of(number)?).map(|(domain, disk)| (number, domain, disk))).collect())
}

fn tag_of(number: u32) -> Option<String> {
    let device = File::open(path(number)).ok()?;
    xen_sys::loop_status(&device).ok().flatten().map(|status| status.tag)
}

fn path(number: u32) -> String {
    format!("/dev/loop{number}")
}

fn open(path: &str, read_only: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(!read_only).open(path)
}

/// The kernel's news of devices: it says when a loop device has become free.
#[derive(Debug)]
struct BlockNews(OwnedFd);

impl BlockNews {
    fn open() -> Result<Self, Error> {
        let open = || -> io::Result<OwnedFd> {
            let protocol = Some(KOBJECT_UEVENT);
            let socket =
                rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, protocol)?;
            // Group 1 is what the kernel itself sends.
            rustix::net::bind(&socket, &SocketAddrNetlink::new(0, 1))?;
            Ok(socket)
        };
        open().map(Self).map_err(|error| Error::system("news of devices", &error))
    }

    /// Waits for the next piece of news, about whatever it is.
    fn wait(&self, deadline: Deadline) -> io::Result<()> {
        deadline.readable(&self.0)?;
        match rustix::net::recv(&self.0, &mut [0_u8; 8192][..], RecvFlags::empty()) {
            Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_go_both_ways() {
        assert_eq!(read_tag(&tag(DomId::new(7), 51712)), Some((DomId::new(7), 51712)));
        for other in ["", "/var/lib/x.img", "xenolith/x/1", "xenolith/1"] {
            assert_eq!(read_tag(other), None);
        }
    }
}
