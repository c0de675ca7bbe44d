// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Who hears what. An event goes to a watch on the changed node or above it, if its domain may read the node (as it is now or was before)
//! or the node's parent.

use crate::perms::{Access, Perms, Who};
use hypercalls::io::xs_wire::XsMessageType;
use xenstore::{Error, Message, Path};

/// Something changed.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) path: Path,
    /// Only watches on this very path hear it: a node that went with its parent.
    pub(crate) exact: bool,
    /// Reading by any of these is enough to hear it.
    pub(crate) readable: Vec<Perms>,
}

#[derive(Clone, Debug)]
struct Watch {
    path: Path,
    token: Vec<u8>,
    // Bytes to cut off the reported path, for a watch set with a relative path.
    cut: usize,
}

/// The watches of one connection, in the order they were set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watches(Vec<Watch>);

impl Watches {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn position(&self, path: &Path, token: &[u8]) -> Option<usize> {
        self.0.iter().position(|watch| watch.path == *path && watch.token == token)
    }

    pub(crate) fn has(&self, path: &Path, token: &[u8]) -> bool {
        self.position(path, token).is_some()
    }

    /// Adds one, and returns the event it fires at once so that a client sees the state at the start.
    pub(crate) fn add(&mut self, path: Path, token: &[u8], cut: usize) -> Message {
        let watch = Watch { path, token: token.to_vec(), cut };
        let first = watch.event(&watch.path);
        self.0.push(watch);
        first
    }

    pub(crate) fn remove(&mut self, path: &Path, token: &[u8]) -> Result<(), Error> {
        let index = self.position(path, token).ok_or(Error::NotFound)?;
        self.0.remove(index);
        Ok(())
    }

    /// The events this connection hears.
    pub(crate) fn fire(&self, who: Who, change: &Change) -> Vec<Message> {
        if !change.readable.iter().any(|perms| perms.allow(who, Access::READ)) {
            return Vec::new();
        }
        let hears =
            |watch: &&Watch| watch.path == change.path || (!change.exact && change.path.is_at_or_below(&watch.path));
        self.0.iter().filter(hears).map(|watch| watch.event(&change.path)).collect()
    }
}

impl Watch {
    fn event(&self, path: &Path) -> Message {
        let mut payload = path.as_str().as_bytes().get(self.cut..).unwrap_or_default().to_vec();
        payload.push(0);
        payload.extend_from_slice(&self.token);
        payload.push(0);
        Message::new(XsMessageType::WATCH_EVENT, 0, 0, &payload)
    }
}
