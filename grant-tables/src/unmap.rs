// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Ending a mapping, on the mapper's side: find out what is to be undone, undo it outside, then give the handle back.

use hypercalls::{GrantHandle, GrantRef, Mfn};

use crate::maptrack::{Mapping, State};
use crate::{Access, GrantError, GrantTable, Release};

/// A mapping that is being ended. It ends in [`GrantTable::finish_unmap`], or in [`GrantTable::cancel_unmap`] if the
/// page-table entry was not what it should be.
#[derive(Debug)]
#[must_use = "pass it to finish_unmap or cancel_unmap, or the handle stays busy"]
pub struct Unmapping {
    handle: u32,
    mapping: Mapping,
    /// The halves that end, and no other bits.
    ending: State,
}

impl Unmapping {
    /// Whether a page-table entry is to be cleared or replaced.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.ending.has(State::HOST)
    }

    /// The entry must allow writes exactly if this is false.
    #[must_use]
    pub const fn is_readonly(&self) -> bool {
        self.mapping.state.has(State::READONLY)
    }

    /// `host_addr` is the machine address of the page-table entry, not a virtual address.
    #[must_use]
    pub const fn contains_pte(&self) -> bool {
        self.mapping.state.has(State::CONTAINS_PTE)
    }

    /// The frame the page-table entry must lead to.
    #[must_use]
    pub const fn frame(&self) -> Mfn {
        self.mapping.frame
    }

    /// The grant, for messages.
    #[must_use]
    pub const fn gref(&self) -> GrantRef {
        self.mapping.gref()
    }
}

impl GrantTable<'_> {
    /// Begins to end a mapping. An address of zero leaves that half of the mapping alone, as does one for a half that was
    /// never mapped; `unmap_and_replace` passes no device address.
    ///
    /// # Errors
    /// [`GrantError::BadHandle`]; [`GrantError::InUse`] if it is being ended already;
    /// [`GrantError::BusAddressMismatch`].
    #[doc(alias = "GNTTABOP_unmap_grant_ref")]
    #[doc(alias = "GNTTABOP_unmap_and_replace")]
    #[inline]
    pub fn start_unmap(
        &mut self,
        handle: GrantHandle,
        host_addr: u64,
        dev_bus_addr: u64,
    ) -> Result<Unmapping, GrantError> {
        let mapping = self.maptrack.get_mut(handle.raw()).ok_or(GrantError::BadHandle)?;
        let state = mapping.state;
        if !state.is_live() {
            return Err(GrantError::BadHandle);
        }
        if state.has(State::BUSY) {
            return Err(GrantError::InUse);
        }
        let mut ending = State::FREE;
        if dev_bus_addr != 0 && state.has(State::DEVICE) {
            if dev_bus_addr != mapping.frame.to_addr() {
                return Err(GrantError::BusAddressMismatch);
            }
            ending = State::DEVICE;
        }
        if host_addr != 0 && state.has(State::HOST) {
            ending = ending.with(State::HOST);
        }
        let before = *mapping;
        mapping.state = state.with(State::BUSY);
        Ok(Unmapping { handle: handle.raw(), mapping: before, ending })
    }

    /// The mapping is gone. Gives the handle back once nothing of it is left. `None` if there was nothing to end.
    #[inline]
    pub fn finish_unmap(&mut self, unmapping: Unmapping) -> Option<Release> {
        let Unmapping { handle, mapping, ending } = unmapping;
        let left = mapping.state.without(ending);
        if left.is_live() {
            self.set_state(handle, left);
        } else {
            self.maptrack.free(handle);
        }
        if ending == State::FREE {
            return None;
        }
        let readonly = mapping.state.has(State::READONLY);
        let access = Access::new(ending.has(State::HOST), ending.has(State::DEVICE), readonly);
        Some(release_of(&mapping, access))
    }

    /// The mapping could not be ended and stays as it was.
    pub fn cancel_unmap(&mut self, unmapping: Unmapping) {
        self.set_state(unmapping.handle, unmapping.mapping.state);
    }

    fn set_state(&mut self, handle: u32, state: State) {
        if let Some(mapping) = self.maptrack.get_mut(handle) {
            mapping.state = state;
        }
    }
}

/// What the granter gets back for these uses of a mapping.
pub(crate) const fn release_of(mapping: &Mapping, access: Access) -> Release {
    Release { granter: mapping.granter(), gref: mapping.gref(), access, frame: mapping.frame }
}
