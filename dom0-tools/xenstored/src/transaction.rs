// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Transactions: a snapshot to work on, the nodes that were looked at, and what was changed. It commits if no node it looked at has changed
//! since, the absence of a node included. Two that make different children of one node do not disturb each other, unless one has looked at the
//! list of its children.

use crate::effect::Kind;
use crate::tree::Tree;
use crate::watch::Change;
use hypercalls::ids::DomId;
use std::collections::BTreeMap;
use xenstore::{Error, Path};

/// What became of a node in a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Modified {
    // It was removed at some time, so that its old children must go at commit.
    removed: bool,
    // When it was last made: a parent before its children.
    made: u64,
}

/// What a view of the tree notes while it is used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Nodes that were looked at, and whether their lists of children were, too.
    pub(crate) accessed: BTreeMap<Path, bool>,
    pub(crate) changes: Vec<Change>,
    pub(crate) nodes: BTreeMap<DomId, i64>,
    /// What was done to the tree, outside of a transaction.
    pub(crate) done: Vec<Kind>,
    /// Bytes of paths and values that are kept until the transaction ends.
    pub(crate) bytes: usize,
    modified: BTreeMap<Path, Modified>,
    fired: BTreeMap<Path, usize>,
    last_made: u64,
}

impl Log {
    /// Notes that a transaction looked at a node.
    pub(crate) fn note_access(&mut self, path: &Path, list: bool) {
        self.bytes = self.bytes.saturating_add(path.as_str().len());
        *self.accessed.entry(path.clone()).or_default() |= list;
    }

    pub(crate) fn note_put(&mut self, path: &Path, is_new: bool) {
        self.accessed.entry(path.clone()).or_default();
        let modified = self.modified.entry(path.clone()).or_default();
        if is_new {
            self.last_made = self.last_made.saturating_add(1);
            modified.made = self.last_made;
        }
    }

    pub(crate) fn note_remove(&mut self, path: &Path) {
        self.accessed.entry(path.clone()).or_default();
        self.modified.entry(path.clone()).or_default().removed = true;
    }

    pub(crate) fn count(&mut self, owner: DomId, change: i64) {
        let count = self.nodes.entry(owner).or_default();
        *count = count.saturating_add(change);
    }

    /// Notes an event. In a transaction each path fires once, however often it changed.
    pub(crate) fn fire(&mut self, change: Change) {
        let old = self.fired.get(&change.path).and_then(|index| self.changes.get_mut(*index));
        match old {
            Some(old) => {
                old.exact &= change.exact;
                for perms in change.readable {
                    if !old.readable.contains(&perms) {
                        old.readable.push(perms);
                    }
                }
            }
            None => {
                self.fired.insert(change.path.clone(), self.changes.len());
                self.changes.push(change);
            }
        }
    }
}

/// An open transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    base: Tree,
    pub(crate) tree: Tree,
    pub(crate) log: Log,
    doomed: bool,
}

impl Transaction {
    pub(crate) fn start(tree: &Tree) -> Self {
        Self { base: tree.clone(), tree: tree.clone(), log: Log::default(), doomed: false }
    }

    /// Lets it fail at its end, whatever happens.
    pub(crate) fn doom(&mut self) {
        self.doomed = true;
    }

    /// Whether it would leave something of this domain behind.
    pub(crate) fn concerns(&self, domain: DomId) -> bool {
        let left = |path: &Path| self.tree.get(path).is_some_and(|node| node.perms().mention(domain));
        self.log.nodes.contains_key(&domain) || self.log.modified.keys().any(left)
    }

    /// Whether a node it looked at is not any more what it was.
    pub(crate) fn conflicts(&self, main: &Tree) -> bool {
        let differs = |(path, list): (&Path, &bool)| match (self.base.get(path), main.get(path)) {
            (Some(then), Some(now)) => then.content() != now.content() || *list && then.list() != now.list(),
            (None, None) => false,
            _ => true,
        };
        self.doomed || main.generation() != self.base.generation() && self.log.accessed.iter().any(differs)
    }

    /// Brings the changes into `main`, and returns what was noted, of which [`Log::done`] is now what was done to `main`.
    ///
    /// # Errors
    /// `EAGAIN` after a conflict; `main` is untouched.
    pub(crate) fn commit(self, main: &mut Tree) -> Result<Log, Error> {
        if self.conflicts(main) {
            return Err(Error::Again);
        }
        let Self { base, tree, mut log, .. } = self;
        let modified = std::mem::take(&mut log.modified);
        // Parents sort before their children, and take them along.
        for path in modified.iter().filter(|(_, modified)| modified.removed).map(|(path, _)| path) {
            if main.remove(path).is_some() {
                log.done.push(Kind::Remove(path.clone()));
            }
        }
        let mut left: Vec<_> = modified.iter().map(|(path, modified)| (modified.made, path)).collect();
        left.sort_by_key(|(made, _)| *made);
        for (_, path) in left {
            if let Some(node) = tree.get(path)
                && main.put(path, node.value(), node.perms().clone())
            {
                log.done.push(Kind::Put(path.clone(), node.value().to_vec(), node.perms().clone()));
            }
        }
        // What came and went within the transaction was never there.
        log.changes.retain(|change| base.get(&change.path).is_some() || tree.get(&change.path).is_some());
        Ok(log)
    }
}
