// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest's descriptor tables: its GDT frames become the hardware's first 14 GDT pages; its LDT pages are found lazily,
//! when a descriptor in them is first used.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;

use crate::domain::Domain;
use crate::domain::vcpu::VcpuState;
use crate::mm::host_pt;
use crate::pv::call::Cx;
use crate::pv::mmu_update;
use crate::pv::promote::put_descriptor_page;
use crate::pv::validate;
use crate::x86::gdt::{GUEST_GDT_PAGES, LDT_FIRST_PAGE};
use crate::x86::percpu::{self, CpuLocal};
use crate::x86::{gdt, uaccess};

/// Entries before the reserved ones.
pub(crate) const GUEST_GDT_ENTRIES: u32 = 0x1c00;
const LDT_PAGES: usize = 16;

/// Installs GDT frames: checks and types all, then drops the old ones. EINVAL.
pub(crate) fn set_gdt(domain: &Domain, state: &mut VcpuState, frames: &[Mfn], entries: u32) -> Result<(), Errno> {
    if entries > GUEST_GDT_ENTRIES || frames.len() > GUEST_GDT_PAGES {
        return Err(Errno::EINVAL);
    }
    let mut new = [None; GUEST_GDT_PAGES];
    {
        let mmu = domain.lock_mmu();
        for (index, (slot, mfn)) in new.iter_mut().zip(frames).enumerate() {
            if let Err(errno) = mmu.get_descriptor_page(*mfn) {
                for mfn in frames.iter().take(index) {
                    put_descriptor_page(*mfn);
                }
                return Err(errno);
            }
            *slot = Some(*mfn);
        }
    }
    let old = core::mem::replace(&mut state.gdt_frames, new);
    state.gdt_entries = entries;
    for mfn in old.into_iter().flatten() {
        put_descriptor_page(mfn);
    }
    Ok(())
}

/// Maps the vCPU's GDT frames into this CPU's window.
pub(crate) fn load_gdt(cpu: &CpuLocal, state: &VcpuState) {
    let old = cpu.gdt_frames.load(Ordering::Relaxed);
    let mut count = 0_u32;
    // There are no gaps: `set_gdt`.
    for frame in state.gdt_frames.iter().map_while(|frame| *frame) {
        host_pt::set_window(cpu, count as usize, Some(frame));
        count = count.saturating_add(1);
    }
    for page in count..old {
        host_pt::set_window(cpu, page as usize, Some(gdt::zero_page()));
    }
    cpu.gdt_frames.store(count, Ordering::Relaxed);
}

/// Unmaps the guest's GDT frames from this CPU's window.
pub(crate) fn forget_gdt(cpu: &CpuLocal) {
    let count = cpu.gdt_frames.swap(0, Ordering::Relaxed) as usize;
    for page in 0..count {
        host_pt::set_window(cpu, page, Some(gdt::zero_page()));
    }
}

/// MMUEXT_SET_LDT: records the table; its pages are found when they are used. EINVAL.
pub(crate) fn set_ldt(cx: &mut Cx<'_>, base: u64, entries: u32) -> Result<(), Errno> {
    if entries > 8192 || base & 0xfff != 0 || (entries != 0 && !uaccess::is_guest_range(base, 8 * entries as usize)) {
        return Err(Errno::EINVAL);
    }
    drop_ldt(cx.state);
    cx.state.ldt_base = base;
    cx.state.ldt_entries = entries;
    let cpu = percpu::this();
    forget_ldt_mappings(cpu);
    gdt::set_ldt_length(cpu, entries);
    Ok(())
}

/// Gives back the GDT frames.
pub(crate) fn drop_gdt(state: &mut VcpuState) {
    for mfn in state.gdt_frames.iter_mut().filter_map(Option::take) {
        put_descriptor_page(mfn);
    }
}

/// Gives back the LDT pages found so far.
pub(crate) fn drop_ldt(state: &mut VcpuState) {
    for mfn in state.ldt_frames.iter_mut().filter_map(Option::take) {
        put_descriptor_page(mfn);
    }
}

/// Unmaps LDT pages from this CPU's window.
pub(crate) fn forget_ldt_mappings(cpu: &CpuLocal) {
    // Few programs have one.
    if cpu.ldt_pages.load(Ordering::Relaxed) == 0 {
        return;
    }
    let pages = cpu.ldt_pages.swap(0, Ordering::Relaxed);
    for page in (0..LDT_PAGES).filter(|page| pages >> page & 1 != 0) {
        host_pt::set_window(cpu, LDT_FIRST_PAGE.saturating_add(page), None);
    }
}

/// Makes the vCPU's LDT this CPU's, with the pages that it has already found.
pub(crate) fn load_ldt(cpu: &CpuLocal, state: &VcpuState) {
    forget_ldt_mappings(cpu);
    gdt::set_ldt_length(cpu, state.ldt_entries);
    if state.ldt_entries == 0 {
        return;
    }
    for (page, frame) in state.ldt_frames.iter().enumerate() {
        if frame.is_some() {
            host_pt::set_window(cpu, LDT_FIRST_PAGE.saturating_add(page), *frame);
            cpu.ldt_pages.fetch_or(1 << page, Ordering::Relaxed);
        }
    }
}

/// Offset of an address in this CPU's LDT window.
pub(crate) fn ldt_offset(address: u64) -> Option<u64> {
    let start = gdt::window(percpu::this().id()).wrapping_add((LDT_FIRST_PAGE * 4096) as u64);
    let offset = address.wrapping_sub(start);
    (offset < (LDT_PAGES * 4096) as u64).then_some(offset)
}

/// A descriptor at `offset` in the LDT is wanted: finds and maps its page. `false`: there is none, or it is no descriptor
/// page; the guest gets a page fault at the address in its own table.
pub(crate) fn ldt_fault(domain: &Domain, state: &mut VcpuState, offset: u64) -> bool {
    if offset >= u64::from(state.ldt_entries) * 8 {
        return false;
    }
    let Some(root) = state.kernel_root else { return false };
    let page = (offset >> 12) as usize;
    let mmu = domain.lock_mmu();
    let Ok(slot) = mmu_update::find_l1(&mmu, root, state.ldt_base.wrapping_add(offset & !0xfff)) else { return false };
    let entry = slot.read();
    let mfn = validate::target(entry);
    if entry & validate::PRESENT == 0 || mmu.get_descriptor_page(mfn).is_err() {
        return false;
    }
    let Some(known) = state.ldt_frames.get_mut(page) else { return false };
    if let Some(old) = known.replace(mfn) {
        put_descriptor_page(old);
    }
    let cpu = percpu::this();
    host_pt::set_window(cpu, LDT_FIRST_PAGE.saturating_add(page), Some(mfn));
    cpu.ldt_pages.fetch_or(1 << page, Ordering::Relaxed);
    true
}
