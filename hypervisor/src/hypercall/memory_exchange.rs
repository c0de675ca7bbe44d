// SPDX-License-Identifier: MIT OR Apache-2.0
//! memory_op (12), XENMEM_exchange: pages are replaced by others that lie lower or are contiguous.
//!
//! Works in chunks of the larger of the two extent orders. A chunk's new pages are allocated, which may take several attempts, its old ones
//! taken; only then does anything change, so that a failed chunk leaves everything as it was. The old pages are freed bit by bit, before the
//! next chunk, the next exchange of the domain, or with the domain.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::vec;
use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::frame::{Mfn, Pfn};
use hypercalls::handle::GuestHandle;
use hypercalls::memory::{MemoryExchange, MemoryReservation, address_bits};

use crate::budget::{Budget, Preempted};
use crate::domain::{Domain, DomainRef};
use crate::hypercall::memory_reservation::{RELEASE, limit, max_order};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::mm::{frame_table, m2p};
use crate::x86::uaccess;
use zerocopy::IntoBytes;

/// Work units for a chunk, and for a page of it that changes hands.
const CHUNK: u32 = 12;
const GIVING: u32 = 2;
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
        let new = self.allocate(budget)?;
        budget.charge(CHUNK.saturating_add(GIVING.saturating_mul(1 << self.order())));
        Ok(self.swap(index, new))
    }

    fn swap(&self, index: u64, new: Option<Vec<Block>>) -> Result<(), Errno> {
        let mut stolen = match self.steal(index) {
            Ok(stolen) => stolen,
            Err(errno) => {
                give_back(new.unwrap_or_default());
                return Err(errno);
            }
        };
        let Some(new) = new else {
            keep(&stolen);
            return Err(Errno::ENOMEM);
        };
        self.domain.leave(&mut stolen);
        let order = self.output.extent_order;
        let mut extents = Vec::new();
        for block in new {
            if !self.domain.assign_pages(block.first, block.order) {
                frame_table::free(block.first, block.order);
                return Err(Errno::EINVAL);
            }
            let end = block.first.raw().saturating_add(1 << block.order);
            extents.extend((block.first.raw()..end).step_by(1 << order));
        }
        let place = self.output.extent_start.addr().wrapping_add((index << self.output_shift).wrapping_mul(8));
        let mut pfns = vec![0_u64; extents.len()];
        guest_access::read_slice(GuestHandle::new(place), &mut pfns)?;
        for (mfn, pfn) in extents.iter().zip(pfns) {
            m2p::set_many(Mfn::new(*mfn), 1 << order, Some(Pfn::new(pfn)));
        }
        guest_access::write_bytes(place, extents.as_bytes())
    }

    /// Takes the old pages of a chunk, all or none.
    fn steal(&self, index: u64) -> Result<Vec<Mfn>, Errno> {
        let place = self.input.extent_start.addr().wrapping_add((index << self.input_shift).wrapping_mul(8));
        let mut extents = vec![0_u64; 1 << self.input_shift];
        guest_access::read_slice(GuestHandle::new(place), &mut extents)?;
        let mut stolen = Vec::with_capacity(1 << self.order());
        let taken = extents.iter().try_for_each(|start| {
            let end = start.checked_add(1 << self.input.extent_order).ok_or(Errno::EINVAL)?;
            (*start..end).map(Mfn::new).try_for_each(|mfn| {
                self.domain.steal_page(mfn)?;
                stolen.push(mfn);
                Ok(())
            })
        });
        match taken {
            Ok(()) => Ok(stolen),
            Err(errno) => {
                keep(&stolen);
                Err(errno)
            }
        }
    }

    /// Zeroed memory for a chunk's new extents, in blocks as large as there are; all or none.
    fn allocate(&self, budget: &mut Budget) -> Result<Option<Vec<Block>>, Preempted> {
        let below = limit(address_bits(self.output.mem_flags.raw()));
        let mut new: Vec<Block> = Vec::new();
        let mut missing = 1_u64 << self.order();
        let mut order = self.order();
        while missing != 0 {
            match frame_table::alloc_zeroed_within(order, below, budget) {
                Ok(Some(first)) => {
                    new.push(Block { first, order });
                    missing = missing.saturating_sub(1 << order);
                }
                Ok(None) if order > self.output.extent_order => order = order.saturating_sub(1),
                none => {
                    give_back(new);
                    return none.map(|_| None);
                }
            }
        }
        Ok(Some(new))
    }
}

/// New frames that follow each other.
struct Block {
    first: Mfn,
    order: u32,
}

fn give_back(new: Vec<Block>) {
    for block in new {
        frame_table::free_zeroed(block.first, block.order);
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
    loop {
        // Those of the chunk before, too.
        let freed = exchange.domain.free_leaving(RELEASE, &mut cx.budget);
        if index >= exchange.chunks() && freed.is_ok() {
            break;
        }
        let Ok(done) = freed.and_then(|()| exchange.chunk(index, &mut cx.budget)) else {
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
