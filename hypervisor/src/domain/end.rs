// SPDX-License-Identifier: MIT OR Apache-2.0
//! The last moments of a domain: what others still use of it keeps it in the table, dying, and the last of them ends it.
//!
//! Whoever drops such a use may hold any lock, so it only leaves a note ([`look_soon`]); the CPU looks before it returns to a guest.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};

use hypercalls::ids::Virq;

use crate::budget::{Budget, Preempted};
use crate::domain::lifecycle::Stage;
use crate::domain::{Domain, DomainRef, events, grants, table, units};
use crate::x86::ipi;
use crate::x86::percpu::{self, softirq};

impl Domain {
    /// Has its end begun? It gets nothing new from then on.
    pub(crate) fn is_dying(&self) -> bool {
        self.dying.load(Ordering::Acquire)
    }
}

/// Something that may have kept a dying domain is gone: this CPU looks, soon and without locks.
pub(crate) fn look_soon() {
    percpu::this().softirqs.fetch_or(softirq::ENDS, Ordering::AcqRel);
}

/// Ends domains of which nothing is left, all of them unless that takes too long for one stretch without interrupts.
pub(crate) fn look() {
    let mut budget = Budget::new();
    let dying = table::all().into_iter().filter(|domain| domain.is_dying());
    if dying.map(|domain| finish(&domain, &mut budget)).any(|done| done.is_err()) {
        look_later();
    }
}

/// There is more to end than fits into this stretch without interrupts. They come first: the one that is asked for here, when the CPU opens
/// them.
pub(crate) fn look_later() {
    GOES_ON.store(true, Ordering::Release);
    ipi::kick(percpu::this());
}

/// There was more to end than fits into one stretch.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// This CPU was interrupted, perhaps so that it goes on with the ends of domains.
pub(crate) fn interrupted() {
    if GOES_ON.load(Ordering::Relaxed) && GOES_ON.swap(false, Ordering::AcqRel) {
        look_soon();
    }
}

/// Ends a dead domain unless somebody still uses something of it. Called without locks.
pub(crate) fn finish(domain: &DomainRef, budget: &mut Budget) -> Result<(), Preempted> {
    /// What it costs besides the vCPUs, in work units.
    const END: u32 = 256;
    {
        let mut stage = domain.stage.lock();
        if *stage != Stage::Dead || !grants::retire(domain) || !domain.memory.lock().is_empty() {
            return Ok(());
        }
        free_vcpus(domain, budget)?;
        budget.spend(END)?;
        *stage = stage.next();
    }
    drop(table::remove(domain.id));
    events::notify_global_virq(Virq::DOM_EXC);
    Ok(())
}

/// Lets go of the vCPUs, which refer to the domain, and it to them.
pub(crate) fn free_vcpus(domain: &Domain, budget: &mut Budget) -> Result<(), Preempted> {
    /// What one costs in work units.
    const VCPU: u32 = 32;
    loop {
        budget.spend(VCPU)?;
        let Some(vcpu) = domain.take_vcpu() else { return Ok(()) };
        // The end began with this.
        if !units::unregister(&vcpu) {
            log::error!("domain {} is gone, but its vCPU {} is on a CPU", domain.id.raw(), vcpu.id.raw());
        }
    }
}
