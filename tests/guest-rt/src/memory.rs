// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames, page tables and start_info.
//!
//! Everything lives in the builder's linear mapping: virtual address = [`VIRT_BASE`] + pseudo-physical address. Free pages are
//! those behind the boot stack.
// UNSAFETY: reads and writes memory by address.
#![expect(unsafe_code, reason = "reads and writes memory by address")]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::abi::{PTE_A, PTE_D, PTE_P, PTE_RW, PTE_US};
use crate::report::{self, Verdict};
use crate::{abi, hypercall};

/// Where the linear mapping starts.
pub const VIRT_BASE: u64 = 0xffff_ffff_8000_0000;
/// The machine-to-physical table.
pub const M2P: u64 = 0xffff_8000_0000_0000;
/// Bytes in a page.
pub const PAGE: u64 = 4096;
/// Frame address bits of a page-table entry.
pub const FRAME_MASK: u64 = 0x000f_ffff_ffff_f000;
/// Flags of an ordinary writable page.
pub const RW: u64 = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
/// Flags of a read-only page.
pub const RO: u64 = PTE_P | PTE_US | PTE_A | PTE_D;
/// `UVMF_INVLPG | UVMF_ALL`: flush this address on every vCPU.
pub const UVMF_INVLPG_ALL: u64 = 6;

/// Offsets of start_info fields.
pub mod start_info {
    /// `nr_pages`
    pub const NR_PAGES: u64 = 0x20;
    /// `shared_info`
    pub const SHARED_INFO: u64 = 0x28;
    /// `flags`
    pub const FLAGS: u64 = 0x30;
    /// `console.domU.mfn`
    pub const CONSOLE_MFN: u64 = 0x48;
    /// `console.domU.evtchn`, in the lower half
    pub const CONSOLE_PORT: u64 = 0x50;
    /// `pt_base`
    pub const PT_BASE: u64 = 0x58;
    /// `nr_pt_frames`
    pub const NR_PT_FRAMES: u64 = 0x60;
    /// `mfn_list`
    pub const MFN_LIST: u64 = 0x68;
    /// `mod_start`
    pub const MOD_START: u64 = 0x70;
    /// `cmd_line`, 1024 bytes
    pub const CMD_LINE: u64 = 0x80;
    /// `first_p2m_pfn`
    pub const FIRST_P2M_PFN: u64 = 0x480;
    /// `nr_p2m_frames`
    pub const NR_P2M_FRAMES: u64 = 0x488;
}

static START_INFO: AtomicU64 = AtomicU64::new(0);
static NEXT_FREE: AtomicU64 = AtomicU64::new(0);
static FREE_END: AtomicU64 = AtomicU64::new(0);
static NEXT_SPARE: AtomicU64 = AtomicU64::new(1);
static USER_READY: AtomicBool = AtomicBool::new(false);
static USER_L4: AtomicU64 = AtomicU64::new(0);

/// Reads 8 bytes.
pub fn read64(va: u64) -> u64 {
    // SAFETY: a volatile read by address; a bad one traps and ends the test.
    unsafe { (va as *const u64).read_volatile() }
}

/// Writes 8 bytes.
pub fn write64(va: u64, value: u64) {
    // SAFETY: a volatile write by address; a bad one traps, and tests only write to pages they allocated.
    unsafe { (va as *mut u64).write_volatile(value) }
}

/// Reads 4 bytes.
pub fn read32(va: u64) -> u32 {
    // SAFETY: as read64.
    unsafe { (va as *const u32).read_volatile() }
}

/// Writes 4 bytes.
pub fn write32(va: u64, value: u32) {
    // SAFETY: as write64.
    unsafe { (va as *mut u32).write_volatile(value) }
}

/// Reads 2 bytes.
pub fn read16(va: u64) -> u16 {
    // SAFETY: as read64.
    unsafe { (va as *const u16).read_volatile() }
}

/// Writes 2 bytes.
pub fn write16(va: u64, value: u16) {
    // SAFETY: as write64.
    unsafe { (va as *mut u16).write_volatile(value) }
}

/// Reads a byte.
pub fn read8(va: u64) -> u8 {
    // SAFETY: as read64.
    unsafe { (va as *const u8).read_volatile() }
}

/// Writes a byte.
pub fn write8(va: u64, value: u8) {
    // SAFETY: as write64.
    unsafe { (va as *mut u8).write_volatile(value) }
}

/// The 32-bit words of the page at `va` as atomics (event words, status words).
pub fn atomic32(va: u64) -> &'static core::sync::atomic::AtomicU32 {
    // SAFETY: callers pass an aligned address of a page they allocated; pages are never freed.
    unsafe { &*(va as *const core::sync::atomic::AtomicU32) }
}

/// A 64-bit word as an atomic.
pub fn atomic64(va: u64) -> &'static AtomicU64 {
    // SAFETY: as atomic32.
    unsafe { &*(va as *const AtomicU64) }
}

/// The 8 bytes of start_info at `offset`.
pub fn start_info_word(offset: u64) -> u64 {
    read64(START_INFO.load(Ordering::Relaxed) + offset)
}

/// Virtual address of start_info.
pub fn start_info_va() -> u64 {
    START_INFO.load(Ordering::Relaxed)
}

pub(crate) fn init(start_info: u64) {
    START_INFO.store(start_info, Ordering::Relaxed);
    // The boot stack is the page behind the page tables, and the last thing the builder placed.
    let tables_end =
        start_info_word(self::start_info::PT_BASE) + start_info_word(self::start_info::NR_PT_FRAMES) * PAGE;
    let free = tables_end + PAGE;
    let align = 4 << 20;
    NEXT_FREE.store(free, Ordering::Relaxed);
    FREE_END.store((free + align - 1) & !(align - 1), Ordering::Relaxed);
}

/// A page of the linear mapping and the frame behind it at boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// Virtual address.
    pub va: u64,
    /// Machine frame.
    pub mfn: u64,
}

impl Page {
    /// Virtual address of word `index`.
    pub fn at(self, index: u64) -> u64 {
        self.va + index * 8
    }

    /// Word `index`.
    pub fn word(self, index: u64) -> u64 {
        read64(self.at(index))
    }

    /// Sets word `index`.
    pub fn set(self, index: u64, value: u64) {
        write64(self.at(index), value);
    }

    /// Machine address of the page.
    pub fn maddr(self) -> u64 {
        self.mfn << 12
    }

    /// Pseudo-physical frame.
    pub fn pfn(self) -> u64 {
        (self.va - VIRT_BASE) >> 12
    }

    /// Remaps the page read-only.
    pub fn make_ro(self) {
        must(update_va(self.va, self.maddr() | RO, UVMF_INVLPG_ALL), "remap read-only");
    }

    /// Remaps the page writable; gives what the hypervisor says.
    pub fn try_rw(self) -> i64 {
        update_va(self.va, self.maddr() | RW, UVMF_INVLPG_ALL)
    }

    /// Removes the page's mapping, so that its address may serve for another frame.
    pub fn unmap(self) {
        must(update_va(self.va, 0, UVMF_INVLPG_ALL), "unmap");
    }
}

/// Ends the test with *error* unless `result` is 0: for steps that only prepare a test.
pub fn must(result: i64, what: &str) {
    if result != 0 {
        report::finish(Verdict::Error, format_args!("preparing: {what} returned {result}"));
    }
}

/// `count` zeroed pages, contiguous in virtual addresses.
pub fn alloc_many(count: u64) -> Page {
    let va = NEXT_FREE.fetch_add(count * PAGE, Ordering::Relaxed);
    if va + count * PAGE > FREE_END.load(Ordering::Relaxed) {
        report::finish(Verdict::Error, format_args!("out of pages"));
    }
    for word in 0..count * 512 {
        write64(va + word * 8, 0);
    }
    page_of(va)
}

/// One zeroed page.
pub fn alloc() -> Page {
    alloc_many(1)
}

/// The page at `va` of the linear mapping.
pub fn page_of(va: u64) -> Page {
    Page { va: va & !0xfff, mfn: p2m((va - VIRT_BASE) >> 12) }
}

/// The machine frame of `pfn` by the builder's list.
pub fn p2m(pfn: u64) -> u64 {
    read64(start_info_word(start_info::MFN_LIST) + pfn * 8)
}

/// The pseudo-physical frame of `mfn` by the hypervisor's table.
pub fn m2p(mfn: u64) -> u64 {
    read64(M2P + mfn * 8)
}

/// A (pfn, mfn) of the domain that is not mapped anywhere: taken from the end of its memory.
pub fn spare() -> (u64, u64) {
    let pfn = start_info_word(start_info::NR_PAGES) - NEXT_SPARE.fetch_add(1, Ordering::Relaxed);
    (pfn, p2m(pfn))
}

/// One page-table entry in use.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Readable virtual address of the entry.
    pub va: u64,
    /// Machine address of the entry.
    pub maddr: u64,
    /// Its value.
    pub value: u64,
}

/// The entry of `level` (4..=1) that maps `va`, by walking from the initial L4.
pub fn walk(va: u64, level: u32) -> Entry {
    let mut table = page_of(start_info_word(start_info::PT_BASE));
    let mut at = 4;
    loop {
        let index = va >> (12 + 9 * (at - 1)) & 511;
        let entry = Entry { va: table.at(index), maddr: table.maddr() + index * 8, value: table.word(index) };
        if at == level {
            return entry;
        }
        if entry.value & PTE_P == 0 {
            report::finish(Verdict::Error, format_args!("no table of level {} for {va:#x}", at - 1));
        }
        let mfn = (entry.value & FRAME_MASK) >> 12;
        table = Page { va: VIRT_BASE + (m2p(mfn) << 12), mfn };
        at -= 1;
    }
}

/// The table of `level` that holds the entry for `va`.
pub fn table_of(va: u64, level: u32) -> Page {
    let entry = walk(va, level);
    Page { va: entry.va & !0xfff, mfn: entry.maddr >> 12 }
}

/// `update_va_mapping`.
pub fn update_va(va: u64, value: u64, flags: u64) -> i64 {
    hypercall::call(abi::HC_UPDATE_VA_MAPPING, [va, value, flags, 0, 0])
}

/// `mmu_update` of (ptr, value) pairs; gives the result and the count done.
pub fn mmu_update_dom(updates: &mut [[u64; 2]], dom: u64) -> (i64, u32) {
    let mut done = 0u32;
    let count = updates.len() as u64;
    let args = [hypercall::addr(updates), count, hypercall::addr(&mut done), dom, 0];
    (hypercall::call(abi::HC_MMU_UPDATE, args), done)
}

/// `mmu_update` of one entry of this domain.
pub fn mmu_update(ptr: u64, value: u64) -> i64 {
    mmu_update_dom(&mut [[ptr, value]], abi::DOMID_SELF).0
}

/// `mmuext_op` of several (cmd, arg1, arg2).
pub fn mmuext_dom(ops: &mut [[u64; 3]], dom: u64) -> (i64, u32) {
    let mut done = 0u32;
    let count = ops.len() as u64;
    let args = [hypercall::addr(ops), count, hypercall::addr(&mut done), dom, 0];
    (hypercall::call(abi::HC_MMUEXT_OP, args), done)
}

/// One `mmuext_op`.
pub fn mmuext(cmd: u64, arg1: u64, arg2: u64) -> i64 {
    mmuext_dom(&mut [[cmd, arg1, arg2]], abi::DOMID_SELF).0
}

/// The user-mode L4, made at first use: it shares the kernel's L3 of the linear mapping.
pub fn setup_user() {
    if USER_READY.swap(true, Ordering::SeqCst) {
        return;
    }
    let l4 = alloc();
    l4.set(511, walk(VIRT_BASE, 4).value);
    l4.make_ro();
    must(mmuext(abi::MMUEXT_PIN_L4, l4.mfn, 0), "pin the user L4");
    must(mmuext(abi::MMUEXT_NEW_USER_BASEPTR, l4.mfn, 0), "load the user L4");
    USER_L4.store(l4.mfn, Ordering::SeqCst);
}

/// The machine frame of the user L4, once [`setup_user`] ran.
pub fn user_l4() -> u64 {
    USER_L4.load(Ordering::SeqCst)
}

/// Maps `page` at the low address `va` for user mode alone, with fresh tables; for one 2 MiB range of a test.
pub fn map_user(va: u64, pages: &[Page]) {
    setup_user();
    let (l3, l2, l1) = (alloc(), alloc(), alloc());
    let index = |level: u32| va >> (12 + 9 * (level - 1)) & 511;
    for (number, page) in pages.iter().enumerate() {
        l1.set(index(1) + number as u64, page.maddr() | RW);
    }
    l2.set(index(2), l1.maddr() | RW);
    l3.set(index(3), l2.maddr() | RW);
    for table in [l1, l2, l3] {
        table.make_ro();
    }
    must(mmu_update((user_l4() << 12) + index(4) * 8, l3.maddr() | RW), "hook low tables into the user L4");
}
