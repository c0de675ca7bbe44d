// SPDX-License-Identifier: MIT OR Apache-2.0
//! The MADT: CPUs, IO-APICs, and how ISA interrupts reach them.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use super::acpi::{HEADER, byte_at, u16_at, u32_at, u64_at};
use crate::domain::firmware::Processor;
use crate::irq::line::LineMode;

/// A CPU.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LocalApic {
    /// APIC id: 8 bits, or 32 from an x2APIC entry.
    pub(crate) apic_id: u32,
    /// The processor's id in AML.
    pub(crate) acpi_id: u32,
    /// Usable now; otherwise a hot-plug slot.
    pub(crate) enabled: bool,
}

/// An IO-APIC.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct IoApicEntry {
    /// APIC id.
    pub(crate) id: u8,
    /// Physical address of its registers.
    pub(crate) address: u64,
    /// Global system interrupt of pin 0.
    pub(crate) gsi_base: u32,
}

/// An ISA interrupt that is not wired one to one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Override {
    /// ISA interrupt.
    pub(crate) irq: u8,
    /// Where it arrives.
    pub(crate) gsi: u32,
    /// How.
    pub(crate) mode: LineMode,
}

/// A local-APIC pin wired to NMI.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct LocalNmi {
    /// The processor's ACPI id; `None` for all.
    pub(crate) acpi_id: Option<u32>,
    /// LINT pin, 0 or 1.
    pub(crate) lint: u8,
    /// Trigger and polarity.
    pub(crate) mode: LineMode,
}

/// The decoded table.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Madt {
    /// Physical address of the local APICs.
    pub(crate) lapic_address: u64,
    /// Two 8259 are present and must be masked.
    pub(crate) has_8259: bool,
    /// CPUs in the table's order: the boot CPU is usually first.
    pub(crate) local_apics: Vec<LocalApic>,
    /// IO-APICs.
    pub(crate) io_apics: Vec<IoApicEntry>,
    /// ISA interrupts wired elsewhere.
    pub(crate) overrides: Vec<Override>,
    /// Local-APIC NMI pins.
    pub(crate) local_nmis: Vec<LocalNmi>,
    /// GSIs that are NMIs.
    pub(crate) nmi_gsis: Vec<(u32, LineMode)>,
}

impl Madt {
    /// The processors' numbers.
    pub(crate) fn processors(&self) -> impl Iterator<Item = Processor> {
        self.local_apics.iter().map(|entry| Processor { apic_id: entry.apic_id, acpi_id: entry.acpi_id })
    }

    /// Where an ISA interrupt arrives, and how.
    pub(crate) fn isa(&self, irq: u8) -> (u32, LineMode) {
        let found = self.overrides.iter().find(|entry| entry.irq == irq);
        found.map_or((u32::from(irq), LineMode::EDGE), |entry| (entry.gsi, entry.mode))
    }

    /// Trigger and polarity of a GSI as far as the table knows: overrides, ISA below 16, PCI above.
    pub(crate) fn mode_of(&self, gsi: u32) -> LineMode {
        let found = self.overrides.iter().find(|entry| entry.gsi == gsi);
        found.map_or(if gsi < 16 { LineMode::EDGE } else { LineMode::PCI }, |entry| entry.mode)
    }
}

/// Decodes the table. `None` when it ends before its fixed part does; an entry that overruns the table ends the walk.
pub(crate) fn parse(bytes: &[u8]) -> Option<Madt> {
    let mut madt = Madt {
        lapic_address: u64::from(u32_at(bytes, HEADER)?),
        has_8259: u32_at(bytes, HEADER + 4)? & 1 != 0,
        ..Madt::default()
    };
    let mut rest = bytes.get(HEADER + 8..)?;
    while let &[kind, length, ..] = rest {
        let Some((entry, tail)) = rest.split_at_checked(usize::from(length)).filter(|_| length >= 2) else {
            log::warn!("ACPI: MADT entry of type {kind} runs over the table's end");
            break;
        };
        if add_entry(&mut madt, kind, entry).is_none() {
            log::warn!("ACPI: MADT entry of type {kind} is only {length} bytes long, ignored");
        }
        rest = tail;
    }
    Some(madt)
}

/// Decodes MPS INTI flags (ACPI 6.5 table 5.24). Entries concern the ISA bus, so "conforms to the bus" means edge, active high.
const fn mode_from_flags(flags: u16) -> LineMode {
    LineMode { active_low: flags & 3 == 3, level: flags >> 2 & 3 == 3 }
}

fn add_entry(madt: &mut Madt, kind: u8, entry: &[u8]) -> Option<()> {
    match kind {
        0 => madt.local_apics.push(LocalApic {
            acpi_id: u32::from(byte_at(entry, 2)?),
            apic_id: u32::from(byte_at(entry, 3)?),
            enabled: u32_at(entry, 4)? & 1 != 0,
        }),
        1 => madt.io_apics.push(IoApicEntry {
            id: byte_at(entry, 2)?,
            address: u64::from(u32_at(entry, 4)?),
            gsi_base: u32_at(entry, 8)?,
        }),
        2 => madt.overrides.push(Override {
            irq: byte_at(entry, 3)?,
            gsi: u32_at(entry, 4)?,
            mode: mode_from_flags(u16_at(entry, 8)?),
        }),
        3 => madt.nmi_gsis.push((u32_at(entry, 4)?, mode_from_flags(u16_at(entry, 2)?))),
        4 => madt.local_nmis.push(LocalNmi {
            acpi_id: Some(u32::from(byte_at(entry, 2)?)).filter(|&id| id != 0xff),
            mode: mode_from_flags(u16_at(entry, 3)?),
            lint: byte_at(entry, 5)?,
        }),
        5 => madt.lapic_address = u64_at(entry, 4)?,
        9 => madt.local_apics.push(LocalApic {
            apic_id: u32_at(entry, 4)?,
            enabled: u32_at(entry, 8)? & 1 != 0,
            acpi_id: u32_at(entry, 12)?,
        }),
        10 => madt.local_nmis.push(LocalNmi {
            mode: mode_from_flags(u16_at(entry, 2)?),
            acpi_id: Some(u32_at(entry, 4)?).filter(|&id| id != u32::MAX),
            lint: byte_at(entry, 8)?,
        }),
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn table(entries: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(&0xfee0_0000_u32.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        entries.iter().for_each(|entry| bytes.extend_from_slice(entry));
        bytes
    }

    #[test]
    fn what_qemu_says() {
        let madt = parse(&table(&[
            &[0, 8, 0, 0, 1, 0, 0, 0],
            &[0, 8, 1, 1, 0, 0, 0, 0],
            &[1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0],
            &[2, 10, 0, 0, 2, 0, 0, 0, 0, 0],
            &[2, 10, 0, 9, 9, 0, 0, 0, 0x0d, 0],
            &[4, 6, 0xff, 0, 0, 1],
        ]))
        .unwrap();
        assert!(madt.has_8259);
        assert_eq!(madt.local_apics[1], LocalApic { apic_id: 1, acpi_id: 1, enabled: false });
        assert_eq!(madt.io_apics, [IoApicEntry { id: 0, address: 0xfec0_0000, gsi_base: 0 }]);
        assert_eq!(madt.isa(0), (2, LineMode::EDGE));
        assert_eq!(madt.isa(9), (9, LineMode { level: true, active_low: false }));
        assert_eq!(madt.isa(4), (4, LineMode::EDGE));
        assert_eq!(madt.mode_of(20), LineMode::PCI);
        assert_eq!(madt.local_nmis, [LocalNmi { acpi_id: None, lint: 1, mode: LineMode::EDGE }]);
    }

    #[test]
    fn x2apic_ids_and_a_64_bit_address() {
        let madt = parse(&table(&[
            &[5, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
            &[9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0],
        ]))
        .unwrap();
        assert_eq!(madt.lapic_address, 0x1_0000_0000);
        assert_eq!(madt.local_apics, [LocalApic { apic_id: 300, acpi_id: 7, enabled: true }]);
    }

    #[test]
    fn broken_lengths_end_the_walk() {
        assert_eq!(parse(&table(&[&[0, 0, 0, 0]])).unwrap().local_apics, []);
        assert_eq!(parse(&table(&[&[0, 40, 0, 0]])).unwrap().local_apics, []);
        assert_eq!(parse(&table(&[&[0, 3, 0]])).unwrap().local_apics, []);
        assert_eq!(parse(&[0; 20]), None);
    }
}
