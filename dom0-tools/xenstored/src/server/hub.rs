// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The turns of the server. A turn takes one request at a time from each client that has any, round and round, until nothing is left or the
//! turn has been long enough; writes down what was done; and only then sends answers and gives room in the rings back.

use super::journal::Journal;
use super::log::Log;
use super::peer::{Ended, Link, Peer};
use super::queue::Queue;
use super::record::Entry;
use super::ring::Broken;
use super::xen::Xen;
use crate::Quota;
use crate::store::{Action, ConnId, Outcome, Store};
use hypercalls::ids::DomId;
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};
use xenstore::Message;

/// So many requests in a turn, ...
const REQUESTS: usize = 256;
/// ... or so long. The clock is a system call in a PV domain, so it is asked after so many requests.
const LOOK_AT_CLOCK: usize = 16;
const LONG: Duration = Duration::from_millis(5);
/// A local client with so many unread bytes has to read before it may ask on, ...
const LOCAL_STALL: usize = 1 << 20;
/// ... and is closed with so many.
const LOCAL_MOST: usize = 16 << 20;

/// A domain that made so many events which dom0's kernel has not read yet has to wait until it has.
const CAUSED: usize = 256;

/// The server, without its event loop.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) xen: Option<Xen>,
    pub(crate) peers: HashMap<ConnId, Peer>,
    journal: Option<Journal>,
    pub(super) rings: HashMap<DomId, ConnId>,
    // Events each domain made that wait for dom0's kernel.
    caused: HashMap<DomId, usize>,
    ready: VecDeque<ConnId>,
    touched: Vec<ConnId>,
    /// Local clients that began, or ceased, to have no room for more.
    pub(crate) blocked_changed: Vec<ConnId>,
    entries: Vec<Entry>,
}

impl Hub {
    pub(crate) fn new(store: Store, log: Log, xen: Option<Xen>) -> Self {
        Self {
            store,
            log,
            xen,
            peers: HashMap::new(),
            journal: None,
            rings: HashMap::new(),
            caused: HashMap::new(),
            ready: VecDeque::new(),
            touched: Vec::new(),
            blocked_changed: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// Whether a turn would find something to do.
    pub(crate) fn is_busy(&self) -> bool {
        !self.ready.is_empty() || !self.touched.is_empty()
    }

    /// Takes a client on.
    pub(crate) fn add(&mut self, id: ConnId, peer: Peer) {
        if let Some(domain) = peer.domain() {
            self.rings.insert(domain, id);
        }
        self.peers.insert(id, peer);
        self.make_ready(id);
        self.touch(id);
    }

    /// A client may have sent or read something.
    pub(crate) fn wake(&mut self, id: ConnId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.drained = false;
        }
        self.make_ready(id);
        self.touch(id);
    }

    /// The other end of a socket was closed; what it sent before is still there.
    pub(crate) fn hang_up(&mut self, id: ConnId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.hung_up = true;
        }
    }

    fn make_ready(&mut self, id: ConnId) {
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.ready && peer.ended.is_none()) {
            peer.ready = true;
            self.ready.push_back(id);
        }
    }

    fn touch(&mut self, id: ConnId) {
        if let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.touched) {
            peer.touched = true;
            self.touched.push(id);
        }
    }

    /// One turn.
    pub(crate) fn turn(&mut self) {
        let mut start = None;
        for served in 1..=REQUESTS {
            let Some(id) = self.ready.pop_front() else { break };
            self.serve(id);
            if served % LOOK_AT_CLOCK == 0 && start.get_or_insert_with(Instant::now).elapsed() > LONG {
                break;
            }
        }
        self.finish();
    }

    /// A turn that the server does not live to the end of: it dies before anything is written down (0), before anybody sees anything (1),
    /// between the two ways of a ring (2), or after all of it.
    #[cfg(test)]
    pub(super) fn turn_until(&mut self, dies: Option<usize>) {
        while let Some(id) = self.ready.pop_front() {
            self.serve(id);
        }
        match dies {
            Some(0) => {}
            Some(1) => {
                self.note_inputs();
                self.write_down();
            }
            Some(2) => {
                self.note_inputs();
                self.write_down();
                for peer in self.peers.values_mut() {
                    if let Some(own) = peer.ring_mut() {
                        own.ring.publish().unwrap();
                    }
                }
            }
            _ => self.finish(),
        }
    }

    /// Handles one request of a client, if it has one.
    fn serve(&mut self, id: ConnId) {
        let limits = *self.store.limits();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.ready = false;
        if peer.ended.is_some() {
            return;
        }
        let stalls = match peer.domain() {
            Some(DomId::DOM0) => false,
            Some(domain) => {
                peer.queue.len() as u64 >= limits.get(Quota::Outstanding)
                    || self.caused.get(&domain).is_some_and(|caused| *caused >= CAUSED)
            }
            None => peer.queue.bytes() > LOCAL_STALL,
        };
        peer.stalled = stalls;
        if stalls {
            return self.touch(id);
        }
        let mut filled = false;
        // A whole request, or nothing yet.
        let request = loop {
            match Message::decode(&peer.input) {
                Ok(Some((request, used))) => {
                    peer.input.drain(..used);
                    peer.mark_dirty();
                    break Some(request);
                }
                Ok(None) if filled => break None,
                Ok(None) => match peer.fill() {
                    Ok(true) => {
                        peer.mark_dirty();
                        filled = true;
                    }
                    Ok(false) => return self.touch(id),
                    Err(why) => return self.end(id, why),
                },
                Err(_) => return self.end(id, Broken::TooLong.into()),
            }
        };
        self.touch(id);
        // There may be more; whether there is costs one look in the next round.
        self.make_ready(id);
        if let Some(request) = request {
            self.handle(id, &request);
        }
    }

    fn handle(&mut self, id: ConnId, request: &Message) {
        if self.log.trace {
            let (kind, tx, payload) = (request.kind, request.tx_id, request.payload.escape_ascii());
            self.log.line(format_args!("{id:?} asks {kind:?} tx {tx} {payload}"));
        }
        let from = self.peers.get(&id).and_then(Peer::domain).filter(|domain| *domain != DomId::DOM0);
        let outcome = self.store.handle(id, request);
        let action = self.deliver(outcome, from);
        match action {
            None => {}
            Some(Action::Introduce { domain, frame, port }) => {
                let outcome = self.introduce(id, request, domain, frame, port);
                self.deliver(outcome, None);
            }
            Some(Action::Release(domain)) => self.log.forget(domain),
            Some(Action::Print(text)) => self.log.line(format_args!("{text}")),
            Some(Action::Trace(on)) => self.log.trace = on,
        }
    }

    pub(crate) fn note_progress(&mut self, id: ConnId) {
        let progress = self.peers.get(&id).and_then(Peer::progress);
        self.entries.extend(progress.map(|(domain, progress)| Entry::Ring(domain, progress)));
    }

    pub(super) fn note_effects(&mut self) {
        self.entries.extend(self.store.take_effects().into_iter().map(Entry::Effect));
    }

    /// Queues messages, which the request of a domain made, and notes what the store did.
    pub(crate) fn deliver(&mut self, outcome: Outcome, from: Option<DomId>) -> Option<Action> {
        self.note_effects();
        if let Some((domain, quota)) = outcome.refused {
            let limit = self.store.limits().get(quota);
            self.log.domain(domain, format_args!("refused: beyond {limit}: {}", quota.meaning()));
        }
        let memory = usize::try_from(self.store.limits().get(Quota::Memory)).unwrap_or(usize::MAX);
        for (to, message) in outcome.messages {
            let Some(peer) = self.peers.get_mut(&to).filter(|peer| peer.ended.is_none()) else { continue };
            let domain = peer.domain();
            let cause = from.filter(|_| domain == Some(DomId::DOM0));
            let Some(bytes) = peer.queue.push(&message, cause) else { continue };
            let waiting = peer.queue.bytes();
            if let Some(cause) = cause {
                let caused = self.caused.entry(cause).or_default();
                *caused = caused.saturating_add(1);
            }
            if let Some(domain) = domain {
                self.entries.push(Entry::Output(domain, bytes));
            }
            self.touch(to);
            let most = match domain {
                Some(DomId::DOM0) => usize::MAX,
                Some(_) => memory,
                None => LOCAL_MOST,
            };
            if waiting > most {
                if let Some(domain) = domain {
                    self.store.refuse(domain, Quota::Memory);
                    self.note_effects();
                }
                self.end(to, Broken::NotReading.into());
            }
        }
        if let Some(Action::Release(domain)) = outcome.action {
            self.drop_ring(domain);
        }
        outcome.action
    }

    /// Serves a client no more; a local one is closed at the end of the turn.
    fn end(&mut self, id: ConnId, why: Ended) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match (peer.domain(), &why) {
            (Some(domain), Ended::Broken(broken)) => {
                self.log.domain(domain, format_args!("is not served any more: {broken}"));
                if let Some(own) = peer.ring_mut() {
                    // The page cannot refuse: its size was checked when it was mapped.
                    let _told = own.ring.refuse(*broken);
                }
                peer.queue = Queue::default();
            }
            (None, Ended::Broken(broken)) => self.log.line(format_args!("a local client is closed: {broken}")),
            // It was killed, or did not wait for its answer.
            (None, Ended::Failed(error))
                if matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {}
            (None, Ended::Failed(error)) => self.log.domain(DomId::DOM0, format_args!("a local client: {error}")),
            _ => {}
        }
        peer.ended = Some(why);
        self.touch(id);
    }

    /// Begins to write down what is done from now on, with a description of all that is.
    pub(crate) fn keep(&mut self, folder: &Path) -> io::Result<()> {
        let description = super::restore::describe(&self.store, &self.peers);
        self.store.take_effects().clear();
        self.entries.clear();
        self.journal = Some(Journal::create(folder, &description)?);
        Ok(())
    }

    /// Writes down what was done, then lets everybody see it.
    pub(crate) fn finish(&mut self) {
        self.note_inputs();
        self.write_down();
        for id in std::mem::take(&mut self.touched) {
            self.show(id);
        }
    }

    fn note_inputs(&mut self) {
        for id in &self.touched {
            let Some(peer) = self.peers.get_mut(id) else { continue };
            if let Link::Ring(own) = &mut peer.link
                && own.dirty
            {
                own.dirty = false;
                self.entries.push(Entry::Input(own.domain, own.ring.consumed, peer.input.clone()));
            }
        }
    }

    fn write_down(&mut self) {
        let entries = std::mem::take(&mut self.entries);
        let Some(journal) = &mut self.journal else { return };
        let mut done = journal.append(&entries);
        if done.is_err() || journal.is_long() {
            let description = super::restore::describe(&self.store, &self.peers);
            done = journal.renew(&description);
        }
        if let Err(error) = done {
            // Serving on is the lesser evil: without the store, no domain can do anything.
            self.log.line(format_args!("cannot write the state down; a restart would lose changes: {error}"));
        }
    }

    /// Sends what waits, and closes what has ended.
    fn show(&mut self, id: ConnId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.touched = false;
        let broken = matches!(peer.ended, Some(Ended::Broken(_)));
        let was_blocked = peer.blocked;
        let flushed = if broken { Ok(false) } else { peer.flush() };
        if peer.blocked != was_blocked {
            self.blocked_changed.push(id);
        }
        let more = if broken || flushed.is_err() { Ok(false) } else { peer.has_more() };
        let freed = peer.queue.take_freed();
        let (stalled, ready, ended) = (peer.stalled, peer.ready, peer.ended.is_some());
        match &mut peer.link {
            Link::Ring(own) => {
                let done = match (own.port, &self.xen) {
                    (Some(port), Some(xen)) => {
                        // As long as there is something to read, no event is needed; a domain that is not served gets none.
                        let unmask = own.masked && !ready && !ended;
                        own.masked &= !unmask;
                        let told = if matches!(flushed, Ok(true)) { xen.events.notify(port) } else { Ok(()) };
                        told.and(if unmask { xen.events.unmask(&[port]) } else { Ok(()) })
                    }
                    _ => Ok(()),
                };
                if let Err(error) = done {
                    self.log.domain(own.domain, format_args!("its event channel: {error}"));
                }
            }
            Link::Socket(_) if ended || flushed.is_err() => {
                self.peers.remove(&id);
                self.store.disconnect(id);
                return;
            }
            Link::Socket(_) => {}
        }
        match flushed {
            Err(why) => self.end(id, why),
            Ok(_) if stalled => {
                let limit = self.store.limits().get(Quota::Outstanding);
                let room = self.peers.get(&id).is_some_and(|peer| match peer.domain() {
                    Some(domain) => {
                        let caused = self.caused.get(&domain).copied().unwrap_or_default();
                        (peer.queue.len() as u64) < limit && caused < CAUSED
                    }
                    None => peer.queue.bytes() <= LOCAL_STALL,
                });
                if room {
                    self.make_ready(id);
                }
            }
            Ok(_) => match more {
                Ok(true) => self.make_ready(id),
                Ok(false) => {}
                Err(why) => self.end(id, why),
            },
        }
        freed.into_iter().for_each(|domain| self.free(domain));
    }

    /// An event that this domain made went out.
    fn free(&mut self, domain: DomId) {
        let Some(caused) = self.caused.get_mut(&domain) else { return };
        *caused = caused.saturating_sub(1);
        let left = *caused;
        if left == 0 {
            self.caused.remove(&domain);
        }
        // It was stopped at the limit, and goes on with some room.
        if left == CAUSED / 2
            && let Some(id) = self.rings.get(&domain).copied()
        {
            self.make_ready(id);
        }
    }
}
