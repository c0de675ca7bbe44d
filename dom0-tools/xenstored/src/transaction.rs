// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Transactions: a snapshot to work on, the nodes that were looked at, and what was changed. It commits if no node it looked at has changed
//! since, the absence of a node included.

use crate::tree::Tree;
use crate::watch::Change;
use hypercalls::ids::DomId;
use std::collections::{BTreeMap, BTreeSet};
use xenstore::{Error, Path};

/// What a view of the tree notes while it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    pub(crate) accessed: BTreeSet<Path>,
    // Whether the node was removed at some time, so that its old children must go at commit.
    pub(crate) modified: BTreeMap<Path, bool>,
    pub(crate) changes: Vec<Change>,
    pub(crate) nodes: BTreeMap<DomId, i64>,
}

impl Log {
    pub(crate) fn note_put(&mut self, path: &Path) {
        self.accessed.insert(path.clone());
        self.modified.entry(path.clone()).or_insert(false);
    }

    pub(crate) fn note_remove(&mut self, path: &Path) {
        self.accessed.insert(path.clone());
        self.modified.insert(path.clone(), true);
    }

    pub(crate) fn count(&mut self, owner: DomId, change: i64) {
        let count = self.nodes.entry(owner).or_default();
        *count = count.saturating_add(change);
    }

    /// Notes an event. In a transaction each path fires once, however often it changed.
    pub(crate) fn fire(&mut self, change: Change) {
        match self.changes.iter_mut().find(|old| old.path == change.path) {
            Some(old) => {
                old.exact &= change.exact;
                for perms in change.readable {
                    if !old.readable.contains(&perms) {
                        old.readable.push(perms);
                    }
                }
            }
            None => self.changes.push(change),
        }
    }
}

/// An open transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    base: Tree,
    pub(crate) tree: Tree,
    pub(crate) log: Log,
}

impl Transaction {
    pub(crate) fn start(tree: &Tree) -> Self {
        Self { base: tree.clone(), tree: tree.clone(), log: Log::default() }
    }

    /// Whether a node it looked at is not any more what it was.
    pub(crate) fn conflicts(&self, main: &Tree) -> bool {
        let generation = |tree: &Tree, path: &Path| tree.get(path).map(crate::tree::Node::generation);
        main.generation() != self.base.generation()
            && self.log.accessed.iter().any(|path| generation(&self.base, path) != generation(main, path))
    }

    /// Brings the changes into `main`, and returns what was noted.
    ///
    /// # Errors
    /// `EAGAIN` after a conflict; `main` is untouched.
    pub(crate) fn commit(self, main: &mut Tree) -> Result<Log, Error> {
        if self.conflicts(main) {
            return Err(Error::Again);
        }
        if main.generation() == self.base.generation() {
            *main = self.tree;
            return Ok(self.log);
        }
        // Parents sort before their children.
        for (path, removed) in &self.log.modified {
            let node = self.tree.get(path);
            if *removed || node.is_none() {
                main.remove(path);
            }
            if let Some(node) = node
                && !main.put(path, node.value(), node.perms().clone())
            {
                return Err(Error::Io);
            }
        }
        Ok(self.log)
    }
}
