// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A connection: requests and answers, watches and their events, and the toolstack's requests.

use super::error::Error;
use super::link::{self, Link};
use super::nodes::Nodes;
use crate::wire::{Message, one_string, strings};
use hypercalls::frame::Mfn;
use hypercalls::ids::{DomId, Port};
use hypercalls::io::xs_wire::{PAYLOAD_MAX, XsMessageType};
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A watch fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What changed: as the watch was set, relative to the domain's home or absolute.
    pub path: String,
    /// The token the watch was set with.
    pub token: String,
}

#[derive(Debug)]
struct State {
    link: Link,
    last_request: u32,
    events: VecDeque<Event>,
    // Set again after a new connection.
    watches: Vec<(String, String)>,
    posted: Posted,
}

/// Changes in transactions and batches that were asked for without waiting for the answer. Whether they were made only matters at the end,
/// so a transaction costs a few round trips, not one for each change.
#[derive(Debug, Default)]
struct Posted {
    // Not sent yet.
    bytes: Vec<u8>,
    // Without an answer yet, in order.
    waiting: VecDeque<Post>,
    // The first one of each group that was refused.
    refused: Vec<(Group, Error)>,
    batches: u32,
}

/// What is judged together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// A request by itself. If its answer is not waited for, it does not matter.
    Single,
    /// The changes in a transaction.
    Transaction(u32),
    /// Those of a batch.
    Batch(u32),
}

impl Group {
    fn tx_id(self) -> u32 {
        if let Self::Transaction(id) = self { id } else { 0 }
    }
}

/// A request whose answer says nothing but that it was carried out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) kind: XsMessageType,
    pub(super) operation: &'static str,
    /// That there is no such node is as good.
    pub(super) or_missing: bool,
}

#[derive(Debug)]
struct Post {
    request: u32,
    group: Group,
    change: Change,
    subject: String,
}

/// So many answers may be outstanding. Less than what fits between the two of us, so that neither waits for the other.
const POSTED: usize = 128;

/// A connection to the store. Requests of several threads go one after the other.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    state: Mutex<State>,
}

/// How long to wait between two attempts to reach a server that is being restarted.
const RETRY: Duration = Duration::from_millis(20);

impl Client {
    /// Connects to the server on this machine: its socket, or the kernel's device in a domain without a server.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn connect() -> Result<Self, Error> {
        Self::connect_to(&link::socket_path())
    }

    /// Connects to the server that listens on the socket `path`.
    ///
    /// # Errors
    /// [`Error::Connect`].
    pub fn connect_to(path: &Path) -> Result<Self, Error> {
        let link = open(path)?;
        let (events, watches) = (VecDeque::new(), Vec::new());
        let state = State { link, last_request: 0, events, watches, posted: Posted::default() };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// The same, but waits up to `within` for a server that is about to start.
    ///
    /// # Errors
    /// [`Error::Connect`] of the last attempt.
    pub fn connect_within(within: Duration) -> Result<Self, Error> {
        let deadline = Instant::now().checked_add(within);
        retry(deadline, Self::connect)
    }

    /// Connects again after [`Error::Closed`], waiting up to `within` for the server to come back; sets all watches again, each of
    /// which fires at once as any new watch does. Transactions are lost.
    ///
    /// # Errors
    /// [`Error::Connect`] of the last attempt.
    pub fn reconnect(&self, within: Duration) -> Result<(), Error> {
        let deadline = Instant::now().checked_add(within);
        retry(deadline, || {
            let mut state = self.lock();
            state.link = open(&self.path)?;
            state.posted = Posted::default();
            let watches = state.watches.clone();
            watches
                .iter()
                .try_for_each(|(path, token)| state.call(XsMessageType::WATCH, "watch", 0, path, &[path, token]))
        })
    }

    /// Runs `act`, and once more after each loss of the connection, waiting up to `within` altogether for the server to come back. `act`
    /// must bear to be run again: a request whose answer was lost may have been carried out.
    ///
    /// # Errors
    /// What `act` returns, or [`Error::Connect`].
    pub fn persist<T>(&self, within: Duration, mut act: impl FnMut(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let deadline = Instant::now().checked_add(within);
        loop {
            match act(self) {
                Err(error) if error.is_closed() => {
                    let left =
                        deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
                    if left.is_zero() {
                        return Err(error);
                    }
                    self.reconnect(left)?;
                }
                other => return other,
            }
        }
    }

    /// The tree, outside of any transaction.
    #[must_use]
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes::new(self, Group::Single)
    }

    /// Runs `act`, whose changes are sent without waiting for each answer, before what is asked for next. Other than in a transaction, others
    /// may see some of them without the rest, and those that came before one that was refused have been made.
    ///
    /// # Errors
    /// What `act` returned, or the first change that was refused.
    pub fn batch<T>(&self, act: impl FnOnce(&Nodes<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let group = {
            let posted = &mut self.lock().posted;
            posted.batches = posted.batches.wrapping_add(1);
            Group::Batch(posted.batches)
        };
        let done = act(&Nodes::new(self, group));
        let settled = self.lock().settle(group);
        done.and_then(|value| settled.map(|()| value))
    }

    /// Runs `act` in a transaction and commits it; all of it again as often as somebody else's change comes in between.
    ///
    /// # Errors
    /// What `act` returned (the transaction is dropped then), or what the server says to start and end of the transaction.
    pub fn transaction<T>(&self, mut act: impl FnMut(&Nodes<'_>) -> Result<T, Error>) -> Result<T, Error> {
        loop {
            let id = self.request(XsMessageType::TRANSACTION_START, "transaction start", 0, "", b"\0")?;
            let id = number(&id).ok_or_else(|| protocol("transaction start", "", "no number"))?;
            // Changes that were refused are heard of now, and no commit may be sent before.
            let group = Group::Transaction(id);
            let done = act(&Nodes::new(self, group)).and_then(|value| self.lock().settle(group).map(|()| value));
            let value = match done {
                Ok(value) => value,
                Err(error) => {
                    // The first error is the one to tell; a transaction that is gone already is as good as dropped.
                    self.drop_transaction(id);
                    // Within a transaction this is said of one that was open while the server was restarted.
                    if error.reason() == Some(crate::Error::Again) {
                        continue;
                    }
                    return Err(error);
                }
            };
            match self.end(id, b"T\0") {
                Err(error) if error.reason() == Some(crate::Error::Again) => {}
                other => return other.map(|()| value),
            }
        }
    }

    fn drop_transaction(&self, id: u32) {
        let mut state = self.lock();
        // What was refused in it does not matter any more.
        state.settle(Group::Transaction(id)).ok();
        state.request(XsMessageType::TRANSACTION_END, "transaction end", id, "", b"F\0").ok();
    }

    fn end(&self, id: u32, how: &[u8]) -> Result<(), Error> {
        self.request(XsMessageType::TRANSACTION_END, "transaction end", id, "", how).map(drop)
    }

    /// Hears of changes at `path` and below it, or of `@introduceDomain` or `@releaseDomain`; the first event comes at once.
    ///
    /// # Errors
    /// As for every request; `EEXIST` for a watch that is there.
    pub fn watch(&self, path: &str, token: &str) -> Result<(), Error> {
        let mut state = self.lock();
        state.call(XsMessageType::WATCH, "watch", 0, path, &[path, token])?;
        state.watches.push((path.to_owned(), token.to_owned()));
        Ok(())
    }

    /// Ends a watch. Events that are there already still come.
    ///
    /// # Errors
    /// As for every request; `ENOENT` for a watch that is not there.
    pub fn unwatch(&self, path: &str, token: &str) -> Result<(), Error> {
        let mut state = self.lock();
        state.watches.retain(|(own, own_token)| own != path || own_token != token);
        state.call(XsMessageType::UNWATCH, "unwatch", 0, path, &[path, token])
    }

    /// Ends all watches and transactions, and forgets events that were not yet taken.
    ///
    /// # Errors
    /// As for every request.
    pub fn reset(&self) -> Result<(), Error> {
        let mut state = self.lock();
        state.watches.clear();
        state.call(XsMessageType::RESET_WATCHES, "reset", 0, "", &[""])?;
        state.events.clear();
        Ok(())
    }

    /// The next event; `None` if none comes within `timeout` (without one: waits for ever). Requests of other threads wait for it.
    ///
    /// # Errors
    /// [`Error::Closed`] and [`Error::Io`].
    pub fn next_event(&self, timeout: Option<Duration>) -> Result<Option<Event>, Error> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Ok(Some(event));
            }
            let got = state.link.receive(deadline).map_err(|error| lost(error, "wait for", "an event"))?;
            let Some(message) = got else { return Ok(None) };
            state.take_event(&message);
        }
    }

    /// A file to poll for input together with others: when it is readable, or before the first poll, take events with
    /// [`Client::next_event`] and a timeout of zero until there is none. A duplicate, so it stays the same until [`Client::reconnect`].
    ///
    /// # Errors
    /// [`Error::Io`] if there are too many open files.
    pub fn poll_fd(&self) -> Result<OwnedFd, Error> {
        self.lock().link.as_fd().try_clone_to_owned().map_err(|error| lost(error, "duplicate", "the connection"))
    }

    /// The home of a domain, such as `/local/domain/3`.
    ///
    /// # Errors
    /// As for every request.
    pub fn get_domain_path(&self, domain: DomId) -> Result<String, Error> {
        let subject = format!("domain {}", domain.raw());
        let answer = self.call(XsMessageType::GET_DOMAIN_PATH, "home of", 0, &subject, &[&domain.raw().to_string()])?;
        let path = one_string(&answer).and_then(|path| str::from_utf8(path).ok());
        path.map(str::to_owned).ok_or_else(|| protocol("home of", &subject, "no path"))
    }

    /// Tells the server of a new domain: the frame of its store page and the port of the domain's event channel.
    ///
    /// # Errors
    /// As for every request.
    pub fn introduce(&self, domain: DomId, page: Mfn, port: Port) -> Result<(), Error> {
        let parts = [domain.raw().to_string(), page.raw().to_string(), port.raw().to_string()];
        let [id, page, port] = &parts;
        self.call(XsMessageType::INTRODUCE, "introduce", 0, &format!("domain {id}"), &[id, page, port]).map(drop)
    }

    /// Tells the server that a domain is gone.
    ///
    /// # Errors
    /// As for every request; `ENOENT` for a domain the server does not know.
    pub fn release(&self, domain: DomId) -> Result<(), Error> {
        self.domain_call(XsMessageType::RELEASE, "release", domain).map(drop)
    }

    /// The same with the next request, whatever the server says to it.
    ///
    /// # Errors
    /// Those of the connection, which that request meets too.
    pub fn release_soon(&self, domain: DomId) -> Result<(), Error> {
        let id = domain.raw().to_string();
        let change = Change { kind: XsMessageType::RELEASE, operation: "release", or_missing: true };
        self.lock().post(Group::Single, change, &format!("domain {id}"), &joined("release", &id, &[&id])?)
    }

    /// Tells the server that a domain which had shut down runs again.
    ///
    /// # Errors
    /// As for every request.
    pub fn resume(&self, domain: DomId) -> Result<(), Error> {
        self.domain_call(XsMessageType::RESUME, "resume", domain).map(drop)
    }

    /// Whether the server knows the domain.
    ///
    /// # Errors
    /// As for every request.
    pub fn is_introduced(&self, domain: DomId) -> Result<bool, Error> {
        Ok(self.domain_call(XsMessageType::IS_DOMAIN_INTRODUCED, "is introduced", domain)? == b"T\0")
    }

    /// Lets `domain` act with the rights of `target`, which it serves.
    ///
    /// # Errors
    /// As for every request.
    pub fn set_target(&self, domain: DomId, target: DomId) -> Result<(), Error> {
        let (id, target) = (domain.raw().to_string(), target.raw().to_string());
        self.call(XsMessageType::SET_TARGET, "set target", 0, &format!("domain {id}"), &[&id, &target]).map(drop)
    }

    /// A command to the server itself, such as `["quota"]`; the answer is text.
    ///
    /// # Errors
    /// As for every request.
    pub fn control(&self, command: &[&str]) -> Result<String, Error> {
        let subject = command.join(" ");
        let mut answer = self.call(XsMessageType::CONTROL, "control", 0, &subject, command)?;
        if answer.last() == Some(&0) {
            answer.pop();
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn domain_call(&self, kind: XsMessageType, operation: &'static str, domain: DomId) -> Result<Vec<u8>, Error> {
        let id = domain.raw().to_string();
        self.call(kind, operation, 0, &format!("domain {id}"), &[&id])
    }

    /// A request of strings.
    fn call(
        &self,
        kind: XsMessageType,
        operation: &'static str,
        tx_id: u32,
        subject: &str,
        parts: &[&str],
    ) -> Result<Vec<u8>, Error> {
        let payload = joined(operation, subject, parts)?;
        self.request(kind, operation, tx_id, subject, &payload)
    }

    /// The same about a node.
    pub(super) fn call_in(
        &self,
        group: Group,
        kind: XsMessageType,
        operation: &'static str,
        parts: &[&str],
    ) -> Result<Vec<u8>, Error> {
        self.call(kind, operation, group.tx_id(), parts.first().copied().unwrap_or_default(), parts)
    }

    /// The values of several nodes for one round trip; `None` for those that are not there.
    pub(super) fn read_all(&self, group: Group, paths: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        const OPERATION: &str = "read";
        let mut state = self.lock();
        let mut asked = Vec::with_capacity(paths.len());
        for path in paths {
            let payload = joined(OPERATION, path, &[path])?;
            asked.push((state.encode(XsMessageType::READ, OPERATION, group.tx_id(), path, &payload)?, path));
        }
        let mut values = Vec::with_capacity(paths.len());
        for (id, path) in asked {
            values.push(match state.receive(id, XsMessageType::READ, OPERATION, path) {
                Err(error) if error.is_not_found() => None,
                other => Some(other?),
            });
        }
        Ok(values)
    }

    /// A request; returns the payload of its answer.
    fn request(
        &self,
        kind: XsMessageType,
        operation: &'static str,
        tx_id: u32,
        subject: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        self.lock().request(kind, operation, tx_id, subject, payload)
    }

    /// Makes a change, or in a transaction or batch asks for it: their end tells whether it was made.
    pub(super) fn change(&self, group: Group, change: Change, subject: &str, payload: &[u8]) -> Result<(), Error> {
        let mut state = self.lock();
        if group != Group::Single {
            return state.post(group, change, subject, payload);
        }
        match state.request(change.kind, change.operation, 0, subject, payload) {
            Err(error) if change.or_missing && error.is_not_found() => Ok(()),
            other => other.map(drop),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whoever panicked did so outside of our code, or between two messages: the stream is in order.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn call(
        &mut self,
        kind: XsMessageType,
        operation: &'static str,
        tx_id: u32,
        subject: &str,
        parts: &[&str],
    ) -> Result<(), Error> {
        let payload = joined(operation, subject, parts)?;
        self.request(kind, operation, tx_id, subject, &payload).map(drop)
    }

    fn request(
        &mut self,
        kind: XsMessageType,
        operation: &'static str,
        tx_id: u32,
        subject: &str,
        payload: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let id = self.encode(kind, operation, tx_id, subject, payload)?;
        self.receive(id, kind, operation, subject)
    }

    /// Sends what is to be sent, and waits for the answer to request `id`.
    fn receive(
        &mut self,
        id: u32,
        kind: XsMessageType,
        operation: &'static str,
        subject: &str,
    ) -> Result<Vec<u8>, Error> {
        self.send(operation, subject)?;
        loop {
            let Some(answer) = self.answer(operation, subject)? else { continue };
            if answer.req_id != id {
                // The answer to a request whose sender gave up, for example in a signal.
            } else if answer.kind == XsMessageType::ERROR {
                return Err(refused(operation, subject, &answer));
            } else if answer.kind == kind {
                return Ok(answer.payload);
            } else {
                return Err(protocol(operation, subject, "another kind of message"));
            }
        }
    }

    /// A change whose answer [`State::settle`] looks at.
    fn post(&mut self, group: Group, change: Change, subject: &str, payload: &[u8]) -> Result<(), Error> {
        if self.posted.waiting.len() >= POSTED {
            self.collect(change.operation, subject)?;
        }
        let request = self.encode(change.kind, change.operation, group.tx_id(), subject, payload)?;
        self.posted.waiting.push_back(Post { request, group, change, subject: subject.to_owned() });
        Ok(())
    }

    /// Whether all changes of a group were made.
    fn settle(&mut self, group: Group) -> Result<(), Error> {
        self.collect("make", "several changes")?;
        match self.posted.refused.iter().position(|(of, _)| *of == group) {
            Some(at) => Err(self.posted.refused.swap_remove(at).1),
            None => Ok(()),
        }
    }

    /// Waits for the answers to everything that was posted.
    fn collect(&mut self, operation: &'static str, subject: &str) -> Result<(), Error> {
        self.send(operation, subject)?;
        while !self.posted.waiting.is_empty() {
            // Answers to requests whose sender gave up need nobody.
            self.answer(operation, subject)?;
        }
        Ok(())
    }

    /// Puts a request behind those that are to be sent; its number.
    fn encode(
        &mut self,
        kind: XsMessageType,
        operation: &'static str,
        tx_id: u32,
        subject: &str,
        payload: &[u8],
    ) -> Result<u32, Error> {
        if payload.len() > PAYLOAD_MAX {
            return Err(Error::Argument { operation, subject: subject.to_owned(), what: "longer than 4096 bytes" });
        }
        self.last_request = self.last_request.wrapping_add(1);
        self.posted.bytes.extend(Message::new(kind, self.last_request, tx_id, payload).encode());
        Ok(self.last_request)
    }

    fn send(&mut self, operation: &'static str, subject: &str) -> Result<(), Error> {
        let bytes = std::mem::take(&mut self.posted.bytes);
        // Of several requests sent at once, the first has sent them all.
        self.link.send(&bytes).map_err(|error| lost(error, operation, subject))
    }

    /// The next message that is neither an event nor the answer to something posted; `None` if what came was one of these.
    fn answer(&mut self, operation: &'static str, subject: &str) -> Result<Option<Message>, Error> {
        let got = self.link.receive(None).map_err(|error| lost(error, operation, subject))?;
        let Some(answer) = got else { return Ok(None) };
        if answer.kind == XsMessageType::WATCH_EVENT {
            self.take_event(&answer);
            return Ok(None);
        }
        if self.posted.waiting.front().is_none_or(|post| post.request != answer.req_id) {
            return Ok(Some(answer));
        }
        let Some(post) = self.posted.waiting.pop_front() else { return Ok(None) };
        let judged = post.group != Group::Single && !self.posted.refused.iter().any(|(of, _)| *of == post.group);
        if judged && answer.kind == XsMessageType::ERROR {
            let error = refused(post.change.operation, &post.subject, &answer);
            if !(post.change.or_missing && error.is_not_found()) {
                self.posted.refused.push((post.group, error));
            }
        }
        Ok(None)
    }

    /// Keeps an event; a message that is none has nobody who waits for it.
    fn take_event(&mut self, message: &Message) {
        let (parts, _) = strings(&message.payload);
        if let (XsMessageType::WATCH_EVENT, [path, token, ..]) = (message.kind, parts.as_slice()) {
            let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
            self.events.push_back(Event { path: text(path), token: text(token) });
        }
    }
}

fn open(path: &Path) -> Result<Link, Error> {
    Link::open(path).map_err(|source| Error::Connect { address: path.display().to_string(), source })
}

/// Repeats `act` while it cannot connect.
fn retry<T>(deadline: Option<Instant>, mut act: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    loop {
        match act() {
            Err(error) if error.is_closed() && deadline.is_none_or(|deadline| Instant::now() < deadline) => {
                std::thread::sleep(RETRY);
            }
            other => return other,
        }
    }
}

/// The strings with a NUL after each.
pub(super) fn joined(operation: &'static str, subject: &str, parts: &[&str]) -> Result<Vec<u8>, Error> {
    if parts.iter().any(|part| part.contains('\0')) {
        return Err(Error::Argument { operation, subject: subject.to_owned(), what: "a NUL in a text" });
    }
    Ok(parts.iter().flat_map(|part| part.bytes().chain([0])).collect())
}

fn refused(operation: &'static str, subject: &str, answer: &Message) -> Error {
    let name = one_string(&answer.payload).unwrap_or(&answer.payload);
    Error::Refused {
        operation,
        subject: subject.to_owned(),
        error: crate::Error::from_name(name).unwrap_or(crate::Error::Invalid),
        name: String::from_utf8_lossy(name).into_owned(),
    }
}

fn lost(source: std::io::Error, operation: &'static str, subject: &str) -> Error {
    let subject = subject.to_owned();
    match source.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::NotConnected => {
            Error::Closed { operation, subject }
        }
        ErrorKind::InvalidData => Error::Protocol { operation, subject, what: "longer than 4096 bytes" },
        _ => Error::Io { operation, subject, source },
    }
}

pub(super) fn protocol(operation: &'static str, subject: &str, what: &'static str) -> Error {
    Error::Protocol { operation, subject: subject.to_owned(), what }
}

/// A decimal number with its NUL.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    str::from_utf8(one_string(payload)?).ok()?.parse().ok()
}
