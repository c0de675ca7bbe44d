// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupt vectors.
#![forbid(unsafe_code)]
/// Flush mailbox.
pub(crate) const FLUSH_IPI: u8 = 0xfb;
/// Softirqs and events.
pub(crate) const KICK_IPI: u8 = 0xfc;
