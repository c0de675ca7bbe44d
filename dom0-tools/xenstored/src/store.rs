// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The store: connections, and one request in, answers and events out.

use crate::effect::{Effect, Kind};
use crate::perms::{Access, Perms, Who};
use crate::quota::{Counters, Limits, Quota, Refusal, Usage};
use crate::transaction::{Log, Transaction};
use crate::tree::Tree;
use crate::view::View;
use crate::watch::{Change, Watches};
use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType;
use std::collections::BTreeMap;
use xenstore::{Error, Message, Path};

/// A connection, from [`Store::connect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) u64);

/// What the server has to do before the request can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Map the ring of a domain and bind its port, then call [`Store::introduced`] or answer with [`Message::refusal`]. A domain that is known
    /// already keeps its page, gets the new port and starts afresh.
    Introduce {
        /// The domain.
        domain: DomId,
        /// The frame of its page, as the toolstack named it.
        frame: u64,
        /// Its event channel.
        port: u32,
    },
    /// Drop the ring of a domain that was released; the request is answered already.
    Release(DomId),
    /// Write a line to the log.
    Print(String),
    /// Log every request, or not any more.
    Trace(bool),
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Answers and events, in the order they must go out.
    pub messages: Vec<(ConnId, Message)>,
    /// Work for the server.
    pub action: Option<Action>,
    /// A limit was met.
    pub refused: Option<(DomId, Quota)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) who: Who,
    // Where relative paths begin.
    pub(crate) home: String,
    // The domain whose ring it is; what happens to it is noted, as it outlives the server.
    pub(crate) ring_of: Option<DomId>,
    pub(crate) transactions: BTreeMap<u32, Transaction>,
    pub(crate) last_transaction: u32,
}

/// A domain that was introduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) connection: ConnId,
    pub(crate) frame: u64,
    pub(crate) port: u32,
    pub(crate) shut_down: bool,
}

/// A domain with a ring, as the server has to open it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Whose.
    pub domain: DomId,
    /// Its connection.
    pub connection: ConnId,
    /// The frame of its page, as it was introduced with.
    pub frame: u64,
    /// The domain's port, as it was introduced with.
    pub port: u32,
}

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) tree: Tree,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
    pub(crate) connections: BTreeMap<ConnId, Connection>,
    pub(crate) watches: Watches,
    pub(crate) domains: BTreeMap<DomId, Domain>,
    pub(crate) targets: BTreeMap<DomId, DomId>,
    pub(crate) special: BTreeMap<Path, Perms>,
    pub(crate) effects: Vec<Effect>,
    last_connection: u64,
}

impl Store {
    /// A store of only the root and the two special names.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let perms = Perms::owned_by(DomId::DOM0);
        let names = [INTRODUCE, RELEASE].into_iter().filter_map(|name| Path::resolve_or_special(name, "").ok());
        let mut counters = Counters::default();
        counters.add_nodes(DomId::DOM0, 1);
        Self {
            tree: Tree::new(perms.clone()),
            limits,
            counters,
            connections: BTreeMap::new(),
            watches: Watches::default(),
            domains: BTreeMap::new(),
            targets: BTreeMap::new(),
            special: names.map(|name| (name, perms.clone())).collect(),
            effects: Vec::new(),
            last_connection: 0,
        }
    }

    /// A new local client, which is dom0's.
    pub fn connect(&mut self) -> ConnId {
        self.open(DomId::DOM0, None)
    }

    pub(crate) fn open(&mut self, domain: DomId, ring_of: Option<DomId>) -> ConnId {
        self.last_connection = self.last_connection.saturating_add(1);
        let id = ConnId(self.last_connection);
        let connection = Connection {
            who: Who { domain, target: self.targets.get(&domain).copied() },
            home: home_of(domain),
            ring_of,
            transactions: BTreeMap::new(),
            last_transaction: 0,
        };
        self.connections.insert(id, connection);
        id
    }

    /// A client is gone, and with it its watches and transactions.
    pub fn disconnect(&mut self, connection: ConnId) {
        self.connections.remove(&connection);
        self.watches.clear(connection);
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What a domain has in use.
    #[must_use]
    pub fn usage(&self, domain: DomId) -> Usage {
        self.counters.usage(domain)
    }

    /// Handles one request. An unknown connection has no answer.
    pub fn handle(&mut self, from: ConnId, request: &Message) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(who) = self.connections.get(&from).map(|connection| connection.who) else { return outcome };
        if let Err(error) = self.dispatch(from, who, request, &mut outcome) {
            if let Refusal::Quota(quota) = error {
                self.refuse(who.domain, quota);
                outcome.refused = Some((who.domain, quota));
            }
            outcome.messages.push((from, request.refusal(error.error())));
        }
        outcome
    }

    /// Counts that a limit was met.
    pub fn refuse(&mut self, domain: DomId, quota: Quota) {
        self.counters.refuse(domain, quota);
        for (id, refusals) in self.counters.take_changed() {
            self.note(Kind::Refused(id, refusals));
        }
    }

    fn dispatch(&mut self, from: ConnId, who: Who, request: &Message, out: &mut Outcome) -> Result<(), Refusal> {
        use XsMessageType as Op;
        match request.kind {
            Op::READ | Op::DIRECTORY | Op::DIRECTORY_PART | Op::GET_PERMS => {
                let answer = self.read_op(from, request)?;
                out.messages.push((from, request.answer(&answer)));
                Ok(())
            }
            Op::WRITE | Op::MKDIR | Op::RM | Op::SET_PERMS => self.write_op(from, request, out),
            Op::WATCH | Op::UNWATCH | Op::RESET_WATCHES => self.watch_op(from, request, out),
            Op::TRANSACTION_START => self.transaction_start(from, request, out),
            Op::TRANSACTION_END => self.transaction_end(from, request, out),
            Op::IS_DOMAIN_INTRODUCED if !who.is_privileged() => Err(Error::Access.into()),
            Op::GET_DOMAIN_PATH | Op::IS_DOMAIN_INTRODUCED => {
                let answer = self.domain_query(request)?;
                out.messages.push((from, request.answer(&answer)));
                Ok(())
            }
            Op::INTRODUCE | Op::RELEASE | Op::RESUME | Op::SET_TARGET | Op::CONTROL => {
                if !who.is_privileged() {
                    return Err(Error::Access.into());
                }
                self.toolstack_op(from, request, out)
            }
            _ => Err(Error::NotSupported.into()),
        }
    }

    /// Runs `act` on the tree the request names, and keeps what it noted: in the transaction, or by counting and firing at once.
    pub(crate) fn with_view<T>(
        &mut self,
        from: ConnId,
        tx_id: u32,
        act: impl FnOnce(&mut View<'_>) -> Result<T, Refusal>,
    ) -> Result<(T, Vec<Change>), Refusal> {
        let Self { tree, connections, limits, counters, .. } = self;
        let connection = connections.get_mut(&from).ok_or(Error::Io)?;
        let who = connection.who;
        let limits = &*limits;
        if tx_id != 0 {
            let others = connection.transactions.iter().filter(|(id, _)| **id != tx_id);
            let kept = others.fold(0_usize, |sum, (_, other)| sum.saturating_add(other.log.bytes));
            let room = usize::try_from(limits.get(Quota::Memory)).unwrap_or(usize::MAX).saturating_sub(kept);
            let transaction = connection.transactions.get_mut(&tx_id).ok_or(Error::NotFound)?;
            let Transaction { tree, log, .. } = transaction;
            let value = act(&mut View { tree, log, in_transaction: true, who, limits, counters, room })?;
            return Ok((value, Vec::new()));
        }
        let mut log = Log::default();
        let value = act(&mut View { tree, log: &mut log, in_transaction: false, who, limits, counters, room: 0 })?;
        Ok((value, self.settle(log)))
    }

    /// Counts nodes and notes what was done; returns the changes, which are fired after the answer.
    pub(crate) fn settle(&mut self, log: Log) -> Vec<Change> {
        self.effects.extend(log.done.into_iter().map(Effect));
        for (owner, change) in log.nodes {
            self.counters.add_nodes(owner, change);
        }
        log.changes
    }

    /// Sends the events of `changes` to everybody who hears them.
    pub(crate) fn fire(&self, changes: &[Change], out: &mut Outcome) {
        for change in changes {
            for (id, watch) in self.watches.hearing(change) {
                let Some(connection) = self.connections.get(&id) else { continue };
                if change.readable.iter().any(|perms| perms.allow(connection.who, Access::READ)) {
                    out.messages.extend(watch.event(&change.path).map(|event| (id, event)));
                }
            }
        }
    }

    /// Fires a special name.
    pub(crate) fn fire_special(&self, name: &[u8], out: &mut Outcome) {
        let Ok(path) = Path::resolve_or_special(name, "") else { return };
        let readable = self.special.get(&path).cloned().into_iter().collect();
        self.fire(&[Change { path, exact: true, readable }], out);
    }
}

/// Fires when a domain is introduced.
pub(crate) const INTRODUCE: &[u8] = b"@introduceDomain";
/// Fires when a domain shuts down or is released.
pub(crate) const RELEASE: &[u8] = b"@releaseDomain";

/// Where the relative paths of a domain begin.
pub(crate) fn home_of(domain: DomId) -> String {
    format!("/local/domain/{}", domain.raw())
}
