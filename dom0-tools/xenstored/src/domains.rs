// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Domains: introduction, release, and the other requests of the toolstack.

use crate::perms::{Who, parse_domain};
use crate::store::{Action, ConnId, INTRODUCE, Outcome, RELEASE, Store, home_of};
use crate::transaction::Log;
use crate::view::View;
use hypercalls::ids::DomId;
use hypercalls::io::xs_wire::XsMessageType;
use xenstore::{Error, Message, one_string, strings};

impl Store {
    pub(crate) fn domain_query(&self, request: &Message) -> Result<Vec<u8>, Error> {
        let domain = parse_domain(one_string(&request.payload).ok_or(Error::Invalid)?)?;
        if request.kind == XsMessageType::GET_DOMAIN_PATH {
            return Ok(format!("{}\0", home_of(domain)).into_bytes());
        }
        Ok(if self.introduced.contains(&domain) { b"T\0".to_vec() } else { b"F\0".to_vec() })
    }

    pub(crate) fn toolstack_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Error> {
        match request.kind {
            XsMessageType::INTRODUCE => {
                out.action = Some(introduction(request)?);
                return Ok(());
            }
            XsMessageType::SET_TARGET => self.set_target(request)?,
            XsMessageType::CONTROL => {
                let (parts, _) = strings(&request.payload);
                let answer = match parts.first() {
                    Some(&b"check") => b"OK\0".to_vec(),
                    Some(&b"help") => b"check\nhelp\nquota\n\0".to_vec(),
                    Some(&b"quota") => self.describe_limits(),
                    _ => return Err(Error::Invalid),
                };
                out.messages.push((from, request.answer(&answer)));
                return Ok(());
            }
            kind => {
                let domain = self.known(one_string(&request.payload).ok_or(Error::Invalid)?)?;
                if kind == XsMessageType::RESUME {
                    self.shut_down.remove(&domain);
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
        if self.introduced.contains(&domain) { Ok(domain) } else { Err(Error::NotFound) }
    }

    fn set_target(&mut self, request: &Message) -> Result<(), Error> {
        let (parts, _) = strings(&request.payload);
        let [domain, target, ..] = parts.as_slice() else { return Err(Error::Invalid) };
        let (domain, target) = (self.known(domain)?, self.known(target)?);
        self.targets.insert(domain, target);
        self.renew_targets();
        Ok(())
    }

    fn renew_targets(&mut self) {
        for connection in self.connections.values_mut() {
            connection.who.target = self.targets.get(&connection.who.domain).copied();
        }
    }

    fn describe_limits(&self) -> Vec<u8> {
        let limits = &self.limits;
        format!(
            "nodes {}\nwatches {}\ntransactions {}\nnode-bytes {}\npermissions {}\ntransaction-nodes {}\n\0",
            limits.nodes,
            limits.watches,
            limits.transactions,
            limits.node_bytes,
            limits.perms,
            limits.transaction_nodes
        )
        .into_bytes()
    }

    /// The server has carried out [`Action::Introduce`]: answers `request`, and fires `@introduceDomain` for a new domain.
    pub fn introduced(&mut self, from: ConnId, request: &Message, domain: DomId) -> Outcome {
        let mut out = Outcome::default();
        out.messages.push((from, request.answer(b"OK\0")));
        if self.introduced.insert(domain) {
            self.fire_special(INTRODUCE, &mut out);
        }
        out
    }

    /// The hypervisor says that a domain has shut down: fires `@releaseDomain`, once until it is resumed.
    pub fn domain_shut_down(&mut self, domain: DomId) -> Outcome {
        let mut out = Outcome::default();
        if self.introduced.contains(&domain) && self.shut_down.insert(domain) {
            self.fire_special(RELEASE, &mut out);
        }
        out
    }

    /// The hypervisor says that a domain is gone.
    pub fn domain_gone(&mut self, domain: DomId) -> Outcome {
        let mut out = Outcome::default();
        if domain != DomId::DOM0 && self.introduced.contains(&domain) {
            self.release(domain, &mut out);
        }
        out
    }

    /// Drops a domain's ring connections and rights and the nodes it owns, so that a later domain of that number inherits nothing.
    fn release(&mut self, domain: DomId, out: &mut Outcome) {
        self.introduced.remove(&domain);
        self.shut_down.remove(&domain);
        self.targets.retain(|from, to| *from != domain && *to != domain);
        self.renew_targets();
        self.connections.retain(|_, connection| connection.who.domain != domain);
        let (owned, named) = self.tree.traces_of(domain);
        for (path, perms) in named {
            if let Some(value) = self.tree.get(&path).map(|node| node.value().to_vec()) {
                self.tree.put(&path, &value, perms);
            }
        }
        let mut log = Log::default();
        let Self { tree, limits, counters, .. } = self;
        let who = Who { domain: DomId::DOM0, target: None };
        let mut view = View { tree, log: &mut log, in_transaction: false, who, limits, counters };
        for path in owned {
            // The root is never a domain's; anything else that is listed is there.
            let _gone = view.remove(&path);
        }
        let changes = self.settle(log);
        self.fire(&changes, out);
        self.counters.forget(domain);
        for perms in self.special.values_mut() {
            if let Some(kept) = perms.without(domain) {
                *perms = kept;
            }
        }
        self.fire_special(RELEASE, out);
        out.action = Some(Action::Release(domain));
    }
}

fn introduction(request: &Message) -> Result<Action, Error> {
    let (parts, _) = strings(&request.payload);
    let [domain, frame, port, ..] = parts.as_slice() else { return Err(Error::Invalid) };
    let number = |text: &[u8]| str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    let frame = number(frame).ok_or(Error::Invalid)?;
    let port = number(port).and_then(|port| u32::try_from(port).ok()).ok_or(Error::Invalid)?;
    Ok(Action::Introduce { domain: parse_domain(domain)?, frame, port })
}
