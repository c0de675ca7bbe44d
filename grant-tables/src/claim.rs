// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Pinning and releasing: the heart. Everything that uses a granted page comes through [`GrantTable::pin`] and leaves by
//! [`GrantTable::unpin`].
//!
//! The guest's entry is claimed by the protocols in `entry` and `entry_v2`. What it leads to is read once, by the first
//! pin, and kept in the active entry; later pins ask the live entry for permission again but never for the frame. The
//! guest sees our bits from the first pin of a sort to the last.

use hypercalls::{DomId, GrantRef};

use crate::active::{Active, Target};
use crate::entry::{self, Kind, Wanted};
use crate::table::Entry;
use crate::{Access, GrantError, GrantTable, entry_v2};

impl GrantTable<'_> {
    /// Pins a grant for `by`, or changes nothing. Returns the active entry.
    #[inline]
    pub(crate) fn pin(
        &mut self,
        gref: GrantRef,
        by: DomId,
        access: Access,
        kinds: Kind,
    ) -> Result<&Active, GrantError> {
        let entry = self.entry(gref).ok_or(GrantError::BadRef)?;
        let active = self.active.get_mut(gref.raw()).ok_or(GrantError::BadRef)?;
        let held = active.pins;
        let mut wanted = Wanted { by, write: !access.is_readonly(), kinds };
        if !held.is_empty() {
            if active.by != by.raw() {
                return Err(GrantError::PinnedByOther);
            }
            wanted.kinds = kinds.and(active.target.kind());
        }
        let pins = held.plus(access).ok_or(GrantError::TooManyPins)?;
        let kind = match entry {
            Entry::V1(entry) => entry::claim(entry, &wanted, held.status_bits())?,
            Entry::V2(entry, status) => entry_v2::claim(entry, status, &wanted, held.status_bits())?,
        };
        active.pins = pins;
        if held.is_empty() {
            active.by = by.raw();
            active.target = match entry {
                Entry::V1(entry) => entry::target(entry),
                Entry::V2(entry, _) => entry_v2::target(entry, kind),
            };
            self.pinned = self.pinned.wrapping_add(1);
            self.pinned_unreserved = self.pinned_unreserved.wrapping_add(u32::from(!is_reserved(gref)));
        }
        Ok(active)
    }

    /// Undoes one [`pin`](Self::pin).
    #[inline]
    pub(crate) fn unpin(&mut self, gref: GrantRef, access: Access) {
        let entry = self.entry(gref);
        let (Some(entry), Some(active)) = (entry, self.active.get_mut(gref.raw())) else {
            // A table never shrinks, nor changes its version under a pin.
            debug_assert!(false, "a pinned entry vanished");
            return;
        };
        let before = active.pins;
        active.pins = before.minus(access);
        let after = active.pins;
        let bits = before.status_bits() & !after.status_bits();
        if bits != 0 {
            match entry {
                Entry::V1(entry) => entry::unmark(entry, bits),
                Entry::V2(_, status) => entry_v2::unmark(status, bits),
            }
        }
        if after.is_empty() && !before.is_empty() {
            active.target = Target::Nothing;
            self.pinned = self.pinned.wrapping_sub(1);
            self.pinned_unreserved = self.pinned_unreserved.wrapping_sub(u32::from(!is_reserved(gref)));
        }
    }
}

/// Whether the entry outlives a change of version, pinned or not.
#[inline]
const fn is_reserved(gref: GrantRef) -> bool {
    gref.raw() < GrantRef::RESERVED_ENTRIES
}
