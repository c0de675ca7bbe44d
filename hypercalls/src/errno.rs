// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Xen's error numbers (`errno.h`); their own list, although most equal Linux's.

use crate::macros::open_enum;

open_enum! {
    /// Why a hypercall failed. Positive here, negative in a return register: see [`Errno::to_ret`].
    pub struct Errno: i32 {
        /// Not permitted.
        #[doc(alias = "XEN_EPERM")]
        EPERM = 1,
        /// No such entry.
        #[doc(alias = "XEN_ENOENT")]
        ENOENT = 2,
        /// No such domain or vCPU.
        #[doc(alias = "XEN_ESRCH")]
        ESRCH = 3,
        /// Interrupted; inside the hypervisor only.
        EINTR = 4,
        /// I/O error.
        #[doc(alias = "XEN_EIO")]
        EIO = 5,
        /// No such device or address.
        #[doc(alias = "XEN_ENXIO")]
        ENXIO = 6,
        /// List too long.
        #[doc(alias = "XEN_E2BIG")]
        E2BIG = 7,
        /// Not an executable of a known format.
        #[doc(alias = "XEN_ENOEXEC")]
        ENOEXEC = 8,
        /// Bad file number.
        #[doc(alias = "XEN_EBADF")]
        EBADF = 9,
        /// No child.
        #[doc(alias = "XEN_ECHILD")]
        ECHILD = 10,
        /// Try again.
        #[doc(alias = "XEN_EAGAIN")]
        EAGAIN = 11,
        /// Out of memory.
        #[doc(alias = "XEN_ENOMEM")]
        ENOMEM = 12,
        /// Access denied; also a wrong interface version.
        #[doc(alias = "XEN_EACCES")]
        EACCES = 13,
        /// Bad guest address.
        #[doc(alias = "XEN_EFAULT")]
        EFAULT = 14,
        /// In use.
        #[doc(alias = "XEN_EBUSY")]
        EBUSY = 16,
        /// Exists already.
        #[doc(alias = "XEN_EEXIST")]
        EEXIST = 17,
        /// Crosses devices.
        #[doc(alias = "XEN_EXDEV")]
        EXDEV = 18,
        /// No such device.
        #[doc(alias = "XEN_ENODEV")]
        ENODEV = 19,
        /// Not a directory.
        #[doc(alias = "XEN_ENOTDIR")]
        ENOTDIR = 20,
        /// Is a directory.
        #[doc(alias = "XEN_EISDIR")]
        EISDIR = 21,
        /// Invalid argument.
        #[doc(alias = "XEN_EINVAL")]
        EINVAL = 22,
        /// Table full.
        #[doc(alias = "XEN_ENFILE")]
        ENFILE = 23,
        /// Too many open.
        #[doc(alias = "XEN_EMFILE")]
        EMFILE = 24,
        /// No space; also no free port.
        #[doc(alias = "XEN_ENOSPC")]
        ENOSPC = 28,
        /// Read-only.
        #[doc(alias = "XEN_EROFS")]
        EROFS = 30,
        /// Too many links.
        #[doc(alias = "XEN_EMLINK")]
        EMLINK = 31,
        /// Argument out of domain.
        #[doc(alias = "XEN_EDOM")]
        EDOM = 33,
        /// Result out of range.
        #[doc(alias = "XEN_ERANGE")]
        ERANGE = 34,
        /// Would deadlock.
        #[doc(alias = "XEN_EDEADLK")]
        EDEADLK = 35,
        /// Name too long.
        #[doc(alias = "XEN_ENAMETOOLONG")]
        ENAMETOOLONG = 36,
        /// No locks left.
        #[doc(alias = "XEN_ENOLCK")]
        ENOLCK = 37,
        /// No such hypercall or operation.
        #[doc(alias = "XEN_ENOSYS")]
        ENOSYS = 38,
        /// Not empty.
        #[doc(alias = "XEN_ENOTEMPTY")]
        ENOTEMPTY = 39,
        /// No data.
        #[doc(alias = "XEN_ENODATA")]
        ENODATA = 61,
        /// Timer expired.
        #[doc(alias = "XEN_ETIME")]
        ETIME = 62,
        /// Bad message.
        #[doc(alias = "XEN_EBADMSG")]
        EBADMSG = 74,
        /// Too large for its type.
        #[doc(alias = "XEN_EOVERFLOW")]
        EOVERFLOW = 75,
        /// Illegal byte sequence.
        #[doc(alias = "XEN_EILSEQ")]
        EILSEQ = 84,
        /// Start again; inside the hypervisor only, a guest must never see it.
        ERESTART = 85,
        /// Not a socket.
        #[doc(alias = "XEN_ENOTSOCK")]
        ENOTSOCK = 88,
        /// Message too long.
        #[doc(alias = "XEN_EMSGSIZE")]
        EMSGSIZE = 90,
        /// Known, but not supported.
        #[doc(alias = "XEN_EOPNOTSUPP")]
        EOPNOTSUPP = 95,
        /// Address in use.
        #[doc(alias = "XEN_EADDRINUSE")]
        EADDRINUSE = 98,
        /// Address not available.
        #[doc(alias = "XEN_EADDRNOTAVAIL")]
        EADDRNOTAVAIL = 99,
        /// No buffer space.
        #[doc(alias = "XEN_ENOBUFS")]
        ENOBUFS = 105,
        /// Connected already.
        #[doc(alias = "XEN_EISCONN")]
        EISCONN = 106,
        /// Not connected.
        #[doc(alias = "XEN_ENOTCONN")]
        ENOTCONN = 107,
        /// Timed out.
        #[doc(alias = "XEN_ETIMEDOUT")]
        ETIMEDOUT = 110,
        /// Connection refused.
        #[doc(alias = "XEN_ECONNREFUSED")]
        ECONNREFUSED = 111,
    }
}

impl Errno {
    /// The value in a return register: negative.
    #[must_use]
    pub const fn to_ret(self) -> i64 {
        -(self.0 as i64)
    }

    /// Splits a return register into a result and an error. Values below -4095 are results: that range is not used for
    /// errors.
    ///
    /// # Errors
    /// The error the callee returned, named or not.
    pub const fn check(ret: i64) -> Result<u64, Self> {
        if ret < 0 && ret >= -4095 { Err(Self(-(ret as i32))) } else { Ok(ret as u64) }
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_survive_the_register() {
        assert_eq!(Errno::EINVAL.to_ret(), -22);
        assert_eq!(Errno::check(-22), Err(Errno::EINVAL));
        assert_eq!(Errno::check(7), Ok(7));
        assert_eq!(Errno::check(i64::MIN), Ok(i64::MIN as u64));
    }
}
