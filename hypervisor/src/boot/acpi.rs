// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the firmware's static ACPI tables say about the machine, read once into plain values.
//!
//! The `acpi` crate is not used: version 6 needs a nightly compiler, and its mapping trait hands out references to firmware
//! memory, which would bring unsafe code into `boot/`. Five tables are few enough to read by offset (ACPI 6.5, chapter 5.2).
//! AML is the control domain's business.
#![forbid(unsafe_code)]

use alloc::{vec, vec::Vec};

use super::{
    acpi_fadt::{self, Fadt},
    acpi_madt::{self, Madt},
};

/// Reads physical memory; the boot code implements it over the direct map.
pub(crate) trait PhysicalMemory {
    /// Copies bytes from a physical address; `false` if they cannot be reached.
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool;
}

/// The table of tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RootTable {
    /// Physical address of the RSDT or XSDT.
    pub(crate) address: u64,
    /// Entries are 64-bit (XSDT).
    pub(crate) is_xsdt: bool,
}

/// A memory-mapped PCI configuration region (MCFG).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct McfgEntry {
    /// Physical address of bus 0's registers (not of `first_bus`'s).
    pub(crate) base: u64,
    /// Segment group.
    pub(crate) segment: u16,
    /// First bus decoded.
    pub(crate) first_bus: u8,
    /// Last bus decoded.
    pub(crate) last_bus: u8,
}

/// Everything the hypervisor wants to know.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct AcpiInfo {
    /// CPUs and interrupt controllers; `None` without a MADT (one CPU, no IO-APIC then).
    pub(crate) madt: Option<Madt>,
    /// Fixed hardware: power management, reset, PM timer.
    pub(crate) fadt: Option<Fadt>,
    /// Physical address of the HPET's registers.
    pub(crate) hpet: Option<u64>,
    /// PCI configuration regions.
    pub(crate) mcfg: Vec<McfgEntry>,
    /// Physical address and length of every table found, for the memory map and for the log.
    pub(crate) tables: Vec<TablePlace>,
}

/// Where a table is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct TablePlace {
    /// Four letters.
    pub(crate) signature: [u8; 4],
    /// Physical address.
    pub(crate) address: u64,
    /// Bytes.
    pub(crate) length: u32,
}

/// Why there are no ACPI values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum AcpiError {
    /// The RSDT or XSDT is unreadable or no table.
    BadRootTable,
}

const RSDP_V1: usize = 20;
const RSDP_V2: usize = 36;
/// Bytes of the header every table starts with.
pub(crate) const HEADER: usize = 36;
/// Larger tables than this exist only in damaged memory.
const MAX_TABLE: usize = 1 << 20;
const BIOS_AREA: core::ops::Range<u64> = 0xe_0000..0x10_0000;
const EBDA_SEGMENT: u64 = 0x40e;
const EBDA_SEARCH: u64 = 0x400;

/// Reads a root pointer structure, for instance from the boot loader's tag.
pub(crate) fn parse_root_pointer(bytes: &[u8]) -> Option<RootTable> {
    let first = bytes.get(..RSDP_V1)?;
    if !first.starts_with(b"RSD PTR ") || checksum(first) != 0 {
        return None;
    }
    let revision = byte_at(bytes, 15)?;
    let xsdt = u64_at(bytes, 24).unwrap_or(0);
    if revision >= 2 && xsdt != 0 && bytes.get(..RSDP_V2).is_some_and(|all| checksum(all) == 0) {
        return Some(RootTable { address: xsdt, is_xsdt: true });
    }
    Some(RootTable { address: u64::from(u32_at(bytes, 16)?), is_xsdt: false })
}

/// Reads the root pointer at a known physical address (EFI).
pub(crate) fn root_pointer_at(memory: &impl PhysicalMemory, address: u64) -> Option<RootTable> {
    let mut bytes = [0; RSDP_V2];
    memory.read(address, &mut bytes).then(|| parse_root_pointer(&bytes))?
}

/// Searches the places where a PC BIOS leaves the root pointer; its address and meaning.
pub(crate) fn find_root_pointer(memory: &impl PhysicalMemory) -> Option<(u64, RootTable)> {
    let mut segment = [0; 2];
    let ebda = match memory.read(EBDA_SEGMENT, &mut segment) {
        true => u64::from(u16::from_le_bytes(segment)) << 4,
        false => 0,
    };
    let ebda_area = if (0x400..0xa_0000).contains(&ebda) { ebda..ebda + EBDA_SEARCH } else { 0..0 };
    [ebda_area, BIOS_AREA]
        .into_iter()
        .find_map(|area| area.step_by(16).find_map(|address| Some((address, root_pointer_at(memory, address)?))))
}

impl AcpiInfo {
    /// Reads every table of interest. A damaged one is named in the log and left out.
    ///
    /// # Errors
    /// The root table cannot be read.
    pub(crate) fn read(memory: &impl PhysicalMemory, root: RootTable) -> Result<Self, AcpiError> {
        let bytes = read_table(memory, root.address).ok_or(AcpiError::BadRootTable)?;
        let expected: &[u8] = if root.is_xsdt { b"XSDT" } else { b"RSDT" };
        if !bytes.starts_with(expected) {
            return Err(AcpiError::BadRootTable);
        }
        let mut info = Self::default();
        let entries = bytes.get(HEADER..).unwrap_or_default();
        for entry in entries.chunks_exact(if root.is_xsdt { 8 } else { 4 }) {
            let address = if root.is_xsdt { u64_at(entry, 0) } else { u32_at(entry, 0).map(u64::from) };
            if let Some(address) = address.filter(|&address| address != 0) {
                info.add_table(memory, address);
            }
        }
        Ok(info)
    }

    fn add_table(&mut self, memory: &impl PhysicalMemory, address: u64) {
        let Some(bytes) = read_table(memory, address) else {
            log::warn!("ACPI: table at {address:#x} is unreadable, ignored");
            return;
        };
        let (Some(signature), Some(length)) = (bytes.first_chunk::<4>().copied(), u32_at(&bytes, 4)) else {
            return;
        };
        self.tables.push(TablePlace { signature, address, length });
        match &signature {
            b"APIC" => self.madt = acpi_madt::parse(&bytes),
            b"FACP" => self.fadt = acpi_fadt::parse(&bytes),
            // Address of the register block: bytes 4-11 of the generic address at 40; space 0 is memory.
            b"HPET" if byte_at(&bytes, 40) == Some(0) => self.hpet = u64_at(&bytes, 44).filter(|&base| base != 0),
            b"MCFG" => self.mcfg = parse_mcfg(&bytes),
            _ => {}
        }
    }
}

/// A whole table, its checksum complained about but not insisted on: firmware in the field gets it wrong.
fn read_table(memory: &impl PhysicalMemory, address: u64) -> Option<Vec<u8>> {
    let mut header = [0; HEADER];
    if !memory.read(address, &mut header) {
        return None;
    }
    let length = usize::try_from(u32_at(&header, 4)?).ok().filter(|length| (HEADER..=MAX_TABLE).contains(length))?;
    let mut bytes = vec![0; length];
    if !memory.read(address, &mut bytes) {
        return None;
    }
    if checksum(&bytes) != 0 {
        log::warn!("ACPI: table at {address:#x} has a wrong checksum, used all the same");
    }
    Some(bytes)
}

fn parse_mcfg(bytes: &[u8]) -> Vec<McfgEntry> {
    let entries = bytes.get(HEADER + 8..).unwrap_or_default();
    entries
        .chunks_exact(16)
        .filter_map(|entry| {
            Some(McfgEntry {
                base: u64_at(entry, 0)?,
                segment: u16_at(entry, 8)?,
                first_bus: byte_at(entry, 10)?,
                last_bus: byte_at(entry, 11)?,
            })
        })
        .filter(|entry| entry.first_bus <= entry.last_bus)
        .collect()
}

fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_add(byte))
}

/// The byte at an offset, if the table is that long; likewise the little-endian words below.
pub(crate) fn byte_at(bytes: &[u8], offset: usize) -> Option<u8> {
    bytes.get(offset).copied()
}

/// 16 bits at an offset.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().copied().map(u16::from_le_bytes)
}

/// 32 bits at an offset.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// 64 bits at an offset.
pub(crate) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 MiB of pretended physical memory.
    struct Memory(Vec<u8>);

    impl PhysicalMemory for Memory {
        fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
            let start = usize::try_from(address).unwrap();
            let Some(bytes) = self.0.get(start..start + buffer.len()) else {
                return false;
            };
            buffer.copy_from_slice(bytes);
            true
        }
    }

    impl Memory {
        fn put(&mut self, address: usize, bytes: &[u8]) {
            self.0[address..address + bytes.len()].copy_from_slice(bytes);
        }

        fn put_table(&mut self, address: usize, signature: &[u8; 4], body: &[u8]) {
            let mut table = vec![0; HEADER];
            table[..4].copy_from_slice(signature);
            table.extend_from_slice(body);
            let length = u32::try_from(table.len()).unwrap();
            table[4..8].copy_from_slice(&length.to_le_bytes());
            table[9] = checksum(&table).wrapping_neg();
            self.put(address, &table);
        }
    }

    fn machine() -> Memory {
        let mut memory = Memory(vec![0; 1 << 20]);
        let mut rsdp = *b"RSD PTR \0QEMUXX\0\0\0\0\0";
        rsdp[16..20].copy_from_slice(&0x8000_u32.to_le_bytes());
        rsdp[8] = checksum(&rsdp).wrapping_neg();
        memory.put(0xf_5a40, &rsdp);
        let entries: Vec<u8> =
            [0x9000_u32, 0x9800, 0, 0x7fff_0000].iter().flat_map(|entry| entry.to_le_bytes()).collect();
        memory.put_table(0x8000, b"RSDT", &entries);
        let mut mcfg = vec![0; 8];
        mcfg.extend_from_slice(&0xb000_0000_u64.to_le_bytes());
        mcfg.extend_from_slice(&[0, 0, 0, 0xff, 0, 0, 0, 0]);
        memory.put_table(0x9000, b"MCFG", &mcfg);
        let mut hpet = vec![0; 20];
        hpet[8..16].copy_from_slice(&0xfed0_0000_u64.to_le_bytes());
        memory.put_table(0x9800, b"HPET", &hpet);
        memory
    }

    #[test]
    fn tables_are_found_from_the_bios_area() {
        let memory = machine();
        let (address, root) = find_root_pointer(&memory).unwrap();
        assert_eq!((address, root), (0xf_5a40, RootTable { address: 0x8000, is_xsdt: false }));
        let info = AcpiInfo::read(&memory, root).unwrap();
        assert_eq!(info.hpet, Some(0xfed0_0000));
        assert_eq!(info.mcfg, [McfgEntry { base: 0xb000_0000, segment: 0, first_bus: 0, last_bus: 0xff }]);
        assert_eq!(info.tables.len(), 2);
        assert_eq!(info.madt, None);
    }

    #[test]
    fn the_extended_bios_area_comes_first() {
        let mut memory = machine();
        let mut copy = [0; RSDP_V1];
        memory.read(0xf_5a40, &mut copy);
        memory.put(0x9_fc10, &copy);
        memory.put(0x40e, &0x9fc0_u16.to_le_bytes());
        assert_eq!(find_root_pointer(&memory).unwrap().0, 0x9_fc10);
    }

    #[test]
    fn damage_is_an_error_not_a_crash() {
        let mut memory = machine();
        memory.put(0xf_5a48, &[0xff]);
        assert_eq!(find_root_pointer(&memory), None);
        let nowhere = RootTable { address: 0x9000, is_xsdt: true };
        assert_eq!(AcpiInfo::read(&memory, nowhere), Err(AcpiError::BadRootTable));
        assert_eq!(parse_root_pointer(b"RSD PTR "), None);
    }
}
