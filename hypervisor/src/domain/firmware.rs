// SPDX-License-Identifier: MIT OR Apache-2.0
//! What boot learned from the firmware and the control domain may ask for by platform operations.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use crate::x86::efi::Services;
use crate::x86::power::Pm1Control;

static FACTS: spin::Once<Facts> = spin::Once::new();
static EFI: spin::Once<Efi> = spin::Once::new();

/// What every firmware may say.
#[derive(Debug)]
pub(crate) struct Facts {
    /// A BIOS started the machine, so its data area is there.
    pub(crate) has_bios: bool,
    /// Where sleep states are entered, if the machine has them.
    pub(crate) pm1_control: Option<Pm1Control>,
    /// The processors' numbers.
    pub(crate) processors: Vec<Processor>,
}

/// The numbers of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Processor {
    /// APIC id.
    pub(crate) apic_id: u32,
    /// Its id in AML.
    pub(crate) acpi_id: u32,
}

/// One EFI memory descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EfiRegion {
    /// The descriptor's type, as in the UEFI specification.
    pub(crate) kind: u32,
    /// Machine address.
    pub(crate) start: u64,
    /// Number of 4 KiB pages.
    pub(crate) pages: u64,
    /// EFI_MEMORY_* attributes; bit 63 asks for a mapping while runtime services run.
    pub(crate) attributes: u64,
}

/// EFI at run time.
pub(crate) struct Efi {
    /// The memory map at ExitBootServices; empty if the loader did not pass it on.
    pub(crate) memory_map: Vec<EfiRegion>,
    /// EFI's version, from the system table.
    pub(crate) version: u32,
    /// The firmware's maker, ending in a zero.
    pub(crate) vendor: Vec<u16>,
    /// The maker's revision of it.
    pub(crate) vendor_revision: u32,
    /// Machine address of the configuration tables, and how many there are.
    pub(crate) tables: (u64, u32),
    /// What the firmware still does. `None` if that cannot be used.
    pub(crate) services: Option<Services>,
}

/// Records the facts. Once, at boot.
pub(crate) fn set_facts(facts: Facts) {
    FACTS.call_once(|| facts);
}

/// The facts, once known.
pub(crate) fn facts() -> Option<&'static Facts> {
    FACTS.get()
}

/// Records that EFI booted this machine. Once, at boot.
pub(crate) fn set_efi(efi: Efi) {
    EFI.call_once(|| efi);
}

/// EFI, if it booted this machine.
pub(crate) fn efi() -> Option<&'static Efi> {
    EFI.get()
}
