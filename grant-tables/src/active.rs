// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Our own record of a grant in use. From the first claim to the last release this, and not the guest's entry, says what
//! was granted to whom.

use hypercalls::{DomId, GrantRef, Mfn};

use crate::Access;
use crate::entry::{Kind, READING, WRITING};

/// What a grant in use leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Target {
    /// Not in use.
    #[default]
    Nothing,
    /// A whole frame.
    Page(Mfn),
    /// Part of a frame; the range is as the guest wrote it, unchecked.
    SubPage { frame: Mfn, start: u16, length: u16 },
    /// Another grant, of a third domain.
    Transitive { granter: DomId, gref: GrantRef },
}

impl Target {
    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Nothing => Kind::NONE,
            Self::Page(_) => Kind::PAGE,
            Self::SubPage { .. } => Kind::SUB_PAGE,
            Self::Transitive { .. } => Kind::TRANSITIVE,
        }
    }
}

/// Four counts of eight bits in one word, so that a claim which pins for host and device is one addition. From the low
/// end: host writes, device writes, host reads, device reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins(u32);

impl Pins {
    const WRITES: u32 = 0xffff;
    /// From the lowest bit of a count to its top bit.
    const TOP_SHIFT: u32 = 7;

    #[inline]
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Counts one more use, or refuses if a count has reached its top bit, as Xen does: that is at 128.
    #[inline]
    pub(crate) const fn plus(self, access: Access) -> Option<Self> {
        let ones = access.ones();
        if self.0 & (ones << Self::TOP_SHIFT) != 0 {
            return None;
        }
        // No count exceeds 128, so nothing carries into its neighbour.
        Some(Self(self.0.wrapping_add(ones)))
    }

    /// Counts one use less. If that were below zero nothing is counted: only a release that no claim made could do that.
    #[inline]
    pub(crate) fn minus(self, access: Access) -> Self {
        let ones = access.ones();
        let after = self.0.wrapping_sub(ones);
        // From 128 at most to 127 at most; the top bit comes from a zero.
        let below_zero = after & (ones << Self::TOP_SHIFT) != 0;
        debug_assert!(!below_zero, "a release without its claim");
        if below_zero { self } else { Self(after) }
    }

    /// The bits which these pins keep set in the word the guest sees.
    #[inline]
    pub(crate) const fn status_bits(self) -> u16 {
        if self.0 == 0 {
            0
        } else if self.0 & Self::WRITES == 0 {
            READING
        } else {
            READING | WRITING
        }
    }

    /// The counts: host reads, host writes, device reads, device writes.
    pub(crate) const fn counts(self) -> [u8; 4] {
        let [host_write, device_write, host_read, device_read] = self.0.to_le_bytes();
        [host_read, host_write, device_read, device_write]
    }
}

/// One record. 32 bytes, so that none straddles a cache line and 128 make a page.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(32))]
pub(crate) struct Active {
    /// Who uses it. Meaningless while there are no pins.
    pub(crate) by: u16,
    /// How it is used.
    pub(crate) pins: Pins,
    /// What was granted when the first pin was taken.
    pub(crate) target: Target,
}

/// Records in a page.
pub(crate) const PER_CHUNK: usize = 128;

const _: () = assert!(size_of::<Active>() * PER_CHUNK == hypercalls::PAGE_SIZE);

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Access = Access::host(true);
    const BOTH_WRITE: Access = Access::new(true, true, false);

    #[test]
    fn counts_do_not_disturb_each_other() {
        let pins = Pins::default().plus(READ).unwrap().plus(BOTH_WRITE).unwrap();
        assert_eq!(pins.counts(), [1, 1, 0, 1]);
        assert_eq!(pins.status_bits(), READING | WRITING);
        let pins = pins.minus(BOTH_WRITE);
        assert_eq!(pins.counts(), [1, 0, 0, 0]);
        assert_eq!(pins.status_bits(), READING);
        assert!(pins.minus(READ).is_empty());
    }

    #[test]
    fn a_full_count_refuses_and_the_others_go_on() {
        let mut pins = Pins::default();
        for _ in 0..128 {
            pins = pins.plus(READ).unwrap();
        }
        assert_eq!(pins.plus(READ), None);
        assert_eq!(pins.plus(BOTH_WRITE).unwrap().counts(), [128, 1, 0, 1]);
    }
}
