// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The words a guest shares with us: core's atomics, or loom's when a model checks the protocol.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU16, AtomicU32};
#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{Ordering, fence};

#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU16, AtomicU32};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{Ordering, fence};
