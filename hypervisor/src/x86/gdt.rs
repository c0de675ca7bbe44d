// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reserved descriptors that every guest sees (ABI: `FLAT_*` selectors of arch-x86/xen-x86_64.h), the TSS, and the
//! per-CPU windows in which a guest's own GDT and LDT frames become the hardware's tables.
//!
//! Each CPU has a window of 32 pages: 14 for the guest's GDT frames, one with the reserved descriptors, one unused, 16
//! for its LDT. GDTR never changes; a vCPU switch rewrites the window's mappings and, if the LDT has another length, LDTR.
// UNSAFETY: loads descriptor tables and writes the reserved page through the direct map.
#![expect(unsafe_code, reason = "descriptor tables")]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use hypercalls::frame::Mfn;

use crate::mm::layout;
use crate::x86::instr::{self, TablePointer};
use crate::x86::percpu::{CpuId, CpuLocal};

/// Ring-0 code.
pub(crate) const HYPERVISOR_CS: u16 = 0xe008;
/// Ring-0 data.
pub(crate) const HYPERVISOR_DS: u16 = 0xe010;
/// `FLAT_USER_CS32`.
pub(crate) const FLAT_RING3_CS32: u16 = 0xe023;
/// `FLAT_KERNEL_SS`, `FLAT_USER_SS`.
pub(crate) const FLAT_RING3_SS64: u16 = 0xe02b;
/// `FLAT_KERNEL_CS`, `FLAT_USER_CS64`.
pub(crate) const FLAT_RING3_CS64: u16 = 0xe033;
const TSS_SELECTOR: u16 = 0xe040;
const LDT_SELECTOR: u16 = 0xe050;
/// Pages of the window in front of the reserved descriptors (`FIRST_RESERVED_GDT_PAGE`).
pub(crate) const GUEST_GDT_PAGES: usize = 14;
/// Page of the window at which the LDT starts.
pub(crate) const LDT_FIRST_PAGE: usize = 16;
/// Entries of the largest LDT, which fills the window's other half.
const LDT_MAX_ENTRIES: u32 = 0x2000;
/// Pages in a CPU's window.
pub(crate) const WINDOW_PAGES: usize = 32;

/// 64-bit task state segment (SDM vol. 3A 8.7), in 32-bit words because its 64-bit fields are misaligned.
#[repr(C)]
pub(crate) struct Tss {
    words: [AtomicU32; 26],
}

impl Tss {
    fn set_u64(&self, word: usize, value: u64) {
        self.words[word].store(value as u32, Ordering::Relaxed);
        self.words[word + 1].store((value >> 32) as u32, Ordering::Relaxed);
    }

    /// Stack pointer loaded on entry from ring 3.
    #[inline]
    pub(crate) fn set_rsp0(&self, value: u64) {
        self.set_u64(1, value);
    }

    /// Interrupt stack `slot` + 1.
    pub(crate) fn set_ist(&self, slot: usize, value: u64) {
        self.set_u64(9 + 2 * slot, value);
        // No I/O bitmap: its base lies beyond the limit, so every IN and OUT of ring 3 traps.
        self.words[25].store(104 << 16, Ordering::Relaxed);
    }
}

/// Start of a CPU's window.
pub(crate) fn window(cpu: CpuId) -> u64 {
    layout::WINDOWS_START + (cpu.index() * WINDOW_PAGES * 4096) as u64
}

fn system_descriptor(base: u64, limit: u64, kind: u64) -> (u64, u64) {
    let low = (limit & 0xffff) | ((base & 0xff_ffff) << 16) | (kind << 40) | (1 << 47) | ((base >> 24 & 0xff) << 56);
    (low, base >> 32)
}

/// Writes the reserved descriptors of a CPU into the frame for page 14 of its window.
pub(crate) fn fill_reserved(page: &[AtomicU64; 512], local: &CpuLocal) {
    let set = |selector: u16, low: u64| {
        page[usize::from(selector - 0xe000) / 8].store(low, Ordering::Relaxed);
    };
    set(HYPERVISOR_CS, 0x00af_9b00_0000_ffff);
    set(HYPERVISOR_DS, 0x00cf_9300_0000_ffff);
    set(FLAT_RING3_CS32 & !7, 0x00cf_fb00_0000_ffff);
    set(FLAT_RING3_SS64 & !7, 0x00cf_f300_0000_ffff);
    set(FLAT_RING3_CS64 & !7, 0x00af_fb00_0000_ffff);
    let (low, high) = system_descriptor(core::ptr::from_ref(&local.tss) as u64, 103, 9);
    set(TSS_SELECTOR, low);
    set(TSS_SELECTOR + 8, high);
}

/// Loads GDTR, CS, SS, TR and LDTR on this CPU, whose window is mapped.
pub(crate) fn load(cpu: CpuId) {
    let pointer = TablePointer { limit: 0xefff, base: window(cpu) };
    // SAFETY: the window's page 14 holds valid descriptors at the selectors loaded; pages before it are the guest's
    // checked descriptors or zeros. TSS and LDT descriptors refer to memory that lives for ever.
    unsafe {
        instr::lgdt(&pointer);
        core::arch::asm!(
            "push {cs}", "lea {tmp}, [rip + 2f]", "push {tmp}", "retfq", "2:", "mov ss, {ss:e}",
            cs = in(reg) u64::from(HYPERVISOR_CS), tmp = out(reg) _, ss = in(reg) u32::from(HYPERVISOR_DS),
        );
        instr::ltr(TSS_SELECTOR);
        instr::lldt(0);
    }
}

/// Gives this CPU's LDT, whose pages are those of the window, a length in entries; none if it is 0.
pub(crate) fn set_ldt_length(local: &CpuLocal, entries: u32) {
    if local.ldt_entries.swap(entries, Ordering::Relaxed) == entries {
        return;
    }
    if entries == 0 {
        // SAFETY: the null selector is allowed: selectors of the LDT raise #GP then.
        unsafe { instr::lldt(0) };
        return;
    }
    let limit = u64::from(entries.min(LDT_MAX_ENTRIES)) * 8 - 1;
    let (low, high) = system_descriptor(window(local.id()) + (LDT_FIRST_PAGE * 4096) as u64, limit, 2);
    let page = window(local.id()) + (GUEST_GDT_PAGES * 4096) as u64;
    let at = (page + u64::from(LDT_SELECTOR - 0xe000)) as *const AtomicU64;
    // SAFETY: page 14 of this CPU's window is the writable page that `fill_reserved` filled, of 512 words and mapped for ever;
    // the descriptor, of an LDT within the window, is complete before it is loaded.
    unsafe {
        (*at).store(low, Ordering::Relaxed);
        (*at.add(1)).store(high, Ordering::Relaxed);
        instr::lldt(LDT_SELECTOR);
    }
}

static ZERO_PAGE: AtomicU64 = AtomicU64::new(0);

/// The page that stands for GDT frames a guest has not given: no descriptor is present in it.
pub(crate) fn zero_page() -> Mfn {
    Mfn::new(ZERO_PAGE.load(Ordering::Relaxed))
}

/// Sets the page of [`zero_page`]. Once, at boot.
pub(crate) fn set_zero_page(mfn: Mfn) {
    ZERO_PAGE.store(mfn.raw(), Ordering::Relaxed);
}
