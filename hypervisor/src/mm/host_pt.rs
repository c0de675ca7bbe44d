// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hypervisor's own page tables: slots 256 to 271, whose L3 tables are made at boot and shared by every L4, so that a
//! later mapping is seen by all.
// UNSAFETY: writes page tables in use.
#![expect(unsafe_code, reason = "live page tables")]

use core::sync::atomic::{AtomicU64, Ordering};

use hypercalls::frame::Mfn;

use crate::mm::layout::{
    DIRECT_MAP_START, END_SLOT, FIRST_SLOT, IMAGE_OFFSET, M2P_GUEST_START, MMIO_START, VMAP_START, WINDOWS_START,
};
use crate::mm::{flush, frame_table, map};
use crate::sync::{Rank, SpinLock};
use crate::x86::gdt::{self, WINDOW_PAGES};
use crate::x86::mmio::Mmio;
use crate::x86::percpu::CpuLocal;
use crate::x86::tlb;

const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const UNCACHED: u64 = 0x18;
const ACCESSED: u64 = 0x20;
const DIRTY: u64 = 0x40;
const LARGE: u64 = 0x80;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Writable data.
pub(crate) const DATA: u64 = PRESENT | WRITE | ACCESSED | DIRTY | NO_EXECUTE;
/// Constants.
pub(crate) const READ_ONLY: u64 = PRESENT | ACCESSED | NO_EXECUTE;
/// Code.
pub(crate) const CODE: u64 = PRESENT | ACCESSED;
/// What guests may read.
pub(crate) const GUEST_READ_ONLY: u64 = PRESENT | USER | ACCESSED | NO_EXECUTE;
const DEVICE: u64 = DATA | UNCACHED;

/// No frame for a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfFrames;

static ROOT: AtomicU64 = AtomicU64::new(0);
static LOCK: SpinLock<Next> = SpinLock::new(Rank::HostTables, Next { mmio: MMIO_START, vmap: VMAP_START });
/// Frames for tables before there is an allocator: next and end, machine addresses.
static EARLY_NEXT: AtomicU64 = AtomicU64::new(0);
static EARLY_END: AtomicU64 = AtomicU64::new(0);

/// Where the next mapping of each kind goes.
struct Next {
    mmio: u64,
    vmap: u64,
}

/// Machine address of the hypervisor's own L4.
pub(crate) fn root() -> Mfn {
    Mfn::from_addr(ROOT.load(Ordering::Relaxed))
}

/// Starts with the boot tables and a stretch of memory below 4 GiB for tables.
pub(crate) fn init(root: u64, early_start: u64, early_end: u64) {
    ROOT.store(root, Ordering::Relaxed);
    EARLY_NEXT.store(early_start, Ordering::Relaxed);
    EARLY_END.store(early_end, Ordering::Relaxed);
}

/// Ends the early stretch: what is left of it, for the allocator.
pub(crate) fn take_early_rest() -> (u64, u64) {
    let end = EARLY_END.swap(0, Ordering::Relaxed);
    (EARLY_NEXT.load(Ordering::Relaxed), end)
}

/// Takes `bytes` of the early stretch, aligned.
pub(crate) fn take_early(bytes: u64, align: u64) -> Option<u64> {
    let start = EARLY_NEXT.load(Ordering::Relaxed).next_multiple_of(align);
    let end = start.checked_add(bytes)?;
    if end > EARLY_END.load(Ordering::Relaxed) {
        return None;
    }
    EARLY_NEXT.store(end, Ordering::Relaxed);
    Some(start)
}

fn new_table() -> Result<Mfn, OutOfFrames> {
    if EARLY_END.load(Ordering::Relaxed) != 0 {
        // From the end, so that the large pieces from the start need no gaps.
        let frame = EARLY_END.load(Ordering::Relaxed) - 4096;
        if frame < EARLY_NEXT.load(Ordering::Relaxed) {
            return Err(OutOfFrames);
        }
        EARLY_END.store(frame, Ordering::Relaxed);
        let mfn = Mfn::from_addr(frame);
        map::zero(mfn);
        return Ok(mfn);
    }
    frame_table::alloc_zeroed(0, None).ok_or(OutOfFrames)
}

fn index(address: u64, level: u32) -> usize {
    (address >> (12 + 9 * (level - 1)) & 511) as usize
}

/// The entry of `level` for an address, with the tables above it made on the way.
fn entry(address: u64, level: u32) -> Result<&'static AtomicU64, OutOfFrames> {
    Ok(&map::words(table(address, level)?)[index(address, level)])
}

/// The table of `level` for an address, made with those above it where there is none.
fn table(address: u64, level: u32) -> Result<Mfn, OutOfFrames> {
    let mut table = root();
    for above in (level + 1..=4).rev() {
        let slot = &map::words(table)[index(address, above)];
        let value = slot.load(Ordering::Relaxed);
        if value & PRESENT == 0 {
            let new = new_table()?;
            // USER at all upper levels: the leaves decide.
            slot.store(new.to_addr() | PRESENT | WRITE | USER | ACCESSED, Ordering::Release);
            table = new;
        } else {
            assert!(value & LARGE == 0 || above == 4, "mapping {address:#x} inside a large page");
            table = Mfn::from_addr(value & ADDRESS);
        }
    }
    Ok(table)
}

/// Maps `bytes` of machine memory at an address that nothing uses; 2 MiB pages where both sides are aligned.
pub(crate) fn map(address: u64, machine: u64, bytes: u64, flags: u64) -> Result<(), OutOfFrames> {
    let _lock = LOCK.lock();
    map_locked(address, machine, bytes, flags)
}

fn map_locked(address: u64, machine: u64, bytes: u64, flags: u64) -> Result<(), OutOfFrames> {
    const BIG: u64 = 1 << 21;
    let mut done = 0;
    while done < bytes {
        let (at, from) = (address + done, machine + done);
        if at.is_multiple_of(BIG) && from.is_multiple_of(BIG) && bytes - done >= BIG {
            entry(at, 2)?.store(from | flags | LARGE, Ordering::Release);
            done += BIG;
        } else {
            entry(at, 1)?.store(from | flags, Ordering::Release);
            done += 4096;
        }
    }
    Ok(())
}

/// Replaces the boot tables' view of memory: all of the first 4 GiB and `ranges` above, writable and never executable, at
/// the direct map; the image by its sections.
pub(crate) fn build(ranges: impl Iterator<Item = (u64, u64)>, image: [(u64, u64, u64); 3]) -> Result<(), OutOfFrames> {
    let l3 = new_table()?;
    for gib in 0..4_u64 {
        let l2 = new_table()?;
        for (slot, word) in map::words(l2).iter().enumerate() {
            word.store((gib << 30 | (slot as u64) << 21) | DATA | LARGE, Ordering::Relaxed);
        }
        map::store(l3, gib as usize, l2.to_addr() | PRESENT | WRITE | ACCESSED);
    }
    map::store(root(), index(DIRECT_MAP_START, 4), l3.to_addr() | PRESENT | WRITE | ACCESSED);
    flush::local();
    for (start, end) in ranges {
        let (start, end) = ((start & !0x1f_ffff).max(4 << 30), end.next_multiple_of(1 << 21));
        if start < end {
            map(DIRECT_MAP_START + start, start, end - start, DATA)?;
        }
    }
    map_image(image)?;
    flush::local();
    // The L3s that guests' L4s will share exist from now on.
    entry(M2P_GUEST_START, 3)?;
    entry(WINDOWS_START, 3)?;
    Ok(())
}

/// Replaces the boot tables' one writable and executable mapping of the image by its sections. The new tables are complete
/// before they are used: we run on them.
fn map_image(image: [(u64, u64, u64); 3]) -> Result<(), OutOfFrames> {
    let l2 = new_table()?;
    for (start, end, flags) in image {
        for machine in (start..end).step_by(4096) {
            let slot = &map::words(l2)[index(machine, 2)];
            if slot.load(Ordering::Relaxed) == 0 {
                slot.store(new_table()?.to_addr() | PRESENT | WRITE | ACCESSED, Ordering::Relaxed);
            }
            map::store(Mfn::from_addr(slot.load(Ordering::Relaxed) & ADDRESS), index(machine, 1), machine | flags);
        }
    }
    // The image lies in the first GiB of memory and of its region (`boot/memory.rs`, link.ld).
    entry(IMAGE_OFFSET, 3)?.store(l2.to_addr() | PRESENT | WRITE | ACCESSED, Ordering::Release);
    Ok(())
}

/// The first frame behind a 2 MiB page of ours.
pub(crate) fn large_frame(address: u64) -> Option<Mfn> {
    let value = entry(address, 2).ok()?.load(Ordering::Relaxed);
    (value & PRESENT != 0 && value & LARGE != 0).then(|| Mfn::from_addr(value & ADDRESS))
}

/// Copies the hypervisor's slots into an L4.
#[inline]
pub(crate) fn fill_slots(l4: Mfn) {
    let (from, to) = (map::words(root()), map::words(l4));
    for slot in FIRST_SLOT..END_SLOT {
        to[slot].store(from[slot].load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Forgets the identity mapping of the first 4 GiB, once all CPUs have started.
pub(crate) fn drop_identity() {
    map::store(root(), 0, 0);
    flush::on(!0);
}

/// Maps device registers, uncached, for ever.
pub(crate) fn map_mmio(machine: u64, bytes: usize) -> Result<Mmio, OutOfFrames> {
    let mut next = LOCK.lock();
    let offset = machine & 0xfff;
    let len = (offset + bytes as u64).next_multiple_of(4096);
    // Big regions (PCI configuration space) get large pages.
    let at = if len >= 1 << 21 { next.mmio.next_multiple_of(1 << 21) } else { next.mmio };
    next.mmio = at + len;
    map_locked(at, machine & !0xfff, len, DEVICE)?;
    let base = core::ptr::NonNull::new((at + offset) as *mut u8).ok_or(OutOfFrames)?;
    // SAFETY: just mapped, never unmapped, and no Rust object lives in device registers.
    Ok(unsafe { Mmio::new(base, bytes) })
}

/// A buffer of frames mapped one after another, for as long as the value lives.
pub(crate) struct Buffer {
    address: u64,
    frames: alloc::vec::Vec<Mfn>,
    len: usize,
}

impl Buffer {
    /// Takes frames for `len` bytes; contents are undefined but initialised memory.
    pub(crate) fn new(len: usize) -> Result<Self, OutOfFrames> {
        let pages = len.div_ceil(4096);
        let address = {
            let mut next = LOCK.lock();
            let address = next.vmap.next_multiple_of(1 << 21);
            next.vmap = address + (pages as u64 * 4096);
            address
        };
        let mut buffer = Self { address, frames: alloc::vec::Vec::with_capacity(pages), len };
        // 2 MiB at a time while there are such blocks: one TLB entry then serves 512 pages.
        while buffer.frames.len() < pages {
            let big = pages - buffer.frames.len() >= 512;
            let block = big.then(|| frame_table::alloc(9, None)).flatten();
            let (first, count) = match block {
                Some(first) => (first, 512),
                None => (frame_table::alloc(0, None).ok_or(OutOfFrames)?, 1),
            };
            let at = address + buffer.frames.len() as u64 * 4096;
            map(at, first.to_addr(), count * 4096, DATA)?;
            buffer.frames.extend((0..count).map(|page| Mfn::new(first.raw() + page)));
        }
        Ok(buffer)
    }

    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the frames are mapped here, and belong to this value alone.
        unsafe { core::slice::from_raw_parts(self.address as *const u8, self.len) }
    }

    /// The bytes, for writing.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the frames are mapped writable here, and belong to this value alone.
        unsafe { core::slice::from_raw_parts_mut(self.address as *mut u8, self.len) }
    }

    /// The frames, which become the caller's; the mapping stays but is never used again.
    pub(crate) fn into_frames(mut self) -> alloc::vec::Vec<Mfn> {
        core::mem::take(&mut self.frames)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        for mfn in self.frames.drain(..) {
            frame_table::free(mfn, 0);
        }
    }
}

/// Makes the table that a CPU's descriptor window is mapped by, and notes where in it the window begins.
pub(crate) fn make_window(cpu: &CpuLocal) -> Result<(), OutOfFrames> {
    const { assert!(512 % WINDOW_PAGES == 0, "a window lies in one table") }
    let address = gdt::window(cpu.id());
    let first = table(address, 1)?.to_addr() + 8 * index(address, 1) as u64;
    cpu.window.store(first, Ordering::Relaxed);
    Ok(())
}

/// Maps a frame into page `page` of a CPU's descriptor window (or nothing), for that CPU only; it has one.
#[inline]
pub(crate) fn set_window(cpu: &CpuLocal, page: usize, mfn: Option<Mfn>) {
    debug_assert!(page < WINDOW_PAGES, "window page out of range");
    let first = cpu.window.load(Ordering::Relaxed);
    let entry = &map::words(Mfn::from_addr(first))[(first as usize & 0xfff) / 8 + page];
    entry.store(mfn.map_or(0, |mfn| mfn.to_addr() | DATA), Ordering::Release);
    tlb::invalidate(gdt::window(cpu.id()) + (page * 4096) as u64);
}
