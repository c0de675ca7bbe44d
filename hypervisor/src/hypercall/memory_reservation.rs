// SPDX-License-Identifier: MIT OR Apache-2.0
//! memory_op (12): pages come to a domain and go (increase_reservation, decrease_reservation, populate_physmap).
//!
//! These never fail: they return the number of extents done, and how far they came stands in the command's upper bits when
//! they are interrupted.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::frame::{Mfn, Pfn};
use hypercalls::handle::GuestHandle;
use hypercalls::memory::{MemFlags, MemoryOp, MemoryReservation, address_bits};

use crate::budget::Budget;
use crate::config::PREEMPT_ENTRIES;
use crate::domain::{Domain, DomainRef};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::mm::{frame_table, m2p};

/// Largest extent a control domain may ask for.
const MAX_ORDER_CONTROL: u32 = 12;
/// Largest extent any other domain may ask for.
const MAX_ORDER_GUEST: u32 = 9;
/// Numbers of extents must fit into what is left of a 32-bit command.
const MAX_EXTENTS: u64 = (u32::MAX >> MemoryOp::EXTENT_SHIFT) as u64;
const PAGE_SHIFT: u32 = 12;

/// Largest extent order that the caller may use.
pub(super) fn max_order(caller: &Domain) -> u32 {
    if caller.is_control { MAX_ORDER_CONTROL } else { MAX_ORDER_GUEST }
}

/// Work units for an extent: zeroing a page costs about as much as a few page-table entries.
pub(super) fn cost(order: u32) -> u32 {
    4_u32.saturating_mul(1_u32.checked_shl(order).unwrap_or(u32::MAX)).min(PREEMPT_ENTRIES)
}

/// The bound for frames that fit into `bits` of address; 0 bits means no bound.
pub(super) fn limit(bits: u32) -> Option<Mfn> {
    (bits != 0 && bits < 64).then(|| Mfn::new(1_u64 << bits.saturating_sub(PAGE_SHIFT)))
}

/// A checked request.
struct Request {
    domain: DomainRef,
    list: GuestHandle<u64>,
    extents: u64,
    order: u32,
    limit: Option<Mfn>,
}

impl Request {
    /// `None`: nothing is done, because the domain does not exist, is none of the caller's business, or sizes are too big.
    fn check(cx: &Cx<'_>, op: MemoryOp, reservation: &MemoryReservation) -> Option<Self> {
        if reservation.nr_extents > MAX_EXTENTS || reservation.extent_order > max_order(cx.domain()) {
            return None;
        }
        let domain = cx.target_domain(reservation.domid).ok()?;
        if op == MemoryOp::POPULATE_PHYSMAP && reservation.mem_flags.contains(MemFlags::POPULATE_ON_DEMAND) {
            return None;
        }
        let mut bits = address_bits(reservation.mem_flags.raw());
        if bits != 0 && bits <= PAGE_SHIFT {
            return None;
        }
        if 1_u64.checked_shl(bits.saturating_sub(PAGE_SHIFT)).is_none_or(|frames| frames >= frame_table::max_page()) {
            bits = 0;
        }
        Some(Self {
            domain,
            list: reservation.extent_start,
            extents: reservation.nr_extents,
            order: reservation.extent_order,
            limit: limit(bits),
        })
    }
}

/// XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap: anyone for itself, control domains for
/// others.
pub(super) fn change(cx: &mut Cx<'_>, args: &Args, op: MemoryOp, start: u64) -> HypercallResult {
    let &[_, arg, ..] = args;
    let Ok(reservation) = guest_access::read(GuestHandle::<MemoryReservation>::new(arg)) else {
        return Ok(Outcome::Done(start));
    };
    let Some(request) = Request::check(cx, op, &reservation) else { return Ok(Outcome::Done(start)) };
    let mut done = start;
    while done < request.extents {
        if cx.budget.spend(cost(request.order)).is_err() {
            let mut rest = *args;
            let [command, ..] = &mut rest;
            *command = op.raw() | done << MemoryOp::EXTENT_SHIFT;
            return Ok(Outcome::Preempted(rest));
        }
        let step = match op {
            MemoryOp::DECREASE_RESERVATION => release(&request, done),
            MemoryOp::POPULATE_PHYSMAP => populate(&request, done),
            _ => increase(&request, done),
        };
        if step.is_none() {
            break;
        }
        done = done.saturating_add(1);
    }
    Ok(Outcome::Done(done))
}

fn increase(request: &Request, index: u64) -> Option<()> {
    let first = request.domain.alloc_pages(request.order, request.limit)?;
    if !request.list.is_null() {
        guest_access::write_at(request.list, index, &first.raw()).ok()?;
    }
    Some(())
}

fn populate(request: &Request, index: u64) -> Option<()> {
    let pfn = Pfn::new(guest_access::read_at(request.list, index).ok()?);
    let first = request.domain.alloc_pages(request.order, request.limit)?;
    record(first, pfn, request.order);
    guest_access::write_at(request.list, index, &first.raw()).ok()
}

fn release(request: &Request, index: u64) -> Option<()> {
    let first: u64 = guest_access::read_at(request.list, index).ok()?;
    for number in first..first.checked_add(1_u64 << request.order)? {
        request.domain.release_page(Mfn::new(number)).ok()?;
    }
    Some(())
}

/// Frames `mfn ..` become guest frames `pfn ..`.
pub(super) fn record(mfn: Mfn, pfn: Pfn, order: u32) {
    for index in 0..1_u64 << order.min(MAX_ORDER_CONTROL) {
        m2p::set(Mfn::new(mfn.raw().wrapping_add(index)), Pfn::new(pfn.raw().wrapping_add(index)));
    }
}

/// May another unit of work be done? For loops that record their progress themselves.
pub(super) fn may_go_on(budget: &mut Budget, order: u32) -> bool {
    budget.spend(cost(order)).is_ok()
}
