// SPDX-License-Identifier: MIT OR Apache-2.0
//! The last moments of a domain: what others still use of it keeps it in the table, dying, and the last of them ends it.
//!
//! Whoever drops such a use may hold any lock, so it only leaves a note ([`look_soon`]); the CPU looks before it returns to a guest.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use hypercalls::ids::Virq;

use crate::domain::lifecycle::Stage;
use crate::domain::{Domain, DomainRef, events, grants, table, units};
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

/// Ends a dead domain unless somebody still uses something of it. Called without locks.
pub(crate) fn finish(domain: &DomainRef) {
    {
        let mut stage = domain.stage.lock();
        if *stage != Stage::Dead || !grants::retire(domain) || !domain.memory.lock().is_empty() {
            return;
        }
        *stage = stage.next();
    }
    drop(table::remove(domain.id));
    // They refer to the domain, and it to them. One that a toolstack added while the end began never ran.
    for vcpu in domain.take_vcpus() {
        if !units::unregister(&vcpu) {
            log::error!("domain {} is gone, but its vCPU {} is on a CPU", domain.id.raw(), vcpu.id.raw());
        }
    }
    events::notify_global_virq(Virq::DOM_EXC);
}
