// SPDX-License-Identifier: MIT OR Apache-2.0
//! mmu_update (1), update_va_mapping (14), update_va_mapping_otherdomain (22), mmuext_op (26).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::handle::GuestHandle;
use hypercalls::ids::DomId;
use hypercalls::mmu::{MMU_UPDATE_PREEMPTED, MmuUpdate, MmuUpdateCmd, MmuextCmd, MmuextOp};

use crate::budget::Budget;
use crate::domain::memory::{PageRef, WritableRef};
use crate::domain::vcpu::Vcpu;
use crate::domain::{Domain, DomainRef, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::latency;
use crate::mm::guest_access;
use crate::mm::page_type::{Level, PageType};
use crate::mm::{flush, frame_table, m2p, map};
use crate::pv::mmu_update::{self, Aftermath, Marks, Slot};
use crate::pv::promote::{Mmu, MmuError, PageOwner};
use crate::pv::{segment, switch};
use crate::x86::{tlb, uaccess};

/// Work units of an update.
const UPDATE: u32 = 4;

/// Whose pages the new entries may map.
enum Owner<'a> {
    /// The caller itself.
    Own(&'a DomainRef),
    Other(DomainRef),
    /// DOMID_IO, DOMID_XEN.
    System,
}

impl Owner<'_> {
    fn domain(&self) -> Option<&DomainRef> {
        match self {
            Self::Own(domain) => Some(domain),
            Self::Other(domain) => Some(domain),
            Self::System => None,
        }
    }

    #[inline(always)]
    fn as_page_owner(&self) -> PageOwner<'_> {
        match self {
            Self::Own(domain) => PageOwner::Domain(domain),
            Self::Other(domain) => PageOwner::Domain(domain),
            Self::System => PageOwner::System,
        }
    }
}

/// ESRCH: no such domain, a dying one, or the caller's own number instead of DOMID_SELF (as Xen has it). EPERM: not privileged.
#[inline(always)]
fn page_owner<'a>(cx: &Cx<'a>, id: u16) -> Result<Owner<'a>, Errno> {
    let id = DomId::new(id);
    if id == DomId::SELF { Ok(Owner::Own(&cx.vcpu.domain)) } else { other_owner(cx, id) }
}

#[inline(never)]
fn other_owner<'a>(cx: &Cx<'a>, id: DomId) -> Result<Owner<'a>, Errno> {
    if id == cx.domain().id {
        return Err(Errno::ESRCH);
    }
    if id == DomId::IO || id == DomId::XEN {
        cx.require_control()?;
        return Ok(Owner::System);
    }
    let domain = table::find(id).filter(|domain| !domain.is_dying()).ok_or(Errno::ESRCH)?;
    cx.require_control()?;
    Ok(Owner::Other(domain))
}

/// Where a call that handles a list of requests stands.
struct Progress {
    count: u32,
    done: u32,
}

/// The count argument carries a flag when the call was preempted; then the number already done stands in `*pdone`.
fn progress(count: u64, pdone: GuestHandle<u32>) -> Result<Progress, Errno> {
    let count = count as u32;
    let mut done = 0;
    if count & MMU_UPDATE_PREEMPTED != 0 && !pdone.is_null() {
        done = guest_access::read(pdone)?;
    }
    Ok(Progress { count: count & !MMU_UPDATE_PREEMPTED, done })
}

/// Ends such a call: writes `*pdone`; a preempted one goes on at element `progress.done`.
fn finish(
    args: &Args,
    element: u64,
    start: u32,
    progress: &Progress,
    pdone: GuestHandle<u32>,
    result: Result<(), MmuError>,
) -> HypercallResult {
    if !pdone.is_null() {
        guest_access::write(pdone, &progress.done)?;
    }
    match result {
        Ok(()) => Ok(Outcome::DONE),
        Err(MmuError::Errno(errno)) => Err(errno.into()),
        Err(MmuError::Preempted) => {
            let mut rest = *args;
            let advanced = progress.done.wrapping_sub(start);
            let [list, count, ..] = &mut rest;
            *list = list.wrapping_add(u64::from(advanced).wrapping_mul(element));
            *count = u64::from(progress.count.wrapping_sub(advanced) | MMU_UPDATE_PREEMPTED);
            Ok(Outcome::Preempted(rest))
        }
    }
}

/// HYPERVISOR_mmu_update(list, count, done, foreigndom): checked writes to page tables, and machine-to-phys updates.
/// Preemptible. Anyone; other domains' tables and pages only for control domains.
pub(crate) fn mmu_update(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[list, count, pdone, foreign, ..] = args;
    let (list, pdone) = (GuestHandle::<MmuUpdate>::new(list), GuestHandle::<u32>::new(pdone));
    let mut progress = progress(count, pdone)?;
    let start = progress.done;
    let (named, own) = (table_owner(cx, foreign as u32)?, &cx.vcpu.domain);
    let table_owner = named.as_ref().unwrap_or(own);
    let owner = page_owner(cx, foreign as u16)?;
    if foreign as u16 != DomId::SELF.raw() {
        census::MMU_UPDATE.note(0, list.addr());
    }
    let mut after = Aftermath::default();
    let mut result = Ok(());
    {
        let mmu = table_owner.lock_mmu();
        for index in 0..u64::from(progress.count) {
            result = cx
                .budget
                .spend(UPDATE)
                .map_err(|_| MmuError::Preempted)
                .and_then(|()| guest_access::read_at(list, index).map_err(MmuError::from))
                .and_then(|request| one_update(&mmu, &request, &owner, &mut cx.budget, &mut after));
            if result.is_err() {
                break;
            }
            progress.done = progress.done.wrapping_add(1);
        }
    }
    settle(table_owner, after);
    finish(args, 16, start, &progress, pdone, result)
}

/// Whose tables the upper half of `foreign` names; `None` for the caller's. ESRCH, EPERM.
#[inline(always)]
fn table_owner(cx: &Cx<'_>, foreign: u32) -> Result<Option<DomainRef>, Errno> {
    match foreign >> 16 {
        0 => Ok(None),
        number => other_table_owner(cx, DomId::new((number as u16).wrapping_sub(1))),
    }
}

#[inline(never)]
fn other_table_owner(cx: &Cx<'_>, id: DomId) -> Result<Option<DomainRef>, Errno> {
    let domain = table::find(id).ok_or(Errno::ESRCH)?;
    if domain.id != cx.domain().id {
        cx.require_control()?;
    }
    Ok(Some(domain))
}

#[inline(always)]
fn settle(domain: &Domain, after: Aftermath) {
    if after.flush_all {
        flush::on(domain.dirty_cpus());
    }
}

#[inline(always)]
fn one_update(
    mmu: &Mmu<'_>,
    request: &MmuUpdate,
    owner: &Owner<'_>,
    budget: &mut Budget,
    after: &mut Aftermath,
) -> Result<(), MmuError> {
    let marks = match request.ptr & 7 {
        0 | 3 => Marks::Discard,
        2 => Marks::Preserve,
        _ => return Ok(other_update(request, owner)?),
    };
    let mfn = Mfn::from_addr(request.ptr);
    // No reference is needed for a live table: the lock keeps it one, and keeps it its owner's.
    if let Some(frame) = frame_table::frame(mfn)
        && let Some(level) = frame.live_table()
        && frame.is_owned_by(mmu.domain().id)
    {
        let slot = Slot::new(mfn, level, request.ptr >> 3);
        return mmu_update::update(mmu, slot, request.val, marks, owner.as_page_owner(), budget, after);
    }
    Ok(write_word(mmu.domain().id, request)?)
}

/// The commands beside MMU_NORMAL_PT_UPDATE and MMU_PT_UPDATE_PRESERVE_AD. ENOSYS: there is no such command. EINVAL.
#[inline(never)]
fn other_update(request: &MmuUpdate, owner: &Owner<'_>) -> Result<(), Errno> {
    if request.ptr & 4 == 0 && request.cmd() == MmuUpdateCmd::MACHPHYS_UPDATE {
        let page = PageRef::get(Mfn::from_addr(request.ptr), owner.domain().ok_or(Errno::EINVAL)?.id);
        m2p::set(page.ok_or(Errno::EINVAL)?.mfn(), Pfn::new(request.val));
        return Ok(());
    }
    Err(Errno::ENOSYS)
}

/// An update of what is no live table: an ordinary write, if the page may be written at all. EBUSY: it is a table half made or
/// half undone. EINVAL.
#[inline(never)]
fn write_word(owner: DomId, request: &MmuUpdate) -> Result<(), Errno> {
    let mfn = Mfn::from_addr(request.ptr);
    let page = PageRef::get(mfn, owner).ok_or(Errno::EINVAL)?;
    if matches!(page.frame().page_type(), PageType::Table(_)) && page.frame().type_references() != 0 {
        return Err(Errno::EBUSY);
    }
    let page = WritableRef::upgrade(page).ok_or(Errno::EINVAL)?;
    if let Some(word) = page.words().get((request.ptr & 0xfff) as usize / 8) {
        word.store(request.val, Ordering::Relaxed);
    }
    Ok(())
}

/// HYPERVISOR_update_va_mapping(va, val, flags): sets the L1 entry that maps `va` now, and flushes as told.
pub(crate) fn update_va_mapping(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let domain = &cx.vcpu.domain;
    va_mapping(cx, args, PageOwner::Domain(domain))
}

/// HYPERVISOR_update_va_mapping_otherdomain(va, val, flags, domid): the same with another domain's page.
pub(crate) fn update_va_mapping_otherdomain(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[_, _, _, id, ..] = args;
    let owner = page_owner(cx, id as u16)?;
    va_mapping(cx, args, owner.as_page_owner())
}

#[inline(always)]
fn va_mapping(cx: &mut Cx<'_>, args: &Args, owner: PageOwner<'_>) -> HypercallResult {
    let &[va, val, flags, ..] = args;
    let root = cx.state.kernel_root.ok_or(Errno::EINVAL)?;
    {
        let mmu = cx.vcpu.domain.lock_mmu();
        let slot = mmu_update::find_l1(&mmu, root, va)?;
        mmu_update::update_l1(&mmu, slot, val, Marks::Discard, owner)?;
    }
    va_flush(cx, va, flags)?;
    Ok(Outcome::DONE)
}

/// UVMF_*: what to flush in the low two bits; above, nothing (this CPU), 4 (all vCPUs) or the address of a vCPU bitmap.
#[inline(always)]
fn va_flush(cx: &Cx<'_>, va: u64, flags: u64) -> Result<(), Errno> {
    const TLB_FLUSH: u64 = 1;
    const INVLPG: u64 = 2;
    let kind = flags & 3;
    if kind != TLB_FLUSH && kind != INVLPG {
        return Ok(());
    }
    match flags & !3 {
        0 if kind == INVLPG => tlb::invalidate(va),
        0 => flush::local(),
        _ => return va_flush_others(cx, flags),
    }
    Ok(())
}

#[inline(never)]
fn va_flush_others(cx: &Cx<'_>, flags: u64) -> Result<(), Errno> {
    match flags & !3 {
        4 => flush::on(cx.domain().dirty_cpus()),
        bitmap => flush::on(cpus_of(cx, GuestHandle::new(bitmap))?),
    }
    Ok(())
}

/// The CPUs on which the vCPUs of a bitmap are now. EFAULT.
fn cpus_of(cx: &Cx<'_>, bitmap: GuestHandle<u8>) -> Result<u64, Errno> {
    let mut bytes = [0_u8; 16];
    let len = (cx.domain().vcpus_with(<[_]>::len)).div_ceil(8).min(bytes.len());
    guest_access::read_bytes(bitmap.addr(), bytes.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    Ok(cx.domain().vcpus_with(|vcpus| last_on(vcpus, &bytes)) & cx.domain().dirty_cpus())
}

fn last_on(vcpus: &[Arc<Vcpu>], bitmap: &[u8]) -> u64 {
    let mut cpus = 0;
    for (byte, of_byte) in bitmap.iter().zip(vcpus.chunks(8)) {
        for (bit, vcpu) in of_byte.iter().enumerate() {
            if byte >> bit & 1 != 0 {
                cpus |= 1 << (vcpu.cpu.load(Ordering::Relaxed) & 63);
            }
        }
    }
    cpus
}

/// HYPERVISOR_mmuext_op(list, count, done, foreigndom): pins, CR3, flushes, LDT, whole pages. Preemptible.
pub(crate) fn mmuext_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[list, count, pdone, foreign, ..] = args;
    let (list, pdone) = (GuestHandle::<MmuextOp>::new(list), GuestHandle::<u32>::new(pdone));
    let mut progress = progress(count, pdone)?;
    let start = progress.done;
    let owner = page_owner(cx, foreign as u16)?;
    let mut result = Ok(());
    for index in 0..u64::from(progress.count) {
        result = cx
            .budget
            .spend(8)
            .map_err(|_| MmuError::Preempted)
            .and_then(|()| guest_access::read_at(list, index).map_err(MmuError::from))
            .and_then(|op| one_extended(cx, &op, &owner));
        if result.is_err() {
            break;
        }
        progress.done = progress.done.wrapping_add(1);
    }
    finish(args, 24, start, &progress, pdone, result)
}

fn one_extended(cx: &mut Cx<'_>, op: &MmuextOp, owner: &Owner<'_>) -> Result<(), MmuError> {
    latency::operation(op.cmd.raw());
    let Some(owner) = owner.domain() else { return system_extended(op) };
    let is_self = Arc::ptr_eq(owner, cx.domain());
    if !is_self {
        // Linux itself never does.
        census::MMUEXT_OP.count(op.cmd.raw());
    }
    let level = match op.cmd {
        MmuextCmd::PIN_L1_TABLE => Some(Level::L1),
        MmuextCmd::PIN_L2_TABLE => Some(Level::L2),
        MmuextCmd::PIN_L3_TABLE => Some(Level::L3),
        MmuextCmd::PIN_L4_TABLE => Some(Level::L4),
        _ => None,
    };
    if let Some(level) = level {
        return owner.lock_mmu().pin(op.mfn(), level, &mut cx.budget);
    }
    match op.cmd {
        MmuextCmd::UNPIN_TABLE => return owner.lock_mmu().unpin(op.mfn(), &mut cx.budget),
        MmuextCmd::CLEAR_PAGE => {
            let page = WritableRef::get(op.mfn(), owner.id).ok_or(Errno::EINVAL)?;
            cx.budget.charge(frame_table::ZEROING);
            map::zero(page.mfn());
            return Ok(());
        }
        MmuextCmd::COPY_PAGE => {
            let source = PageRef::get(op.src_mfn(), owner.id).ok_or(Errno::EINVAL)?;
            let page = WritableRef::get(op.mfn(), owner.id).ok_or(Errno::EINVAL)?;
            cx.budget.charge(frame_table::ZEROING);
            map::copy(page.mfn(), 0, source.mfn(), 0, 4096);
            return Ok(());
        }
        MmuextCmd::MARK_SUPER | MmuextCmd::UNMARK_SUPER => return Err(Errno::EOPNOTSUPP.into()),
        _ => {}
    }
    if !is_self {
        return Err(Errno::EPERM.into());
    }
    own_extended(cx, op)
}

/// DOMID_IO and DOMID_XEN own no page that could be pinned, cleared or copied, and have no vCPUs.
fn system_extended(op: &MmuextOp) -> Result<(), MmuError> {
    Err(match op.cmd {
        MmuextCmd::PIN_L1_TABLE
        | MmuextCmd::PIN_L2_TABLE
        | MmuextCmd::PIN_L3_TABLE
        | MmuextCmd::PIN_L4_TABLE
        | MmuextCmd::UNPIN_TABLE
        | MmuextCmd::CLEAR_PAGE
        | MmuextCmd::COPY_PAGE => Errno::EINVAL,
        MmuextCmd::MARK_SUPER | MmuextCmd::UNMARK_SUPER => Errno::EOPNOTSUPP,
        _ => Errno::EPERM,
    }
    .into())
}

/// The operations that act on the calling vCPU or its domain only.
fn own_extended(cx: &mut Cx<'_>, op: &MmuextOp) -> Result<(), MmuError> {
    match op.cmd {
        MmuextCmd::NEW_BASEPTR => return switch::new_base(cx, op.mfn()),
        MmuextCmd::NEW_USER_BASEPTR => return new_user_base(cx, op.mfn()),
        MmuextCmd::TLB_FLUSH_LOCAL => flush::local(),
        MmuextCmd::INVLPG_LOCAL if uaccess::is_guest_range(op.linear_addr(), 1) => tlb::invalidate(op.linear_addr()),
        MmuextCmd::INVLPG_LOCAL => {}
        MmuextCmd::TLB_FLUSH_MULTI | MmuextCmd::INVLPG_MULTI => {
            // Here an unreadable mask is a bad argument, unlike in update_va_mapping.
            flush::on(cpus_of(cx, op.vcpumask()).map_err(|_| Errno::EINVAL)?);
        }
        MmuextCmd::TLB_FLUSH_ALL | MmuextCmd::INVLPG_ALL => flush::on(cx.domain().dirty_cpus()),
        MmuextCmd::FLUSH_CACHE if cx.domain().has_hardware.load(Ordering::Relaxed) => crate::x86::instr::wbinvd(),
        MmuextCmd::FLUSH_CACHE => return Err(Errno::EACCES.into()),
        MmuextCmd::FLUSH_CACHE_GLOBAL if cx.domain().has_hardware.load(Ordering::Relaxed) => {
            crate::x86::instr::wbinvd();
        }
        MmuextCmd::FLUSH_CACHE_GLOBAL => return Err(Errno::EACCES.into()),
        MmuextCmd::SET_LDT => segment::set_ldt(cx, op.linear_addr(), op.nr_ents())?,
        _ => return Err(Errno::ENOSYS.into()),
    }
    Ok(())
}

fn new_user_base(cx: &mut Cx<'_>, mfn: Mfn) -> Result<(), MmuError> {
    let domain = cx.domain().clone();
    let new = (mfn.raw() != 0).then_some(mfn);
    if cx.state.user_root == new {
        return Ok(());
    }
    if let Some(new) = new {
        domain.lock_mmu().get_table(new, Level::L4, &mut cx.budget)?;
    }
    if let Some(old) = core::mem::replace(&mut cx.state.user_root, new) {
        let _ = domain.lock_mmu().put_table(old, Level::L4, &mut cx.budget);
    }
    Ok(())
}
