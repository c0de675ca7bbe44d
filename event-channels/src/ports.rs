// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The channels of a domain by port, allocated in chunks as ports are used.

use crate::channel::Channel;
use crate::error::EventError;
use alloc::boxed::Box;
use alloc::vec::Vec;
use hypercalls::Port;

/// Channels allocated at once; a page of Xen's, so that a port becomes valid for `status` when it does there.
pub const CHUNK_CHANNELS: u32 = 64;

/// Channels `CHUNK_CHANNELS * n` and following.
type Chunk = Box<[Channel; CHUNK_CHANNELS as usize]>;

/// The channels of ports 0 to [`Ports::count`] (exclusive).
#[derive(Debug)]
pub(crate) struct Ports {
    chunks: Vec<Chunk>,
}

impl Ports {
    /// No channel at all.
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new() }
    }

    /// How many channels there are, used or not.
    pub(crate) fn count(&self) -> u32 {
        (self.chunks.len() as u32).saturating_mul(CHUNK_CHANNELS)
    }

    /// The channel of `port`, if there is one.
    #[inline]
    pub(crate) fn get(&self, port: Port) -> Option<&Channel> {
        let chunk = self.chunks.get((port.raw() / CHUNK_CHANNELS) as usize)?;
        chunk.get((port.raw() % CHUNK_CHANNELS) as usize)
    }

    /// As [`Ports::get`], to change it.
    #[inline]
    pub(crate) fn get_mut(&mut self, port: Port) -> Option<&mut Channel> {
        let chunk = self.chunks.get_mut((port.raw() / CHUNK_CHANNELS) as usize)?;
        chunk.get_mut((port.raw() % CHUNK_CHANNELS) as usize)
    }

    /// Adds free channels for the next ports.
    pub(crate) fn grow(&mut self) -> Result<(), EventError> {
        self.chunks.try_reserve(1).map_err(|_| EventError::NoMemory)?;
        let mut channels = Vec::new();
        channels.try_reserve_exact(CHUNK_CHANNELS as usize).map_err(|_| EventError::NoMemory)?;
        channels.resize(CHUNK_CHANNELS as usize, Channel::FREE);
        let chunk = channels.into_boxed_slice().try_into().map_err(|_| EventError::NoMemory)?;
        self.chunks.push(chunk);
        Ok(())
    }
}
