// SPDX-License-Identifier: MIT OR Apache-2.0
//! Message-signalled interrupts: finding a device's registers for one, telling it the message, and its mask bit.
//!
//! The hypervisor writes messages and mask bits; the enable bits of the capabilities stay the guest's.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use hypercalls::errno::Errno;

use crate::{
    mm::host_pt,
    sync::{Rank, SpinLock},
    x86::{
        mmio::Mmio,
        msi_regs::{MSIX_ENTRY, Message, MsiCapability, MsixCapability},
        pci::{self, Config, PciConfig, PciFunction, Width},
    },
};

/// Pages of MSI-X tables mapped so far, by address: a mapping is for good, so a driver that comes back finds its own again.
static TABLES: SpinLock<Vec<(u64, Mmio)>> = SpinLock::new(Rank::MsixTables, Vec::new());

/// Which message of a function.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MessageKind {
    /// The MSI capability's only vector.
    Msi,
    /// An MSI-X table entry.
    MsiX {
        /// Index in the table.
        entry: u16,
        /// Physical address of the BAR that holds the table, as the guest sees it; used where the BAR cannot be read (virtual functions).
        table_base: u64,
    },
}

/// The registers of one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageSource {
    /// The device.
    pub(crate) function: PciFunction,
    registers: Registers,
}

#[derive(Clone, Copy, Debug)]
enum Registers {
    Msi(MsiCapability),
    MsiX { entry: u16, slot: Mmio },
}

const COMMAND: u16 = 0x04;
const COMMAND_MEMORY: u32 = 2;

const SLOT_ADDRESS: usize = 0;
const SLOT_ADDRESS_HIGH: usize = 4;
const SLOT_DATA: usize = 8;
const SLOT_CONTROL: usize = 12;
const SLOT_MASKED: u32 = 1;

impl MessageSource {
    /// Finds the registers, and maps them if need be.
    ///
    /// # Errors
    /// ENODEV when the function does not answer or has no such capability, EINVAL for an entry outside the table, ENXIO when the table
    /// cannot be reached, ENOMEM when it cannot be mapped.
    pub(crate) fn find(pci: &SpinLock<PciConfig>, function: PciFunction, kind: MessageKind) -> Result<Self, Errno> {
        let registers = match kind {
            MessageKind::Msi => {
                let mut pci = pci.lock();
                let mut config = pci.function(function);
                let offset = pci::find_capability(&mut config, pci::CAPABILITY_MSI).ok_or(Errno::ENODEV)?;
                Registers::Msi(MsiCapability::read(&mut config, offset))
            }
            MessageKind::MsiX { entry, table_base } => {
                let slot = locate_slot(&mut pci.lock().function(function), entry, table_base)?;
                Registers::MsiX { entry, slot: map_slot(slot)? }
            }
        };
        Ok(Self { function, registers })
    }

    /// Whether this is the message that a device knows by function and MSI-X entry (`None`: MSI).
    pub(crate) fn is(&self, function: PciFunction, kind: MessageKind) -> bool {
        self.function == function
            && match (self.registers, kind) {
                (Registers::Msi(_), MessageKind::Msi) => true,
                (Registers::MsiX { entry, .. }, MessageKind::MsiX { entry: wanted, .. }) => entry == wanted,
                _ => false,
            }
    }

    /// Tells the device the message. An MSI-X entry is masked meanwhile, so that the device never sees half of it.
    pub(crate) fn write_message(&self, config: &mut PciConfig, message: Message) {
        match self.registers {
            Registers::Msi(capability) => {
                let config = &mut config.function(self.function);
                let maskable = capability.set_mask(config, true);
                capability.write_message(config, message);
                if maskable {
                    capability.set_mask(config, false);
                }
            }
            Registers::MsiX { slot, .. } => {
                let control = slot.read32(SLOT_CONTROL);
                slot.write32(SLOT_CONTROL, control | SLOT_MASKED);
                slot.write32(SLOT_ADDRESS, message.address as u32);
                slot.write32(SLOT_ADDRESS_HIGH, (message.address >> 32) as u32);
                slot.write32(SLOT_DATA, message.data);
                slot.write32(SLOT_CONTROL, control);
            }
        }
    }

    /// Sets or clears the message's mask bit; an MSI without one stays open, and its unwanted interrupts are dropped on arrival.
    pub(crate) fn set_mask(&self, config: &mut PciConfig, masked: bool) {
        match self.registers {
            Registers::Msi(capability) => {
                capability.set_mask(&mut config.function(self.function), masked);
            }
            Registers::MsiX { slot, .. } => {
                let control = slot.read32(SLOT_CONTROL) & !SLOT_MASKED;
                slot.write32(SLOT_CONTROL, control | u32::from(masked));
                // The read back makes sure that the device has taken the write.
                slot.read32(SLOT_CONTROL);
            }
        }
    }
}

/// The registers of an MSI-X table entry. Entries are 16 bytes and aligned, so none straddles two pages.
fn map_slot(address: u64) -> Result<Mmio, Errno> {
    let (page, offset) = (address & !0xfff, (address & 0xff0) as usize);
    let mut tables = TABLES.lock();
    let known = tables.iter().find(|(start, _)| *start == page).map(|(_, window)| *window);
    let window = match known {
        Some(window) => window,
        None => {
            let window = host_pt::map_mmio(page, 4096).map_err(|_| Errno::ENOMEM)?;
            tables.push((page, window));
            window
        }
    };
    Ok(window.part(offset, MSIX_ENTRY as usize))
}

/// Physical address of an MSI-X table entry.
fn locate_slot(config: &mut impl Config, entry: u16, table_base: u64) -> Result<u64, Errno> {
    let offset = pci::find_capability(config, pci::CAPABILITY_MSIX).ok_or(Errno::ENODEV)?;
    let capability = MsixCapability::read(config, offset);
    if entry >= capability.entries {
        return Err(Errno::EINVAL);
    }
    let bar = pci::memory_bar(config, capability.table_bar);
    if bar.is_some() && config.read(COMMAND, Width::Word) & COMMAND_MEMORY == 0 {
        return Err(Errno::ENXIO);
    }
    let base = bar.or(Some(table_base).filter(|&base| base != 0)).ok_or(Errno::ENXIO)?;
    Ok(base + u64::from(capability.table_offset) + u64::from(entry) * u64::from(MSIX_ENTRY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x86::pci::tests::FakeConfig;

    #[test]
    fn slots() {
        let mut config = FakeConfig::new(&[(0x70, pci::CAPABILITY_MSIX)]);
        config.write(0x72, Width::Word, 3);
        config.write(0x74, Width::Dword, 0x2001);
        assert_eq!(locate_slot(&mut config, 0, 0), Err(Errno::ENXIO));
        assert_eq!(locate_slot(&mut config, 2, 0xe000_0000), Ok(0xe000_2020));
        config.write(0x14, Width::Dword, 0xfebf_0000);
        assert_eq!(locate_slot(&mut config, 2, 0), Err(Errno::ENXIO));
        config.write(COMMAND, Width::Word, COMMAND_MEMORY);
        assert_eq!(locate_slot(&mut config, 3, 0), Ok(0xfebf_2030));
        assert_eq!(locate_slot(&mut config, 4, 0), Err(Errno::EINVAL));
        assert_eq!(locate_slot(&mut FakeConfig::new(&[]), 0, 0), Err(Errno::ENODEV));
    }
}
