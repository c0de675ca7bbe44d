// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine's memory map: what the firmware says, put in order, and what is left of it for us.
//!
//! Firmware maps arrive unsorted and overlapping. [`MemoryMap`] holds sorted, disjoint, merged regions; where entries
//! disagree the more careful one wins. Addresses are machine addresses in bytes.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

const PAGE_SIZE: u64 = 4096;

/// What a region of the address space is. The order is that of increasing care: of two claims the greater one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// RAM for everybody.
    Usable,
    /// RAM with ACPI tables, usable once they are read (dom0 may never have read them).
    AcpiReclaimable,
    /// RAM the firmware keeps across sleep.
    AcpiNvs,
    /// Not to be used: devices, firmware, or a type we do not know.
    Reserved,
    /// RAM with errors.
    Unusable,
}

impl Kind {
    /// From the type number of an ACPI address range ("e820") entry.
    pub(crate) fn from_e820(number: u32) -> Self {
        match number {
            1 => Self::Usable,
            3 => Self::AcpiReclaimable,
            4 => Self::AcpiNvs,
            5 => Self::Unusable,
            _ => Self::Reserved,
        }
    }

    /// The type number of an e820 entry.
    pub(crate) fn to_e820(self) -> u32 {
        match self {
            Self::Usable => 1,
            Self::Reserved => 2,
            Self::AcpiReclaimable => 3,
            Self::AcpiNvs => 4,
            Self::Unusable => 5,
        }
    }

    /// From an EFI memory descriptor's type and attributes (UEFI specification, GetMemoryMap), after the boot services
    /// have ended: their memory is free then. RAM that cannot be cached write-back is of no use to us.
    pub(crate) fn from_efi(number: u32, attributes: u64) -> Self {
        const WRITE_BACK: u64 = 1 << 3;
        match number {
            1..=4 | 7 if attributes & WRITE_BACK != 0 => Self::Usable,
            8 => Self::Unusable,
            9 => Self::AcpiReclaimable,
            10 => Self::AcpiNvs,
            _ => Self::Reserved,
        }
    }
}

/// A stretch of the address space, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// The first address.
    pub(crate) start: u64,
    /// The address behind the last.
    pub(crate) end: u64,
    /// What it is.
    pub(crate) kind: Kind,
}

impl Region {
    /// From an address and a length; cut off at the end of the address space.
    pub(crate) fn from_len(start: u64, len: u64, kind: Kind) -> Self {
        Self { start, end: start.saturating_add(len), kind }
    }
}

/// Sorted, disjoint regions; touching regions differ in kind. What no region covers is a hole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct MemoryMap {
    regions: Vec<Region>,
}

impl MemoryMap {
    /// Puts the firmware's entries in order.
    pub(crate) fn new(entries: &[Region]) -> Self {
        let mut edges: Vec<u64> = entries.iter().filter(|e| e.start < e.end).flat_map(|e| [e.start, e.end]).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut map = Self::default();
        for (start, end) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
            let covering = entries.iter().filter(|e| e.start <= start && end <= e.end);
            if let Some(kind) = covering.map(|e| e.kind).max() {
                map.push(Region { start, end, kind });
            }
        }
        map
    }

    /// The regions in ascending order.
    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The address behind the last RAM of any kind, and so the bound of the frame table; 0 without RAM.
    pub(crate) fn ram_end(&self) -> u64 {
        self.regions.iter().rfind(|r| r.kind != Kind::Reserved).map_or(0, |r| r.end)
    }

    /// Bytes of usable memory.
    pub(crate) fn usable_bytes(&self) -> u64 {
        self.regions.iter().filter(|r| r.kind == Kind::Usable).map(|r| r.end - r.start).sum()
    }

    /// Whether all of the range is usable memory.
    #[cfg(test)]
    pub(crate) fn is_usable(&self, range: &Range<u64>) -> bool {
        // Touching regions differ in kind, so one region must hold it all.
        self.regions.iter().any(|r| r.kind == Kind::Usable && r.start <= range.start && range.end <= r.end)
    }

    /// Forgets everything at and above `limit`.
    pub(crate) fn clip(&mut self, limit: u64) {
        self.regions.retain_mut(|r| {
            r.end = r.end.min(limit);
            r.start < r.end
        });
    }

    /// Declares a range to be of a kind, whatever it was before, holes included.
    pub(crate) fn set(&mut self, range: Range<u64>, kind: Kind) {
        if range.is_empty() {
            return;
        }
        let old = core::mem::take(&mut self.regions);
        let before = |r: &Region| Region { end: r.end.min(range.start), ..*r };
        let after = |r: &Region| Region { start: r.start.max(range.end), ..*r };
        for region in old.iter().map(before).filter(|r| r.start < r.end) {
            self.push(region);
        }
        self.push(Region { start: range.start, end: range.end, kind });
        for region in old.iter().map(after).filter(|r| r.start < r.end) {
            self.push(region);
        }
    }

    /// The whole usable pages outside the reserved ranges, as ascending page-aligned byte ranges. A reserved range takes
    /// the pages it touches.
    pub(crate) fn usable_pages(&self, reserved: &[Range<u64>]) -> Vec<Range<u64>> {
        let mut taken: Vec<Range<u64>> =
            reserved.iter().filter(|r| !r.is_empty()).map(|r| page_down(r.start)..page_up(r.end)).collect();
        taken.sort_unstable_by_key(|r| r.start);
        let mut pages = Vec::new();
        for region in self.regions.iter().filter(|r| r.kind == Kind::Usable) {
            let (mut start, end) = (page_up(region.start), page_down(region.end));
            for hole in taken.iter().filter(|hole| hole.end > region.start && hole.start < region.end) {
                if start < hole.start.min(end) {
                    pages.push(start..hole.start.min(end));
                }
                start = start.max(hole.end);
            }
            if start < end {
                pages.push(start..end);
            }
        }
        pages
    }

    /// A page-aligned place for `len` bytes within usable memory, outside the reserved ranges and within `within`: the
    /// highest one. `align` is a power of two, at least a page.
    pub(crate) fn find(&self, len: u64, align: u64, within: Range<u64>, reserved: &[Range<u64>]) -> Option<u64> {
        self.usable_pages(reserved).iter().rev().find_map(|free| {
            let (low, high) = (free.start.max(within.start), free.end.min(within.end));
            let start = high.checked_sub(len)? & !(align - 1);
            (start >= low).then_some(start)
        })
    }

    /// Appends a region behind all others, merging it with a neighbour of its kind.
    fn push(&mut self, region: Region) {
        match self.regions.last_mut() {
            Some(last) if last.end == region.start && last.kind == region.kind => last.end = region.end,
            _ => self.regions.push(region),
        }
    }
}

fn page_down(address: u64) -> u64 {
    address & !(PAGE_SIZE - 1)
}

fn page_up(address: u64) -> u64 {
    // Saturating: the last page of the address space is never RAM.
    page_down(address.saturating_add(PAGE_SIZE - 1))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    fn region(start: u64, end: u64, kind: Kind) -> Region {
        Region { start, end, kind }
    }

    #[test]
    fn sorts_merges_and_resolves() {
        use Kind::*;
        let map = MemoryMap::new(&[
            region(0x10_0000, 0x80_0000, Usable),
            region(0, 0x9_fc00, Usable),
            region(0x80_0000, 0x100_0000, Usable),
            region(0x70_0000, 0x71_0000, Reserved),
            region(0x70_8000, 0x72_0000, AcpiNvs),
            region(0x5000, 0x5000, Unusable),
        ]);
        assert_eq!(
            map.regions(),
            [
                region(0, 0x9_fc00, Usable),
                region(0x10_0000, 0x70_0000, Usable),
                region(0x70_0000, 0x71_0000, Reserved),
                region(0x71_0000, 0x72_0000, AcpiNvs),
                region(0x72_0000, 0x100_0000, Usable),
            ]
        );
        assert_eq!(map.ram_end(), 0x100_0000);
        assert!(map.is_usable(&(0x72_0000..0x100_0000)));
        assert!(!map.is_usable(&(0x6f_0000..0x70_1000)));
    }

    #[test]
    fn set_and_clip() {
        use Kind::*;
        let mut map = MemoryMap::new(&[region(0, 0x10000, Usable)]);
        map.set(0x4000..0x8000, Reserved);
        map.set(0x8000..0x9000, Reserved);
        map.set(0x20000..0x21000, Reserved);
        assert_eq!(
            map.regions(),
            [
                region(0, 0x4000, Usable),
                region(0x4000, 0x9000, Reserved),
                region(0x9000, 0x10000, Usable),
                region(0x20000, 0x21000, Reserved),
            ]
        );
        map.clip(0x9800);
        assert_eq!(map.usable_bytes(), 0x4000 + 0x800);
        assert_eq!(map.usable_pages(&[]), core::slice::from_ref(&(0..0x4000)));
    }

    #[test]
    fn finds_the_highest_place() {
        let map = MemoryMap::new(&[region(0, 0x10000, Kind::Usable), region(0x20000, 0x30800, Kind::Usable)]);
        let reserved = core::slice::from_ref(&(0x2f123..0x2f124));
        assert_eq!(map.find(0x1000, 0x1000, 0..u64::MAX, reserved), Some(0x2e000));
        assert_eq!(map.find(0x8000, 0x8000, 0..u64::MAX, reserved), Some(0x20000));
        assert_eq!(map.find(0x4000, 0x1000, 0..0x10000, reserved), Some(0xc000));
        assert_eq!(map.find(0x20000, 0x1000, 0..u64::MAX, reserved), None);
    }

    #[test]
    fn efi_types() {
        assert_eq!(Kind::from_efi(7, 0xf), Kind::Usable);
        assert_eq!(Kind::from_efi(7, 1), Kind::Reserved);
        assert_eq!(Kind::from_efi(4, 8), Kind::Usable);
        assert_eq!(Kind::from_efi(6, 8), Kind::Reserved);
        assert_eq!(Kind::from_efi(9, 8), Kind::AcpiReclaimable);
    }

    fn kind() -> impl Strategy<Value = Kind> {
        (1u32..=5).prop_map(Kind::from_e820)
    }

    fn entries() -> impl Strategy<Value = Vec<Region>> {
        prop::collection::vec(
            (0u64..64, 0u64..20, kind()).prop_map(|(s, l, k)| Region::from_len(s * 2048, l * 2048, k)),
            0..10,
        )
    }

    proptest! {
        #[test]
        fn every_point_has_the_greatest_kind(entries in entries(), holes in prop::collection::vec((0u64..120_000, 0u64..9000), 0..5)) {
            let map = MemoryMap::new(&entries);
            for pair in map.regions().windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
                prop_assert!(pair[0].end < pair[1].start || pair[0].kind != pair[1].kind);
            }
            let at = |map: &[Region], a: u64| map.iter().filter(|r| r.start <= a && a < r.end).map(|r| r.kind).max();
            for address in (0..170_000).step_by(1024) {
                prop_assert_eq!(at(map.regions(), address), at(&entries, address));
            }
            let reserved: Vec<_> = holes.iter().map(|(s, l)| *s..*s + *l).collect();
            let pages = map.usable_pages(&reserved);
            let mut expect = vec![];
            for page in (0..170_000u64).step_by(4096) {
                let all = (page..page + 4096).step_by(512).all(|a| at(&entries, a) == Some(Kind::Usable));
                let hit = reserved.iter().any(|r| !r.is_empty() && r.start < page + 4096 && page < r.end);
                if all && !hit {
                    expect.push(page);
                }
            }
            let got: Vec<u64> = pages.iter().flat_map(|r| r.clone().step_by(4096)).collect();
            prop_assert_eq!(got, expect);
        }
    }
}
