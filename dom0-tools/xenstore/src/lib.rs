// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod client;
mod error;
mod path;
mod wire;

pub use error::Error;
pub use path::Path;
pub use wire::{Message, TooLong, one_string, strings};
