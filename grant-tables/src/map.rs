// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Mapping a grant: the granter's [`Claim`] and the mapper's [`Reserved`] handle become a live handle, or are given back.

use hypercalls::{DomId, GrantHandle, GrantRef, Mfn};

use crate::active::Target;
use crate::entry::Kind;
use crate::maptrack::State;
use crate::{Access, GrantError, GrantTable, MapMode};

/// A grant pinned for a mapping that is being made. It ends in [`GrantTable::commit_map`] or [`GrantTable::abandon_map`];
/// one that is dropped leaves the granter's page pinned until that domain's end.
#[derive(Debug)]
#[must_use = "pass it to commit_map or abandon_map, or the grant stays pinned"]
pub struct Claim {
    granter: DomId,
    gref: GrantRef,
    mode: MapMode,
    frame: Mfn,
}

impl Claim {
    /// The granted frame, as the granter wrote it: whose it is the caller must find out.
    #[must_use]
    pub const fn frame(&self) -> Mfn {
        self.frame
    }

    /// Whose table it came from.
    #[must_use]
    pub const fn granter(&self) -> DomId {
        self.granter
    }

    /// How it is to be mapped.
    #[must_use]
    pub const fn mode(&self) -> MapMode {
        self.mode
    }
}

/// A handle taken for a mapping that is being made. It ends in [`GrantTable::commit_map`] or [`GrantTable::cancel_handle`].
#[derive(Debug)]
#[must_use = "pass it to commit_map or cancel_handle, or the handle is lost"]
pub struct Reserved {
    handle: u32,
}

/// Pins that are no longer used and must go back to the granter's table by [`GrantTable::release`], after the last TLB that
/// could hold the mapping was flushed.
#[derive(Debug)]
#[must_use = "pass it to the granter's release, or the grant stays pinned"]
pub struct Release {
    pub(crate) granter: DomId,
    pub(crate) gref: GrantRef,
    pub(crate) access: Access,
    pub(crate) frame: Mfn,
}

impl Release {
    /// Whose table it must go to.
    #[must_use]
    pub const fn granter(&self) -> DomId {
        self.granter
    }

    /// The frame whose references the hypervisor drops: one for each of host and device.
    #[must_use]
    pub const fn frame(&self) -> Mfn {
        self.frame
    }

    /// How it was used.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }
}

impl GrantTable<'_> {
    /// Mapper's side, first: takes a handle.
    ///
    /// # Errors
    /// [`GrantError::NoHandles`].
    #[inline]
    pub fn reserve_handle(&mut self) -> Result<Reserved, GrantError> {
        let handle = self.maptrack.reserve(self.limits.maptrack_frames)?;
        Ok(Reserved { handle })
    }

    /// Granter's side: pins a grant for `by`, which is about to map it.
    ///
    /// # Errors
    /// [`GrantError::BadRef`] past the end; the others if the entry does not permit it, all `GNTST_general_error`.
    #[doc(alias = "GNTTABOP_map_grant_ref")]
    #[inline]
    pub fn claim_map(&mut self, gref: GrantRef, by: DomId, mode: MapMode) -> Result<Claim, GrantError> {
        let (granter, access) = (self.owner, mode.access());
        if let Target::Page(frame) = self.pin(gref, by, access, Kind::PAGE)?.target {
            return Ok(Claim { granter, gref, mode, frame });
        }
        // Only a whole page was asked for, so `pin` gives nothing else.
        self.unpin(gref, access);
        Err(GrantError::NotGranted)
    }

    /// Mapper's side, last: the mapping exists, its handle is live.
    #[inline]
    pub fn commit_map(&mut self, reserved: Reserved, claim: Claim) -> GrantHandle {
        if let Some(mapping) = self.maptrack.get_mut(reserved.handle) {
            mapping.gref = claim.gref.raw();
            mapping.granter = claim.granter.raw();
            mapping.frame = claim.frame;
            mapping.state = State::live(claim.mode);
        }
        GrantHandle::new(reserved.handle)
    }

    /// Mapper's side, if nothing came of it.
    #[inline]
    pub fn cancel_handle(&mut self, reserved: Reserved) {
        self.maptrack.free(reserved.handle);
    }

    /// Granter's side, if nothing came of it.
    #[inline]
    pub fn abandon_map(&mut self, claim: Claim) {
        debug_assert!(claim.granter == self.owner, "a claim of another table");
        self.unpin(claim.gref, claim.mode.access());
    }

    /// Granter's side of an unmap: drops the pins. The guest may have its page back from here on.
    #[inline]
    pub fn release(&mut self, release: Release) {
        debug_assert!(release.granter == self.owner, "a release for another table");
        self.unpin(release.gref, release.access);
    }
}
