// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain's ring page (`struct xenstore_domain_interface`). The domain may write anything there at any time: each counter is read once,
//! checked, and our own two are kept here and never believed from the page.

use hypercalls::io::xs_wire::{ConnectionError, RING_SIZE, ServerFeatures, XenstoreDomainInterface};
use std::mem::offset_of;
use std::sync::atomic::{Ordering, fence};
use xen_sys::{OutOfBounds, SharedMemory};

const REQUESTS: usize = offset_of!(XenstoreDomainInterface, req);
const ANSWERS: usize = offset_of!(XenstoreDomainInterface, rsp);
const REQ_CONS: usize = offset_of!(XenstoreDomainInterface, req_cons);
const REQ_PROD: usize = offset_of!(XenstoreDomainInterface, req_prod);
const RSP_CONS: usize = offset_of!(XenstoreDomainInterface, rsp_cons);
const RSP_PROD: usize = offset_of!(XenstoreDomainInterface, rsp_prod);
const FEATURES: usize = offset_of!(XenstoreDomainInterface, server_features);
const ERROR: usize = offset_of!(XenstoreDomainInterface, error);

/// The domain broke the rules of the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Counters that are too far apart.
    Counters,
    /// A message that announces more than 4096 bytes.
    TooLong,
    /// It does not read what it is sent.
    NotReading,
    /// The page is no page; cannot happen.
    Page(OutOfBounds),
}

impl From<OutOfBounds> for Broken {
    fn from(error: OutOfBounds) -> Self {
        Self::Page(error)
    }
}

impl Broken {
    /// What the domain finds in its page.
    pub(crate) fn code(self) -> ConnectionError {
        match self {
            Self::Counters => ConnectionError::RINGIDX,
            Self::TooLong => ConnectionError::PROTO,
            Self::NotReading | Self::Page(_) => ConnectionError::COMM,
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Counters => f.write_str("its ring counters are too far apart"),
            Self::TooLong => f.write_str("it announced a message of more than 4096 bytes"),
            Self::NotReading => f.write_str("it does not read its messages"),
            Self::Page(error) => error.fmt(f),
        }
    }
}

/// Our end of the ring.
#[derive(Debug)]
pub(crate) struct Ring<P> {
    page: P,
    /// Read up to here; the domain sees it after [`Ring::publish`].
    pub(crate) consumed: u32,
    /// Written up to here.
    pub(crate) produced: u32,
}

impl<P: std::ops::Deref<Target = SharedMemory>> Ring<P> {
    /// Goes on where the page says: for a page that was new, or read by another server before.
    pub(crate) fn open(page: P) -> Result<Self, Broken> {
        let (consumed, produced) = (page.load_u32(REQ_CONS)?, page.load_u32(RSP_PROD)?);
        page.store_u32(FEATURES, ServerFeatures::ERROR.bits())?;
        page.store_u32(ERROR, ConnectionError::NONE.raw())?;
        Ok(Self { page, consumed, produced })
    }

    /// Empties both directions: for a domain that starts afresh.
    pub(crate) fn clear(&mut self) -> Result<(), Broken> {
        (self.consumed, self.produced) = (0, 0);
        self.page.store_u32(ERROR, ConnectionError::NONE.raw())?;
        [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD].iter().try_for_each(|at| self.page.store_u32(*at, 0))?;
        Ok(())
    }

    /// Takes what the domain has sent, at most `most` bytes, but does not give the room back yet.
    pub(crate) fn take(&mut self, most: usize) -> Result<Vec<u8>, Broken> {
        let available = self.page.load_u32(REQ_PROD)?.wrapping_sub(self.consumed) as usize;
        if available > RING_SIZE {
            return Err(Broken::Counters);
        }
        let mut bytes = vec![0; available.min(most)];
        let start = self.consumed as usize % RING_SIZE;
        let cut = bytes.len().min(RING_SIZE.saturating_sub(start));
        let (one, two) = bytes.split_at_mut(cut);
        self.page.read(REQUESTS.saturating_add(start), one)?;
        self.page.read(REQUESTS, two)?;
        self.consumed = self.consumed.wrapping_add(bytes.len() as u32);
        Ok(bytes)
    }

    /// Gives the room back of all that was taken; says whether the domain did not know yet.
    pub(crate) fn publish(&mut self) -> Result<bool, Broken> {
        let news = self.page.load_u32(REQ_CONS)? != self.consumed;
        if news {
            self.page.store_u32(REQ_CONS, self.consumed)?;
            fence(Ordering::SeqCst);
        }
        Ok(news)
    }

    /// Whether there is something to take. To be asked after [`Ring::publish`]: Linux signals a request only if it sees that all before it
    /// were taken, so what came while it could not see that came without a signal.
    pub(crate) fn has_more(&self) -> Result<bool, Broken> {
        Ok(self.page.load_u32(REQ_PROD)? != self.consumed)
    }

    /// How much can be put. If it is nothing, the domain signals when it has read: it saw a full ring. If it was something, that must be used
    /// or asked for again.
    pub(crate) fn room(&self) -> Result<usize, Broken> {
        let unread = self.produced.wrapping_sub(self.page.load_u32(RSP_CONS)?) as usize;
        RING_SIZE.checked_sub(unread).ok_or(Broken::Counters)
    }

    /// Sends bytes, for which there must be room.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let start = self.produced as usize % RING_SIZE;
        let (one, two) = bytes.split_at(bytes.len().min(RING_SIZE.saturating_sub(start)));
        self.page.write(ANSWERS.saturating_add(start), one)?;
        self.page.write(ANSWERS, two)?;
        self.produced = self.produced.wrapping_add(bytes.len() as u32);
        self.page.store_u32(RSP_PROD, self.produced)?;
        // Before the next look at what the domain has read.
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// Tells the domain that it is not served any more.
    pub(crate) fn refuse(&self, why: Broken) -> Result<(), OutOfBounds> {
        self.page.store_u32(ERROR, why.code().raw())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The domain's end.
    pub(crate) struct Guest<'p>(pub(crate) &'p SharedMemory);

    impl Guest<'_> {
        pub(crate) fn send(&self, bytes: &[u8]) -> usize {
            let prod = self.0.load_u32(REQ_PROD).unwrap();
            let room = RING_SIZE - prod.wrapping_sub(self.0.load_u32(REQ_CONS).unwrap()) as usize;
            let sent = bytes.len().min(room);
            for (n, byte) in bytes[..sent].iter().enumerate() {
                self.0.write(REQUESTS + (prod as usize + n) % RING_SIZE, &[*byte]).unwrap();
            }
            self.0.store_u32(REQ_PROD, prod.wrapping_add(sent as u32)).unwrap();
            sent
        }

        pub(crate) fn receive(&self, most: usize) -> Vec<u8> {
            let cons = self.0.load_u32(RSP_CONS).unwrap();
            let available = self.0.load_u32(RSP_PROD).unwrap().wrapping_sub(cons) as usize;
            assert!(available <= RING_SIZE);
            let mut bytes = vec![0; available.min(most)];
            for (n, byte) in bytes.iter_mut().enumerate() {
                self.0.read(ANSWERS + (cons as usize + n) % RING_SIZE, std::slice::from_mut(byte)).unwrap();
            }
            self.0.store_u32(RSP_CONS, cons.wrapping_add(bytes.len() as u32)).unwrap();
            bytes
        }
    }

    #[test]
    fn bytes_pass_both_ways_around_the_end() {
        let page = SharedMemory::private(4096).unwrap();
        // Just before the counters wrap.
        for at in [REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD] {
            page.store_u32(at, u32::MAX - 700).unwrap();
        }
        let (guest, mut ring) = (Guest(&page), Ring::open(&page).unwrap());
        let (mut next_in, mut next_out) = (0_u8, 0_u8);
        for len in (1..300).chain([1024, 1024, 1]) {
            let request: Vec<u8> = (0..len).map(|n| next_in.wrapping_add(n as u8)).collect();
            assert_eq!(guest.send(&request), len);
            let one = ring.take(len / 2).unwrap();
            let two = ring.take(usize::MAX).unwrap();
            assert_eq!([one, two].concat(), request);
            assert_eq!(guest.send(&[0; 2000]), RING_SIZE - len);
            page.store_u32(REQ_PROD, ring.consumed).unwrap();
            assert_eq!((ring.publish(), ring.publish()), (Ok(true), Ok(false)));
            next_in = next_in.wrapping_add(len as u8);
            let answer: Vec<u8> = (0..len).map(|n| next_out.wrapping_sub(n as u8)).collect();
            assert_eq!(ring.room(), Ok(RING_SIZE));
            ring.put(&answer).unwrap();
            assert_eq!(ring.room(), Ok(RING_SIZE - len));
            assert_eq!(guest.receive(2000), answer);
            next_out = next_out.wrapping_add(1);
        }
    }

    #[test]
    fn impossible_counters_are_seen() {
        let page = SharedMemory::private(4096).unwrap();
        let mut ring = Ring::open(&page).unwrap();
        page.store_u32(REQ_PROD, 1025).unwrap();
        assert_eq!(ring.take(usize::MAX), Err(Broken::Counters));
        page.store_u32(RSP_CONS, 1).unwrap();
        assert_eq!(ring.room(), Err(Broken::Counters));
        ring.refuse(Broken::Counters).unwrap();
        assert_eq!(page.load_u32(ERROR), Ok(ConnectionError::RINGIDX.raw()));
        // Our own counters are not the domain's to change.
        page.store_u32(REQ_CONS, 99).unwrap();
        page.store_u32(REQ_PROD, 3).unwrap();
        assert_eq!(ring.take(usize::MAX).map(|bytes| bytes.len()), Ok(3));
    }
}
