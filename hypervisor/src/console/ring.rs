// SPDX-License-Identifier: MIT OR Apache-2.0
//! The console ring: the last text printed, for whoever asks later (`XEN_SYSCTL_readconsole`, Xen header `sysctl.h`).
//!
//! Positions are free-running 32-bit counts of bytes, as in the ABI. The ring begins with a small size and can grow once the
//! command line is known; nothing is lost then.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

/// Size unless `conring_size=` says otherwise.
pub(crate) const DEFAULT_BYTES: usize = 16 << 10;

/// See the module documentation.
#[derive(Debug)]
pub(crate) struct ConsoleRing {
    /// A power of two long, or empty before [`ConsoleRing::resize`].
    bytes: Vec<u8>,
    /// Where the next byte goes.
    end: u32,
    /// The first byte that was not cleared; readers that do not say where start here.
    start: u32,
}

impl ConsoleRing {
    /// A ring that keeps nothing.
    pub(crate) const fn new() -> Self {
        Self { bytes: Vec::new(), end: 0, start: 0 }
    }

    /// Changes the size to at least `bytes`, keeping the newest text that fits. Allocates.
    pub(crate) fn resize(&mut self, bytes: usize) {
        let size = bytes.next_power_of_two();
        let mut larger = Self { bytes: alloc::vec![0; size], end: self.oldest(), start: self.start };
        let mut chunk = [0; 256];
        let mut at = self.oldest();
        loop {
            let (count, next) = self.copy(at, &mut chunk);
            if count == 0 {
                break;
            }
            larger.push(chunk.get(..count).unwrap_or(&[]));
            at = next;
        }
        *self = larger;
    }

    /// Adds text, over the oldest if need be.
    pub(crate) fn push(&mut self, text: &[u8]) {
        let size = self.bytes.len();
        if size == 0 {
            return;
        }
        for part in text.chunks(size) {
            let at = self.end as usize & (size - 1);
            let (first, rest) = part.split_at(part.len().min(size - at));
            self.bytes[at..at + first.len()].copy_from_slice(first);
            self.bytes[..rest.len()].copy_from_slice(rest);
            self.end = self.end.wrapping_add(part.len() as u32);
        }
        if self.len_from(self.start) > self.size() {
            self.start = self.oldest();
        }
    }

    /// Copies text into `out`, from position `from` if that is given and neither overwritten nor cleared, else from the first byte
    /// not cleared.
    /// Returns how many bytes, and the position behind them.
    pub(crate) fn read(&self, from: Option<u32>, out: &mut [u8]) -> (usize, u32) {
        let held = self.len_from(self.start);
        self.copy(from.filter(|at| self.len_from(*at) <= held).unwrap_or(self.start), out)
    }

    /// Copies text from a position that is still there, cleared or not.
    fn copy(&self, from: u32, out: &mut [u8]) -> (usize, u32) {
        let mask = self.bytes.len().wrapping_sub(1);
        let mut at = from;
        let mut count = 0;
        for slot in out.iter_mut().take(self.len_from(from) as usize) {
            let Some(byte) = self.bytes.get(at as usize & mask) else { break };
            *slot = *byte;
            at = at.wrapping_add(1);
            count += 1;
        }
        (count, at)
    }

    /// Forgets the text before a position that [`ConsoleRing::read`] returned, for readers that do not say where to start.
    pub(crate) fn clear(&mut self, before: u32) {
        if self.len_from(before) <= self.len_from(self.start) {
            self.start = before;
        }
    }

    /// The position behind the newest byte.
    #[cfg(test)]
    fn end(&self) -> u32 {
        self.end
    }

    fn size(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn len_from(&self, at: u32) -> u32 {
        self.end.wrapping_sub(at)
    }

    /// The first position whose byte is still there: also of cleared text. Positions begin at 0, and once that has come round
    /// again the ring is long full.
    fn oldest(&self) -> u32 {
        let since_start = self.len_from(self.start);
        if since_start > self.size() || self.end >= self.size() { self.end.wrapping_sub(self.size()) } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn all(ring: &ConsoleRing, from: Option<u32>) -> Vec<u8> {
        let mut out = [0; 4096];
        let (count, next) = ring.read(from, &mut out);
        assert_eq!(next, ring.end());
        out[..count].to_vec()
    }

    #[test]
    fn keeps_the_newest() {
        let mut ring = ConsoleRing::new();
        ring.push(b"lost");
        assert_eq!(all(&ring, None), b"");
        ring.resize(8);
        ring.push(b"hello ");
        assert_eq!(all(&ring, None), b"hello ");
        ring.push(b"world");
        assert_eq!(all(&ring, None), b"lo world");
        assert_eq!(all(&ring, Some(6)), b"world");
        assert_eq!(all(&ring, Some(1)), b"lo world");
        assert_eq!(all(&ring, Some(99)), b"lo world");
        ring.resize(16);
        ring.push(b"!!");
        assert_eq!(all(&ring, None), b"lo world!!");
    }

    #[test]
    fn clearing_hides_text_from_all_readers() {
        let mut ring = ConsoleRing::new();
        ring.resize(DEFAULT_BYTES);
        ring.push(b"one two");
        let mut out = [0; 4];
        let (count, next) = ring.read(None, &mut out);
        assert_eq!((count, next, &out), (4, 4, b"one "));
        ring.clear(next);
        assert_eq!(all(&ring, None), b"two");
        assert_eq!(all(&ring, Some(0)), b"two");
        assert_eq!(all(&ring, Some(5)), b"wo");
        ring.clear(1);
        assert_eq!(all(&ring, None), b"two");
        assert_eq!(all(&ring, Some(7)), b"");
    }

    proptest! {
        #[test]
        fn agrees_with_a_tail(texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), from: u32) {
            let mut ring = ConsoleRing::new();
            ring.resize(64);
            let mut model = Vec::new();
            for text in texts {
                ring.push(&text);
                model.extend(text);
            }
            let oldest = model.len().saturating_sub(64);
            prop_assert_eq!(&all(&ring, None), &model[oldest..]);
            let from = from % 900;
            let valid = (oldest..=model.len()).contains(&(from as usize));
            let expect = if valid { from as usize } else { oldest };
            prop_assert_eq!(&all(&ring, Some(from)), &model[expect..]);
        }
    }
}
