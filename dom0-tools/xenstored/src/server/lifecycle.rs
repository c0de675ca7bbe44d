// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Domains come and go.

use super::hub::Hub;
use super::peer::{Link, Page, Peer};
use super::queue::Queue;
use super::ring::Ring;
use crate::store::{Action, ConnId, Outcome};
use hypercalls::ids::{DomId, Port};
use xenstore::{Error, Message};

impl Hub {
    /// Carries out [`Action::Introduce`]: all of it, or nothing.
    pub(super) fn introduce(
        &mut self,
        from: ConnId,
        request: &Message,
        domain: DomId,
        frame: u64,
        remote: u32,
    ) -> Outcome {
        let (ring, port) = match self.open(domain, frame, remote) {
            Ok(opened) => opened,
            Err(why) => {
                self.log.domain(domain, format_args!("cannot be introduced: {why}"));
                return Outcome { messages: vec![(from, request.refusal(Error::Invalid))], ..Outcome::default() };
            }
        };
        let outcome = self.store.introduced(from, request, domain, frame, remote);
        self.note_effects();
        let Some(id) = self.store.ring_of(domain) else { return outcome };
        if let Some(xen) = &mut self.xen {
            xen.ports.insert(port, id);
        }
        if let Some(ring) = ring {
            self.add(id, Peer::of_ring(domain, ring, Some(port)));
        } else if let Some(peer) = self.peers.get_mut(&id) {
            peer.input.clear();
            peer.queue = Queue::default();
            peer.ended = None;
        }
        self.note_progress(id);
        self.wake(id);
        outcome
    }

    /// Maps the page and binds the channel. Of a domain that is known only the channel is new, and its ring starts afresh.
    fn open(&mut self, domain: DomId, frame: u64, remote: u32) -> Result<(Option<Ring<Page>>, Port), String> {
        let known = self.rings.get(&domain).and_then(|id| self.peers.get_mut(id));
        let Some(xen) = &mut self.xen else { return Err("there is no Xen".to_owned()) };
        let Some(own) = known.and_then(Peer::ring_mut) else {
            let page = xen.map(domain, frame)?;
            let ring = Ring::open(page).map_err(|why| why.to_string())?;
            return Ok((Some(ring), xen.bind(domain, remote)?));
        };
        if let Some(port) = own.port.take() {
            xen.unbind(port).map_err(|error| error.to_string())?;
        }
        let port = xen.bind(domain, remote)?;
        own.port = Some(port);
        own.ring.clear().map_err(|why| why.to_string())?;
        Ok((None, port))
    }

    /// The store knows the domain no more.
    pub(super) fn drop_ring(&mut self, domain: DomId) {
        let Some(peer) = self.rings.remove(&domain).and_then(|id| self.peers.remove(&id)) else { return };
        if let (Link::Ring(own), Some(xen)) = (peer.link, &mut self.xen)
            && let Some(port) = own.port
            && let Err(error) = xen.unbind(port)
        {
            self.log.line(format_args!("domain {}: its event channel: {error}", domain.raw()));
        }
    }

    /// Looks which domains have died.
    pub(super) fn look_for_dead(&mut self) {
        let Some(xen) = &self.xen else { return };
        let there = match xen.domains() {
            Ok(there) => there,
            Err(why) => return self.log.line(format_args!("{why}")),
        };
        let known: Vec<DomId> = self.store.rings().map(|ring| ring.domain).filter(|id| *id != DomId::DOM0).collect();
        for domain in known {
            let outcome = match there.get(&domain) {
                Some(info) if info.dying => self.store.domain_gone(domain),
                Some(info) if info.shutdown.is_some() => self.store.domain_shut_down(domain),
                Some(_) => continue,
                None => self.store.domain_gone(domain),
            };
            if let Some(Action::Release(domain)) = self.deliver(outcome, None) {
                self.log.forget(domain);
            }
        }
    }
}
