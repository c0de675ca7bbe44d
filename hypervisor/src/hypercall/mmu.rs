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
use crate::domain::{Domain, DomainRef, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::mm::page_type::{Level, PageType};
use crate::mm::{flush, m2p, map};
use crate::pv::mmu_update::{self, Aftermath, Marks, Slot};
use crate::pv::promote::{Mmu, MmuError, PageOwner};
use crate::pv::{segment, switch};
use crate::x86::{tlb, uaccess};

/// Requests copied in at a time.
const BATCH: usize = 32;

/// Whose pages the new entries may map.
enum Owner {
    Domain(DomainRef),
    /// DOMID_IO, DOMID_XEN.
    System,
}

impl Owner {
    fn as_page_owner(&self) -> PageOwner<'_> {
        match self {
            Self::Domain(domain) => PageOwner::Domain(domain),
            Self::System => PageOwner::System,
        }
    }
}

/// ESRCH: no such domain, a dying one, or the caller's own number instead of DOMID_SELF (as Xen has it). EPERM: not privileged.
fn page_owner(cx: &Cx<'_>, id: u16) -> Result<Owner, Errno> {
    let id = DomId::new(id);
    if id == DomId::SELF {
        return Ok(Owner::Domain(cx.domain().clone()));
    }
    if id == cx.domain().id {
        return Err(Errno::ESRCH);
    }
    if id == DomId::IO || id == DomId::XEN {
        cx.require_control()?;
        return Ok(Owner::System);
    }
    let domain = table::find(id).filter(|domain| !domain.is_dying()).ok_or(Errno::ESRCH)?;
    cx.require_control()?;
    Ok(Owner::Domain(domain))
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
    let table_owner = match (foreign as u32) >> 16 {
        0 => cx.domain().clone(),
        id => {
            let id = DomId::new((id as u16).wrapping_sub(1));
            let domain = table::find(id).ok_or(Errno::ESRCH)?;
            if domain.id != cx.domain().id {
                cx.require_control()?;
            }
            domain
        }
    };
    let owner = page_owner(cx, foreign as u16)?;
    let mut after = Aftermath::default();
    let mut result = Ok(());
    let mut index: u64 = 0;
    let mut batch = [MmuUpdate { ptr: 0, val: 0 }; BATCH];
    while index < progress.count.into() && result.is_ok() {
        let wanted = (u64::from(progress.count).wrapping_sub(index)).min(BATCH as u64) as usize;
        let Some(requests) = batch.get_mut(..wanted) else { break };
        let from = GuestHandle::new(list.addr().wrapping_add(index.wrapping_mul(16)));
        if let Err(errno) = guest_access::read_slice(from, requests) {
            result = Err(errno.into());
            break;
        }
        let mmu = table_owner.lock_mmu();
        for request in requests {
            result = cx
                .budget
                .spend(4)
                .map_err(|_| MmuError::Preempted)
                .and_then(|()| one_update(&mmu, request, &owner, &mut cx.budget, &mut after));
            if result.is_err() {
                break;
            }
            progress.done = progress.done.wrapping_add(1);
            index = index.wrapping_add(1);
        }
    }
    settle(&table_owner, after);
    finish(args, 16, start, &progress, pdone, result)
}

fn settle(domain: &Domain, after: Aftermath) {
    if after.flush_all {
        flush::on(domain.dirty_cpus());
    }
}

fn one_update(
    mmu: &Mmu<'_>,
    request: &MmuUpdate,
    owner: &Owner,
    budget: &mut Budget,
    after: &mut Aftermath,
) -> Result<(), MmuError> {
    if request.ptr & 4 != 0 {
        // The command is all that the alignment of an entry leaves: these are commands that nobody has.
        return Err(Errno::ENOSYS.into());
    }
    let mfn = Mfn::from_addr(request.ptr);
    let marks = match request.cmd() {
        MmuUpdateCmd::NORMAL_PT_UPDATE | MmuUpdateCmd::PT_UPDATE_NO_TRANSLATE => Marks::Discard,
        MmuUpdateCmd::PT_UPDATE_PRESERVE_AD => Marks::Preserve,
        MmuUpdateCmd::MACHPHYS_UPDATE => {
            let Owner::Domain(owner) = owner else { return Err(Errno::EINVAL.into()) };
            let page = PageRef::get(mfn, owner.id).ok_or(Errno::EINVAL)?;
            m2p::set(page.mfn(), Pfn::new(request.val));
            return Ok(());
        }
        _ => return Err(Errno::ENOSYS.into()),
    };
    let page = PageRef::get(mfn, mmu.domain().id).ok_or(Errno::EINVAL)?;
    let index = (request.ptr & 0xfff) as usize / 8;
    let frame = page.frame();
    if let PageType::Table(level) = frame.page_type()
        && frame.type_references() != 0
    {
        if frame.partial().is_some() {
            return Err(Errno::EBUSY.into());
        }
        let slot = Slot { table: mfn, level, index };
        return mmu_update::update(mmu, slot, request.val, marks, owner.as_page_owner(), budget, after);
    }
    // Not a table: an ordinary write, if the page may be written at all.
    let page = WritableRef::get(mfn, mmu.domain().id).ok_or(Errno::EINVAL)?;
    if let Some(word) = page.words().get(index) {
        word.store(request.val, Ordering::Relaxed);
    }
    Ok(())
}

/// HYPERVISOR_update_va_mapping(va, val, flags): sets the L1 entry that maps `va` now, and flushes as told.
pub(crate) fn update_va_mapping(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let owner = Owner::Domain(cx.domain().clone());
    va_mapping(cx, args, &owner)
}

/// HYPERVISOR_update_va_mapping_otherdomain(va, val, flags, domid): the same with another domain's page.
pub(crate) fn update_va_mapping_otherdomain(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[_, _, _, id, ..] = args;
    let owner = page_owner(cx, id as u16)?;
    va_mapping(cx, args, &owner)
}

fn va_mapping(cx: &mut Cx<'_>, args: &Args, owner: &Owner) -> HypercallResult {
    let &[va, val, flags, ..] = args;
    let root = cx.state.kernel_root.ok_or(Errno::EINVAL)?;
    let domain = cx.domain().clone();
    let mut after = Aftermath::default();
    {
        let mmu = domain.lock_mmu();
        let slot = mmu_update::find_l1(root, va)?;
        match mmu_update::update(&mmu, slot, val, Marks::Discard, owner.as_page_owner(), &mut cx.budget, &mut after) {
            Ok(()) => {}
            Err(MmuError::Errno(errno)) => return Err(errno.into()),
            Err(MmuError::Preempted) => return Ok(Outcome::Preempted(*args)),
        }
    }
    settle(&domain, after);
    va_flush(cx, va, flags)?;
    Ok(Outcome::DONE)
}

/// UVMF_*: what to flush in the low two bits; above, nothing (this CPU), 4 (all vCPUs) or the address of a vCPU bitmap.
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
        4 => flush::on(cx.domain().dirty_cpus()),
        bitmap => flush::on(cpus_of(cx, GuestHandle::new(bitmap))?),
    }
    Ok(())
}

/// The CPUs on which the vCPUs of a bitmap are now. EFAULT.
fn cpus_of(cx: &Cx<'_>, bitmap: GuestHandle<u8>) -> Result<u64, Errno> {
    let vcpus = cx.domain().vcpus();
    let mut bytes = [0_u8; 16];
    let len = vcpus.len().div_ceil(8).min(bytes.len());
    guest_access::read_bytes(bitmap.addr(), bytes.get_mut(..len).ok_or(Errno::EINVAL)?)?;
    let mut cpus = 0;
    for (byte, of_byte) in bytes.iter().zip(vcpus.chunks(8)) {
        for (bit, vcpu) in of_byte.iter().enumerate() {
            if byte >> bit & 1 != 0 && vcpu.on_cpu.load(Ordering::Acquire) {
                cpus |= 1 << (vcpu.cpu.load(Ordering::Relaxed) & 63);
            }
        }
    }
    Ok(cpus)
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

fn one_extended(cx: &mut Cx<'_>, op: &MmuextOp, owner: &Owner) -> Result<(), MmuError> {
    let Owner::Domain(owner) = owner else { return system_extended(op) };
    let is_self = Arc::ptr_eq(owner, cx.domain());
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
            map::zero(page.mfn());
            return Ok(());
        }
        MmuextCmd::COPY_PAGE => {
            let source = PageRef::get(op.src_mfn(), owner.id).ok_or(Errno::EINVAL)?;
            let page = WritableRef::get(op.mfn(), owner.id).ok_or(Errno::EINVAL)?;
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
