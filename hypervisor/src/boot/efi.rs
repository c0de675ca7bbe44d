// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is left of EFI once its boot services have ended: the system table, and runtime services in page tables of their own.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use hypercalls::frame::Mfn;

use crate::boot::acpi::{u32_at, u64_at};
use crate::boot::modules::{BootInfo, Efi};
use crate::domain::firmware::{self, EfiRegion};
use crate::mm::{boot_memory, frame_table, host_pt, map};
use crate::x86::efi::{Services, TABLE_BYTES};

/// "IBI SYST".
const SYSTEM_TABLE: u64 = 0x5453_5953_2049_4249;
const SYSTEM_TABLE_BYTES: usize = 120;
/// Longest vendor name read, characters.
const VENDOR_CHARS: usize = 100;
/// Memory descriptor's attributes: cacheable, and in use by runtime services.
const WRITE_BACK: u64 = 1 << 3;
const RUNTIME: u64 = 1 << 63;
/// Its type of runtime services' code.
const RUNTIME_CODE: u32 = 5;
/// Firmware lies in the lower half of the address space, below the hypervisor's slots.
const LOWER_HALF: u64 = 1 << 47;
const PAGE: u64 = 4096;
const LARGE_PAGE: u64 = 1 << 21;
/// Entries: present, writable, accessed, dirty; the same, of a table; uncached (PCD and PWT); a large page.
const CODE_AND_DATA: u64 = 0x63;
const TABLE: u64 = 0x23;
const UNCACHED: u64 = 0x18;
const LARGE: u64 = 0x80;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Reads the firmware's tables. Boot CPU, once, with an allocator and before anything is written to free memory.
pub(crate) fn init(boot: &BootInfo) {
    let Some(efi) = boot.efi.as_ref().filter(|efi| efi.system_table != 0) else { return };
    match read(efi) {
        Some(firmware) => {
            let services = if firmware.services.is_some() { "" } else { ", without runtime services" };
            let version = firmware.version;
            log::info!("EFI {}.{}{services}", version >> 16, (version & 0xffff) / 10);
            firmware::set_efi(firmware);
        }
        None => log::warn!("EFI: no system table at {:#x}; the control domain will not know of EFI", efi.system_table),
    }
}

/// Regions that runtime services use.
pub(crate) fn runtime_regions(efi: &Efi) -> impl Iterator<Item = &EfiRegion> {
    efi.memory_map.iter().filter(|region| region.attributes & RUNTIME != 0)
}

fn read(efi: &Efi) -> Option<firmware::Efi> {
    let table = boot_memory::lend(efi.system_table, SYSTEM_TABLE_BYTES)?;
    if u64_at(table, 0)? != SYSTEM_TABLE {
        return None;
    }
    Some(firmware::Efi {
        memory_map: efi.memory_map.clone(),
        version: u32_at(table, 8)?,
        vendor: vendor(u64_at(table, 24)?),
        vendor_revision: u32_at(table, 32)?,
        tables: (u64_at(table, 112)?, u64_at(table, 104).and_then(|count| count.try_into().ok())?),
        services: services(efi, u64_at(table, 88)?),
    })
}

fn vendor(address: u64) -> Vec<u16> {
    let bytes = boot_memory::lend(address, 2 * VENDOR_CHARS).unwrap_or(&[]);
    let characters = bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair));
    characters.take_while(|&character| character != 0).chain([0]).collect()
}

fn services(efi: &Efi, table: u64) -> Option<Services> {
    if efi.boot_services_active {
        log::warn!("EFI: the loader left boot services running, so runtime services cannot be used");
        return None;
    }
    let regions: Vec<Mapping> = runtime_regions(efi).filter_map(Mapping::of).collect();
    let table = boot_memory::lend(table, TABLE_BYTES)?.first_chunk()?;
    let root = identity_tables(&regions)?;
    Services::new(root, host_pt::fill_slots, table, |address| {
        regions.iter().any(|region| region.is_code && region.start <= address && address < region.end)
    })
}

// ---- page tables ----

/// A region as runtime services see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mapping {
    start: u64,
    end: u64,
    flags: u64,
    is_code: bool,
}

impl Mapping {
    /// `None` for a region that lies where it cannot.
    fn of(region: &EfiRegion) -> Option<Self> {
        let end = region.pages.checked_mul(PAGE).and_then(|bytes| region.start.checked_add(bytes))?;
        if !region.start.is_multiple_of(PAGE) || region.start >= end || end > LOWER_HALF {
            log::warn!("EFI: strange runtime region at {:#x}, {} pages, left out", region.start, region.pages);
            return None;
        }
        // A driver's variables lie beside its code, in one region of this type.
        let is_code = region.kind == RUNTIME_CODE;
        let access = if is_code { CODE_AND_DATA } else { host_pt::DATA };
        let cache = if region.attributes & WRITE_BACK != 0 { 0 } else { UNCACHED };
        Some(Self { start: region.start, end, flags: access | cache, is_code })
    }

    /// The pages it is mapped by: address and whether it is a large one.
    fn pages(self) -> impl Iterator<Item = (u64, bool)> {
        let mut next = self.start;
        core::iter::from_fn(move || {
            let at = next;
            let large = at.is_multiple_of(LARGE_PAGE) && self.end.saturating_sub(at) >= LARGE_PAGE;
            next = at + if large { LARGE_PAGE } else { PAGE };
            (at < self.end).then_some((at, large))
        })
    }
}

/// An L4 that maps regions at their machine addresses. `None`: no memory, or they overlap.
fn identity_tables(regions: &[Mapping]) -> Option<Mfn> {
    let root = frame_table::alloc_zeroed(0, None)?;
    for region in regions {
        for (address, large) in region.pages() {
            let (bottom, size) = if large { (2, LARGE) } else { (1, 0) };
            let mut table = root;
            for level in (bottom + 1..=4).rev() {
                table = table_below(table, slot(address, level))?;
            }
            map::store(table, slot(address, bottom), address | region.flags | size);
        }
    }
    Some(root)
}

fn slot(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1)) & 511) as usize
}

fn table_below(table: Mfn, slot: usize) -> Option<Mfn> {
    let entry = map::words(table).get(slot)?.load(core::sync::atomic::Ordering::Relaxed);
    if entry & LARGE != 0 {
        return None;
    }
    if entry != 0 {
        return Some(Mfn::from_addr(entry & ADDRESS));
    }
    let new = frame_table::alloc_zeroed(0, None)?;
    map::store(table, slot, new.to_addr() | TABLE);
    Some(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(kind: u32, start: u64, pages: u64, attributes: u64) -> EfiRegion {
        EfiRegion { kind, start, pages, attributes }
    }

    #[test]
    fn code_may_run_and_devices_are_uncached() {
        let code = Mapping::of(&region(RUNTIME_CODE, 0x7e00_0000, 2, RUNTIME | 0xf)).unwrap();
        assert_eq!((code.end, code.flags, code.is_code), (0x7e00_2000, CODE_AND_DATA, true));
        let data = Mapping::of(&region(6, 0x7e00_0000, 2, RUNTIME | 0xf)).unwrap();
        assert_eq!((data.flags, data.is_code), (host_pt::DATA, false));
        let flash = Mapping::of(&region(11, 0xffc0_0000, 0x400, RUNTIME | 1)).unwrap();
        assert_eq!(flash.flags, host_pt::DATA | UNCACHED);
    }

    #[test]
    fn strange_regions_are_left_out() {
        for (start, pages) in [(0x1800, 1), (0x1000, 0), (LOWER_HALF - PAGE, 2), (0x1000, u64::MAX), (!0xfff, 1)] {
            assert_eq!(Mapping::of(&region(6, start, pages, RUNTIME)), None, "{start:#x} {pages:#x}");
        }
    }

    #[test]
    fn large_pages_where_they_fit() {
        let mapping = Mapping::of(&region(6, 0x3f_f000, 514, RUNTIME | 8)).unwrap();
        let pages: Vec<_> = mapping.pages().collect();
        assert_eq!(pages, [(0x3f_f000, false), (0x40_0000, true), (0x60_0000, false)]);
    }

    #[test]
    fn only_runtime_regions_count() {
        let memory_map = [region(7, 0x1000, 1, 0xf), region(6, 0x2000, 1, RUNTIME | 0xf)].to_vec();
        let efi = Efi { system_table: 1, memory_map, boot_services_active: false };
        assert_eq!(runtime_regions(&efi).map(|region| region.start).collect::<Vec<_>>(), [0x2000]);
    }
}
