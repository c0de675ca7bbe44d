// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The requests any client may make: nodes, watches, transactions.

use crate::effect::Kind;
use crate::perms::{Access, Perms};
use crate::quota::{Quota, Refusal};
use crate::store::{ConnId, Connection, Outcome, Store};
use crate::transaction::Transaction;
use crate::tree::Node;
use crate::view::View;
use crate::watch::Change;
use hypercalls::io::xs_wire::{PAYLOAD_MAX, XsMessageType};
use xenstore::{Error, Message, Path, one_string, strings};

impl Store {
    fn home(&self, from: ConnId) -> &str {
        self.connections.get(&from).map_or("", |connection| &connection.home)
    }

    fn connection(&mut self, from: ConnId) -> Result<&mut Connection, Error> {
        self.connections.get_mut(&from).ok_or(Error::Io)
    }

    pub(crate) fn read_op(&mut self, from: ConnId, request: &Message) -> Result<Vec<u8>, Refusal> {
        let (raw, offset) = if request.kind == XsMessageType::DIRECTORY_PART {
            let (parts, _) = strings(&request.payload);
            let [path, offset, ..] = parts.as_slice() else { return Err(Error::Invalid.into()) };
            (*path, leading_number(offset))
        } else {
            (one_string(&request.payload).ok_or(Error::Invalid)?, 0)
        };
        let path = Path::resolve(raw, self.home(from))?;
        let kind = request.kind;
        let read = |node: &Node| match kind {
            XsMessageType::READ => node.value().to_vec(),
            XsMessageType::GET_PERMS => node.perms().to_wire(),
            XsMessageType::DIRECTORY => names(node),
            _ => part(node, offset),
        };
        let lists = matches!(kind, XsMessageType::DIRECTORY | XsMessageType::DIRECTORY_PART);
        let look = |view: &mut View<'_>| {
            if lists { view.get_list(&path).map(read) } else { view.get(&path, Access::READ).map(read) }
        };
        let (answer, _) = self.with_view(from, request.tx_id, look)?;
        Ok(answer)
    }

    pub(crate) fn write_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Refusal> {
        let changes = match request.kind {
            XsMessageType::SET_PERMS => self.set_perms(from, request)?,
            XsMessageType::WRITE => {
                let cut = request.payload.iter().position(|byte| *byte == 0).ok_or(Error::Invalid)?;
                let (raw, value) = request.payload.split_at_checked(cut).ok_or(Error::Invalid)?;
                let path = Path::resolve(raw, self.home(from))?;
                let value = value.get(1..).unwrap_or_default();
                self.with_view(from, request.tx_id, |view| view.write(&path, value))?.1
            }
            kind => {
                let raw = one_string(&request.payload).ok_or(Error::Invalid)?;
                let path = Path::resolve(raw, self.home(from))?;
                let remove = kind == XsMessageType::RM;
                let act = |view: &mut View<'_>| {
                    if remove { view.rm(&path) } else { view.mkdir(&path) }
                };
                self.with_view(from, request.tx_id, act)?.1
            }
        };
        out.messages.push((from, request.answer(b"OK\0")));
        self.fire(&changes, out);
        Ok(())
    }

    fn set_perms(&mut self, from: ConnId, request: &Message) -> Result<Vec<Change>, Refusal> {
        let (parts, _) = strings(&request.payload);
        let (raw, entries) = parts.split_first().ok_or(Error::Invalid)?;
        if entries.is_empty() {
            return Err(Error::Invalid.into());
        }
        let who = self.connection(from)?.who;
        if !who.is_privileged() && self.limits.exceeded(Quota::Perms, entries.len()) {
            return Err(Refusal::Quota(Quota::Perms));
        }
        let perms = Perms::parse(entries)?;
        let path = Path::resolve_or_special(raw, self.home(from))?;
        if path.is_special() {
            let old = self.special.get_mut(&path).ok_or(Error::Invalid)?;
            if !old.allow(who, Access::WRITE_OWN) {
                return Err(Error::Access.into());
            }
            *old = perms.clone();
            self.note(Kind::Special(path, perms));
            return Ok(Vec::new());
        }
        Ok(self.with_view(from, request.tx_id, |view| view.set_perms(&path, perms))?.1)
    }

    pub(crate) fn watch_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Refusal> {
        let Connection { who, ring_of, .. } = *self.connection(from)?;
        if request.kind == XsMessageType::RESET_WATCHES {
            self.reset(from);
            out.messages.push((from, request.answer(b"OK\0")));
            return Ok(());
        }
        let (parts, _) = strings(&request.payload);
        let [raw, token] = *parts.as_slice() else { return Err(Error::Invalid.into()) };
        let path = Path::resolve_or_special(raw, self.home(from))?;
        if request.kind == XsMessageType::UNWATCH {
            if !self.watches.remove(from, &path, token) {
                return Err(Error::NotFound.into());
            }
            if let Some(domain) = ring_of {
                self.note(Kind::Unwatch(domain, path, token.to_vec()));
            }
            out.messages.push((from, request.answer(b"OK\0")));
            return Ok(());
        }
        if self.watches.has(from, &path, token) {
            return Err(Error::Exists.into());
        }
        if !who.is_privileged() && self.limits.exceeded(Quota::Watches, self.watches.count(from)) {
            return Err(Refusal::Quota(Quota::Watches));
        }
        let cut = path.as_str().len().saturating_sub(raw.len());
        if let Some(domain) = ring_of {
            self.note(Kind::Watch(domain, path.clone(), token.to_vec(), u32::try_from(cut).unwrap_or_default()));
        }
        let first = self.watches.add(from, path, token, cut);
        out.messages.push((from, request.answer(b"OK\0")));
        out.messages.extend(first.map(|first| (from, first)));
        Ok(())
    }

    /// Drops all watches and transactions of a connection.
    pub(crate) fn reset(&mut self, connection: ConnId) {
        self.watches.clear(connection);
        let Some(own) = self.connections.get_mut(&connection) else { return };
        own.transactions.clear();
        if let Some(domain) = own.ring_of {
            self.note(Kind::Reset(domain));
        }
    }

    pub(crate) fn transaction_start(
        &mut self,
        from: ConnId,
        request: &Message,
        out: &mut Outcome,
    ) -> Result<(), Refusal> {
        let (limits, transaction) = (self.limits, Transaction::start(&self.tree));
        let connection = self.connection(from)?;
        if request.tx_id != 0 {
            let known = connection.transactions.contains_key(&request.tx_id);
            return Err(if known { Error::Busy } else { Error::NotFound }.into());
        }
        if !connection.who.is_privileged() && limits.exceeded(Quota::Transactions, connection.transactions.len()) {
            return Err(Refusal::Quota(Quota::Transactions));
        }
        let mut id = connection.last_transaction;
        loop {
            id = id.wrapping_add(1);
            if id != 0 && !connection.transactions.contains_key(&id) {
                break;
            }
        }
        connection.last_transaction = id;
        connection.transactions.insert(id, transaction);
        if let Some(domain) = connection.ring_of {
            self.note(Kind::Start(domain, id));
        }
        out.messages.push((from, request.answer(format!("{id}\0").as_bytes())));
        Ok(())
    }

    pub(crate) fn transaction_end(
        &mut self,
        from: ConnId,
        request: &Message,
        out: &mut Outcome,
    ) -> Result<(), Refusal> {
        let limit = self.limits.get(Quota::Nodes);
        let connection = self.connection(from)?;
        let (who, ring_of) = (connection.who, connection.ring_of);
        if request.tx_id != 0 && !connection.transactions.contains_key(&request.tx_id) {
            return Err(Error::NotFound.into());
        }
        let commit = match one_string(&request.payload) {
            Some(b"T") => true,
            Some(b"F") => false,
            _ => return Err(Error::Invalid.into()),
        };
        let transaction = connection.transactions.remove(&request.tx_id).ok_or(Error::NotFound)?;
        if let Some(domain) = ring_of {
            self.note(Kind::End(domain, request.tx_id));
        }
        let mut changes = Vec::new();
        if commit {
            let more = transaction.log.nodes.get(&who.domain).copied().unwrap_or_default();
            let nodes = self.counters.usage(who.domain).nodes.saturating_add_signed(more);
            if !who.is_privileged() && more > 0 && nodes > limit {
                return Err(Refusal::Quota(Quota::Nodes));
            }
            let log = transaction.commit(&mut self.tree)?;
            changes = self.settle(log);
        }
        out.messages.push((from, request.answer(b"OK\0")));
        self.fire(&changes, out);
        Ok(())
    }
}

/// As C's `atoi` reads it: the digits there are at the start, negative numbers too, of which any is beyond the end.
fn leading_number(text: &[u8]) -> usize {
    if text.first() == Some(&b'-') {
        return usize::MAX;
    }
    let digits = text.strip_prefix(b"+").unwrap_or(text).iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |value: usize, digit| value.saturating_mul(10).saturating_add(usize::from(digit - b'0')))
}

fn names(node: &Node) -> Vec<u8> {
    node.children().flat_map(|name| name.bytes().chain([0])).collect()
}

/// The generation, whole names from `offset` on as far as they fit, and one more NUL after the last.
fn part(node: &Node, offset: usize) -> Vec<u8> {
    let mut answer = format!("{}\0", node.list()).into_bytes();
    let all = names(node);
    let rest = all.get(offset..).unwrap_or_default();
    let room = PAYLOAD_MAX.saturating_sub(answer.len()).saturating_sub(1);
    if rest.len() <= room {
        answer.extend_from_slice(rest);
        answer.push(0);
        return answer;
    }
    let fitting = rest.get(..room).unwrap_or_default();
    let end = fitting.iter().rposition(|byte| *byte == 0).map_or(0, |at| at.saturating_add(1));
    answer.extend_from_slice(fitting.get(..end).unwrap_or_default());
    answer
}
