// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which domains exist.
#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::domain::{Domain, DomainRef};
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

/// Makes a domain known. EEXIST if the number is taken.
pub(crate) fn insert(domain: Domain) -> Result<DomainRef, Errno> {
    let domain = Arc::new(domain);
    let mut domains = DOMAINS.lock();
    if domains.contains_key(&domain.id.raw()) {
        return Err(Errno::EEXIST);
    }
    domains.insert(domain.id.raw(), domain.clone());
    Ok(domain)
}

/// Forgets a domain of which nothing is left.
#[expect(dead_code, reason = "domain destruction comes with the toolstack")]
pub(crate) fn remove(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().remove(&id.raw())
}
