// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Domains' memory: adding, releasing, claiming, mapping.

use crate::control::{Control, get_list, handle};
use crate::error::{ControlError, Result};
use hypercalls::memory::{
    E820Entry, ForeignMemoryMap, MemFlags, MemoryDomain, MemoryMap, MemoryOp, MemoryReservation, ResourceType,
};
use hypercalls::{DomId, HypercallNumber, Mfn, Pfn};
use xen_sys::ForeignMapping;

/// How many extents one hypercall gets: 256 KiB of frame numbers.
const EXTENTS_AT_ONCE: usize = 32 * 1024;

impl Control {
    /// Gives a domain `2^order` machine frames for each of `places`, which are its own frame numbers (also told to the
    /// machine-to-physical table). Answers with the first machine frame of each; the list is shorter than asked for if
    /// memory (or the domain's limit) ran out.
    ///
    /// # Errors
    /// `ESRCH`, `EINVAL` for an order the caller may not use; not the lack of memory.
    pub fn populate(&self, domain: DomId, order: u32, places: &[Pfn]) -> Result<Vec<Mfn>> {
        let mut frames = Vec::with_capacity(places.len());
        for some in places.chunks(EXTENTS_AT_ONCE) {
            let got = self.reservation("add memory to a domain", MemoryOp::POPULATE_PHYSMAP, domain, order, some)?;
            let short = got.len() < some.len();
            frames.extend(got);
            if short {
                break;
            }
        }
        Ok(frames)
    }

    /// Takes `2^order` machine frames from each of `frames` on away from a domain; answers with how many extents went.
    /// The first one that could not be released ends it.
    ///
    /// # Errors
    /// `ESRCH`, `EINVAL`.
    pub fn release(&self, domain: DomId, order: u32, frames: &[Mfn]) -> Result<usize> {
        let mut done = 0;
        for some in frames.chunks(EXTENTS_AT_ONCE) {
            let numbers: Vec<Pfn> = some.iter().map(|frame| Pfn::new(frame.raw())).collect();
            let operation = "take memory from a domain";
            let gone = self.reservation(operation, MemoryOp::DECREASE_RESERVATION, domain, order, &numbers)?.len();
            done += gone;
            if gone < some.len() {
                break;
            }
        }
        Ok(done)
    }

    /// One call of `memory_op` with a list; answers with the part of the list that was done, as it was left.
    fn reservation(
        &self,
        operation: &'static str,
        op: MemoryOp,
        domain: DomId,
        order: u32,
        list: &[Pfn],
    ) -> Result<Vec<Mfn>> {
        let failed = |error| ControlError::new(operation, Some(domain), error);
        let extents = self.put(list).map_err(failed)?;
        let mut argument = MemoryReservation {
            extent_start: handle(&extents),
            nr_extents: list.len() as u64,
            extent_order: order,
            mem_flags: MemFlags::empty(),
            domid: domain,
            _pad: [0; 6],
        };
        let done = self.memory_op(operation, Some(domain), op, &mut argument)?;
        Ok(get_list(&extents, usize::try_from(done).unwrap_or(usize::MAX).min(list.len())))
    }

    /// Sets free memory aside for a domain, `pages` in all with what it has; 0 gives the rest back.
    ///
    /// # Errors
    /// `ENOMEM` if there is not so much, `EINVAL` if the domain has more already.
    pub fn claim(&self, domain: DomId, pages: u64) -> Result<()> {
        let mut argument = MemoryReservation {
            extent_start: hypercalls::GuestHandle::NULL,
            nr_extents: pages,
            extent_order: 0,
            mem_flags: MemFlags::empty(),
            domid: domain,
            _pad: [0; 6],
        };
        self.memory_op("claim memory for a domain", Some(domain), MemoryOp::CLAIM_PAGES, &mut argument).map(drop)
    }

    /// Sets the memory map a domain is told.
    ///
    /// # Errors
    /// `EINVAL` for more than 128 entries, `ESRCH`.
    pub fn set_memory_map(&self, domain: DomId, map: &[E820Entry]) -> Result<()> {
        let operation = "set a domain's memory map";
        let list = self.put(map).map_err(|error| ControlError::new(operation, Some(domain), error))?;
        let mut argument = ForeignMemoryMap {
            domid: domain,
            _pad: [0; 6],
            map: MemoryMap {
                nr_entries: u32::try_from(map.len()).unwrap_or(u32::MAX),
                _pad: [0; 4],
                buffer: handle(&list),
            },
        };
        self.memory_op(operation, Some(domain), MemoryOp::SET_MEMORY_MAP, &mut argument).map(drop)
    }

    /// The last frame of the machine's RAM.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn last_ram_frame(&self) -> Result<Mfn> {
        self.call(HypercallNumber::MEMORY_OP, [MemoryOp::MAXIMUM_RAM_PAGE.raw(), 0, 0, 0, 0])
            .map(Mfn::new)
            .map_err(|error| ControlError::new("ask for the machine's memory", None, error))
    }

    /// The last frame number a domain uses (of its own numbers).
    ///
    /// # Errors
    /// `ESRCH`, `ENXIO`-like answers if it has none yet.
    pub fn last_frame_of(&self, domain: DomId) -> Result<Pfn> {
        let mut argument = MemoryDomain { domid: domain };
        let operation = "ask for a domain's last frame";
        self.memory_op(operation, Some(domain), MemoryOp::MAXIMUM_GPFN, &mut argument).map(Pfn::new)
    }

    /// Maps machine frames of a domain, one after the other.
    ///
    /// # Errors
    /// The first frame that was refused: `EPERM` or `EINVAL` if it is not the domain's.
    pub fn map(&self, domain: DomId, frames: &[Mfn], writable: bool) -> Result<ForeignMapping> {
        self.privcmd().map_foreign(domain, frames, writable).map_err(|failure| {
            let frame = failure.frame.map(|(_, frame)| format!("machine frame {:#x}", frame.raw()));
            ControlError::new("map a domain's memory", Some(domain), failure.error).with_detail(frame)
        })
    }

    /// Maps `count` pages of a domain's grant table from page `first`; grows the table as needed.
    ///
    /// # Errors
    /// `EOPNOTSUPP` if hypervisor or kernel do not know this way, `EINVAL` past the limit.
    pub fn map_grant_table(&self, domain: DomId, first: u32, count: usize) -> Result<ForeignMapping> {
        // Id 0: the entries (1 would be the status words of version 2).
        self.privcmd()
            .map_resource(domain, ResourceType::GRANT_TABLE, 0, first, count)
            .map_err(|error| ControlError::new("map a domain's grant table", Some(domain), error))
    }
}
