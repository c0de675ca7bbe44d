// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The initial page tables of a guest as values: which entries each table frame of a [`Plan`] holds.
//!
//! Pages of 4 KiB throughout; everything is writable but the tables of the initial mapping, which a guest must never be
//! able to write. Each table is produced once, leaves first and the root last, so that a builder can type each frame as
//! soon as it has written it.

use hypercalls::{Mfn, PAGE_SHIFT, PAGE_SIZE, Pfn};

use crate::pfn_range::PfnRange;
use crate::plan::{self, Plan};

/// Entries of a table.
pub const ENTRIES: usize = 512;

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
/// Software bit 52, by which the hypervisor tells a page of the guest's kernel, which it maps as user, from one of the
/// guest's user mode (abi.md section 5).
const GUEST_KERNEL: u64 = 1 << 52;

/// Flags of an entry that maps a page.
const LEAF: u64 = PRESENT | WRITABLE | USER | ACCESSED | GUEST_KERNEL;
/// Flags of an entry that names a table.
const TABLE: u64 = PRESENT | WRITABLE | USER | ACCESSED | DIRTY;

/// A page table to write.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The frame it belongs into.
    pub pfn: Pfn,
    /// 1 for tables that map pages, to 4 for the root.
    pub level: u8,
    /// Its contents. In the root the hypervisor's own slots (256 to 271) are 0.
    pub entries: &'a [u64; ENTRIES],
}

/// Calls `write` once for each table frame of the plan; stops at its first error.
///
/// `mfn_of` tells the machine frame behind a frame of the guest, for all frames below [`Plan::used_pages`].
///
/// # Errors
/// Whatever `write` returns.
pub fn for_each<E>(
    plan: &Plan,
    mut mfn_of: impl FnMut(Pfn) -> Mfn,
    mut write: impl FnMut(Table<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let tables = plan.page_tables;
    let behind_root = PfnRange::new(Pfn::new(tables.start().raw().saturating_add(1)), tables.count().saturating_sub(1));
    let initial = Region::new(plan.v_start, plan.mapped(), behind_root, tables);
    let p2m = Region::new(plan.p2m.va, plan.p2m.list, plan.p2m.tables, PfnRange::new(Pfn::new(0), 0));
    let mut root = [0; ENTRIES];

    for region in [initial, p2m] {
        if region.tables.count() == 0 {
            continue;
        }
        for level in 1..=3 {
            region.write_level(level, &mut mfn_of, &mut write)?;
        }
        region.fill(4, 0, &mut root, &mut mfn_of);
    }
    write(Table { pfn: plan.root_table(), level: 4, entries: &root })
}

/// A linear mapping and the frames of its tables.
struct Region {
    /// Virtual address of the first page, bits 0 to 47.
    va: u64,
    /// All table frames: L3s, L2s, L1s.
    tables: PfnRange,
    /// What tables of level `n` refer to, at index `n - 1`: pages, L1s, L2s, L3s.
    children: [PfnRange; 4],
    /// Pages to map read-only.
    read_only: PfnRange,
}

impl Region {
    fn new(va: u64, pages: PfnRange, tables: PfnRange, read_only: PfnRange) -> Self {
        let [l1, l2, l3] = plan::table_counts(va, pages.count());
        let l3s = PfnRange::new(tables.start(), l3);
        let l2s = PfnRange::new(l3s.end(), l2);
        let l1s = PfnRange::new(l2s.end(), l1);
        Self { va: va & ((1 << 48) - 1), tables, children: [pages, l1s, l2s, l3s], read_only }
    }

    /// Produces the tables of one level.
    fn write_level<E>(
        &self,
        level: u8,
        mfn_of: &mut impl FnMut(Pfn) -> Mfn,
        write: &mut impl FnMut(Table<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(tables) = self.children.get(usize::from(level)) else {
            return Ok(());
        };
        for (index, pfn) in (0_u64..).zip(tables.iter()) {
            let mut entries = [0; ENTRIES];
            self.fill(level, index, &mut entries, mfn_of);
            write(Table { pfn, level, entries: &entries })?;
        }
        Ok(())
    }

    /// Fills in this region's entries of its `index`th table of a level.
    fn fill(&self, level: u8, index: u64, entries: &mut [u64; ENTRIES], mfn_of: &mut impl FnMut(Pfn) -> Mfn) {
        let Some(&children) = self.children.get(usize::from(level).saturating_sub(1)) else {
            return;
        };
        let leaf = level == 1;
        // Entries are numbered through all of the address space: `first_entry` is the one of this table's first slot.
        let shift = PAGE_SHIFT.saturating_add(9_u32.saturating_mul(u32::from(level).saturating_sub(1)));
        let region_entry = self.va >> shift;
        let first_entry = ((region_entry >> 9).saturating_add(index)) << 9;
        for (entry, number) in entries.iter_mut().zip(first_entry..) {
            let Some(child) = number.checked_sub(region_entry).and_then(|n| children.get(n)) else {
                continue;
            };
            let flags = if !leaf {
                TABLE
            } else if self.read_only.contains(child) {
                LEAF & !WRITABLE
            } else {
                LEAF
            };
            *entry = mfn_of(child).to_addr() | flags;
        }
    }
}

const _: () = assert!(ENTRIES * size_of::<u64>() == PAGE_SIZE, "a table is a page");
