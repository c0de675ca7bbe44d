// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attach;
pub mod bridge;
mod claims;
mod disk;
mod error;
mod links;
mod list;
mod loops;
mod mac;
mod netlink;
mod nodes;
mod remove;
mod vif;
mod wait;
mod watching;

pub use attach::{attach, check_drivers, free_mac};
pub use disk::{Disk, DiskSpec};
pub use error::{Error, ErrorKind};
pub use links::{LinkNews, Links};
pub use list::{Device, devices};
pub use mac::{Mac, NoMac};
pub use netlink::Link;
pub use remove::{Class, detach, owners, release_loops, remove_all};
pub use vif::{Rate, VifSpec};
pub use wait::Deadline;
