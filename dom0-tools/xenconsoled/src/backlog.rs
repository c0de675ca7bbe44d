// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What a guest has said and nobody has read yet: the last so many bytes.

use std::collections::VecDeque;

/// Bytes waiting for a reader. When it is full, the oldest go.
#[derive(Debug)]
pub(crate) struct Backlog {
    bytes: VecDeque<u8>,
    limit: usize,
    dropped: u64,
}

impl Backlog {
    pub(crate) fn new(limit: usize) -> Self {
        Self { bytes: VecDeque::new(), limit, dropped: 0 }
    }

    /// Adds bytes behind the others.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let keep = bytes.len().min(self.limit);
        let (_, tail) = bytes.split_at_checked(bytes.len() - keep).unwrap_or_default();
        let excess = (self.bytes.len() + keep).saturating_sub(self.limit);
        self.bytes.drain(..excess.min(self.bytes.len()));
        self.dropped += (excess + bytes.len() - keep) as u64;
        self.bytes.extend(tail);
    }

    /// The oldest bytes, as many as lie together.
    pub(crate) fn front(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// Removes the oldest bytes: they were read.
    pub(crate) fn remove(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        if self.bytes.is_empty() {
            // Many guests talk once at boot and never again.
            self.bytes = VecDeque::new();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How many bytes nobody will read.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_newest_stay() {
        let mut backlog = Backlog::new(4);
        backlog.add(b"abc");
        backlog.add(b"de");
        assert_eq!((backlog.front(), backlog.dropped()), (&b"bcde"[..], 1));
        backlog.add(b"0123456789");
        assert_eq!(backlog.dropped(), 11);
        backlog.remove(1);
        backlog.remove(backlog.front().len());
        backlog.remove(9);
        assert!(backlog.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_read_is_the_end_of_what_was_said(pieces in prop::collection::vec(any::<Vec<u8>>(), 0..20), limit in 0_usize..200) {
            let mut backlog = Backlog::new(limit);
            for piece in &pieces {
                backlog.add(piece);
            }
            let all = pieces.concat();
            let mut read = vec![];
            while !backlog.is_empty() {
                read.extend_from_slice(backlog.front());
                backlog.remove(backlog.front().len());
            }
            prop_assert_eq!(&read[..], &all[all.len() - all.len().min(limit)..]);
            prop_assert_eq!(backlog.dropped() as usize, all.len() - read.len());
        }
    }
}
