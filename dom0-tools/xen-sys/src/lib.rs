// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]

mod buffer;
mod event_channels;
mod grants;
mod ioctl;
mod loop_device;
mod privcmd;
mod region;
mod shared;
mod store_ring;

pub use buffer::HypercallBuffer;
pub use event_channels::EventChannels;
pub use grants::{GrantMapping, Grants, UnmapNotice};
pub use loop_device::{LoopStatus, autoclear_loop, clear_loop, configure_loop, free_loop, loop_status};
pub use privcmd::{ForeignMapping, MapFailure, Privcmd};
pub use shared::{OutOfBounds, SharedMemory};
pub use store_ring::StoreRing;
