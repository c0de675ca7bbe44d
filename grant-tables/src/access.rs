// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! How a grant is to be used: the flags of a map, and the kinds of pin that follow from them.

use hypercalls::grant_table::MapFlags;

use crate::GrantError;

/// The ways in which one claim uses a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// No writes.
    pub readonly: bool,
    /// By a CPU, through a page table.
    pub host: bool,
    /// By a device, through its bus address.
    pub device: bool,
}

impl Access {
    /// By a CPU, for reading or for writing too: what a copy needs.
    #[must_use]
    pub const fn host(readonly: bool) -> Self {
        Self { readonly, host: true, device: false }
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

    const fn has(self, flag: MapFlags) -> bool {
        self.0.raw() & flag.raw() != 0
    }

    /// A page-table entry is to be written.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.has(MapFlags::HOST_MAP)
    }

    /// A bus address is asked for.
    #[must_use]
    pub const fn is_device(self) -> bool {
        self.has(MapFlags::DEVICE_MAP)
    }

    /// The mapping must not allow writes.
    #[must_use]
    pub const fn is_readonly(self) -> bool {
        self.has(MapFlags::READONLY)
    }

    /// The guest's applications may use the mapping as well as its kernel.
    #[must_use]
    pub const fn is_application(self) -> bool {
        self.has(MapFlags::APPLICATION_MAP)
    }

    /// `host_addr` is the machine address of the page-table entry, not a virtual address.
    #[must_use]
    pub const fn contains_pte(self) -> bool {
        self.has(MapFlags::CONTAINS_PTE)
    }

    /// What goes to the three bits of the page-table entry that are the guest's own: bits 9 to 11 of the entry, here
    /// in bits 0 to 2.
    #[doc(alias = "GNTMAP_guest_avail0")]
    #[must_use]
    pub const fn pte_available_bits(self) -> u64 {
        ((self.0.raw() >> GUEST_BITS_SHIFT) & 7) as u64
    }

    /// The pins such a mapping needs.
    #[must_use]
    pub const fn access(self) -> Access {
        Access { readonly: self.is_readonly(), host: self.is_host(), device: self.is_device() }
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
