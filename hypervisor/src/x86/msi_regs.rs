// SPDX-License-Identifier: MIT OR Apache-2.0
//! The MSI and MSI-X capability registers, and the message an x86 interrupt is.
#![forbid(unsafe_code)]

use super::pci::{Config, Width};

/// Bytes of one MSI-X table entry.
pub(crate) const MSIX_ENTRY: u32 = 16;

const CONTROL: u16 = 2;
const MSI_MULTIPLE_ENABLED: u32 = 7 << 4;
const MSI_64_BIT: u32 = 1 << 7;
const MSI_MASKABLE: u32 = 1 << 8;
#[cfg(test)]
const MSIX_MASK_ALL: u32 = 1 << 14;
#[cfg(test)]
const MSIX_ENABLE: u32 = 1 << 15;

/// What a device writes to raise an interrupt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    /// Where to.
    pub(crate) address: u64,
    /// What.
    pub(crate) data: u32,
}

impl Message {
    /// A fixed, edge-triggered interrupt to one CPU, physical destination (SDM 10.11).
    pub(crate) const fn new(apic_id: u8, vector: u8) -> Self {
        Self { address: 0xfee0_0000 | (apic_id as u64) << 12, data: vector as u32 }
    }
}

/// A function's MSI capability.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MsiCapability {
    offset: u16,
    is_64_bit: bool,
    maskable: bool,
    /// log2 of the number of vectors the device can use.
    pub(crate) vectors_log2: u8,
}

impl MsiCapability {
    /// Reads the capability at `offset` (from `pci::find_capability`).
    pub(crate) fn read(config: &mut impl Config, offset: u16) -> Self {
        let control = config.read(offset + CONTROL, Width::Word);
        Self {
            offset,
            is_64_bit: control & MSI_64_BIT != 0,
            maskable: control & MSI_MASKABLE != 0,
            vectors_log2: (control >> 1 & 7) as u8,
        }
    }

    /// Writes the message of a single vector and disables all others. The enable bit is the guest's and stays.
    pub(crate) fn write_message(&self, config: &mut impl Config, message: Message) {
        let control = config.read(self.offset + CONTROL, Width::Word);
        config.write(self.offset + CONTROL, Width::Word, control & !MSI_MULTIPLE_ENABLED);
        config.write(self.offset + 4, Width::Dword, message.address as u32);
        if self.is_64_bit {
            config.write(self.offset + 8, Width::Dword, (message.address >> 32) as u32);
        }
        config.write(self.data_register(), Width::Word, message.data & 0xffff);
    }

    /// Masks or unmasks vector 0. `false` when the device has no mask bits.
    pub(crate) fn set_mask(&self, config: &mut impl Config, masked: bool) -> bool {
        if self.maskable {
            let register = self.mask_register();
            let old = config.read(register, Width::Dword);
            config.write(register, Width::Dword, (old & !1) | u32::from(masked));
        }
        self.maskable
    }

    const fn data_register(&self) -> u16 {
        self.offset + if self.is_64_bit { 12 } else { 8 }
    }

    const fn mask_register(&self) -> u16 {
        self.offset + if self.is_64_bit { 16 } else { 12 }
    }
}

/// A function's MSI-X capability.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MsixCapability {
    offset: u16,
    /// Number of table entries.
    pub(crate) entries: u16,
    /// The BAR that holds the table.
    pub(crate) table_bar: u8,
    /// Offset of the table in that BAR.
    pub(crate) table_offset: u32,
    /// The BAR that holds the pending bits.
    pub(crate) pending_bar: u8,
    /// Offset of the pending bits in that BAR.
    pub(crate) pending_offset: u32,
}

impl MsixCapability {
    /// Reads the capability at `offset` (from `pci::find_capability`).
    pub(crate) fn read(config: &mut impl Config, offset: u16) -> Self {
        let control = config.read(offset + CONTROL, Width::Word);
        let table = config.read(offset + 4, Width::Dword);
        let pending = config.read(offset + 8, Width::Dword);
        Self {
            offset,
            entries: (control & 0x7ff) as u16 + 1,
            table_bar: (table & 7) as u8,
            table_offset: table & !7,
            pending_bar: (pending & 7) as u8,
            pending_offset: pending & !7,
        }
    }

    /// Lets the table be written: enabled, with the whole function masked if it was not enabled yet. Returns the old control word
    /// for [`Self::restore`].
    #[cfg(test)]
    pub(crate) fn open(&self, config: &mut impl Config) -> u32 {
        let old = config.read(self.offset + CONTROL, Width::Word);
        if old & MSIX_ENABLE == 0 {
            config.write(self.offset + CONTROL, Width::Word, old | MSIX_ENABLE | MSIX_MASK_ALL);
        }
        old
    }

    /// Puts the control word back.
    #[cfg(test)]
    pub(crate) fn restore(&self, config: &mut impl Config, old: u32) {
        if old & MSIX_ENABLE == 0 {
            config.write(self.offset + CONTROL, Width::Word, old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pci::{CAPABILITY_MSI, CAPABILITY_MSIX, tests::FakeConfig};
    use super::*;

    #[test]
    fn the_message_names_cpu_and_vector() {
        assert_eq!(Message::new(5, 0x41), Message { address: 0xfee0_5000, data: 0x41 });
    }

    #[test]
    fn msi_64_bit_with_mask() {
        let mut config = FakeConfig::new(&[(0x50, CAPABILITY_MSI)]);
        config.write(0x52, Width::Word, 0x0181 | 3 << 1 | 2 << 4);
        let msi = MsiCapability::read(&mut config, 0x50);
        assert_eq!(msi.vectors_log2, 3);
        msi.write_message(&mut config, Message::new(1, 0x30));
        assert!(msi.set_mask(&mut config, true));
        assert_eq!(config.read(0x52, Width::Word), 0x0187);
        assert_eq!(config.read(0x54, Width::Dword), 0xfee0_1000);
        assert_eq!(config.read(0x58, Width::Dword), 0);
        assert_eq!(config.read(0x5c, Width::Word), 0x30);
        assert_eq!(config.read(0x60, Width::Dword), 1);
    }

    #[test]
    fn msi_32_bit_without_mask() {
        let mut config = FakeConfig::new(&[(0x50, CAPABILITY_MSI)]);
        let msi = MsiCapability::read(&mut config, 0x50);
        msi.write_message(&mut config, Message::new(0, 0x99));
        assert_eq!(config.read(0x58, Width::Word), 0x99);
        assert!(!msi.set_mask(&mut config, true));
    }

    #[test]
    fn msix_table_place() {
        let mut config = FakeConfig::new(&[(0x70, CAPABILITY_MSIX)]);
        config.write(0x72, Width::Word, 0x0040);
        config.write(0x74, Width::Dword, 0x2004);
        config.write(0x78, Width::Dword, 0x3004);
        let msix = MsixCapability::read(&mut config, 0x70);
        assert_eq!((msix.entries, msix.table_bar, msix.table_offset), (65, 4, 0x2000));
        let old = msix.open(&mut config);
        assert_eq!(config.read(0x72, Width::Word), 0xc040);
        msix.restore(&mut config, old);
        assert_eq!(config.read(0x72, Width::Word), 0x0040);
    }
}
