// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The mapping side's records: which handle stands for which grant of which domain.

use hypercalls::{DomId, GrantRef, Mfn};

use crate::chunks::Chunks;
use crate::{Access, GrantError, MapMode};

/// Handles in a page.
pub(crate) const PER_CHUNK: usize = 256;
/// Ends the free list.
const NOBODY: u32 = u32::MAX;

/// The state of one handle. Free: no bits. Reserved: only [`BUSY`](Self::BUSY). Live: host, device or both. The bits are
/// those of the map flags, and one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(u16);

impl State {
    pub(crate) const FREE: Self = Self(0);
    pub(crate) const DEVICE: Self = Self(1 << 0);
    pub(crate) const HOST: Self = Self(1 << 1);
    pub(crate) const READONLY: Self = Self(1 << 2);
    pub(crate) const CONTAINS_PTE: Self = Self(1 << 4);
    /// Somebody holds a token for it.
    pub(crate) const BUSY: Self = Self(1 << 8);
    /// The map flags worth keeping.
    const KEPT: u32 = 0x17;

    #[inline]
    pub(crate) const fn live(mode: MapMode) -> Self {
        Self((mode.raw() & Self::KEPT) as u16)
    }

    #[inline]
    pub(crate) const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    #[inline]
    pub(crate) const fn with(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }

    #[inline]
    pub(crate) const fn without(self, bits: Self) -> Self {
        Self(self.0 & !bits.0)
    }

    /// Host and device, whichever is mapped.
    #[inline]
    pub(crate) const fn is_live(self) -> bool {
        self.has(Self(Self::HOST.0 | Self::DEVICE.0))
    }

    /// The pins the mapping has.
    #[inline]
    pub(crate) const fn access(self) -> Access {
        Access::new(self.has(Self::HOST), self.has(Self::DEVICE), self.has(Self::READONLY))
    }
}

const _: () = {
    use hypercalls::grant_table::MapFlags;
    assert!(State::DEVICE.0 as u32 == MapFlags::DEVICE_MAP.raw() && State::HOST.0 as u32 == MapFlags::HOST_MAP.raw());
    assert!(State::READONLY.0 as u32 == MapFlags::READONLY.raw());
    assert!(State::CONTAINS_PTE.0 as u32 == MapFlags::CONTAINS_PTE.raw());
};

/// One handle: 16 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    /// The grant, or the next free handle.
    pub(crate) gref: u32,
    pub(crate) granter: u16,
    pub(crate) state: State,
    pub(crate) frame: Mfn,
}

impl Default for Mapping {
    fn default() -> Self {
        Self { gref: NOBODY, granter: DomId::INVALID.raw(), state: State::FREE, frame: Mfn::INVALID }
    }
}

impl Mapping {
    pub(crate) const fn gref(&self) -> GrantRef {
        GrantRef::new(self.gref)
    }

    pub(crate) const fn granter(&self) -> DomId {
        DomId::new(self.granter)
    }
}

const _: () = assert!(size_of::<Mapping>() * PER_CHUNK == hypercalls::PAGE_SIZE);

/// All handles of a domain, with a list of the free ones.
pub(crate) struct Maptrack {
    mappings: Chunks<Mapping, PER_CHUNK>,
    first_free: u32,
    /// Handles that are not free.
    pub(crate) used: u32,
}

impl Maptrack {
    pub(crate) const fn new() -> Self {
        Self { mappings: Chunks::new(), first_free: NOBODY, used: 0 }
    }

    /// How many handles there are, free or not.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.mappings.len()).unwrap_or(u32::MAX)
    }

    /// Takes a free handle, adding a page of them if need be and allowed.
    #[inline]
    pub(crate) fn reserve(&mut self, max_frames: u32) -> Result<u32, GrantError> {
        if self.first_free == NOBODY {
            self.grow(max_frames)?;
        }
        let handle = self.first_free;
        let mapping = self.mappings.get_mut(handle).ok_or(GrantError::NoHandles)?;
        self.first_free = mapping.gref;
        mapping.state = State::BUSY;
        self.used = self.used.wrapping_add(1);
        Ok(handle)
    }

    /// Puts a handle back.
    #[inline]
    pub(crate) fn free(&mut self, handle: u32) {
        let Some(mapping) = self.mappings.get_mut(handle) else {
            debug_assert!(false, "a handle that never was");
            return;
        };
        debug_assert!(mapping.state != State::FREE, "a handle freed twice");
        *mapping = Mapping { gref: self.first_free, ..Mapping::default() };
        self.first_free = handle;
        self.used = self.used.wrapping_sub(1);
    }

    #[inline]
    pub(crate) fn get(&self, handle: u32) -> Option<&Mapping> {
        self.mappings.get(handle)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, handle: u32) -> Option<&mut Mapping> {
        self.mappings.get_mut(handle)
    }

    /// Adds a page of handles, the lowest to be taken first.
    #[cold]
    fn grow(&mut self, max_frames: u32) -> Result<(), GrantError> {
        let old = self.len();
        if old as usize / PER_CHUNK >= max_frames as usize {
            return Err(GrantError::NoHandles);
        }
        self.mappings.grow().map_err(|_| GrantError::NoHandles)?;
        for handle in (old..self.len()).rev() {
            if let Some(mapping) = self.mappings.get_mut(handle) {
                mapping.gref = self.first_free;
                self.first_free = handle;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_in_order_and_again_when_freed() {
        let mut track = Maptrack::new();
        assert_eq!(track.reserve(1), Ok(0));
        assert_eq!(track.reserve(1), Ok(1));
        track.free(0);
        assert_eq!(track.reserve(1), Ok(0));
        for expected in 2..256 {
            assert_eq!(track.reserve(1), Ok(expected));
        }
        assert_eq!(track.reserve(1), Err(GrantError::NoHandles));
        assert_eq!(track.reserve(2), Ok(256));
        assert_eq!(track.used, 257);
    }
}
