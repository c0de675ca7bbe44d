// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation
    )
)]

extern crate alloc;

mod bytes;
mod crc32;
mod crc64;
mod lzma;
mod unpack;
mod xz;
mod zstd;

pub mod bzimage;
pub mod elf;
pub mod error;
pub mod kernel;
pub mod notes;
pub mod page_tables;
pub mod pfn_range;
pub mod plan;
pub mod start_info;

pub use error::ImageError;
pub use kernel::Kernel;
pub use pfn_range::PfnRange;
pub use plan::{Plan, Request, Role};
pub use unpack::Format;
