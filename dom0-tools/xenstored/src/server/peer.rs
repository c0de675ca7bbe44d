// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One client: a local one on a socket, or the ring of a domain.

use super::queue::Queue;
use super::record::Progress;
use super::ring::{Broken, Ring};
use hypercalls::ids::{DomId, Port};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::os::unix::net::UnixStream;
use xen_sys::{ForeignMapping, GrantMapping, SharedMemory};

/// A ring page, by the way it was mapped.
#[derive(Debug)]
pub(crate) enum Page {
    /// dom0's kernel offered it.
    Own(SharedMemory),
    /// The domain granted it.
    Granted(GrantMapping),
    /// The toolstack named its frame.
    Foreign(ForeignMapping),
    /// A test made it, and plays the domain.
    #[cfg(test)]
    Test(std::sync::Arc<SharedMemory>),
}

impl Deref for Page {
    type Target = SharedMemory;

    fn deref(&self) -> &SharedMemory {
        match self {
            Self::Own(page) => page,
            Self::Granted(page) => page,
            Self::Foreign(page) => page,
            #[cfg(test)]
            Self::Test(page) => page,
        }
    }
}

/// The ring of a domain.
#[derive(Debug)]
pub(crate) struct DomainRing {
    pub(crate) domain: DomId,
    pub(crate) ring: Ring<Page>,
    /// Our end of its channel; none in tests.
    pub(crate) port: Option<Port>,
    /// An event came for the port, which is masked since.
    pub(crate) masked: bool,
    /// More was read, or handled, since this was last written down.
    pub(crate) dirty: bool,
}

#[derive(Debug)]
pub(crate) enum Link {
    Socket(UnixStream),
    Ring(Box<DomainRing>),
}

/// Why a client is not served any more.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It closed its connection.
    Closed,
    /// Its connection failed.
    Failed(io::Error),
    /// It broke the protocol.
    Broken(Broken),
}

impl From<Broken> for Ended {
    fn from(why: Broken) -> Self {
        Self::Broken(why)
    }
}

/// A client.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) link: Link,
    /// Read, but not handled yet.
    pub(crate) input: Vec<u8>,
    pub(crate) queue: Queue,
    /// In the list of those that may have requests.
    pub(crate) ready: bool,
    /// In the list of those to be told something at the end of the turn.
    pub(crate) touched: bool,
    /// Has requests that wait until it reads its answers.
    pub(crate) stalled: bool,
    /// A socket has no room for more; the kernel says when it has.
    pub(crate) blocked: bool,
    /// A socket was read to its end; the kernel says when there is more.
    pub(crate) drained: bool,
    /// The other end was closed; the kernel has said so, and says nothing more.
    pub(crate) hung_up: bool,
    pub(crate) ended: Option<Ended>,
}

impl Peer {
    pub(crate) fn new(link: Link) -> Self {
        let queue = Queue::default();
        Self {
            link,
            input: Vec::new(),
            queue,
            ready: false,
            touched: false,
            stalled: false,
            blocked: false,
            drained: false,
            hung_up: false,
            ended: None,
        }
    }

    pub(crate) fn of_ring(domain: DomId, ring: Ring<Page>, port: Option<Port>) -> Self {
        Self::new(Link::Ring(Box::new(DomainRing { domain, ring, port, masked: false, dirty: false })))
    }

    /// What is written down of the input is not true any more.
    pub(crate) fn mark_dirty(&mut self) {
        if let Some(own) = self.ring_mut() {
            own.dirty = true;
        }
    }

    pub(crate) fn ring_mut(&mut self) -> Option<&mut DomainRing> {
        match &mut self.link {
            Link::Ring(ring) => Some(ring),
            Link::Socket(_) => None,
        }
    }

    /// The domain whose ring it is.
    pub(crate) fn domain(&self) -> Option<DomId> {
        match &self.link {
            Link::Ring(ring) => Some(ring.domain),
            Link::Socket(_) => None,
        }
    }

    /// How far the ring has come, to be written down whole.
    pub(crate) fn progress(&self) -> Option<(DomId, Progress)> {
        let Link::Ring(own) = &self.link else { return None };
        // The first message began before what of it is out already.
        let produced = own.ring.produced.wrapping_sub(self.queue.sent() as u32);
        let output = self.queue.messages().map(<[u8]>::to_vec).collect();
        Some((own.domain, Progress { consumed: own.ring.consumed, input: self.input.clone(), produced, output }))
    }

    /// Reads more; says whether there was anything.
    pub(crate) fn fill(&mut self) -> Result<bool, Ended> {
        // Not filled with zeros: that would take longer than the reading.
        let mut part = [MaybeUninit::uninit(); 8192];
        let size = part.len();
        let got = match &mut self.link {
            Link::Ring(own) => {
                let bytes = own.ring.take(usize::MAX)?;
                self.input.extend_from_slice(&bytes);
                return Ok(!bytes.is_empty());
            }
            Link::Socket(_) if self.drained => return Ok(false),
            Link::Socket(socket) => rustix::io::read(socket, &mut part),
        };
        match got {
            Ok(([], _)) => Err(Ended::Closed),
            Ok((got, _)) => {
                self.input.extend_from_slice(got);
                self.drained = got.len() < size && !self.hung_up;
                Ok(true)
            }
            Err(Errno::AGAIN) => Ok(false),
            // It is tried again in the next turn.
            Err(Errno::INTR) => Ok(true),
            Err(error) => Err(Ended::Failed(error.into())),
        }
    }

    /// Whether a request came while the domain could not see that we read on.
    pub(crate) fn has_more(&self) -> Result<bool, Ended> {
        match &self.link {
            Link::Ring(own) => Ok(own.ring.has_more()?),
            Link::Socket(_) => Ok(false),
        }
    }

    /// Sends what fits; says whether the other end of a ring has something to look at.
    pub(crate) fn flush(&mut self) -> Result<bool, Ended> {
        match &mut self.link {
            Link::Ring(own) => {
                let mut news = own.ring.publish()?;
                loop {
                    let part = self.queue.next(own.ring.room()?);
                    if part.is_empty() {
                        return Ok(news);
                    }
                    own.ring.put(&part)?;
                    self.queue.advance(part.len());
                    news = true;
                }
            }
            Link::Socket(socket) => {
                self.blocked = false;
                while !self.queue.is_empty() {
                    let part = self.queue.next(65_536);
                    match rustix::net::send(&*socket, &part, rustix::net::SendFlags::NOSIGNAL) {
                        Ok(sent) => self.queue.advance(sent),
                        Err(Errno::INTR) => {}
                        Err(Errno::AGAIN) => {
                            self.blocked = true;
                            break;
                        }
                        Err(error) => return Err(Ended::Failed(error.into())),
                    }
                }
                Ok(false)
            }
        }
    }
}
