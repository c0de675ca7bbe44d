// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The requests any client may make: nodes, watches, transactions.

use crate::perms::{Access, Perms};
use crate::store::{ConnId, Connection, Outcome, Store};
use crate::transaction::Transaction;
use crate::tree::Node;
use hypercalls::io::xs_wire::{PAYLOAD_MAX, XsMessageType};
use xenstore::{Error, Message, Path, one_string, strings};

impl Store {
    fn home(&self, from: ConnId) -> &str {
        self.connections.get(&from).map_or("", |connection| &connection.home)
    }

    fn connection(&mut self, from: ConnId) -> Result<&mut Connection, Error> {
        self.connections.get_mut(&from).ok_or(Error::Io)
    }

    pub(crate) fn read_op(&mut self, from: ConnId, request: &Message) -> Result<Vec<u8>, Error> {
        let (raw, offset) = if request.kind == XsMessageType::DIRECTORY_PART {
            let (parts, _) = strings(&request.payload);
            let [path, offset, ..] = parts.as_slice() else { return Err(Error::Invalid) };
            let offset = str::from_utf8(offset).ok().and_then(|text| text.parse().ok()).ok_or(Error::Invalid)?;
            (*path, offset)
        } else {
            (one_string(&request.payload).ok_or(Error::Invalid)?, 0)
        };
        if request.kind == XsMessageType::GET_PERMS {
            let path = Path::resolve_or_special(raw, self.home(from))?;
            if path.is_special() {
                let who = self.connection(from)?.who;
                let perms = self.special.get(&path).ok_or(Error::NotFound)?;
                return if perms.allow(who, Access::READ) { Ok(perms.to_wire()) } else { Err(Error::Access) };
            }
        }
        let path = Path::resolve(raw, self.home(from))?;
        let kind = request.kind;
        let read = |node: &Node| match kind {
            XsMessageType::READ => node.value().to_vec(),
            XsMessageType::GET_PERMS => node.perms().to_wire(),
            XsMessageType::DIRECTORY => names(node),
            _ => part(node, offset),
        };
        let (answer, _) = self.with_view(from, request.tx_id, |view| view.get(&path, Access::READ).map(read))?;
        Ok(answer)
    }

    pub(crate) fn write_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Error> {
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
                let act = |view: &mut crate::view::View<'_>| {
                    if remove { view.rm(&path) } else { view.mkdir(&path) }
                };
                self.with_view(from, request.tx_id, act)?.1
            }
        };
        out.messages.push((from, request.answer(b"OK\0")));
        self.fire(&changes, out);
        Ok(())
    }

    fn set_perms(&mut self, from: ConnId, request: &Message) -> Result<Vec<crate::watch::Change>, Error> {
        let (parts, _) = strings(&request.payload);
        let (raw, entries) = parts.split_first().ok_or(Error::Invalid)?;
        if entries.is_empty() {
            return Err(Error::Invalid);
        }
        let who = self.connection(from)?.who;
        if !who.is_privileged() && entries.len() > self.limits.perms {
            return Err(Error::NoSpace);
        }
        let perms = Perms::parse(entries)?;
        let path = Path::resolve_or_special(raw, self.home(from))?;
        if path.is_special() {
            let old = self.special.get_mut(&path).ok_or(Error::Invalid)?;
            if !old.allow(who, Access::WRITE_OWN) {
                return Err(Error::Access);
            }
            *old = perms;
            return Ok(Vec::new());
        }
        Ok(self.with_view(from, request.tx_id, |view| view.set_perms(&path, perms))?.1)
    }

    pub(crate) fn watch_op(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Error> {
        let limit = self.limits.watches;
        let connection = self.connection(from)?;
        if request.kind == XsMessageType::RESET_WATCHES {
            connection.watches.clear();
            connection.transactions.clear();
            out.messages.push((from, request.answer(b"OK\0")));
            return Ok(());
        }
        let (parts, _) = strings(&request.payload);
        let [raw, token, ..] = parts.as_slice() else { return Err(Error::Invalid) };
        let path = Path::resolve_or_special(raw, &connection.home)?;
        if request.kind == XsMessageType::UNWATCH {
            connection.watches.remove(&path, token)?;
            out.messages.push((from, request.answer(b"OK\0")));
            return Ok(());
        }
        if connection.watches.has(&path, token) {
            return Err(Error::Exists);
        }
        if !connection.who.is_privileged() && connection.watches.count() > limit {
            return Err(Error::TooBig);
        }
        let cut = path.as_str().len().saturating_sub(raw.len());
        let first = connection.watches.add(path, token, cut);
        out.messages.extend([(from, request.answer(b"OK\0")), (from, first)]);
        Ok(())
    }

    pub(crate) fn transaction_start(
        &mut self,
        from: ConnId,
        request: &Message,
        out: &mut Outcome,
    ) -> Result<(), Error> {
        let (limit, transaction) = (self.limits.transactions, Transaction::start(&self.tree));
        let connection = self.connection(from)?;
        if request.tx_id != 0 {
            let known = connection.transactions.contains_key(&request.tx_id);
            return Err(if known { Error::Busy } else { Error::NotFound });
        }
        if !connection.who.is_privileged() && connection.transactions.len() > limit {
            return Err(Error::NoSpace);
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
        out.messages.push((from, request.answer(format!("{id}\0").as_bytes())));
        Ok(())
    }

    pub(crate) fn transaction_end(&mut self, from: ConnId, request: &Message, out: &mut Outcome) -> Result<(), Error> {
        let limit = self.limits.nodes;
        let connection = self.connection(from)?;
        let who = connection.who;
        if request.tx_id != 0 && !connection.transactions.contains_key(&request.tx_id) {
            return Err(Error::NotFound);
        }
        let commit = match one_string(&request.payload) {
            Some(b"T") => true,
            Some(b"F") => false,
            _ => return Err(Error::Invalid),
        };
        let transaction = connection.transactions.remove(&request.tx_id).ok_or(Error::NotFound)?;
        let mut changes = Vec::new();
        if commit {
            let more = transaction.log.nodes.get(&who.domain).copied().unwrap_or_default();
            let nodes = self.counters.usage(who.domain).nodes.saturating_add_signed(more);
            if !who.is_privileged() && more > 0 && nodes > limit {
                return Err(Error::NoSpace);
            }
            let log = transaction.commit(&mut self.tree)?;
            changes = self.settle(log);
        }
        out.messages.push((from, request.answer(b"OK\0")));
        self.fire(&changes, out);
        Ok(())
    }
}

fn names(node: &Node) -> Vec<u8> {
    node.children().flat_map(|name| name.bytes().chain([0])).collect()
}

/// The generation, whole names from `offset` on as far as they fit, and one more NUL after the last.
fn part(node: &Node, offset: usize) -> Vec<u8> {
    let mut answer = format!("{}\0", node.generation()).into_bytes();
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
