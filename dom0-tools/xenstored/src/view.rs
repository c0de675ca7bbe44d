// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The tree as one request sees it, in or out of a transaction: checks rights and quotas, and notes what was done.

use crate::effect::Kind;
use crate::perms::{Access, Perms, Who};
use crate::quota::{self, Counters, Limits, Quota, Refusal};
use crate::transaction::Log;
use crate::tree::{Node, Tree};
use crate::watch::Change;
use xenstore::{Error, Path};

pub(crate) struct View<'s> {
    pub(crate) tree: &'s mut Tree,
    pub(crate) log: &'s mut Log,
    pub(crate) in_transaction: bool,
    pub(crate) who: Who,
    pub(crate) limits: &'s Limits,
    pub(crate) counters: &'s Counters,
    /// Bytes a transaction may keep.
    pub(crate) room: usize,
}

impl View<'_> {
    fn touch(&mut self, path: &Path, list: bool) -> Result<(), Refusal> {
        if !self.in_transaction {
            return Ok(());
        }
        if let Some(before) = self.log.accessed.get_mut(path) {
            *before |= list;
            return Ok(());
        }
        let would_be = self.log.accessed.len().saturating_add(1);
        if !self.who.is_privileged() && self.limits.exceeded(Quota::TransactionNodes, would_be) {
            return Err(Refusal::Quota(Quota::TransactionNodes));
        }
        self.may_keep(path.as_str().len())?;
        self.log.note_access(path, list);
        Ok(())
    }

    /// Whether a transaction may keep so many more bytes.
    fn may_keep(&self, more: usize) -> Result<(), Refusal> {
        let fits = !self.in_transaction || self.who.is_privileged() || self.log.bytes.saturating_add(more) <= self.room;
        if fits { Ok(()) } else { Err(Refusal::Quota(Quota::Memory)) }
    }

    /// The node, if it is there and `needed` is granted. If it is missing, the closest node above decides whether the client may know.
    pub(crate) fn get(&mut self, path: &Path, needed: Access) -> Result<&Node, Refusal> {
        self.touch(path, false)?;
        if self.tree.get(path).is_none() {
            let above = self.closest(path)?;
            let known = self.tree.get(&above).is_some_and(|node| node.perms().allow(self.who, needed));
            return Err(if known { Error::NotFound } else { Error::Access }.into());
        }
        let node = self.tree.get(path).ok_or(Error::NotFound)?;
        if node.perms().allow(self.who, needed) { Ok(node) } else { Err(Error::Access.into()) }
    }

    /// The same, for whoever looks at the list of its children.
    pub(crate) fn get_list(&mut self, path: &Path) -> Result<&Node, Refusal> {
        self.touch(path, true)?;
        self.get(path, Access::READ)
    }

    /// The closest node above that is there.
    fn closest(&mut self, path: &Path) -> Result<Path, Refusal> {
        let mut above = path.parent();
        loop {
            self.touch(&above, false)?;
            if self.tree.get(&above).is_some() {
                return Ok(above);
            }
            above = above.parent();
        }
    }

    fn fits(&self, value: usize, perms: usize, children: usize) -> Result<(), Refusal> {
        self.may_keep(value)?;
        let bytes = quota::node_bytes(value, perms, children).saturating_add(1);
        let fits = self.who.is_privileged() || !self.limits.exceeded(Quota::NodeBytes, bytes);
        if fits { Ok(()) } else { Err(Refusal::Quota(Quota::NodeBytes)) }
    }

    /// `XS_WRITE`.
    pub(crate) fn write(&mut self, path: &Path, value: &[u8]) -> Result<(), Refusal> {
        match self.get(path, Access::WRITE) {
            Ok(node) => {
                let (perms, children) = (node.perms().clone(), quota::children_bytes(node));
                self.fits(value.len(), perms.count(), children)?;
                self.put(path, value, perms);
            }
            Err(Refusal::Error(Error::NotFound)) => self.create(path, value)?,
            Err(error) => return Err(error),
        }
        self.fire(path, None);
        Ok(())
    }

    /// `XS_MKDIR`: a node that is there stays as it is, and no watch fires.
    pub(crate) fn mkdir(&mut self, path: &Path) -> Result<(), Refusal> {
        match self.get(path, Access::WRITE) {
            Ok(_) => Ok(()),
            Err(Refusal::Error(Error::NotFound)) => {
                self.create(path, b"")?;
                self.fire(path, None);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the node and those missing above it. Everything is checked before anything is made.
    fn create(&mut self, path: &Path, value: &[u8]) -> Result<(), Refusal> {
        let above = self.closest(path)?;
        let mut missing = Vec::new();
        let mut at = path.clone();
        while let Some((parent, name)) = at.split_last().filter(|_| at != above) {
            missing.push((at.clone(), name.len().saturating_add(1)));
            self.touch(&at, false)?;
            at = parent;
        }
        let parent = self.tree.get(&above).ok_or(Error::Io)?;
        let inherited = parent.perms();
        let perms = if self.who.is_privileged() { inherited.clone() } else { inherited.with_owner(self.who.domain) };
        let names = quota::children_bytes(parent).saturating_add(missing.last().map_or(0, |(_, bytes)| *bytes));
        self.fits(parent.value().len(), inherited.count(), names)?;
        let mut below = 0;
        for (index, (_, bytes)) in missing.iter().enumerate() {
            self.fits(if index == 0 { value.len() } else { 0 }, perms.count(), below)?;
            below = *bytes;
        }
        self.may_own(missing.len())?;
        for (index, (node, _)) in missing.iter().enumerate().rev() {
            self.log.count(perms.owner(), 1);
            self.put(node, if index == 0 { value } else { b"" }, perms.clone());
        }
        Ok(())
    }

    fn may_own(&self, more: usize) -> Result<(), Refusal> {
        let domain = self.who.domain;
        let noted = self.log.nodes.get(&domain).copied().unwrap_or_default();
        let used = self.counters.usage(domain).nodes.saturating_add_signed(noted);
        let fits = self.who.is_privileged() || used.saturating_add(more as u64) <= self.limits.get(Quota::Nodes);
        if fits { Ok(()) } else { Err(Refusal::Quota(Quota::Nodes)) }
    }

    fn put(&mut self, path: &Path, value: &[u8], perms: Perms) {
        if self.in_transaction {
            self.log.note_put(path, self.tree.get(path).is_none());
            self.log.bytes = self.log.bytes.saturating_add(value.len());
        } else {
            self.log.done.push(Kind::Put(path.clone(), value.to_vec(), perms.clone()));
        }
        self.tree.put(path, value, perms);
    }

    /// `XS_RM`: a node that is not there is as good as removed, if its parent is.
    pub(crate) fn rm(&mut self, path: &Path) -> Result<(), Refusal> {
        match self.get(path, Access::WRITE) {
            Ok(_) if *path == Path::root() => Err(Error::Invalid.into()),
            Ok(_) => self.remove(path),
            Err(Refusal::Error(Error::NotFound)) => {
                let parent = path.parent();
                self.touch(&parent, false)?;
                self.tree.get(&parent).map(|_| ()).ok_or(Refusal::Error(Error::NotFound))
            }
            Err(error) => Err(error),
        }
    }

    /// Removes without asking.
    pub(crate) fn remove(&mut self, path: &Path) -> Result<(), Refusal> {
        let parent = path.parent();
        self.touch(&parent, false)?;
        let above = self.tree.get(&parent).map(|node| node.perms().clone());
        let mut gone = Vec::new();
        self.tree.get(path).ok_or(Error::NotFound)?.walk(path, &mut |path, node| {
            gone.push((path.clone(), node.perms().clone()));
        });
        for (node, _) in &gone {
            self.touch(node, true)?;
        }
        self.tree.remove(path);
        if !self.in_transaction {
            self.log.done.push(Kind::Remove(path.clone()));
        }
        for (node, perms) in gone {
            self.log.count(perms.owner(), -1);
            if self.in_transaction {
                self.log.note_remove(&node);
            }
            let readable = std::iter::once(perms).chain(above.clone()).collect();
            self.note(Change { exact: node != *path, path: node, readable });
        }
        Ok(())
    }

    /// `XS_SET_PERMS`.
    pub(crate) fn set_perms(&mut self, path: &Path, perms: Perms) -> Result<(), Refusal> {
        let node = self.get(path, Access::WRITE_OWN)?;
        let (old, value, children) = (node.perms().clone(), node.value().to_vec(), quota::children_bytes(node));
        if !self.who.is_privileged() && perms.owner() != old.owner() {
            return Err(Error::NotPermitted.into());
        }
        self.fits(value.len(), perms.count(), children)?;
        self.log.count(old.owner(), -1);
        self.log.count(perms.owner(), 1);
        self.put(path, &value, perms);
        self.fire(path, Some(old));
        Ok(())
    }

    fn fire(&mut self, path: &Path, old: Option<Perms>) {
        let readable =
            self.tree.get_both(path).into_iter().flatten().map(|node| node.perms().clone()).chain(old).collect();
        self.note(Change { path: path.clone(), exact: false, readable });
    }

    fn note(&mut self, change: Change) {
        if self.in_transaction {
            self.log.fire(change);
        } else {
            self.log.changes.push(change);
        }
    }
}
