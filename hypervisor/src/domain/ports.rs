// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a domain has latched in the ports that are emulated for it; `pv/io.rs` gives it meaning.
#![forbid(unsafe_code)]

use super::vpit::Vpit;

/// State of a domain's emulated ports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PortState {
    /// The word last written to 0xcf8.
    pub(crate) pci_address: u32,
    /// The CMOS register selected by port 0x70.
    pub(crate) cmos_index: u8,
    /// PIT channel 2.
    pub(crate) vpit: Vpit,
}
