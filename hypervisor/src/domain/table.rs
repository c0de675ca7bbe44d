// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which domains exist.
#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::domain::DomainRef;
use crate::sync::{Rank, SpinLock};

// Ordered, because the toolstack asks for "the first domain from N on".
static DOMAINS: SpinLock<BTreeMap<u16, DomainRef>> = SpinLock::new(Rank::DomainTable, BTreeMap::new());

/// The domain with a number; dying ones included until nothing of them is left.
pub(crate) fn find(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().get(&id.raw()).cloned()
}

/// The first domain whose number is at least `id`.
pub(crate) fn find_from(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().range(id.raw()..).next().map(|(_, domain)| domain.clone())
}

/// All domains, by number.
pub(crate) fn all() -> Vec<DomainRef> {
    DOMAINS.lock().values().cloned().collect()
}

/// The first number from `from` on that no domain has; round to 1 after the last.
pub(crate) fn unused_from(from: u16) -> Option<DomId> {
    let domains = DOMAINS.lock();
    let gap = |from: u16, end: u16| {
        let mut free = from;
        for id in domains.range(from..end).map(|(id, _)| *id) {
            if id != free {
                break;
            }
            free = free.saturating_add(1);
        }
        (free < end).then(|| DomId::new(free))
    };
    let from = if from == 0 { 1 } else { from };
    gap(from, DomId::FIRST_RESERVED.raw()).or_else(|| gap(1, from.min(DomId::FIRST_RESERVED.raw())))
}

/// Makes a domain known. EEXIST if the number is taken.
pub(crate) fn insert(domain: &DomainRef) -> Result<(), Errno> {
    let mut domains = DOMAINS.lock();
    if domains.contains_key(&domain.id.raw()) {
        return Err(Errno::EEXIST);
    }
    domains.insert(domain.id.raw(), domain.clone());
    Ok(())
}

/// Forgets a domain of which nothing is left.
pub(crate) fn remove(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().remove(&id.raw())
}
