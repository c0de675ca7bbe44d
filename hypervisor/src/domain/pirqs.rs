// SPDX-License-Identifier: MIT OR Apache-2.0
//! The physical interrupts a domain knows: its pirq numbers and what stands behind each.
//!
//! Numbers below the machine's GSI count are for GSIs, by custom the same number; messages take free numbers from the top down, as
//! Xen gives them out.
#![forbid(unsafe_code)]

use alloc::{vec, vec::Vec};

use hypercalls::{errno::Errno, ids::Pirq};

/// What a pirq is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// An IO-APIC line.
    Gsi(u32),
    /// A message-signalled interrupt; the vector identifies it.
    Message {
        /// The vector the device was told.
        vector: u8,
    },
}

/// One number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Entry {
    Free,
    /// Promised to the guest by `PHYSDEVOP_get_free_pirq`.
    Promised,
    Mapped {
        source: Source,
        bound: bool,
    },
}

/// A domain's pirqs.
#[derive(Debug, Default)]
pub(crate) struct PirqTable {
    entries: Vec<Entry>,
    gsis: u32,
}

impl PirqTable {
    /// Numbers for `gsis` lines and `messages` more.
    pub(crate) fn new(gsis: u32, messages: u32) -> Self {
        Self { entries: vec![Entry::Free; (gsis + messages) as usize], gsis }
    }

    /// One past the largest number.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }

    /// Whether a number can exist.
    pub(crate) fn is_valid(&self, pirq: Pirq) -> bool {
        pirq.raw() < self.count()
    }

    /// What stands behind a number.
    pub(crate) fn source(&self, pirq: Pirq) -> Option<Source> {
        match self.entry(pirq) {
            Some(&Entry::Mapped { source, .. }) => Some(source),
            _ => None,
        }
    }

    /// Whether an event channel is bound to it.
    pub(crate) fn is_bound(&self, pirq: Pirq) -> bool {
        matches!(self.entry(pirq), Some(Entry::Mapped { bound: true, .. }))
    }

    /// The number of a source.
    pub(crate) fn find(&self, wanted: Source) -> Option<Pirq> {
        let place =
            self.entries.iter().position(|entry| matches!(entry, Entry::Mapped { source, .. } if *source == wanted))?;
        u32::try_from(place).ok().map(Pirq::new)
    }

    /// The number a new mapping would get: the wanted one, an existing mapping's of the same GSI, or a free one.
    ///
    /// # Errors
    /// EINVAL for a number out of range, EEXIST when it means something else already, ENOSPC when none is free.
    pub(crate) fn choose(&self, source: Option<Source>, wanted: Option<Pirq>) -> Result<Pirq, Errno> {
        if let Some(existing) = source.and_then(|source| self.find(source)) {
            return match wanted {
                Some(wanted) if wanted != existing => Err(Errno::EEXIST),
                _ => Ok(existing),
            };
        }
        let Some(wanted) = wanted else {
            return match source {
                Some(Source::Gsi(gsi)) if self.is_free(Pirq::new(gsi)) => Ok(Pirq::new(gsi)),
                Some(Source::Gsi(_)) => self.free_numbers(16..self.gsis).next().ok_or(Errno::ENOSPC),
                _ => self.free_message_number(),
            };
        };
        match self.entry(wanted) {
            None => Err(Errno::EINVAL),
            Some(Entry::Mapped { .. }) => Err(Errno::EEXIST),
            Some(Entry::Free | Entry::Promised) => Ok(wanted),
        }
    }

    /// Records a mapping under a number from [`Self::choose`]. A GSI mapped already stays as it is.
    pub(crate) fn map(&mut self, pirq: Pirq, source: Source) {
        if let Some(entry) = self.entry_mut(pirq)
            && !matches!(entry, Entry::Mapped { .. })
        {
            *entry = Entry::Mapped { source, bound: false };
        }
    }

    /// Promises a number for a later mapping of a message.
    ///
    /// # Errors
    /// ENOSPC.
    pub(crate) fn promise(&mut self) -> Result<Pirq, Errno> {
        let pirq = self.free_message_number()?;
        if let Some(entry) = self.entry_mut(pirq) {
            *entry = Entry::Promised;
        }
        Ok(pirq)
    }

    /// Forgets a mapping; what it was, for the caller to silence.
    ///
    /// # Errors
    /// EINVAL when there is none.
    pub(crate) fn unmap(&mut self, pirq: Pirq) -> Result<Source, Errno> {
        let entry = self.entry_mut(pirq).ok_or(Errno::EINVAL)?;
        match core::mem::replace(entry, Entry::Free) {
            Entry::Mapped { source, .. } => Ok(source),
            Entry::Free | Entry::Promised => Err(Errno::EINVAL),
        }
    }

    /// Takes all mappings, at the domain's end.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Source> {
        self.entries.iter_mut().filter_map(|entry| match core::mem::replace(entry, Entry::Free) {
            Entry::Mapped { source, .. } => Some(source),
            Entry::Free | Entry::Promised => None,
        })
    }

    /// Notes whether an event channel is bound; the source to open or close.
    ///
    /// # Errors
    /// EINVAL when the number is not mapped, EEXIST when it is bound already.
    pub(crate) fn set_bound(&mut self, pirq: Pirq, to: bool) -> Result<Source, Errno> {
        match self.entry_mut(pirq) {
            Some(Entry::Mapped { bound: true, .. }) if to => Err(Errno::EEXIST),
            Some(Entry::Mapped { source, bound }) => {
                *bound = to;
                Ok(*source)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn entry(&self, pirq: Pirq) -> Option<&Entry> {
        self.entries.get(pirq.raw() as usize)
    }

    fn entry_mut(&mut self, pirq: Pirq) -> Option<&mut Entry> {
        self.entries.get_mut(pirq.raw() as usize)
    }

    fn is_free(&self, pirq: Pirq) -> bool {
        self.entry(pirq) == Some(&Entry::Free)
    }

    fn free_numbers(&self, range: core::ops::Range<u32>) -> impl DoubleEndedIterator<Item = Pirq> {
        range.map(Pirq::new).filter(|&pirq| self.is_free(pirq))
    }

    fn free_message_number(&self) -> Result<Pirq, Errno> {
        self.free_numbers(self.gsis..self.count()).next_back().ok_or(Errno::ENOSPC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Source = Source::Gsi(11);

    #[test]
    fn gsis_keep_their_number() {
        let mut table = PirqTable::new(24, 8);
        let pirq = table.choose(Some(LINE), Some(Pirq::new(11))).unwrap();
        table.map(pirq, LINE);
        assert_eq!(table.choose(Some(LINE), Some(Pirq::new(11))), Ok(Pirq::new(11)));
        assert_eq!(table.choose(Some(LINE), Some(Pirq::new(12))), Err(Errno::EEXIST));
        assert_eq!(table.choose(Some(Source::Gsi(12)), Some(Pirq::new(11))), Err(Errno::EEXIST));
        assert_eq!(table.choose(Some(Source::Gsi(12)), None), Ok(Pirq::new(12)));
        assert_eq!(table.choose(Some(Source::Gsi(12)), Some(Pirq::new(32))), Err(Errno::EINVAL));
    }

    #[test]
    fn messages_come_from_the_top() {
        let mut table = PirqTable::new(24, 2);
        assert_eq!(table.promise(), Ok(Pirq::new(25)));
        assert_eq!(table.choose(None, Some(Pirq::new(25))), Ok(Pirq::new(25)));
        let pirq = table.choose(None, None).unwrap();
        assert_eq!(pirq, Pirq::new(24));
        table.map(pirq, Source::Message { vector: 0x31 });
        assert_eq!(table.choose(None, None), Err(Errno::ENOSPC));
        assert_eq!(table.unmap(pirq), Ok(Source::Message { vector: 0x31 }));
        assert_eq!(table.unmap(pirq), Err(Errno::EINVAL));
    }

    #[test]
    fn binding_once() {
        let mut table = PirqTable::new(24, 0);
        assert_eq!(table.set_bound(Pirq::new(11), true), Err(Errno::EINVAL));
        table.map(Pirq::new(11), LINE);
        assert_eq!(table.set_bound(Pirq::new(11), true), Ok(LINE));
        assert!(table.is_bound(Pirq::new(11)));
        assert_eq!(table.set_bound(Pirq::new(11), true), Err(Errno::EEXIST));
        assert_eq!(table.set_bound(Pirq::new(11), false), Ok(LINE));
        assert_eq!(table.drain().collect::<Vec<_>>(), [LINE]);
        assert_eq!(table.source(Pirq::new(11)), None);
    }
}
