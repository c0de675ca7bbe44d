// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod bytes;
mod control;
mod domains;
mod effect;
mod perms;
mod quota;
mod requests;
pub mod server;
mod store;
mod transaction;
mod tree;
mod view;
mod watch;

pub use effect::Effect;
pub use quota::{Limits, Quota, Refusals, Usage};
pub use store::{Action, ConnId, Outcome, Ring, Store};
