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
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

mod bind;
mod channel;
mod close;
mod control;
mod error;
pub mod fifo;
mod ports;
mod send;
mod status;
pub mod sync;
mod table;
mod two_level;
mod upcall;
mod vcpu;

pub use bind::Peer;
pub use channel::virq_is_global;
pub use close::{Closed, Closer, Drain};
pub use error::EventError;
pub use fifo::{ArrayPage, ControlBlock};
pub use ports::CHUNK_CHANNELS;
pub use send::SendEffect;
pub use status::{Status, StatusKind};
pub use table::{Config, EventTable};
pub use two_level::{TWO_LEVEL_PORTS, TWO_LEVEL_WORDS, TwoLevelWords};
pub use upcall::{Delivery, VcpuWords, Wake, XenConsumer};
