// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory, from the loader's map to an allocator: page tables, frame table, machine-to-phys table.
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use hypercalls::frame::Mfn;

use crate::boot::memory_map::{Kind, MemoryMap};
use crate::mm::layout::{DIRECT_MAP_BYTES, FRAME_TABLE_START, M2P_GUEST_START, M2P_START};
use crate::mm::page_type::Frame;
use crate::mm::{frame_table, heap, host_pt, map};
use crate::x86::boot_image;

/// Memory below this belongs to firmware, whatever the map says; dom0 sees it as device memory.
const LOW_MEMORY: u64 = 1 << 20;
const BIG: u64 = 1 << 21;

/// Why memory could not be set up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MemoryError {
    /// Too little usable memory below 4 GiB for our own tables, bytes needed.
    NoRoom(u64),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::NoRoom(bytes) = self;
        write!(
            f,
            "no {} MiB of free memory in one piece below 4 GiB for the hypervisor's tables: give the machine more memory, or boot \
             with smaller modules",
            bytes.div_ceil(1 << 20)
        )
    }
}

/// Builds the tables and opens the allocator over everything in `map` that is not `reserved` (modules).
pub(crate) fn init(map: &MemoryMap, reserved: &[Range<u64>]) -> Result<(), MemoryError> {
    let image = boot_image::image();
    let ram_end = map.ram_end().min(DIRECT_MAP_BYTES).next_multiple_of(4096);
    let max_page = ram_end >> 12;
    let mut taken: Vec<Range<u64>> = reserved.to_vec();
    taken.push(0..LOW_MEMORY);
    taken.push(image.start..image.end);

    let need = table_bytes(map, max_page);
    let start = map.find(need, 4096, LOW_MEMORY..4 << 30, &taken).ok_or(MemoryError::NoRoom(need))?;
    host_pt::init(boot_image::boot_root(), start, start + need);
    taken.push(start..start + need);

    let no_room = |_| MemoryError::NoRoom(need);
    let ranges =
        map.regions().iter().filter(|region| region.kind != Kind::Reserved).map(|region| (region.start, region.end));
    host_pt::build(
        ranges,
        [
            (image.start, image.text_end, host_pt::CODE),
            (image.text_end, image.rodata_end, host_pt::READ_ONLY),
            (image.rodata_end, image.end, host_pt::DATA),
        ],
    )
    .map_err(no_room)?;
    map_array(map, FRAME_TABLE_START, size_of::<Frame>() as u64, max_page, 0, &[]).ok_or(MemoryError::NoRoom(need))?;
    map_array(map, M2P_START, 8, max_page, !0, &[M2P_GUEST_START]).ok_or(MemoryError::NoRoom(need))?;
    frame_table::init(max_page);

    for range in map.usable_pages(&taken) {
        frame_table::add_memory(Mfn::from_addr(range.start), Mfn::from_addr(range.end.min(ram_end)));
    }
    let (rest, end) = host_pt::take_early_rest();
    frame_table::add_memory(Mfn::from_addr(rest.next_multiple_of(4096)), Mfn::from_addr(end));
    keep(map, &(image.start..image.end));
    keep(map, &(start..rest));
    keep(map, &(end..start + need));
    heap::init_main();
    Ok(())
}

/// Declares a range the hypervisor's own, as far as there is memory: it would pass for a device's else.
fn keep(map: &MemoryMap, range: &Range<u64>) {
    for region in map.regions().iter().filter(|region| region.kind != Kind::Reserved) {
        let first = region.start.max(range.start) >> 12;
        let end = region.end.min(range.end).min(DIRECT_MAP_BYTES).div_ceil(4096);
        if first < end {
            frame_table::add_reserved(Mfn::new(first), Mfn::new(end));
        }
    }
}

/// The pages of a module's memory that can be used for something else.
pub(crate) fn pages_of(module: &Range<u64>) -> Range<u64> {
    let start = module.start.next_multiple_of(4096).max(LOW_MEMORY);
    start..module.end.next_multiple_of(4096).max(start)
}

/// Gives a module's memory to the allocator once it has been used.
pub(crate) fn release(module: &Range<u64>) {
    let pages = pages_of(module);
    frame_table::add_memory(Mfn::from_addr(pages.start), Mfn::from_addr(pages.end));
}

/// Makes a module's memory frames as the allocator gives them, which become the caller's.
pub(crate) fn take_over(module: &Range<u64>) -> impl Iterator<Item = Mfn> {
    let pages = pages_of(module);
    let (first, end) = (Mfn::from_addr(pages.start), Mfn::from_addr(pages.end));
    frame_table::add_reserved(first, end);
    (first.raw()..end.raw()).map(Mfn::new)
}

/// Does any memory lie in the stretch that elements `first .. end` describe?
fn has_memory(map: &MemoryMap, first: u64, end: u64) -> bool {
    map.regions()
        .iter()
        .any(|region| region.kind != Kind::Reserved && region.start < end << 12 && region.end > first << 12)
}

/// Bytes for arrays and tables, generously: arrays of 40 bytes a page, in 2 MiB pieces, and tables for all mappings.
fn table_bytes(map: &MemoryMap, max_page: u64) -> u64 {
    let pieces = |element: u64| {
        let per_piece = BIG / element;
        (0..max_page.div_ceil(per_piece))
            .filter(|piece| has_memory(map, piece * per_piece, (piece + 1) * per_piece))
            .count() as u64
    };
    let arrays = (pieces(size_of::<Frame>() as u64) + pieces(8) + 2) * BIG;
    let direct_map_tables = (max_page >> 18).max(4) + 16;
    arrays + (direct_map_tables + 256) * 4096 + BIG
}

/// Maps an array of `max_page` elements filled with a byte pattern, in 2 MiB pieces; pieces that describe no memory share
/// one. `also`: further addresses at which guests may read it.
fn map_array(map: &MemoryMap, at: u64, element: u64, max_page: u64, fill: u64, also: &[u64]) -> Option<()> {
    let per_piece = BIG / element;
    let mut hole = None;
    for piece in 0..max_page.div_ceil(per_piece) {
        let backed = has_memory(map, piece * per_piece, (piece + 1) * per_piece);
        let machine = match hole.filter(|_| !backed) {
            Some(shared) => shared,
            None => {
                let machine = host_pt::take_early(BIG, BIG)?;
                for page in (0..BIG).step_by(4096) {
                    for word in map::words(Mfn::from_addr(machine + page)) {
                        word.store(fill, core::sync::atomic::Ordering::Relaxed);
                    }
                }
                machine
            }
        };
        if !backed {
            hole = Some(machine);
        }
        host_pt::map(at + piece * BIG, machine, BIG, host_pt::DATA).ok()?;
        for view in also {
            host_pt::map(view + piece * BIG, machine, BIG, host_pt::GUEST_READ_ONLY).ok()?;
        }
    }
    Some(())
}

/// Gives a CPU its descriptor window with the reserved descriptors in it.
pub(crate) fn map_window(local: &crate::x86::percpu::CpuLocal) {
    let page = frame_table::alloc_zeroed(0, None).expect("boot has memory left for one page");
    crate::x86::gdt::fill_reserved(map::words(page), local);
    if crate::x86::gdt::zero_page().raw() == 0 {
        crate::x86::gdt::set_zero_page(frame_table::alloc_zeroed(0, None).expect("boot has memory left for one page"));
    }
    host_pt::make_window(local).expect("boot has memory left for one table");
    for guest_page in 0..crate::x86::gdt::GUEST_GDT_PAGES {
        host_pt::set_window(local, guest_page, Some(crate::x86::gdt::zero_page()));
    }
    host_pt::set_window(local, crate::x86::gdt::GUEST_GDT_PAGES, Some(page));
}
