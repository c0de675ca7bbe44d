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

/// Ends all domains of which nothing is left.
pub(crate) fn look() {
    for domain in table::all().iter().filter(|domain| domain.is_dying()) {
        finish(domain);
    }
}

/// Some domain's end took too long for one stretch without interrupts.
static GOES_ON: AtomicBool = AtomicBool::new(false);

/// This CPU was interrupted, perhaps so that it goes on with the end of a domain.
pub(crate) fn interrupted() {
    if GOES_ON.load(Ordering::Relaxed) && GOES_ON.swap(false, Ordering::AcqRel) {
        look_soon();
    }
}

/// Ends a dead domain unless somebody still uses something of it. Called without locks.
pub(crate) fn finish(domain: &DomainRef) {
    {
        let mut stage = domain.stage.lock();
        if *stage != Stage::Dead || !grants::retire(domain) || !domain.memory.lock().is_empty() {
            return;
        }
        if let Err(Preempted) = free_vcpus(domain, &mut Budget::new()) {
            // Interrupts come first: this one when the CPU opens them.
            GOES_ON.store(true, Ordering::Release);
            ipi::kick(percpu::this());
            return;
        }
        *stage = stage.next();
    }
    drop(table::remove(domain.id));
    events::notify_global_virq(Virq::DOM_EXC);
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
