// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: the `ioctl` system call takes an address the kernel reads and writes.
#![expect(unsafe_code, reason = "requests to Linux's loop driver, which have addresses as arguments")]
//! Requests to Linux's loop driver (`linux/loop.h`): a file as a block device.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// `LOOP_CLR_FD`
const CLEAR: libc::c_ulong = 0x4c01;
/// `LOOP_SET_STATUS64`
const SET_STATUS: libc::c_ulong = 0x4c04;
/// `LOOP_GET_STATUS64`
const GET_STATUS: libc::c_ulong = 0x4c05;
/// `LOOP_CONFIGURE`
const CONFIGURE: libc::c_ulong = 0x4c0a;
/// `LOOP_CTL_GET_FREE`
const GET_FREE: libc::c_ulong = 0x4c82;

/// `LO_FLAGS_READ_ONLY`
const READ_ONLY: u32 = 1;
/// `LO_FLAGS_AUTOCLEAR`
const AUTOCLEAR: u32 = 4;
/// `LO_FLAGS_DIRECT_IO`
const DIRECT_IO: u32 = 16;

/// Longest tag, in bytes: the field has 64, the last of them a NUL.
const TAG: usize = 63;

/// `struct loop_info64`
#[derive(Clone, Copy)]
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

const _: () = assert!(size_of::<Info>() == 232 && size_of::<Config>() == 304);

const EMPTY: Info = Info {
    device: 0,
    inode: 0,
    rdevice: 0,
    offset: 0,
    size_limit: 0,
    number: 0,
    encrypt_type: 0,
    encrypt_key_size: 0,
    flags: 0,
    file_name: [0; 64],
    crypt_name: [0; 64],
    encrypt_key: [0; 32],
    init: [0; 2],
};

/// What a loop device is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopStatus {
    /// The text given to [`configure_loop`], or the file's name if other tools set it up.
    pub tag: String,
    /// Whether it goes away with its last user.
    pub autoclear: bool,
    /// Whether it bypasses dom0's page cache.
    pub direct_io: bool,
}

/// The number of a loop device that is free now; another process may take it the moment after. `control` is `/dev/loop-control`.
///
/// # Errors
/// The kernel's.
pub fn free_loop(control: impl AsFd) -> io::Result<u32> {
    // SAFETY: the request has no argument.
    let number = unsafe { libc::ioctl(control.as_fd().as_raw_fd(), GET_FREE) };
    u32::try_from(number).map_err(|_| io::Error::last_os_error())
}

/// Makes the loop device `device` stand for `file`, in one step, under a `tag` of at most 63 bytes. Direct input and output is used if the
/// file can do it.
///
/// # Errors
/// `ResourceBusy` if another process took the device first, or the kernel's.
pub fn configure_loop(device: impl AsFd, file: impl AsFd, read_only: bool, tag: &str) -> io::Result<()> {
    if tag.len() > TAG {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let fd = u32::try_from(file.as_fd().as_raw_fd()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let mut info = Info { flags: DIRECT_IO | if read_only { READ_ONLY } else { 0 }, ..EMPTY };
    for (to, from) in info.file_name.iter_mut().zip(tag.bytes()) {
        *to = from;
    }
    let mut config = Config { fd, block_size: 0, info, reserved: [0; 8] };
    // SAFETY: the request reads a `struct loop_config`, which has the same layout; it holds no addresses.
    unsafe { request(device.as_fd(), CONFIGURE, &raw mut config) }
}

/// What a loop device stands for; `None` if for nothing.
///
/// # Errors
/// The kernel's.
pub fn loop_status(device: impl AsFd) -> io::Result<Option<LoopStatus>> {
    let Some(info) = info(device.as_fd())? else { return Ok(None) };
    let end = info.file_name.iter().position(|byte| *byte == 0).unwrap_or(info.file_name.len());
    let name = info.file_name.get(..end).unwrap_or_default();
    Ok(Some(LoopStatus {
        tag: String::from_utf8_lossy(name).into_owned(),
        autoclear: info.flags & AUTOCLEAR != 0,
        direct_io: info.flags & DIRECT_IO != 0,
    }))
}

/// Lets a loop device go away with its last user.
///
/// # Errors
/// The kernel's.
pub fn autoclear_loop(device: impl AsFd) -> io::Result<()> {
    let Some(mut info) = info(device.as_fd())? else { return Err(io::Error::from_raw_os_error(libc::ENXIO)) };
    info.flags |= AUTOCLEAR;
    // SAFETY: the request reads a `struct loop_info64`, which has the same layout; it holds no addresses.
    unsafe { request(device.as_fd(), SET_STATUS, &raw mut info) }
}

/// Frees a loop device: once `device`, which must be open, and all others who have it open have closed it.
///
/// # Errors
/// The kernel's; that it is free already is no error.
pub fn clear_loop(device: impl AsFd) -> io::Result<()> {
    // SAFETY: the request has no argument.
    match unsafe { request(device.as_fd(), CLEAR, std::ptr::null_mut::<u8>()) } {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(()),
        other => other,
    }
}

fn info(device: BorrowedFd<'_>) -> io::Result<Option<Info>> {
    let mut info = EMPTY;
    // SAFETY: the request writes a `struct loop_info64`, which has the same layout and takes any bytes.
    match unsafe { request(device, GET_STATUS, &raw mut info) } {
        Ok(()) => Ok(Some(info)),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Does one request.
///
/// # Safety
/// `argument` must be what `request` reads and writes.
unsafe fn request<T>(device: BorrowedFd<'_>, request: libc::c_ulong, argument: *mut T) -> io::Result<()> {
    // SAFETY: the caller vouches for `argument`; the descriptor is open, as it is borrowed.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), request, argument) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
