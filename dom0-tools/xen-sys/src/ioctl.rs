// SPDX-License-Identifier: MIT OR Apache-2.0
// UNSAFETY: the `ioctl` system call takes an address the kernel reads and writes.
#![expect(unsafe_code, reason = "system calls on the Xen devices")]
//! Request numbers and arguments of the Xen devices (Linux's `include/uapi/xen`), and the one system call.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A request number as Linux's `_IOC(_IOC_NONE, group, number, size)` makes it.
const fn request(group: u8, number: u32, size: usize) -> u32 {
    ((size as u32) << 16) | ((group as u32) << 8) | number
}

/// One hypercall.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct Hypercall {
    pub(crate) op: u64,
    pub(crate) arg: [u64; 5],
}

/// `IOCTL_PRIVCMD_HYPERCALL`
pub(crate) const PRIVCMD_HYPERCALL: u32 = request(b'P', 0, size_of::<Hypercall>());

/// Maps frames of a domain.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct MmapBatchV2 {
    pub(crate) num: u32,
    pub(crate) dom: u16,
    pub(crate) _pad: u16,
    pub(crate) addr: u64,
    /// `num` frame numbers.
    pub(crate) arr: *const u64,
    /// Out: `num` error numbers, negative; 0 is success.
    pub(crate) err: *mut i32,
}

/// `IOCTL_PRIVCMD_MMAPBATCH_V2`
pub(crate) const PRIVCMD_MMAPBATCH_V2: u32 = request(b'P', 4, size_of::<MmapBatchV2>());

/// Maps a resource of a domain.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct MmapResource {
    pub(crate) dom: u16,
    pub(crate) _pad: u16,
    pub(crate) kind: u32,
    pub(crate) id: u32,
    pub(crate) idx: u32,
    pub(crate) num: u64,
    pub(crate) addr: u64,
}

/// `IOCTL_PRIVCMD_MMAP_RESOURCE`
pub(crate) const PRIVCMD_MMAP_RESOURCE: u32 = request(b'P', 7, size_of::<MmapResource>());

/// `IOCTL_EVTCHN_BIND_VIRQ`; argument: the virtual interrupt.
pub(crate) const EVTCHN_BIND_VIRQ: u32 = request(b'E', 0, 4);
/// `IOCTL_EVTCHN_BIND_INTERDOMAIN`; argument: domain, port.
pub(crate) const EVTCHN_BIND_INTERDOMAIN: u32 = request(b'E', 1, 8);
/// `IOCTL_EVTCHN_BIND_UNBOUND_PORT`; argument: domain.
pub(crate) const EVTCHN_BIND_UNBOUND_PORT: u32 = request(b'E', 2, 4);
/// `IOCTL_EVTCHN_UNBIND`; argument: port.
pub(crate) const EVTCHN_UNBIND: u32 = request(b'E', 3, 4);
/// `IOCTL_EVTCHN_NOTIFY`; argument: port.
pub(crate) const EVTCHN_NOTIFY: u32 = request(b'E', 4, 4);
/// `IOCTL_EVTCHN_RESET`; no argument.
pub(crate) const EVTCHN_RESET: u32 = request(b'E', 5, 0);

/// `IOCTL_GNTDEV_MAP_GRANT_REF`; the size in it is that of the argument with one reference.
pub(crate) const GNTDEV_MAP_GRANT_REF: u32 = request(b'G', 0, 24);

/// Forgets mapped references.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct UnmapGrantRef {
    pub(crate) index: u64,
    pub(crate) count: u32,
    pub(crate) _pad: u32,
}

/// `IOCTL_GNTDEV_UNMAP_GRANT_REF`
pub(crate) const GNTDEV_UNMAP_GRANT_REF: u32 = request(b'G', 1, size_of::<UnmapGrantRef>());

/// Says what the kernel does when a page is unmapped.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct UnmapNotify {
    pub(crate) index: u64,
    pub(crate) action: u32,
    pub(crate) event_channel_port: u32,
}

/// `IOCTL_GNTDEV_SET_UNMAP_NOTIFY`
pub(crate) const GNTDEV_SET_UNMAP_NOTIFY: u32 = request(b'G', 7, size_of::<UnmapNotify>());
/// `UNMAP_NOTIFY_CLEAR_BYTE`
pub(crate) const UNMAP_NOTIFY_CLEAR_BYTE: u32 = 1;
/// `UNMAP_NOTIFY_SEND_EVENT`
pub(crate) const UNMAP_NOTIFY_SEND_EVENT: u32 = 2;

/// `IOCTL_XENBUS_BACKEND_EVTCHN`; no argument, answers with the port.
pub(crate) const XENBUS_BACKEND_EVTCHN: u32 = request(b'B', 0, 0);

/// Does one request. Not libc's `ioctl`, which would cut a hypercall's result to 32 bits.
///
/// # Errors
/// What the kernel answers; for a hypercall, the hypervisor's error.
///
/// # Safety
/// `argument` must be what `request` asks for: valid for the reads and writes of that request, and so must all
/// addresses in it.
pub(crate) unsafe fn call<T>(fd: BorrowedFd<'_>, request: u32, argument: *mut T) -> io::Result<u64> {
    // SAFETY: the caller vouches for `argument`; the descriptor is open, as it is borrowed.
    let answer = unsafe { libc::syscall(libc::SYS_ioctl, fd.as_raw_fd(), request, argument) };
    if answer == -1 { Err(io::Error::last_os_error()) } else { Ok(answer as u64) }
}

/// Does a request whose argument is a plain value without addresses.
///
/// # Errors
/// What the kernel answers.
pub(crate) fn call_words<const N: usize>(fd: BorrowedFd<'_>, request: u32, words: [u32; N]) -> io::Result<u64> {
    let mut words = words;
    assert!(request >> 16 == size_of_val(&words) as u32, "the argument is not of the request's size");
    // SAFETY: the request reads, and at most writes, as many bytes as the array has; nothing in it is an address: this
    // function is private to the crate and used for the `EVTCHN` requests above only.
    unsafe { call(fd, request, words.as_mut_ptr()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_those_of_the_headers() {
        // Printed by a C program with Linux 6.1's headers.
        assert_eq!(PRIVCMD_HYPERCALL, 0x30_5000);
        assert_eq!(PRIVCMD_MMAPBATCH_V2, 0x20_5004);
        assert_eq!(PRIVCMD_MMAP_RESOURCE, 0x20_5007);
        assert_eq!(EVTCHN_BIND_INTERDOMAIN, 0x8_4501);
        assert_eq!(GNTDEV_MAP_GRANT_REF, 0x18_4700);
        assert_eq!(GNTDEV_UNMAP_GRANT_REF, 0x10_4701);
        assert_eq!(GNTDEV_SET_UNMAP_NOTIFY, 0x10_4707);
    }
}
