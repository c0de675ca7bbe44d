// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! How a grant is to be used: the flags of a map, and the kinds of pin that follow from them.

use hypercalls::grant_table::MapFlags;

use crate::GrantError;

/// The ways in which one claim uses a page: by CPUs, by devices or both, and whether they may write.
///
/// It is kept as what a claim adds to the four counts of an active entry: one in each byte concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Access(u32);

impl Access {
    pub(crate) const HOST_WRITE: u32 = 1 << 0;
    pub(crate) const DEVICE_WRITE: u32 = 1 << 8;
    /// From the counts of writers to those of readers.
    const READ_SHIFT: u32 = 16;

    #[inline]
    pub(crate) const fn new(host: bool, device: bool, readonly: bool) -> Self {
        let writes = host as u32 | (device as u32) << 8;
        Self(if readonly { writes << Self::READ_SHIFT } else { writes })
    }

    /// By a CPU, for reading or for writing too: what a copy needs.
    #[must_use]
    #[inline]
    pub const fn host(readonly: bool) -> Self {
        Self::new(true, false, readonly)
    }

    #[inline]
    pub(crate) const fn ones(self) -> u32 {
        self.0
    }

    /// Whether writing is not among the uses.
    #[must_use]
    #[inline]
    pub const fn is_readonly(self) -> bool {
        self.0 & (Self::HOST_WRITE | Self::DEVICE_WRITE) == 0
    }

    /// Whether a CPU uses it, through a page table or a copy.
    #[must_use]
    #[inline]
    pub const fn is_host(self) -> bool {
        self.0 & (Self::HOST_WRITE | Self::HOST_WRITE << Self::READ_SHIFT) != 0
    }

    /// Whether a device uses it, through its bus address.
    #[must_use]
    #[inline]
    pub const fn is_device(self) -> bool {
        self.0 & (Self::DEVICE_WRITE | Self::DEVICE_WRITE << Self::READ_SHIFT) != 0
    }
}

impl core::fmt::Debug for Access {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (host, device) = (self.is_host(), self.is_device());
        f.debug_struct("Access")
            .field("host", &host)
            .field("device", &device)
            .field("readonly", &self.is_readonly())
            .finish()
    }
}

/// Where the bits begin that the guest wants in its page-table entry: `_GNTMAP_guest_avail0`.
const GUEST_BITS_SHIFT: u32 = 16;

/// The flags of a map that were checked: at least one of host and device is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapMode(MapFlags);

impl MapMode {
    /// Checks the flags of a map. Unknown bits are ignored, as Xen ignores them.
    ///
    /// # Errors
    /// [`GrantError::BadRef`] if neither a host nor a device mapping is asked for (so Xen calls it).
    #[doc(alias = "GNTMAP_host_map")]
    pub const fn parse(flags: MapFlags) -> Result<Self, GrantError> {
        let mode = Self(flags);
        if mode.is_host() || mode.is_device() { Ok(mode) } else { Err(GrantError::BadRef) }
    }

    #[inline]
    pub(crate) const fn raw(self) -> u32 {
        self.0.raw()
    }

    #[inline]
    const fn has(self, flag: MapFlags) -> bool {
        self.0.raw() & flag.raw() != 0
    }

    /// A page-table entry is to be written.
    #[must_use]
    #[inline]
    pub const fn is_host(self) -> bool {
        self.has(MapFlags::HOST_MAP)
    }

    /// A bus address is asked for.
    #[must_use]
    #[inline]
    pub const fn is_device(self) -> bool {
        self.has(MapFlags::DEVICE_MAP)
    }

    /// The mapping must not allow writes.
    #[must_use]
    #[inline]
    pub const fn is_readonly(self) -> bool {
        self.has(MapFlags::READONLY)
    }

    /// The guest's applications may use the mapping as well as its kernel.
    #[must_use]
    #[inline]
    pub const fn is_application(self) -> bool {
        self.has(MapFlags::APPLICATION_MAP)
    }

    /// `host_addr` is the machine address of the page-table entry, not a virtual address.
    #[must_use]
    #[inline]
    pub const fn contains_pte(self) -> bool {
        self.has(MapFlags::CONTAINS_PTE)
    }

    /// What goes to the three bits of the page-table entry that are the guest's own: bits 9 to 11 of the entry, here
    /// in bits 0 to 2.
    #[doc(alias = "GNTMAP_guest_avail0")]
    #[must_use]
    #[inline]
    pub const fn pte_available_bits(self) -> u64 {
        ((self.0.raw() >> GUEST_BITS_SHIFT) & 7) as u64
    }

    /// The pins such a mapping needs.
    #[must_use]
    #[inline]
    pub const fn access(self) -> Access {
        Access::new(self.is_host(), self.is_device(), self.is_readonly())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_must_map_something() {
        assert_eq!(MapMode::parse(MapFlags::new(0x1c)).unwrap_err(), GrantError::BadRef);
        let flags = MapMode::parse(MapFlags::new(0x0005_0016)).unwrap();
        assert!(flags.is_host() && flags.is_readonly() && flags.contains_pte());
        assert!(!flags.is_device() && !flags.is_application());
        assert_eq!(flags.pte_available_bits(), 5);
    }
}
