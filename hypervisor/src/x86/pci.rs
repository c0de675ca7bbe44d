// SPDX-License-Identifier: MIT OR Apache-2.0
//! PCI configuration space: by ports, by memory (MMCFG), and the walk through capability lists.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::{
    instr::{inb, inl, inw, outb, outl, outw},
    mmio::Mmio,
};

/// Address port of mechanism 1.
pub(crate) const ADDRESS_PORT: u16 = 0xcf8;
/// Data port of mechanism 1; bytes and words at the three ports above.
pub(crate) const DATA_PORT: u16 = 0xcfc;
const ADDRESS_ENABLE: u32 = 1 << 31;

const STATUS: u16 = 0x06;
const STATUS_CAPABILITIES: u32 = 1 << 4;
const HEADER_TYPE: u16 = 0x0e;
const FIRST_CAPABILITY: u16 = 0x34;
const FIRST_BAR: u16 = 0x10;

/// Capability id of MSI.
pub(crate) const CAPABILITY_MSI: u8 = 0x05;
/// Capability id of MSI-X.
pub(crate) const CAPABILITY_MSIX: u8 = 0x11;

/// A PCI function.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct PciFunction {
    /// Segment group.
    pub(crate) segment: u16,
    /// Bus.
    pub(crate) bus: u8,
    /// Device in bits 3-7, function in bits 0-2.
    pub(crate) devfn: u8,
}

/// Width of a configuration or port access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Width {
    /// One byte.
    Byte,
    /// Two bytes.
    Word,
    /// Four bytes.
    Dword,
}

impl Width {
    /// Bytes moved.
    pub(crate) const fn bytes(self) -> u16 {
        match self {
            Self::Byte => 1,
            Self::Word => 2,
            Self::Dword => 4,
        }
    }

    /// All ones of this width: what a read of nothing gives.
    pub(crate) const fn ones(self) -> u32 {
        match self {
            Self::Byte => 0xff,
            Self::Word => 0xffff,
            Self::Dword => u32::MAX,
        }
    }
}

/// One function's configuration registers. Real ones are [`FunctionConfig`]; tests have an array.
pub(crate) trait Config {
    /// Reads an aligned register.
    fn read(&mut self, offset: u16, width: Width) -> u32;
    /// Writes an aligned register.
    fn write(&mut self, offset: u16, width: Width, value: u32);
}

/// A memory-mapped configuration region, from the MCFG table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MmcfgRegion {
    /// Segment group.
    pub(crate) segment: u16,
    /// First bus.
    pub(crate) first_bus: u8,
    /// Last bus.
    pub(crate) last_bus: u8,
    /// Registers from `first_bus` on: 1 MiB per bus.
    pub(crate) window: Mmio,
}

/// Access to configuration space. The address port is shared state: the one instance lives under a lock, and `&mut` to it is the
/// right to use the ports.
#[derive(Debug)]
pub(crate) struct PciConfig {
    regions: Vec<MmcfgRegion>,
}

impl PciConfig {
    /// Access by ports alone.
    pub(crate) const fn new() -> Self {
        Self { regions: Vec::new() }
    }

    /// Adds a memory-mapped region.
    pub(crate) fn add_region(&mut self, region: MmcfgRegion) {
        self.regions.push(region);
    }

    /// The registers of one function.
    pub(crate) fn function(&mut self, function: PciFunction) -> FunctionConfig<'_> {
        FunctionConfig { config: self, function }
    }

    /// Reads mechanism-1 ports as a guest asked: `address` is its latched 0xcf8 word, `byte` the offset of its access in 0xcfc-0xcff.
    pub(crate) fn read_ports(&mut self, address: u32, byte: u16, width: Width) -> u32 {
        outl(ADDRESS_PORT, address);
        let port = DATA_PORT + (byte & 3);
        match width {
            Width::Byte => u32::from(inb(port)),
            Width::Word => u32::from(inw(port)),
            Width::Dword => inl(port),
        }
    }

    /// Writes mechanism-1 ports as a guest asked; arguments as for [`Self::read_ports`].
    pub(crate) fn write_ports(&mut self, address: u32, byte: u16, width: Width, value: u32) {
        outl(ADDRESS_PORT, address);
        let port = DATA_PORT + (byte & 3);
        match width {
            Width::Byte => outb(port, value as u8),
            Width::Word => outw(port, value as u16),
            Width::Dword => outl(port, value),
        }
    }

    fn window(&self, function: PciFunction, offset: u16) -> Option<(Mmio, usize)> {
        let region = self.regions.iter().find(|region| {
            region.segment == function.segment && (region.first_bus..=region.last_bus).contains(&function.bus)
        })?;
        let bus = usize::from(function.bus - region.first_bus);
        let register = bus << 20 | usize::from(function.devfn) << 12 | usize::from(offset & 0xfff);
        (register + 4 <= region.window.len()).then_some((region.window, register))
    }
}

/// One function's registers on the real bus.
#[derive(Debug)]
pub(crate) struct FunctionConfig<'a> {
    config: &'a mut PciConfig,
    function: PciFunction,
}

impl FunctionConfig<'_> {
    /// Mechanism 1 reaches 256 bytes of segment 0.
    fn by_ports(&self, offset: u16) -> Option<u32> {
        (self.function.segment == 0 && offset < 0x100).then(|| {
            let bus = u32::from(self.function.bus) << 16;
            ADDRESS_ENABLE | bus | u32::from(self.function.devfn) << 8 | u32::from(offset & 0xfc)
        })
    }
}

impl Config for FunctionConfig<'_> {
    fn read(&mut self, offset: u16, width: Width) -> u32 {
        if let Some(address) = self.by_ports(offset) {
            return self.config.read_ports(address, offset, width);
        }
        match (self.config.window(self.function, offset), width) {
            (Some((window, register)), Width::Byte) => u32::from(window.read8(register)),
            (Some((window, register)), Width::Word) => u32::from(window.read16(register & !1)),
            (Some((window, register)), Width::Dword) => window.read32(register & !3),
            (None, width) => width.ones(),
        }
    }

    fn write(&mut self, offset: u16, width: Width, value: u32) {
        if let Some(address) = self.by_ports(offset) {
            return self.config.write_ports(address, offset, width, value);
        }
        match (self.config.window(self.function, offset), width) {
            (Some((window, register)), Width::Byte) => window.write8(register, value as u8),
            (Some((window, register)), Width::Word) => window.write16(register & !1, value as u16),
            (Some((window, register)), Width::Dword) => window.write32(register & !3, value),
            (None, _) => {}
        }
    }
}

/// Whether a function answers.
pub(crate) fn is_present(config: &mut impl Config) -> bool {
    !matches!(config.read(0, Width::Word), 0xffff | 0)
}

/// Offset of a capability, or `None`. Bounded: a list that loops has been walked after 48 entries.
pub(crate) fn find_capability(config: &mut impl Config, id: u8) -> Option<u16> {
    if !is_present(config) || config.read(STATUS, Width::Word) & STATUS_CAPABILITIES == 0 {
        return None;
    }
    let mut offset = (config.read(FIRST_CAPABILITY, Width::Byte) & 0xfc) as u16;
    for _ in 0..48 {
        if offset < 0x40 {
            return None;
        }
        let header = config.read(offset, Width::Word);
        if header & 0xff == u32::from(id) {
            return Some(offset);
        }
        offset = (header >> 8 & 0xfc) as u16;
    }
    None
}

/// Physical address of a memory BAR, or `None` for I/O, unset and impossible ones.
pub(crate) fn memory_bar(config: &mut impl Config, index: u8) -> Option<u64> {
    let bars = if config.read(HEADER_TYPE, Width::Byte) & 0x7f == 0 { 6 } else { 2 };
    if index >= bars {
        return None;
    }
    let offset = FIRST_BAR + 4 * u16::from(index);
    let low = config.read(offset, Width::Dword);
    if low & 1 != 0 {
        return None;
    }
    let mut address = u64::from(low & !0xf);
    if low & 0x6 == 0x4 {
        if index + 1 >= bars {
            return None;
        }
        address |= u64::from(config.read(offset + 4, Width::Dword)) << 32;
    }
    (address != 0).then_some(address)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// 256 bytes pretending to be a function.
    pub(crate) struct FakeConfig(pub(crate) [u8; 256]);

    impl FakeConfig {
        /// A device with capabilities `(offset, id)` chained in order.
        pub(crate) fn new(capabilities: &[(u8, u8)]) -> Self {
            let mut bytes = [0; 256];
            bytes[0] = 0xf4;
            bytes[1] = 0x1a;
            bytes[6] = 0x10;
            let mut link = 0x34;
            for &(offset, id) in capabilities {
                bytes[link] = offset;
                bytes[usize::from(offset)] = id;
                link = usize::from(offset) + 1;
            }
            Self(bytes)
        }
    }

    impl Config for FakeConfig {
        fn read(&mut self, offset: u16, width: Width) -> u32 {
            (0..width.bytes()).rev().fold(0, |value, byte| value << 8 | u32::from(self.0[usize::from(offset + byte)]))
        }

        fn write(&mut self, offset: u16, width: Width, value: u32) {
            for byte in 0..width.bytes() {
                self.0[usize::from(offset + byte)] = (value >> (8 * byte)) as u8;
            }
        }
    }

    #[test]
    fn capabilities_are_found() {
        let mut config = FakeConfig::new(&[(0x50, 1), (0x60, CAPABILITY_MSI), (0x70, CAPABILITY_MSIX)]);
        assert_eq!(find_capability(&mut config, CAPABILITY_MSIX), Some(0x70));
        assert_eq!(find_capability(&mut config, 0x10), None);
    }

    #[test]
    fn a_looping_list_ends() {
        let mut config = FakeConfig::new(&[(0x50, 1)]);
        config.0[0x51] = 0x50;
        assert_eq!(find_capability(&mut config, 5), None);
    }

    #[test]
    fn bars() {
        let mut config = FakeConfig::new(&[]);
        config.write(0x10, Width::Dword, 0xfebf_0004);
        config.write(0x14, Width::Dword, 0x0000_0008);
        config.write(0x18, Width::Dword, 0x0000_c001);
        assert_eq!(memory_bar(&mut config, 0), Some(0x8_febf_0000));
        assert_eq!(memory_bar(&mut config, 2), None);
        assert_eq!(memory_bar(&mut config, 6), None);
    }
}
