// SPDX-License-Identifier: MIT OR Apache-2.0
//! One IO-APIC: its pins' redirection entries. Which pin means what, and who may touch it, is `irq/`'s business.
#![forbid(unsafe_code)]

use super::mmio::Mmio;

const SELECT: usize = 0x00;
const DATA: usize = 0x10;
const VERSION_REGISTER: u8 = 1;
const FIRST_ENTRY: u8 = 0x10;

const POLARITY_LOW: u32 = 1 << 13;
const TRIGGER_LEVEL: u32 = 1 << 15;
const MASKED: u32 = 1 << 16;

/// Where and how a pin's interrupt is delivered: fixed delivery, physical destination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Redirection {
    /// Vector at the destination.
    pub(crate) vector: u8,
    /// Level triggered, else edge.
    pub(crate) level: bool,
    /// Active low, else high.
    pub(crate) active_low: bool,
    /// Not delivered at present.
    pub(crate) masked: bool,
    /// Destination CPU; the entry has room for 8 bits.
    pub(crate) apic_id: u8,
}

impl Redirection {
    /// The entry as (low, high) register values.
    pub(crate) const fn encode(self) -> (u32, u32) {
        let mut low = self.vector as u32;
        if self.level {
            low |= TRIGGER_LEVEL;
        }
        if self.active_low {
            low |= POLARITY_LOW;
        }
        if self.masked {
            low |= MASKED;
        }
        (low, (self.apic_id as u32) << 24)
    }

    /// The entry from its register values; delivery mode and status bits are dropped.
    #[cfg(test)]
    pub(crate) const fn decode(low: u32, high: u32) -> Self {
        Self {
            vector: low as u8,
            level: low & TRIGGER_LEVEL != 0,
            active_low: low & POLARITY_LOW != 0,
            masked: low & MASKED != 0,
            apic_id: (high >> 24) as u8,
        }
    }
}

/// An IO-APIC. Every access is a select-then-data pair: methods take `&mut self`, the owner keeps it under the line lock.
#[derive(Debug)]
pub(crate) struct IoApic {
    registers: Mmio,
    address: u64,
    gsi_base: u32,
    pins: u16,
}

impl IoApic {
    /// Takes the IO-APIC at a machine address over and masks all its pins.
    pub(crate) fn new(registers: Mmio, address: u64, gsi_base: u32) -> Self {
        let mut io_apic = Self { registers, address, gsi_base, pins: 0 };
        io_apic.pins = (io_apic.read(VERSION_REGISTER) >> 16 & 0xff) as u16 + 1;
        for pin in 0..io_apic.pins {
            io_apic.write_low(pin, MASKED);
        }
        io_apic
    }

    /// Machine address of the registers.
    pub(crate) const fn address(&self) -> u64 {
        self.address
    }

    /// First global system interrupt.
    pub(crate) const fn gsi_base(&self) -> u32 {
        self.gsi_base
    }

    /// Number of pins.
    pub(crate) const fn pins(&self) -> u16 {
        self.pins
    }

    /// The pin of a GSI, if it is one of ours.
    pub(crate) fn pin_of(&self, gsi: u32) -> Option<u16> {
        let pin = u16::try_from(gsi.checked_sub(self.gsi_base)?).ok()?;
        (pin < self.pins).then_some(pin)
    }

    /// Any register, as `PHYSDEVOP_apic_read` asks for it. Registers that do not exist read as the chip pleases.
    pub(crate) fn read_raw(&mut self, register: u8) -> u32 {
        self.read(register)
    }

    /// Writes a pin's entry. Masked while the halves disagree.
    pub(crate) fn set_entry(&mut self, pin: u16, entry: Redirection) {
        let (low, high) = entry.encode();
        self.write_low(pin, low | MASKED);
        self.write(Self::register_of(pin) + 1, high);
        if !entry.masked {
            self.write_low(pin, low);
        }
    }

    /// Masks or unmasks a pin. After masking, the register is read back, so that no interrupt is sent later.
    pub(crate) fn set_mask(&mut self, pin: u16, masked: bool) {
        let old = self.read(Self::register_of(pin));
        let new = if masked { old | MASKED } else { old & !MASKED };
        if new != old {
            self.write_low(pin, new);
            if masked {
                self.read(Self::register_of(pin));
            }
        }
    }

    fn write_low(&mut self, pin: u16, low: u32) {
        self.write(Self::register_of(pin), low);
    }

    fn register_of(pin: u16) -> u8 {
        debug_assert!(pin < 120, "an IO-APIC has at most 120 addressable pins");
        FIRST_ENTRY + 2 * (pin as u8)
    }

    fn read(&mut self, register: u8) -> u32 {
        self.registers.write32(SELECT, u32::from(register));
        self.registers.read32(DATA)
    }

    fn write(&mut self, register: u8, value: u32) {
        self.registers.write32(SELECT, u32::from(register));
        self.registers.write32(DATA, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_the_trip() {
        let entry = Redirection { vector: 0x51, level: true, active_low: true, masked: false, apic_id: 3 };
        assert_eq!(entry.encode(), (0x0000_a051, 0x0300_0000));
        assert_eq!(Redirection::decode(0x0000_e051, 0x0300_0000), entry);
        let masked = Redirection { masked: true, ..entry };
        assert_eq!(masked.encode().0, 0x0001_a051);
    }
}
