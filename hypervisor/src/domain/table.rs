// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which domains exist.
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::domain::DomainRef;
use crate::sync::{Rank, SpinLock};

/// Numbers that share an allocation.
const CHUNK: usize = 64;

type Chunk = [Option<DomainRef>; CHUNK];

/// Domains by number: a look-up is two loads whatever their number is, and memory is only used where there are some.
struct Table {
    chunks: Vec<Option<Box<Chunk>>>,
}

static DOMAINS: SpinLock<Table> = SpinLock::new(Rank::DomainTable, Table { chunks: Vec::new() });

impl Table {
    #[inline(always)]
    fn get(&self, id: u16) -> Option<&DomainRef> {
        self.chunks.get(usize::from(id) / CHUNK)?.as_ref()?[usize::from(id) % CHUNK].as_ref()
    }

    /// Domains with at least this number, in order.
    fn from(&self, id: u16) -> impl Iterator<Item = &DomainRef> {
        let (first, mut skip) = (usize::from(id) / CHUNK, usize::from(id) % CHUNK);
        self.chunks.iter().skip(first).flat_map(move |chunk| {
            let skip = core::mem::take(&mut skip);
            chunk.iter().flat_map(|chunk| chunk.iter()).skip(skip).flatten()
        })
    }
}

/// The domain with a number; dying ones included until nothing of them is left.
#[inline]
pub(crate) fn find(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().get(id.raw()).cloned()
}

/// The first domain whose number is at least `id`.
pub(crate) fn find_from(id: DomId) -> Option<DomainRef> {
    DOMAINS.lock().from(id.raw()).next().cloned()
}

/// All domains, by number.
pub(crate) fn all() -> Vec<DomainRef> {
    DOMAINS.lock().from(0).cloned().collect()
}

/// The first number from `from` on that no domain has; round to 1 after the last.
pub(crate) fn unused_from(from: u16) -> Option<DomId> {
    let domains = DOMAINS.lock();
    let end = DomId::FIRST_RESERVED.raw();
    let gap = |from: u16, end: u16| (from..end).find(|id| domains.get(*id).is_none()).map(DomId::new);
    let from = from.max(1);
    gap(from, end).or_else(|| gap(1, from.min(end)))
}

/// Makes a domain known. EEXIST if the number is taken.
pub(crate) fn insert(domain: &DomainRef) -> Result<(), Errno> {
    let (number, slot) = (usize::from(domain.id.raw()) / CHUNK, usize::from(domain.id.raw()) % CHUNK);
    let mut domains = DOMAINS.lock();
    if domains.chunks.len() <= number {
        domains.chunks.resize_with(number + 1, || None);
    }
    let chunk = domains.chunks[number].get_or_insert_with(|| Box::new([const { None }; CHUNK]));
    if chunk[slot].is_some() {
        return Err(Errno::EEXIST);
    }
    chunk[slot] = Some(domain.clone());
    Ok(())
}

/// Forgets a domain of which nothing is left.
pub(crate) fn remove(id: DomId) -> Option<DomainRef> {
    let mut domains = DOMAINS.lock();
    let place = domains.chunks.get_mut(usize::from(id.raw()) / CHUNK)?;
    let chunk = place.as_mut()?;
    let removed = chunk[usize::from(id.raw()) % CHUNK].take();
    if chunk.iter().all(Option::is_none) {
        *place = None;
    }
    removed
}
