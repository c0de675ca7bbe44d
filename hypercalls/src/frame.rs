// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Frame numbers and the page size (`xen_pfn_t`).
//!
//! A PV guest knows both spaces: its own pseudo-physical frames, dense from 0, and the machine frames behind them. In
//! hypercalls a "gmfn" or "gfn" of a PV guest is always a machine frame. Two types keep the spaces apart.

use crate::macros::number;

/// log2 of [`PAGE_SIZE`].
#[doc(alias = "XC_PAGE_SHIFT")]
pub const PAGE_SHIFT: u32 = 12;
/// Bytes in a frame.
#[doc(alias = "XC_PAGE_SIZE")]
pub const PAGE_SIZE: usize = 1 << PAGE_SHIFT;

number! {
    /// A machine frame number: real memory, or MMIO.
    pub struct Mfn: u64
}
number! {
    /// A pseudo-physical frame number: an index into one guest's own memory.
    pub struct Pfn: u64
}

/// Conversions both kinds share; a macro, because the two must not be one generic type.
macro_rules! frame_number {
    ($name:ident, $space:literal) => {
        impl $name {
            /// "No frame": what P2M and M2P entries hold when there is none.
            #[doc(alias = "INVALID_MFN")]
            #[doc(alias = "INVALID_P2M_ENTRY")]
            pub const INVALID: Self = Self(!0);

            #[doc = concat!("The first byte of the frame, as a ", $space, " address; bits past its width are lost.")]
            #[must_use]
            pub const fn to_addr(self) -> u64 {
                self.0 << PAGE_SHIFT
            }

            #[doc = concat!("The frame that holds a ", $space, " address; the offset in the page is dropped.")]
            #[must_use]
            pub const fn from_addr(addr: u64) -> Self {
                Self(addr >> PAGE_SHIFT)
            }

            /// The frame `n` further on, or `None` past the end of the number space.
            #[must_use]
            pub const fn checked_add(self, n: u64) -> Option<Self> {
                match self.0.checked_add(n) {
                    Some(raw) => Some(Self(raw)),
                    None => None,
                }
            }
        }
    };
}

frame_number!(Mfn, "machine");
frame_number!(Pfn, "pseudo-physical");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_addresses_convert() {
        assert_eq!(Mfn::from_addr(0x1234_5fff), Mfn::new(0x12345));
        assert_eq!(Mfn::new(0x12345).to_addr(), 0x1234_5000);
        assert_eq!(Pfn::INVALID.checked_add(1), None);
        assert_eq!(Pfn::new(1).checked_add(1), Some(Pfn::new(2)));
    }
}
