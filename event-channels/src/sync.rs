// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The atomics of guest-shared words: the machine's, or loom's when its models run.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// Stands between our read-modify-write of one shared word and our load of another, where the guest does the same the other way
/// round (it writes what we load, then loads what we wrote): one of the two must see the other.
///
/// `SeqCst` on both accesses already promises that, and a locked instruction delivers it, so this is nothing on the machine. Loom
/// models `SeqCst` accesses as weaker than the language does and needs the fence spelt out.
#[inline(always)]
pub(crate) fn store_load() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}
