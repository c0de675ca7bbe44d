// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! How a grant is to be used: the flags of a map, and the kinds of pin that follow from them.

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

/// The flags of a map that were checked (`GNTMAP_*`): at least one of host and device is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapFlags(u32);

impl MapFlags {
    /// `GNTMAP_device_map`
    const DEVICE: u32 = 1 << 0;
    /// `GNTMAP_host_map`
    const HOST: u32 = 1 << 1;
    /// `GNTMAP_readonly`
    const READONLY: u32 = 1 << 2;
    /// `GNTMAP_application_map`
    const APPLICATION: u32 = 1 << 3;
    /// `GNTMAP_contains_pte`
    const CONTAINS_PTE: u32 = 1 << 4;
    /// Where the bits begin that the guest wants in its page-table entry.
    const GUEST_BITS_SHIFT: u32 = 16;

    /// Checks the flags of a map. Unknown bits are ignored, as Xen ignores them.
    ///
    /// # Errors
    /// [`GrantError::BadRef`] if neither a host nor a device mapping is asked for (so Xen calls it).
    #[doc(alias = "GNTMAP_host_map")]
    pub const fn parse(raw: u32) -> Result<Self, GrantError> {
        if raw & (Self::DEVICE | Self::HOST) == 0 {
            return Err(GrantError::BadRef);
        }
        Ok(Self(raw))
    }

    /// A page-table entry is to be written.
    #[must_use]
    pub const fn is_host(self) -> bool {
        self.0 & Self::HOST != 0
    }

    /// A bus address is asked for.
    #[must_use]
    pub const fn is_device(self) -> bool {
        self.0 & Self::DEVICE != 0
    }

    /// The mapping must not allow writes.
    #[must_use]
    pub const fn is_readonly(self) -> bool {
        self.0 & Self::READONLY != 0
    }

    /// The guest's applications may use the mapping as well as its kernel.
    #[must_use]
    pub const fn is_application(self) -> bool {
        self.0 & Self::APPLICATION != 0
    }

    /// `host_addr` is the machine address of the page-table entry, not a virtual address.
    #[must_use]
    pub const fn contains_pte(self) -> bool {
        self.0 & Self::CONTAINS_PTE != 0
    }

    /// What goes to the three bits of the page-table entry that are the guest's own: bits 9 to 11 of the entry, here
    /// in bits 0 to 2.
    #[doc(alias = "GNTMAP_guest_avail0")]
    #[must_use]
    pub const fn pte_available_bits(self) -> u64 {
        ((self.0 >> Self::GUEST_BITS_SHIFT) & 7) as u64
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
        assert_eq!(MapFlags::parse(0x1c).unwrap_err(), GrantError::BadRef);
        let flags = MapFlags::parse(0x0005_0016).unwrap();
        assert!(flags.is_host() && flags.is_readonly() && flags.contains_pte());
        assert!(!flags.is_device() && !flags.is_application());
        assert_eq!(flags.pte_available_bits(), 5);
    }
}
