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

use crate::budget::{Budget, Preempted};
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
/// Work units for a page that is given up.
pub(super) const RELEASE: u32 = 16;

/// Largest extent order that the caller may use.
pub(super) fn max_order(caller: &Domain) -> u32 {
    if caller.is_control { MAX_ORDER_CONTROL } else { MAX_ORDER_GUEST }
}

/// Work units for an extent, without its zeros unless it is a single page.
fn cost(order: u32) -> u32 {
    match order {
        0 => 14 + frame_table::ZEROING,
        _ => 12_u32.saturating_add(frame_table::GIVING.saturating_mul(1_u32.checked_shl(order).unwrap_or(u32::MAX))),
    }
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
    /// Work units for an extent.
    cost: u32,
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
            cost: cost(reservation.extent_order),
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
    let mut at = Progress::new(op, start);
    while at.extents < request.extents {
        let step = match op {
            MemoryOp::DECREASE_RESERVATION => release(&request, &mut at, &mut cx.budget),
            MemoryOp::POPULATE_PHYSMAP => populate(&request, at.extents, &mut cx.budget),
            _ => increase(&request, at.extents, &mut cx.budget),
        };
        match step {
            Ok(true) => at = Progress { extents: at.extents.saturating_add(1), pages: 0 },
            Ok(false) => break,
            Err(Preempted) => {
                let mut rest = *args;
                let [command, ..] = &mut rest;
                *command = op.raw() | at.command();
                return Ok(Outcome::Preempted(rest));
            }
        }
    }
    Ok(Outcome::Done(at.extents))
}

/// How far a call has come: what a command has above the operation.
#[derive(Debug, PartialEq, Eq)]
struct Progress {
    /// Extents that are done.
    extents: u64,
    /// Pages of the next one that are given up already. Where a caller makes it up, these stay.
    pages: u64,
}

impl Progress {
    /// Pages are counted from here on, in what a command has no use for: [`MAX_EXTENTS`] is less.
    const PAGES_SHIFT: u32 = u32::BITS - MemoryOp::EXTENT_SHIFT;

    fn new(op: MemoryOp, start: u64) -> Self {
        let (extents, pages) = (start & MAX_EXTENTS, start >> Self::PAGES_SHIFT);
        let is_ours = op == MemoryOp::DECREASE_RESERVATION && pages < 1 << MAX_ORDER_CONTROL;
        // Else it is a number of extents, which may be beyond all.
        if is_ours { Self { extents, pages } } else { Self { extents: start, pages: 0 } }
    }

    fn command(&self) -> u64 {
        (self.extents | self.pages << Self::PAGES_SHIFT) << MemoryOp::EXTENT_SHIFT
    }
}

/// Was extent `index` given to the domain?
fn increase(request: &Request, index: u64, budget: &mut Budget) -> Result<bool, Preempted> {
    budget.check()?;
    let Some(first) = request.domain.alloc_pages(request.order, request.limit, budget)? else { return Ok(false) };
    budget.charge(request.cost);
    Ok(request.list.is_null() || guest_access::write_at(request.list, index, &first.raw()).is_ok())
}

/// The same, as the guest frames that the list names.
fn populate(request: &Request, index: u64, budget: &mut Budget) -> Result<bool, Preempted> {
    budget.check()?;
    let Ok(pfn) = guest_access::read_at(request.list, index) else { return Ok(false) };
    let Some(first) = request.domain.alloc_pages(request.order, request.limit, budget)? else { return Ok(false) };
    budget.charge(request.cost);
    m2p::set_many(first, 1 << request.order, Some(Pfn::new(pfn)));
    Ok(guest_access::write_at(request.list, index, &first.raw()).is_ok())
}

/// Were the pages of the extent that `at` stands before all the domain's, and are given up?
fn release(request: &Request, at: &mut Progress, budget: &mut Budget) -> Result<bool, Preempted> {
    let Ok(first) = guest_access::read_at::<u64>(request.list, at.extents) else { return Ok(false) };
    let Some(end) = first.checked_add(1_u64 << request.order) else { return Ok(false) };
    for number in first.saturating_add(at.pages)..end {
        budget.spend(RELEASE)?;
        if request.domain.release_page(Mfn::new(number)).is_err() {
            return Ok(false);
        }
        at.pages = at.pages.saturating_add(1);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_how_far_the_call_has_come() {
        let (decrease, populate) = (MemoryOp::DECREASE_RESERVATION, MemoryOp::POPULATE_PHYSMAP);
        for (extents, pages) in [(0, 0), (0, 511), (7, 0), (MAX_EXTENTS, (1 << MAX_ORDER_CONTROL) - 1)] {
            let command = decrease.raw() | Progress { extents, pages }.command();
            let (op, start) = MemoryOp::split(command);
            assert_eq!((op, Progress::new(op, start)), (decrease, Progress { extents, pages }));
        }
        let far = MAX_EXTENTS + 2;
        assert_eq!(Progress::new(populate, far), Progress { extents: far, pages: 0 }, "beyond all, as on Xen");
        assert_eq!(Progress::new(decrease, u64::MAX >> 6), Progress { extents: u64::MAX >> 6, pages: 0 });
    }
}
