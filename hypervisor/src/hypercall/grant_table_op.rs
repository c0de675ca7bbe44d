// SPDX-License-Identifier: MIT OR Apache-2.0
//! grant_table_op (20): lists of grants to map, unmap, copy or give away, and the calls about a whole table.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use grant_tables::{CacheFlush, GrantError, Scan, Version};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::grant_table::{
    GnttabCacheFlush, GnttabCopy, GnttabGetStatusFrames, GnttabGetVersion, GnttabMapGrantRef, GnttabQuerySize,
    GnttabSetVersion, GnttabSetupTable, GnttabSwapGrantRef, GnttabTransfer, GnttabUnmapAndReplace, GnttabUnmapGrantRef,
    GrantStatus, GrantTableOp,
};
use hypercalls::handle::GuestHandle;
use hypercalls::ids::DomId;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::domain::{DomainRef, grants, table};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::mm::guest_access;
use crate::mm::{frame_table, map};
use crate::pv::grant_map::{self, Unmap, Unmapped};
use crate::pv::{grant_copy, grant_transfer};
use crate::x86::{instr, uaccess};

/// Where the progress of a preempted cache flush begins in the command; below is the operation.
const PROGRESS_SHIFT: u32 = 12;
/// Budget of one element that takes locks and references but moves no data.
const ELEMENT: u32 = 8;
/// Budget of one copy.
const COPY: u32 = 32;

/// What an element carried out answers.
type Status = Result<(), GrantStatus>;

/// HYPERVISOR_grant_table_op(cmd, list, count). Each element has its own status; the call fails as a whole for a list that
/// cannot be read or written, and for some calls about a table. Anyone; other domains' tables only for control domains.
/// Preemptible: the list then begins later and is shorter.
pub(crate) fn grant_table_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, list, count, ..] = args;
    let (cmd, count) = (cmd as u32, count as u32);
    let op = GrantTableOp(cmd & ((1 << PROGRESS_SHIFT) - 1));
    let progress = cmd >> PROGRESS_SHIFT;
    if count.cast_signed() < 0 || (op != GrantTableOp::CACHE_FLUSH && progress != 0) {
        return Err(Errno::EINVAL.into());
    }
    match op {
        GrantTableOp::MAP_GRANT_REF => each(cx, args, ELEMENT, map_grant_ref),
        GrantTableOp::UNMAP_GRANT_REF => each_unmap(cx, args, unmap_grant_ref),
        GrantTableOp::UNMAP_AND_REPLACE => each_unmap(cx, args, unmap_and_replace),
        GrantTableOp::COPY => each(cx, args, COPY, |cx, op: &mut GnttabCopy| {
            op.status = status(grant_copy::copy(cx.domain(), op));
        }),
        GrantTableOp::TRANSFER => each(cx, args, COPY, |cx, op: &mut GnttabTransfer| {
            op.status = status(grant_transfer::transfer(cx.domain(), op));
        }),
        GrantTableOp::SWAP_GRANT_REF => each(cx, args, ELEMENT, |cx, op: &mut GnttabSwapGrantRef| {
            let swapped = cx.domain().grants.lock().swap(op.ref_a, op.ref_b);
            op.status = status(swapped.map_err(GrantError::status));
        }),
        GrantTableOp::CACHE_FLUSH => cache_flush(cx, args, progress),
        op => on_table(cx, op, list, count),
    }
}

/// The operations that concern a table and not its entries.
fn on_table(cx: &mut Cx<'_>, op: GrantTableOp, list: u64, count: u32) -> HypercallResult {
    census::GRANT_TABLE_OP.note(op.raw(), list);
    match op {
        GrantTableOp::SETUP_TABLE => single(count, || setup_table(cx, GuestHandle::new(list))),
        GrantTableOp::QUERY_SIZE => single(count, || query_size(cx, GuestHandle::new(list))),
        GrantTableOp::GET_STATUS_FRAMES => single(count, || get_status_frames(cx, GuestHandle::new(list))),
        GrantTableOp::SET_VERSION => set_version(cx, GuestHandle::new(list)),
        GrantTableOp::GET_VERSION => get_version(cx, GuestHandle::new(list)),
        // DUMP_TABLE too: Xen 4.17 has no code for it.
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn status(result: Status) -> GrantStatus {
    result.err().unwrap_or(GrantStatus::OKAY)
}

/// The list as an array of `T`. EFAULT if it could not be the guest's.
fn array<T>(args: &Args) -> Result<(GuestHandle<T>, u32), Errno> {
    let &[_, list, count, ..] = args;
    let bytes = (count as u32 as usize).saturating_mul(size_of::<T>());
    if !uaccess::is_guest_range(list, bytes) {
        return Err(Errno::EFAULT);
    }
    Ok((GuestHandle::new(list), count as u32))
}

/// The same call for the elements from `done` on.
fn continued<T>(args: &Args, done: u32, progress: u32) -> Outcome {
    let &[cmd, list, count, a3, a4, a5] = args;
    let op = cmd as u32 & ((1 << PROGRESS_SHIFT) - 1);
    let list = GuestHandle::<T>::new(list).offset(done.into()).addr();
    let count = (count as u32).saturating_sub(done);
    Outcome::Preempted([u64::from(op | progress << PROGRESS_SHIFT), list, count.into(), a3, a4, a5])
}

/// Carries out a list element by element and writes each back.
fn each<T: FromBytes + IntoBytes + Immutable>(
    cx: &mut Cx<'_>,
    args: &Args,
    cost: u32,
    mut carry_out: impl FnMut(&mut Cx<'_>, &mut T),
) -> HypercallResult {
    let (list, count) = array::<T>(args)?;
    for index in 0..count {
        // The first element always, so that a repeated call gets on.
        if cx.budget.spend(cost).is_err() && index != 0 {
            return Ok(continued::<T>(args, index, 0));
        }
        let mut op = guest_access::read_at(list, index.into())?;
        carry_out(cx, &mut op);
        guest_access::write_at(list, index.into(), &op)?;
    }
    Ok(Outcome::DONE)
}

fn map_grant_ref(cx: &mut Cx<'_>, op: &mut GnttabMapGrantRef) {
    let Some(root) = cx.state.kernel_root else {
        op.status = GrantStatus::GENERAL_ERROR;
        return;
    };
    op.status = status(grant_map::map(cx.domain(), root, op));
}

fn unmap_grant_ref(op: &mut GnttabUnmapGrantRef) -> (Unmap, &mut GrantStatus) {
    let GnttabUnmapGrantRef { host_addr, dev_bus_addr, handle, .. } = *op;
    (Unmap { handle, host_addr, dev_bus_addr, new_addr: 0 }, &mut op.status)
}

fn unmap_and_replace(op: &mut GnttabUnmapAndReplace) -> (Unmap, &mut GrantStatus) {
    let GnttabUnmapAndReplace { host_addr, new_addr, handle, .. } = *op;
    (Unmap { handle, host_addr, dev_bus_addr: 0, new_addr }, &mut op.status)
}

/// Carries out a list of unmaps, with one TLB flush for each batch.
fn each_unmap<T: FromBytes + IntoBytes + Immutable>(
    cx: &mut Cx<'_>,
    args: &Args,
    parse: fn(&mut T) -> (Unmap, &mut GrantStatus),
) -> HypercallResult {
    let (list, count) = array::<T>(args)?;
    let domain = &cx.vcpu.domain;
    let root = cx.state.kernel_root.ok_or(Errno::EINVAL)?;
    let mut done = 0;
    let mut batch = Unmapped::new();
    while done < count {
        let end = count.min(done.saturating_add(grant_map::BATCH as u32));
        if cx.budget.spend(ELEMENT.saturating_mul(end.saturating_sub(done))).is_err() && done != 0 {
            return Ok(continued::<T>(args, done, 0));
        }
        let mut result = Ok(());
        while done < end && result.is_ok() {
            result = guest_access::read_at(list, done.into()).and_then(|mut op: T| {
                let (unmap, answer) = parse(&mut op);
                *answer = status(batch.unmap(domain, root, &unmap));
                guest_access::write_at(list, done.into(), &op)
            });
            done = done.saturating_add(1);
        }
        batch.finish(domain);
        result?;
    }
    Ok(Outcome::DONE)
}

/// A call that takes one argument only. EINVAL for a list of any other length.
fn single(count: u32, call: impl FnOnce() -> Result<(), Errno>) -> HypercallResult {
    if count != 1 {
        return Err(Errno::EINVAL.into());
    }
    call()?;
    Ok(Outcome::DONE)
}

/// A domain by number or DOMID_SELF, for a call about its table. BAD_DOMAIN; PERMISSION_DENIED.
fn owner(cx: &Cx<'_>, id: DomId) -> Result<DomainRef, GrantStatus> {
    cx.target_domain(id).map_err(|errno| match errno {
        Errno::EPERM => GrantStatus::PERMISSION_DENIED,
        _ => GrantStatus::BAD_DOMAIN,
    })
}

/// EFAULT unless `frames` frame numbers can be written to the list, as far as its address tells.
fn check_frame_list(list: GuestHandle<Mfn>, frames: u32) -> Result<(), Errno> {
    let bytes = (frames as usize).saturating_mul(size_of::<Mfn>());
    if uaccess::is_guest_range(list.addr(), bytes) { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Writes frame numbers. BAD_VIRT_ADDR if the guest does not let us.
fn write_frames(list: GuestHandle<Mfn>, frames: u32, frame: impl Fn(u32) -> Option<Mfn>) -> Status {
    for index in 0..frames {
        let mfn = frame(index).ok_or(GrantStatus::GENERAL_ERROR)?;
        guest_access::write_at(list, index.into(), &mfn).map_err(|_| GrantStatus::BAD_VIRT_ADDR)?;
    }
    Ok(())
}

fn setup_table(cx: &Cx<'_>, arg: GuestHandle<GnttabSetupTable>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    check_frame_list(op.frame_list, op.nr_frames)?;
    op.status = status(owner(cx, op.dom).and_then(|domain| {
        grants::grow_to(&domain, op.nr_frames).map_err(GrantError::status)?;
        write_frames(op.frame_list, op.nr_frames, |index| domain.grants.lock().shared_frame(index))
    }));
    guest_access::write(arg, &op)
}

fn query_size(cx: &Cx<'_>, arg: GuestHandle<GnttabQuerySize>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    op.status = status(owner(cx, op.dom).map(|domain| {
        let table = domain.grants.lock();
        (op.nr_frames, op.max_nr_frames) = (table.frames(), table.max_frames());
    }));
    guest_access::write(arg, &op)
}

fn get_status_frames(cx: &Cx<'_>, arg: GuestHandle<GnttabGetStatusFrames>) -> Result<(), Errno> {
    let mut op = guest_access::read(arg)?;
    check_frame_list(op.frame_list, op.nr_frames)?;
    op.status = status(owner(cx, op.dom).and_then(|domain| {
        if op.nr_frames > domain.grants.lock().status_frames() {
            return Err(GrantStatus::GENERAL_ERROR);
        }
        write_frames(op.frame_list, op.nr_frames, |index| domain.grants.lock().status_frame(index))
    }));
    guest_access::write(arg, &op)
}

/// EINVAL: no such version. ENOSYS: not allowed to this domain. EBUSY, ERANGE, ENOMEM. The version there is now is written
/// back in any case.
fn set_version(cx: &Cx<'_>, arg: GuestHandle<GnttabSetVersion>) -> HypercallResult {
    let wanted = guest_access::read(arg)?;
    let domain = cx.domain();
    let result = Version::parse(wanted.version).and_then(|version| grants::set_version(domain, version));
    let version = domain.grants.lock().version().raw();
    guest_access::write(arg, &GnttabSetVersion { version })?;
    result.map_err(GrantError::errno)?;
    Ok(Outcome::DONE)
}

/// ESRCH: no such domain. EPERM.
fn get_version(cx: &Cx<'_>, arg: GuestHandle<GnttabGetVersion>) -> HypercallResult {
    let mut op = guest_access::read(arg)?;
    let domain = cx.target_domain(op.dom)?;
    op.version = domain.grants.lock().version().raw();
    guest_access::write(arg, &op)?;
    Ok(Outcome::DONE)
}

/// The search for the grant of a page goes on at reference `progress` of the first element.
fn cache_flush(cx: &mut Cx<'_>, args: &Args, progress: u32) -> HypercallResult {
    let (list, count) = array::<GnttabCacheFlush>(args)?;
    let mut cursor = progress;
    for index in 0..count {
        if cx.budget.spend(COPY).is_err() && index != 0 {
            return Ok(continued::<GnttabCacheFlush>(args, index, cursor));
        }
        let op = guest_access::read_at(list, index.into())?;
        if let Some(flush) = CacheFlush::parse(&op).map_err(GrantError::errno)?
            && flush_page(cx, &flush, &mut cursor)? == Search::Preempted
        {
            return Ok(continued::<GnttabCacheFlush>(args, index, cursor));
        }
        cursor = 0;
    }
    Ok(Outcome::DONE)
}

/// How far a cache flush came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    Done,
    Preempted,
}

/// EINVAL: not memory, or not granted to the caller. EPERM: nobody's. EOPNOTSUPP: x86 cannot drop lines unwritten.
fn flush_page(cx: &Cx<'_>, flush: &CacheFlush, cursor: &mut u32) -> Result<Search, Errno> {
    /// References looked at before the search is put off.
    const REFERENCES: u32 = 4096;
    let frame = frame_table::ram(flush.frame).ok_or(Errno::EINVAL)?;
    let owner = frame.owner().and_then(table::find).ok_or(Errno::EPERM)?;
    if owner.id != cx.domain().id {
        let mut budget = REFERENCES;
        match owner.grants.lock().find_use(cx.domain().id, flush.frame, cursor, &mut budget) {
            Scan::Found(_) => {}
            Scan::Preempted => return Ok(Search::Preempted),
            Scan::Done => return Err(Errno::EINVAL),
        }
    }
    if flush.invalidate && !flush.clean {
        return Err(Errno::EOPNOTSUPP);
    }
    let (offset, length) = (usize::from(flush.offset), usize::from(flush.length));
    let end = offset.saturating_add(length).div_ceil(8);
    // One word in eight is in another line.
    for word in map::words(flush.frame).get(offset / 64 * 8..end).unwrap_or_default().iter().step_by(8) {
        instr::clflush(word);
    }
    Ok(Search::Done)
}
