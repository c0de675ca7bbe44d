// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Copying between pages without mapping them. Either side is a frame of the caller's or a grant; a grant may cover part
//! of a page only, or lead on to a grant of a third domain.

use hypercalls::grant_table::{CopyFlags, GnttabCopy, GnttabCopyPtr};
use hypercalls::{DomId, GrantRef, Mfn, PAGE_SIZE};

use crate::active::Target;
use crate::entry::Kind;
use crate::{Access, GrantError, GrantTable};

/// A grant pinned for a copy. It ends in [`GrantTable::release_copy`].
#[derive(Debug)]
#[must_use = "pass it to release_copy, or the grant stays pinned"]
pub struct CopyClaim {
    granter: DomId,
    gref: GrantRef,
    access: Access,
    target: CopyTarget,
}

impl CopyClaim {
    /// Where the bytes are, or who knows it.
    #[must_use]
    pub const fn target(&self) -> CopyTarget {
        self.target
    }

    /// Whose table it must go back to.
    #[must_use]
    pub const fn granter(&self) -> DomId {
        self.granter
    }
}

/// What a grant claimed for a copy leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// Bytes of a frame of the granter's. Whose it is the caller must find out.
    Bytes(CopyRange),
    /// A grant of `granter` to the owner of this one. It is claimed next, on behalf of that owner, with [`Follow::No`].
    Transitive {
        /// Whose table to look in.
        granter: DomId,
        /// Which entry.
        gref: GrantRef,
    },
}

/// Whether a transitive grant may be followed: from the first grant of a copy, and no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// A transitive grant will do.
    Yes,
    /// Only one that names a frame.
    No,
}

/// The part of a frame that a copy may touch, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyRange {
    /// The frame.
    pub frame: Mfn,
    /// First byte.
    pub start: u16,
    /// Number of bytes.
    pub length: u16,
}

impl CopyRange {
    /// A whole frame.
    #[must_use]
    pub const fn whole(frame: Mfn) -> Self {
        Self { frame, start: 0, length: PAGE_BYTES }
    }

    const fn covers(&self, offset: u16, length: u16) -> bool {
        offset >= self.start && end(offset, length) <= end(self.start, self.length)
    }
}

/// The byte after a range. In 32 bits two numbers of 16 cannot wrap.
pub(crate) const fn end(offset: u16, length: u16) -> u32 {
    (offset as u32).wrapping_add(length as u32)
}

/// Bytes in a page, in the unit of the ABI.
const PAGE_BYTES: u16 = 4096;
const _: () = assert!(PAGE_BYTES as usize == PAGE_SIZE);

/// One side of a copy as the caller names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopySide {
    /// A machine frame of the caller's own.
    Frame(Mfn),
    /// A grant; [`DomId::SELF`] stands for the caller.
    Grant {
        /// The granter.
        granter: DomId,
        /// The reference in its table.
        gref: GrantRef,
    },
}

impl CopySide {
    /// Reads the source of a copy.
    ///
    /// # Errors
    /// [`GrantError::PermissionDenied`] for a frame of another domain.
    #[doc(alias = "GNTCOPY_source_gref")]
    pub const fn source(op: &GnttabCopy) -> Result<Self, GrantError> {
        Self::parse(op.flags.raw() & CopyFlags::SOURCE_GREF.raw() != 0, &op.source)
    }

    /// Reads the destination of a copy.
    ///
    /// # Errors
    /// [`GrantError::PermissionDenied`] for a frame of another domain.
    #[doc(alias = "GNTCOPY_dest_gref")]
    pub const fn dest(op: &GnttabCopy) -> Result<Self, GrantError> {
        Self::parse(op.flags.raw() & CopyFlags::DEST_GREF.raw() != 0, &op.dest)
    }

    const fn parse(is_grant: bool, side: &GnttabCopyPtr) -> Result<Self, GrantError> {
        if is_grant {
            return Ok(Self::Grant { granter: side.domid, gref: side.gref() });
        }
        if side.domid.raw() != DomId::SELF.raw() {
            return Err(GrantError::PermissionDenied);
        }
        Ok(Self::Frame(side.gmfn()))
    }
}

/// A copy that was checked: these bytes may be moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyEffect {
    /// Read from here.
    pub source: Mfn,
    /// From this byte of it.
    pub source_offset: u16,
    /// Write to here.
    pub dest: Mfn,
    /// From this byte of it.
    pub dest_offset: u16,
    /// So many bytes, within both pages.
    pub length: u16,
}

impl CopyEffect {
    /// Checks offsets and length against what both sides allow.
    ///
    /// # Errors
    /// [`GrantError::BadCopyArg`] across the end of a page, [`GrantError::OutsideGrant`] beyond a sub-page grant.
    #[doc(alias = "GNTTABOP_copy")]
    #[inline]
    pub const fn plan(op: &GnttabCopy, source: CopyRange, dest: CopyRange) -> Result<Self, GrantError> {
        let (source_offset, dest_offset, length) = (op.source.offset, op.dest.offset, op.len);
        let page = PAGE_BYTES as u32;
        if end(source_offset, length) > page || end(dest_offset, length) > page {
            return Err(GrantError::BadCopyArg);
        }
        if !source.covers(source_offset, length) || !dest.covers(dest_offset, length) {
            return Err(GrantError::OutsideGrant);
        }
        let (source, dest) = (source.frame, dest.frame);
        Ok(Self { source, source_offset, dest, dest_offset, length })
    }
}

impl GrantTable<'_> {
    /// Granter's side: pins a grant that `by` is about to copy from (`readonly`) or to.
    ///
    /// # Errors
    /// [`GrantError::BadRef`] past the end; the others if the entry does not permit it, all `GNTST_general_error`.
    #[doc(alias = "GNTTABOP_copy")]
    #[inline]
    pub fn claim_copy(
        &mut self,
        gref: GrantRef,
        by: DomId,
        readonly: bool,
        follow: Follow,
    ) -> Result<CopyClaim, GrantError> {
        let access = Access::host(readonly);
        let kinds = match follow {
            Follow::Yes => Kind::ANY,
            Follow::No => Kind::ANY_FRAME,
        };
        let owner = self.owner;
        let target = match self.pin(gref, by, access, kinds)?.target {
            Target::Page(frame) => CopyTarget::Bytes(CopyRange::whole(frame)),
            Target::SubPage { frame, start, length } => CopyTarget::Bytes(CopyRange { frame, start, length }),
            Target::Transitive { granter, gref } if granter != owner => CopyTarget::Transitive { granter, gref },
            Target::Transitive { .. } | Target::Nothing => {
                self.unpin(gref, access);
                return Err(GrantError::BadTransitive);
            }
        };
        Ok(CopyClaim { granter: self.owner, gref, access, target })
    }

    /// Granter's side: the copy is done, or nothing came of it.
    #[inline]
    pub fn release_copy(&mut self, claim: CopyClaim) {
        debug_assert!(claim.granter == self.owner, "a claim of another table");
        self.unpin(claim.gref, claim.access);
    }
}
