// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Domains: introduction, release, and the other requests of the toolstack.

use crate::effect::Kind;
use crate::perms::{Who, parse_domain};
use crate::quota::Refusal;
use crate::store::{Action, ConnId, Domain, INTRODUCE, Outcome, RELEASE, Ring, Store};
use crate::transaction::{Log, Transaction};
use crate::view::View;
use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType;
use xenstore::{Error, Message, one_string, strings};

impl Store {
    pub(crate) fn domain_query(&self, request: &Message) -> Result<Vec<u8>, Refusal> {
        let domain = parse_domain(one_string(&request.payload).ok_or(Error::Invalid)?)?;
        if request.kind == XsMessageType::GET_DOMAIN_PATH {
            return Ok(format!("{}\0", crate::store::home_of(domain)).into_bytes());
        }
        Ok(if self.domains.contains_key(&domain) { b"T\0".to_vec() } else { b"F\0".to_vec() })
    }

    pub(crate) fn toolstack_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Refusal> {
        match request.kind {
            XsMessageType::INTRODUCE => {
                out.action = Some(introduction(request)?);
                return Ok(());
            }
            XsMessageType::SET_TARGET => self.set_target(request)?,
            XsMessageType::CONTROL => {
                let answer = self.control(request, out)?;
                out.messages.push((from, request.answer(&answer)));
                return Ok(());
            }
            kind => {
                let domain = self.known(one_string(&request.payload).ok_or(Error::Invalid)?)?;
                if kind == XsMessageType::RESUME {
                    self.put_shut_down(domain, false);
                } else {
                    out.messages.push((from, request.answer(b"OK\0")));
                    self.release(domain, out);
                    return Ok(());
                }
            }
        }
        out.messages.push((from, request.answer(b"OK\0")));
        Ok(())
    }

    /// A domain that was introduced; dom0 cannot be meant.
    fn known(&self, text: &[u8]) -> Result<DomId, Error> {
        let domain = parse_domain(text)?;
        if domain == DomId::DOM0 {
            return Err(Error::Invalid);
        }
        if self.domains.contains_key(&domain) { Ok(domain) } else { Err(Error::NotFound) }
    }

    fn set_target(&mut self, request: &Message) -> Result<(), Error> {
        let (parts, _) = strings(&request.payload);
        let [domain, target] = parts.as_slice() else { return Err(Error::Invalid) };
        let (domain, target) = (parse_domain(domain)?, parse_domain(target)?);
        if !self.domains.contains_key(&domain) || !self.domains.contains_key(&target) {
            return Err(Error::NotFound);
        }
        self.put_target(domain, Some(target));
        Ok(())
    }

    pub(crate) fn put_target(&mut self, domain: DomId, target: Option<DomId>) {
        let changed = match target {
            Some(target) => self.targets.insert(domain, target) != Some(target),
            None => self.targets.remove(&domain).is_some(),
        };
        if changed {
            self.note(Kind::Target(domain, target));
            for connection in self.connections.values_mut().filter(|connection| connection.who.domain == domain) {
                connection.who.target = target;
            }
        }
    }

    fn put_shut_down(&mut self, id: DomId, shut_down: bool) -> bool {
        let Some(domain) = self.domains.get_mut(&id).filter(|domain| domain.shut_down != shut_down) else {
            return false;
        };
        domain.shut_down = shut_down;
        self.note(Kind::ShutDown(id, shut_down));
        true
    }

    /// The rings there are.
    pub fn rings(&self) -> impl Iterator<Item = Ring> {
        self.domains.iter().map(|(id, domain)| Ring {
            domain: *id,
            connection: domain.connection,
            frame: domain.frame,
            port: domain.port,
        })
    }

    /// The connection of a domain's ring.
    #[must_use]
    pub fn ring_of(&self, domain: DomId) -> Option<ConnId> {
        self.domains.get(&domain).map(|domain| domain.connection)
    }

    /// Gives a domain a ring without a request: for dom0 at the start. Returns its connection.
    pub fn attach(&mut self, id: DomId, frame: u64, port: u32) -> ConnId {
        let connection = self.ring_of(id).unwrap_or_else(|| self.open(id, Some(id)));
        let shut_down = self.domains.get(&id).is_some_and(|domain| domain.shut_down);
        self.domains.insert(id, Domain { connection, frame, port, shut_down });
        self.note(Kind::Introduce(id, frame, port));
        connection
    }

    pub(crate) fn detach(&mut self, id: DomId) {
        if let Some(domain) = self.domains.remove(&id) {
            self.disconnect(domain.connection);
            self.counters.forget(id);
            self.note(Kind::Release(id));
        }
    }

    /// The server has carried out [`Action::Introduce`]: answers `request`, and fires `@introduceDomain` for a new domain. One that was
    /// known already starts afresh, without watches and transactions.
    pub fn introduced(&mut self, from: ConnId, request: &Message, domain: DomId, frame: u64, port: u32) -> Outcome {
        let mut out = Outcome::default();
        let old = self.ring_of(domain);
        let connection = self.attach(domain, frame, port);
        if old.is_some() {
            self.reset(connection);
        }
        out.messages.push((from, request.answer(b"OK\0")));
        if old.is_none() {
            self.fire_special(INTRODUCE, &mut out);
        }
        out
    }

    /// The hypervisor says that a domain has shut down: fires `@releaseDomain`, once until it is resumed.
    pub fn domain_shut_down(&mut self, domain: DomId) -> Outcome {
        let mut out = Outcome::default();
        if self.put_shut_down(domain, true) {
            self.fire_special(RELEASE, &mut out);
        }
        out
    }

    /// The hypervisor says that a domain is gone.
    pub fn domain_gone(&mut self, domain: DomId) -> Outcome {
        let mut out = Outcome::default();
        if domain != DomId::DOM0 && self.domains.contains_key(&domain) {
            self.release(domain, &mut out);
        }
        out
    }

    /// Drops a domain's ring connections and rights and the nodes it owns, so that a later domain of that number inherits nothing.
    fn release(&mut self, domain: DomId, out: &mut Outcome) {
        self.detach(domain);
        let targets: Vec<DomId> = self.targets.iter().filter(|(_, to)| **to == domain).map(|(from, _)| *from).collect();
        targets.into_iter().chain([domain]).for_each(|from| self.put_target(from, None));
        // What is in them of this domain must not come back when they end.
        let open = self.connections.values_mut().flat_map(|connection| connection.transactions.values_mut());
        open.filter(|transaction| transaction.concerns(domain)).for_each(Transaction::doom);
        let (owned, named) = self.tree.traces_of(domain);
        for (path, perms) in named {
            if let Some(value) = self.tree.get(&path).map(|node| node.value().to_vec()) {
                self.tree.put(&path, &value, perms.clone());
                self.note(Kind::Put(path, value, perms));
            }
        }
        let mut log = Log::default();
        let Self { tree, limits, counters, .. } = self;
        let who = Who { domain: DomId::DOM0, target: None };
        let mut view = View { tree, log: &mut log, in_transaction: false, who, limits, counters, room: 0 };
        for path in owned {
            // The root is never a domain's; anything else that is listed is there.
            let _gone = view.remove(&path);
        }
        let changes = self.settle(log);
        self.fire(&changes, out);
        let special: Vec<_> =
            self.special.iter().filter_map(|(path, perms)| Some((path.clone(), perms.without(domain)?))).collect();
        for (path, perms) in special {
            self.special.insert(path.clone(), perms.clone());
            self.note(Kind::Special(path, perms));
        }
        self.fire_special(RELEASE, out);
        out.action = Some(Action::Release(domain));
    }

    /// A transaction that was open when the server died: what it looked at is not known any more, so it cannot commit.
    pub(crate) fn restore_transaction(&mut self, id: DomId, transaction: u32) {
        let mut doomed = Transaction::start(&self.tree);
        doomed.doom();
        if let Some(connection) = self.ring_of(id).and_then(|ring| self.connections.get_mut(&ring)) {
            connection.transactions.insert(transaction, doomed);
            connection.last_transaction = connection.last_transaction.max(transaction);
        }
    }
}

fn introduction(request: &Message) -> Result<Action, Error> {
    let (parts, _) = strings(&request.payload);
    let [domain, frame, port, ..] = parts.as_slice() else { return Err(Error::Invalid) };
    let number = |text: &[u8]| str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    let frame = number(frame).ok_or(Error::Invalid)?;
    let port = number(port).and_then(|port| u32::try_from(port).ok()).filter(|port| *port > 0).ok_or(Error::Invalid)?;
    let domain = parse_domain(domain)?;
    if domain == DomId::DOM0 || !domain.is_ordinary() {
        return Err(Error::Invalid);
    }
    Ok(Action::Introduce { domain, frame, port })
}
