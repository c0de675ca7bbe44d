// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who hears what. An event goes to a watch on the changed node or above it, if its domain may read the node (as it is now or was before)
//! or the node's parent.
//!
//! Watches are found by the path they are on: a change costs as much as its path is deep, however many watches there are elsewhere.

use crate::perms::Perms;
use crate::store::ConnId;
use hypercalls::io::xs_wire::{PAYLOAD_MAX, XsMessageType};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use xenstore::{Message, Path};

/// Something changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) path: Path,
    /// Only watches on this very path hear it: a node that went with its parent.
    pub(crate) exact: bool,
    /// Reading by any of these is enough to hear it.
    pub(crate) readable: Vec<Perms>,
}

/// A watch of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    pub(crate) path: Path,
    pub(crate) token: Rc<[u8]>,
    // Bytes to cut off the reported path, for a watch set with a relative path.
    pub(crate) cut: usize,
}

/// Where to find a watch of a connection.
type Key = (Path, Rc<[u8]>);

/// All watches.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches {
    // The numbers put the watches of a connection in the order they were set.
    by_path: HashMap<String, Vec<(ConnId, u64, Watch)>>,
    by_connection: HashMap<ConnId, BTreeMap<u64, Key>>,
    last: u64,
}

impl Watches {
    pub(crate) fn count(&self, connection: ConnId) -> usize {
        self.by_connection.get(&connection).map_or(0, BTreeMap::len)
    }

    /// Those of a connection, in the order they were set.
    pub(crate) fn of(&self, connection: ConnId) -> impl Iterator<Item = &Watch> {
        let own = self.by_connection.get(&connection);
        own.into_iter().flatten().filter_map(move |(number, (path, _))| {
            let here = self.by_path.get(path.as_str())?;
            here.iter().find(|(_, own, _)| own == number).map(|(_, _, watch)| watch)
        })
    }

    fn number(&self, connection: ConnId, path: &Path, token: &[u8]) -> Option<u64> {
        let here = self.by_path.get(path.as_str())?;
        here.iter().find(|(own, _, watch)| *own == connection && *watch.token == *token).map(|(_, number, _)| *number)
    }

    pub(crate) fn has(&self, connection: ConnId, path: &Path, token: &[u8]) -> bool {
        self.number(connection, path, token).is_some()
    }

    /// Adds one, and returns the event it fires at once so that a client sees the state at the start.
    pub(crate) fn add(&mut self, connection: ConnId, path: Path, token: &[u8], cut: usize) -> Option<Message> {
        self.last = self.last.saturating_add(1);
        let watch = Watch { path, token: token.into(), cut };
        let first = watch.event(&watch.path);
        let own = self.by_connection.entry(connection).or_default();
        own.insert(self.last, (watch.path.clone(), Rc::clone(&watch.token)));
        self.by_path.entry(watch.path.as_str().to_owned()).or_default().push((connection, self.last, watch));
        first
    }

    /// Removes one; says whether it was there.
    pub(crate) fn remove(&mut self, connection: ConnId, path: &Path, token: &[u8]) -> bool {
        let Some(number) = self.number(connection, path, token) else { return false };
        self.forget(path, number);
        if let Some(own) = self.by_connection.get_mut(&connection) {
            own.remove(&number);
        }
        true
    }

    /// Removes all of a connection.
    pub(crate) fn clear(&mut self, connection: ConnId) {
        for (number, (path, _)) in self.by_connection.remove(&connection).unwrap_or_default() {
            self.forget(&path, number);
        }
    }

    fn forget(&mut self, path: &Path, number: u64) {
        if let Some(here) = self.by_path.get_mut(path.as_str()) {
            here.retain(|(_, own, _)| *own != number);
            if here.is_empty() {
                self.by_path.remove(path.as_str());
            }
        }
    }

    /// The watches that hear of a change, in the order of connections and then in the order they were set.
    pub(crate) fn hearing(&self, change: &Change) -> Vec<(ConnId, &Watch)> {
        let mut found = Vec::new();
        let mut at = Some(change.path.as_str());
        while let Some(path) = at {
            found.extend(self.by_path.get(path).into_iter().flatten());
            at = if change.exact { None } else { above(path) };
        }
        found.sort_unstable_by_key(|(connection, number, _)| (*connection, *number));
        found.into_iter().map(|(connection, _, watch)| (*connection, watch)).collect()
    }
}

/// The path above, up to the root; none above a special name.
fn above(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/"),
        Some((parent, _)) => Some(parent),
    }
}

impl Watch {
    /// The event; as with Xen, one that is too long for a message is not sent.
    pub(crate) fn event(&self, path: &Path) -> Option<Message> {
        let mut payload = path.as_str().as_bytes().get(self.cut..).unwrap_or_default().to_vec();
        payload.push(0);
        payload.extend_from_slice(&self.token);
        payload.push(0);
        (payload.len() <= PAYLOAD_MAX).then(|| Message::new(XsMessageType::WATCH_EVENT, 0, 0, &payload))
    }
}
