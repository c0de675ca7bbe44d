// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod attach;
mod backlog;
mod connection;
pub mod daemon;
mod guest;
mod hypervisor_log;
mod log;
mod pty;
mod ring;
mod server;
mod terminal;

pub use attach::{AttachError, Attachment, Console, Ended};
pub use server::{Options, Server, StartError};
