// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The errors of the protocol. On the wire each is its name as text.

use hypercalls::io::xs_wire;
use std::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a request was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Error {
            $($(#[$doc])* $name,)*
        }

        impl Error {
            /// Every error.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name that goes over the wire, without NUL.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

errors! {
    /// The request makes no sense.
    Invalid = "EINVAL",
    /// No right to do it.
    Access = "EACCES",
    /// That watch is already there.
    Exists = "EEXIST",
    /// No such node, transaction, watch or domain.
    NotFound = "ENOENT",
    /// A quota is used up.
    NoSpace = "ENOSPC",
    /// The server itself failed.
    Io = "EIO",
    /// No such operation.
    NotSupported = "ENOSYS",
    /// A transaction within a transaction.
    Busy = "EBUSY",
    /// A transaction met a conflict: try it again.
    Again = "EAGAIN",
    /// The answer is too long, or too many watches.
    TooBig = "E2BIG",
    /// Only the owner, or only the toolstack, may.
    NotPermitted = "EPERM",
    /// The server has no memory left.
    NoMemory = "ENOMEM",
    /// Not to be written.
    ReadOnly = "EROFS",
    /// Named by the protocol, used by no server known here.
    IsDirectory = "EISDIR",
    /// Named by the protocol, used by no server known here.
    NotEmpty = "ENOTEMPTY",
    /// The domain has a connection already.
    Connected = "EISCONN",
}

impl Error {
    /// The error of this name, as a client reads it.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|error| error.name().as_bytes() == name)
    }

    /// Whether the public header knows the name; a client maps any other to `EINVAL`.
    #[must_use]
    pub fn is_in_header(self) -> bool {
        xs_wire::ERROR_NAMES.iter().any(|(name, _)| *name == self.name())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_header() {
        for error in Error::ALL {
            assert!(error.is_in_header(), "{error}");
            assert_eq!(Error::from_name(error.name().as_bytes()), Some(*error));
        }
        assert_eq!(Error::from_name(b"EDQUOT"), None);
    }
}
