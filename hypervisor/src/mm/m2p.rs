// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine-to-phys table: which guest frame each machine frame is, by its owner's word. Guests read it at
//! `ffff8000_00000000`; we write it at `layout::M2P_START`.
// UNSAFETY: makes references into the mapped table.
#![expect(unsafe_code, reason = "the machine-to-phys table is a mapped array")]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::frame::{Mfn, Pfn};

use crate::mm::frame_table;
use crate::mm::layout::M2P_START;

/// No guest frame (`INVALID_M2P_ENTRY`).
pub(crate) const INVALID: u64 = !0;

fn entry(mfn: Mfn) -> Option<&'static AtomicU64> {
    if mfn.raw() >= frame_table::max_page() {
        return None;
    }
    // SAFETY: boot mapped an entry for every frame number below `max_page`, for ever.
    Some(unsafe { &*(M2P_START as *const AtomicU64).add(mfn.raw() as usize) })
}

/// Says which guest frame `mfn` is.
pub(crate) fn set(mfn: Mfn, pfn: Pfn) {
    if let Some(entry) = entry(mfn) {
        entry.store(pfn.raw(), Ordering::Relaxed);
    }
}

/// Says that `count` frames from `mfn` on are the guest frames from `pfn` on; without one, that they are nobody's.
pub(crate) fn set_many(mfn: Mfn, count: u64, pfn: Option<Pfn>) {
    let Some(start) = entry(mfn).filter(|_| count <= frame_table::max_page() - mfn.raw()) else { return };
    // SAFETY: as in `entry`; all of them are below `max_page`.
    let entries = unsafe { core::slice::from_raw_parts(start, count as usize) };
    match pfn {
        Some(pfn) => entries.iter().zip(pfn.raw()..).for_each(|(entry, pfn)| entry.store(pfn, Ordering::Relaxed)),
        None => entries.iter().for_each(|entry| entry.store(INVALID, Ordering::Relaxed)),
    }
}

/// `mfn` is nobody's.
pub(crate) fn clear(mfn: Mfn) {
    if let Some(entry) = entry(mfn) {
        entry.store(INVALID, Ordering::Relaxed);
    }
}

/// Which guest frame `mfn` is, if any.
pub(crate) fn get(mfn: Mfn) -> Option<Pfn> {
    entry(mfn).map(|entry| entry.load(Ordering::Relaxed)).filter(|pfn| *pfn != INVALID).map(Pfn::new)
}
