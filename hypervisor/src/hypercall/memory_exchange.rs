// SPDX-License-Identifier: MIT OR Apache-2.0
//! memory_op (12), XENMEM_exchange: pages are replaced by others that lie lower or are contiguous.
//!
//! Works in chunks of the larger of the two extent orders. A chunk's old pages are taken, its new ones allocated; only then
//! does anything change, so that a failed chunk leaves everything as it was.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::handle::GuestHandle;
use hypercalls::memory::{MemoryExchange, MemoryReservation, address_bits};

use crate::budget::{Budget, Preempted};
use crate::domain::memory::put_page;
use crate::domain::{Domain, DomainRef};
use crate::hypercall::memory_reservation::{cost, limit, max_order, record};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::frame_table;
use crate::mm::guest_access;
use crate::x86::uaccess;

/// Offset of `nr_exchanged`, the only field that is written back.
const NR_EXCHANGED: u64 = 0x40;

/// A checked request.
struct Exchange {
    domain: DomainRef,
    input: MemoryReservation,
    output: MemoryReservation,
    /// Input extents of a chunk, as a power of 2.
    input_shift: u32,
    /// Output extents of a chunk, as a power of 2.
    output_shift: u32,
}

impl Exchange {
    /// EPERM: orders too large, or another domain. EINVAL: sizes do not match. ESRCH, EFAULT.
    fn check(cx: &Cx<'_>, request: &MemoryExchange) -> Result<Self, Errno> {
        let (input, output) = (request.in_, request.out);
        let most = max_order(cx.domain());
        if input.extent_order > most || output.extent_order > most {
            return Err(Errno::EPERM);
        }
        let pages = |list: &MemoryReservation| {
            list.nr_extents.checked_shl(list.extent_order).filter(|pages| pages >> list.extent_order == list.nr_extents)
        };
        let matches = pages(&input).is_some() && pages(&input) == pages(&output);
        if request.nr_exchanged > input.nr_extents || input.domid != output.domid || !matches {
            return Err(Errno::EINVAL);
        }
        for list in [&input, &output] {
            let bytes = list.nr_extents.checked_mul(8).ok_or(Errno::EFAULT)?;
            if !uaccess::is_guest_range(list.extent_start.addr(), bytes as usize) {
                return Err(Errno::EFAULT);
            }
        }
        Ok(Self {
            domain: cx.target_domain(input.domid)?,
            input_shift: output.extent_order.saturating_sub(input.extent_order),
            output_shift: input.extent_order.saturating_sub(output.extent_order),
            input,
            output,
        })
    }

    fn chunks(&self) -> u64 {
        self.input.nr_extents >> self.input_shift
    }

    /// Order of a whole chunk.
    fn order(&self) -> u32 {
        self.input.extent_order.max(self.output.extent_order)
    }

    /// Exchanges chunk `index`. EFAULT, EINVAL (a page that is in use or not the domain's), ENOMEM. Interrupted, nothing has changed.
    fn chunk(&self, index: u64, budget: &mut Budget) -> Result<Result<(), Errno>, Preempted> {
        budget.check()?;
        let stolen = match self.steal(index) {
            Ok(stolen) => stolen,
            Err(errno) => return Ok(Err(errno)),
        };
        let new = match self.allocate(budget) {
            Ok(Some(new)) => new,
            none => {
                keep(&stolen);
                return none.map(|_| Err(Errno::ENOMEM));
            }
        };
        budget.charge(cost(self.order()));
        for mfn in stolen {
            if let Some(frame) = frame_table::ram(mfn) {
                put_page(mfn, frame);
            }
        }
        let first = index << self.output_shift;
        let mut result = Ok(());
        for (extent, mfn) in (first..).zip(new) {
            if !self.domain.assign_pages(mfn, self.output.extent_order) {
                frame_table::free(mfn, self.output.extent_order);
                result = Err(Errno::EINVAL);
                continue;
            }
            result = result.and_then(|()| {
                let pfn = Pfn::new(guest_access::read_at(self.output.extent_start, extent)?);
                record(mfn, pfn, self.output.extent_order);
                guest_access::write_at(self.output.extent_start, extent, &mfn.raw())
            });
        }
        Ok(result)
    }

    /// Takes the old pages of a chunk, all or none.
    fn steal(&self, index: u64) -> Result<Vec<Mfn>, Errno> {
        let mut stolen = Vec::new();
        let first = index << self.input_shift;
        for extent in first..first.saturating_add(1 << self.input_shift) {
            let taken = guest_access::read_at(self.input.extent_start, extent).and_then(|start: u64| {
                let end = start.checked_add(1 << self.input.extent_order).ok_or(Errno::EINVAL)?;
                (start..end).map(Mfn::new).try_for_each(|mfn| {
                    self.domain.steal_page(mfn)?;
                    stolen.push(mfn);
                    Ok(())
                })
            });
            if let Err(errno) = taken {
                keep(&stolen);
                return Err(errno);
            }
        }
        Ok(stolen)
    }

    /// The new extents of a chunk, all or none.
    fn allocate(&self, budget: &mut Budget) -> Result<Option<Vec<Mfn>>, Preempted> {
        let below = limit(address_bits(self.output.mem_flags.raw()));
        let order = self.output.extent_order;
        let mut new = Vec::new();
        for _ in 0..1_u64 << self.output_shift {
            match frame_table::alloc_zeroed_within(order, below, budget) {
                Ok(Some(mfn)) => new.push(mfn),
                none => {
                    for mfn in new {
                        frame_table::free_zeroed(mfn, order);
                    }
                    return none.map(|_| None);
                }
            }
        }
        Ok(Some(new))
    }
}

fn keep(stolen: &[Mfn]) {
    for mfn in stolen {
        Domain::keep_page(*mfn);
    }
}

/// XENMEM_exchange: anyone for itself, control domains for others. Preemptible: `nr_exchanged` tells how far it came.
pub(super) fn exchange(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[_, arg, ..] = args;
    let request = guest_access::read(GuestHandle::<MemoryExchange>::new(arg))?;
    let progress = GuestHandle::<u64>::new(arg.wrapping_add(NR_EXCHANGED));
    let exchange = match Exchange::check(cx, &request) {
        Ok(exchange) => exchange,
        Err(errno) => {
            guest_access::write(progress, &request.nr_exchanged)?;
            return Err(errno.into());
        }
    };
    let mut result = Ok(());
    let mut index = request.nr_exchanged >> exchange.input_shift;
    while index < exchange.chunks() {
        let Ok(done) = exchange.chunk(index, &mut cx.budget) else {
            guest_access::write(progress, &(index << exchange.input_shift))?;
            return Ok(Outcome::Preempted(*args));
        };
        result = done;
        if result.is_err() {
            break;
        }
        index = index.saturating_add(1);
    }
    let done = if result.is_ok() { request.in_.nr_extents } else { index << exchange.input_shift };
    guest_access::write(progress, &done)?;
    result?;
    Ok(Outcome::DONE)
}
