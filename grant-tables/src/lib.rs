// SPDX-License-Identifier: MIT OR Apache-2.0
#![cfg_attr(not(any(test, loom)), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss
    )
)]
#![doc = include_str!("../README.md")]

extern crate alloc;

mod access;
mod active;
mod cache;
mod chunks;
mod claim;
mod copy;
mod entry;
mod entry_v2;
mod error;
mod map;
mod maptrack;
mod scan;
mod sync;
mod table;
mod transfer;
mod unmap;
mod version;

pub use access::{Access, MapMode};
pub use cache::CacheFlush;
pub use copy::{CopyClaim, CopyEffect, CopyRange, CopySide, CopyTarget, Follow};
pub use error::GrantError;
pub use map::{Claim, Release, Reserved};
pub use scan::{Drain, PinnedGrant, Scan};
pub use sync::{AtomicU16, AtomicU32};
pub use table::{GrantTable, Growth, Limits, SHARED_WORDS, STATUS_WORDS};
pub use transfer::Transfer;
pub use unmap::Unmapping;
pub use version::Version;
