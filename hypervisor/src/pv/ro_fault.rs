// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest kernel writes to one of its live L1 tables through a read-only mapping: the write is carried out as a checked
//! page-table update (VMASST_TYPE_writable_pagetables; Linux's ptep_* functions on pinned tables).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::mm::frame_table;
use crate::mm::guest_access;
use crate::mm::page_type::{Level, PageType};
use crate::pv::decode_write::{self, AddressRegisters};
use crate::pv::mmu_update::{self, Marks, Slot};
use crate::pv::promote::PageOwner;
use crate::pv::{rmw, validate};
use crate::x86::context;
use crate::x86::regs::GuestRegs;

/// Registers as address computation wants them.
pub(crate) struct Registers<'a>(pub(crate) &'a GuestRegs);

impl AddressRegisters for Registers<'_> {
    fn gpr(&self, number: u8) -> u64 {
        self.0.gpr(number)
    }
    fn rip(&self) -> u64 {
        self.0.rip
    }
    fn fs_base(&self) -> u64 {
        context::fs_base()
    }
    fn gs_base(&self) -> u64 {
        context::gs_base()
    }
}

/// Carries the faulting write out if it is one to an L1 table. `false`: the fault is the guest's.
pub(crate) fn write(vcpu: &Vcpu, state: &mut VcpuState, address: u64) -> bool {
    let Some(root) = state.kernel_root else { return false };
    let domain = &vcpu.domain;
    // Which frame is it? Looked up without the lock first: most write faults are not this.
    let Ok(entry) = mmu_update::peek_l1(root, address) else { return false };
    let mfn = validate::target(entry);
    let is_l1 = |frame: &&'static crate::mm::page_type::Frame| {
        frame.is_used_as(PageType::Table(Level::L1)) && frame.owner() == Some(domain.id)
    };
    if entry & (validate::PRESENT | validate::WRITABLE) != validate::PRESENT
        || frame_table::ram(mfn).filter(is_l1).is_none()
    {
        return false;
    }
    let regs = state.entry.regs;
    let mut code = [0_u8; 15];
    let fetched = fetch(regs.rip, &mut code);
    let Some(op) = code.get(..fetched).and_then(decode_write::decode) else { return false };
    let target = op.linear_address(&Registers(&regs));
    let size = u64::from(op.size);
    if target & !0xfff != address & !0xfff || target & size.wrapping_sub(1) != 0 {
        return false;
    }
    let mmu = domain.lock_mmu();
    if frame_table::ram(mfn).filter(is_l1).is_none() {
        return false;
    }
    let slot = Slot::new(mfn, Level::L1, target >> 3);
    let shift = (target & 7).wrapping_mul(8) as u32;
    let width_mask = if op.size == 8 { !0 } else { (1_u64 << (size.wrapping_mul(8) as u32 & 63)).wrapping_sub(1) };
    let old = slot.read();
    let effect = rmw::execute(&op, old >> shift & width_mask, &Registers(&regs), regs.rflags);
    if let Some(value) = effect.memory {
        let new = old & !(width_mask << shift) | (value & width_mask) << shift;
        let owner = PageOwner::Domain(domain);
        // The processor may set marks in the old entry meanwhile; as on Xen, a plain write loses them and an exchange of a
        // live entry is followed by the guest's own flush.
        if mmu_update::update_l1(&mmu, slot, new, Marks::Discard, owner).is_err() {
            return false;
        }
    }
    let regs = &mut state.entry.regs;
    for (number, value) in effect.registers.into_iter().flatten() {
        *regs.gpr_mut(number) = value;
    }
    regs.rflags = effect.rflags;
    if !effect.repeat {
        regs.rip = regs.rip.wrapping_add(op.len.into());
    }
    true
}

/// Reads instruction bytes; fewer than wanted at the end of mapped memory. Returns how many.
pub(crate) fn fetch(rip: u64, code: &mut [u8; 15]) -> usize {
    if guest_access::read_bytes(rip, code).is_ok() {
        return code.len();
    }
    let in_page = (0x1000_u64.wrapping_sub(rip & 0xfff)) as usize;
    let head = code.get_mut(..in_page).map_or(Err(()), |head| guest_access::read_bytes(rip, head).map_err(drop));
    if head.is_ok() { in_page } else { 0 }
}
