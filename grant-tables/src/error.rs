// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Why a grant operation was refused, and what the ABI calls it.
//!
//! Xen answers most refusals with `GNTST_general_error`; the variants are finer, so that a log line can tell them apart.

use hypercalls::Errno;
use hypercalls::grant_table::GrantStatus;

/// Why a grant operation was refused. Nothing has changed when one is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantError {
    /// The reference is past the end of the granter's table, or the map flags ask for no mapping at all.
    BadRef,
    /// No live mapping has this handle.
    BadHandle,
    /// Every handle the domain may have is taken, or there is no memory for more.
    NoHandles,
    /// The entry does not permit access of this kind to this domain.
    NotGranted,
    /// The entry permits reading only.
    GrantReadOnly,
    /// The granter kept changing the entry while it was being claimed.
    Unstable,
    /// Another domain has the grant pinned.
    PinnedByOther,
    /// One more pin of this kind would not fit the count.
    TooManyPins,
    /// A transitive grant names a second domain which may not be followed: itself, or from within another one.
    BadTransitive,
    /// The device address given for an unmap is not that of the granted frame.
    BusAddressMismatch,
    /// The range to copy is not inside the part of the page that was granted.
    OutsideGrant,
    /// The range to copy crosses the end of a page.
    BadCopyArg,
    /// A frame was named directly although it belongs to another domain.
    PermissionDenied,
    /// More frames than the table may have, or than it has.
    TableSize,
    /// The grant, or the table, is in use; try again once it is not.
    InUse,
    /// An argument outside its range.
    BadArgument,
    /// An entry which must survive a change of version has no form in the new one.
    NotRepresentable,
    /// The domain may not choose this version.
    VersionDisabled,
    /// There is no memory for our own records.
    NoMemory,
}

impl GrantError {
    /// The status Xen gives (`GNTST_*`) in the argument of the operations that have one.
    #[doc(alias = "GNTST_general_error")]
    #[must_use]
    pub const fn status(self) -> GrantStatus {
        match self {
            Self::BadRef => GrantStatus::BAD_GNTREF,
            Self::BadHandle => GrantStatus::BAD_HANDLE,
            Self::PermissionDenied => GrantStatus::PERMISSION_DENIED,
            Self::BadCopyArg => GrantStatus::BAD_COPY_ARG,
            Self::InUse => GrantStatus::EAGAIN,
            Self::BusAddressMismatch => GrantStatus::BAD_DEV_ADDR,
            Self::NoHandles => GrantStatus::NO_SPACE,
            Self::NotGranted
            | Self::GrantReadOnly
            | Self::Unstable
            | Self::PinnedByOther
            | Self::TooManyPins
            | Self::BadTransitive
            | Self::OutsideGrant
            | Self::TableSize
            | Self::BadArgument
            | Self::NotRepresentable
            | Self::VersionDisabled
            | Self::NoMemory => GrantStatus::GENERAL_ERROR,
        }
    }

    /// The error number Xen gives where an operation fails as a whole: `set_version`, `cache_flush`,
    /// `XENMEM_acquire_resource`.
    #[must_use]
    pub const fn errno(self) -> Errno {
        match self {
            Self::InUse => Errno::EBUSY,
            Self::NotRepresentable => Errno::ERANGE,
            Self::NoMemory => Errno::ENOMEM,
            Self::VersionDisabled => Errno::ENOSYS,
            Self::PermissionDenied => Errno::EPERM,
            _ => Errno::EINVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_header() {
        assert_eq!(GrantError::BadRef.status().raw(), -3);
        assert_eq!(GrantError::Unstable.status().raw(), -1);
        assert_eq!(GrantError::NoHandles.status().raw(), -13);
        assert_eq!(GrantError::InUse.errno(), Errno::EBUSY);
        assert_eq!(GrantError::BadArgument.errno(), Errno::EINVAL);
    }
}
