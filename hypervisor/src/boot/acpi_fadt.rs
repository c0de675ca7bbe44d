// SPDX-License-Identifier: MIT OR Apache-2.0
//! The FADT: ports of the fixed power-management hardware, the reset register, legacy hints.
#![forbid(unsafe_code)]

use super::acpi::{byte_at, u16_at, u32_at, u64_at};
use crate::x86::{mmio::Mmio, pm_timer::PmTimer, power::Pm1Control, power::ResetRegister};

/// Where a register is (ACPI generic address).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RegisterPlace {
    /// Physical memory.
    Memory(u64),
    /// I/O port.
    Port(u16),
    /// PCI configuration space, bus 0.
    PciConfig {
        /// Device.
        device: u8,
        /// Function.
        function: u8,
        /// Offset.
        offset: u8,
    },
}

/// The decoded table.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fadt {
    /// GSI (or ISA interrupt with an override) of the ACPI event interrupt.
    pub(crate) sci: u16,
    /// Port of SMI commands; 0 if the machine is always in ACPI mode.
    pub(crate) smi_command: u32,
    /// Value for that port which switches ACPI mode on.
    pub(crate) acpi_enable: u8,
    /// PM1a event block port; 0 if none. Likewise the next ones.
    pub(crate) pm1a_event: u16,
    /// PM1b event block port.
    pub(crate) pm1b_event: u16,
    /// PM1a control port.
    pub(crate) pm1a_control: u16,
    /// PM1b control port.
    pub(crate) pm1b_control: u16,
    /// The PM timer.
    pub(crate) pm_timer: Option<PmTimer>,
    /// CMOS register of the century.
    pub(crate) century_register: Option<u8>,
    /// The reset register and the value to write.
    pub(crate) reset: Option<(RegisterPlace, u8)>,
    /// No VGA hardware may be probed (IAPC_BOOT_ARCH bit 2).
    pub(crate) no_vga: bool,
    /// MSI must not be used (IAPC_BOOT_ARCH bit 3).
    pub(crate) no_msi: bool,
    /// Physical address of the DSDT.
    pub(crate) dsdt: u64,
    /// FADT revision.
    pub(crate) revision: u8,
}

impl Fadt {
    /// The PM1 control registers, if the machine has them (not "hardware-reduced").
    pub(crate) fn pm1_control(&self) -> Option<Pm1Control> {
        (self.pm1a_control != 0)
            .then(|| Pm1Control { a: self.pm1a_control, b: Some(self.pm1b_control).filter(|&port| port != 0) })
    }

    /// The reset register in the form `power::reset` takes; `map` maps one byte of device memory.
    pub(crate) fn reset_register(&self, map: impl FnOnce(u64) -> Option<Mmio>) -> Option<ResetRegister> {
        let (place, value) = self.reset?;
        Some(match place {
            RegisterPlace::Memory(address) => ResetRegister::Memory { register: map(address)?, value },
            RegisterPlace::Port(port) => ResetRegister::Port { port, value },
            RegisterPlace::PciConfig { device, function, offset } => {
                ResetRegister::PciConfig { device, function, offset, value }
            }
        })
    }
}

const TIMER_32_BIT: u32 = 1 << 8;
const RESET_SUPPORTED: u32 = 1 << 10;
const HARDWARE_REDUCED: u32 = 1 << 20;

/// Decodes the table; `None` when it ends before the ACPI 1.0 part does. Fields past the end read as absent.
pub(crate) fn parse(bytes: &[u8]) -> Option<Fadt> {
    let flags = u32_at(bytes, 112)?;
    let reduced = flags & HARDWARE_REDUCED != 0;
    let port = |old: usize, new: usize| if reduced { 0 } else { port_at(bytes, old, new) };
    let timer_port = port(76, 208);
    let boot_arch = u16_at(bytes, 109)?;
    let dsdt = u64_at(bytes, 140).filter(|&address| address != 0);
    Some(Fadt {
        sci: u16_at(bytes, 46)?,
        smi_command: u32_at(bytes, 48)?,
        acpi_enable: byte_at(bytes, 52)?,
        pm1a_event: port(56, 148),
        pm1b_event: port(60, 160),
        pm1a_control: port(64, 172),
        pm1b_control: port(68, 184),
        pm_timer: (timer_port != 0).then_some(PmTimer { port: timer_port, is_32_bit: flags & TIMER_32_BIT != 0 }),
        century_register: byte_at(bytes, 108).filter(|&register| register != 0),
        reset: (flags & RESET_SUPPORTED != 0).then(|| Some((generic_at(bytes, 116)?, byte_at(bytes, 128)?))).flatten(),
        no_vga: boot_arch & 1 << 2 != 0,
        no_msi: boot_arch & 1 << 3 != 0,
        dsdt: dsdt.or_else(|| u32_at(bytes, 40).map(u64::from))?,
        revision: byte_at(bytes, 8)?,
    })
}

/// A block's port: the generic address if it names one, else the 32-bit field of ACPI 1.0.
fn port_at(bytes: &[u8], old: usize, new: usize) -> u16 {
    match generic_at(bytes, new) {
        Some(RegisterPlace::Port(port)) => port,
        _ => u32_at(bytes, old).and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
    }
}

fn generic_at(bytes: &[u8], offset: usize) -> Option<RegisterPlace> {
    let address = u64_at(bytes, offset + 4).filter(|&address| address != 0)?;
    match byte_at(bytes, offset)? {
        0 => Some(RegisterPlace::Memory(address)),
        1 => u16::try_from(address).ok().map(RegisterPlace::Port),
        2 => Some(RegisterPlace::PciConfig {
            device: (address >> 32 & 0x1f) as u8,
            function: (address >> 16 & 7) as u8,
            offset: u8::try_from(address & 0xffff).ok()?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    fn table(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        bytes[8] = 3;
        bytes[46] = 9;
        bytes[56..60].copy_from_slice(&0x600_u32.to_le_bytes());
        bytes[64..68].copy_from_slice(&0x604_u32.to_le_bytes());
        bytes[76..80].copy_from_slice(&0x608_u32.to_le_bytes());
        bytes[108] = 0x32;
        bytes[112..116].copy_from_slice(&(TIMER_32_BIT | RESET_SUPPORTED).to_le_bytes());
        bytes
    }

    #[test]
    fn q35_like() {
        let mut bytes = table(244);
        bytes[116] = 1;
        bytes[120..128].copy_from_slice(&0xcf9_u64.to_le_bytes());
        bytes[128] = 0x0f;
        bytes[172] = 1;
        bytes[176..184].copy_from_slice(&0x704_u64.to_le_bytes());
        let fadt = parse(&bytes).unwrap();
        assert_eq!(fadt.sci, 9);
        assert_eq!(fadt.pm_timer, Some(PmTimer { port: 0x608, is_32_bit: true }));
        assert_eq!(fadt.pm1_control(), Some(Pm1Control { a: 0x704, b: None }));
        assert_eq!(fadt.reset, Some((RegisterPlace::Port(0xcf9), 0x0f)));
        assert_eq!(fadt.century_register, Some(0x32));
    }

    #[test]
    fn acpi_1_is_short() {
        let fadt = parse(&table(116)).unwrap();
        assert_eq!((fadt.pm1a_control, fadt.reset), (0x604, None));
        assert_eq!(parse(&table(116)[..115]), None);
    }

    #[test]
    fn reset_through_pci() {
        let mut bytes = table(244);
        bytes[116] = 2;
        bytes[120..128].copy_from_slice(&0x0000_001f_0003_0044_u64.to_le_bytes());
        let place = RegisterPlace::PciConfig { device: 0x1f, function: 3, offset: 0x44 };
        assert_eq!(parse(&bytes).unwrap().reset, Some((place, 0)));
    }
}
