// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The nodes. Clones of a tree share all nodes; a change copies only the path from the root to the changed node, so that the snapshot
//! a transaction starts with costs nothing.

use crate::perms::Perms;
use hypercalls::ids::DomId;
use std::rc::Rc;
use xenstore::Path;

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    value: Rc<[u8]>,
    perms: Perms,
    content: u64,
    list: u64,
    // In the order of creation, which is the order Xen lists them in.
    children: Vec<(Rc<str>, Rc<Node>)>,
}

impl Node {
    /// The value.
    #[must_use]
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }

    /// The permissions.
    #[must_use]
    pub(crate) fn perms(&self) -> &Perms {
        &self.perms
    }

    /// Changes with the value and the permissions; never repeats within a tree.
    #[must_use]
    pub(crate) fn content(&self) -> u64 {
        self.content
    }

    /// Changes with the list of children; never repeats within a tree.
    #[must_use]
    pub(crate) fn list(&self) -> u64 {
        self.list
    }

    /// The names of the children, oldest first.
    pub(crate) fn children(&self) -> impl Iterator<Item = &str> {
        self.children.iter().map(|(name, _)| &**name)
    }

    fn child(&self, name: &str) -> Option<&Rc<Self>> {
        self.children.iter().find(|(own, _)| **own == *name).map(|(_, node)| node)
    }

    fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.children.iter_mut().find(|(own, _)| **own == *name).map(|(_, node)| Rc::make_mut(node))
    }

    /// Calls `visit` for everything below, children before their parent, and then for itself.
    pub(crate) fn walk(&self, path: &Path, visit: &mut impl FnMut(&Path, &Self)) {
        // Not by recursion: a path may have a thousand parts. What is listed after its parent is visited before it.
        let mut all = vec![(path.clone(), self)];
        let mut next = 0;
        while let Some((path, node)) = all.get(next).cloned() {
            all.extend(node.children.iter().map(|(name, child)| (path.child(name), &**child)));
            next = next.saturating_add(1);
        }
        all.iter().rev().for_each(|(path, node)| visit(path, node));
    }
}

/// All nodes of a store.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: Rc<Node>,
    generation: u64,
}

impl Tree {
    /// A tree of only the root, which dom0 owns and nobody else may touch.
    #[must_use]
    pub(crate) fn new(root_perms: Perms) -> Self {
        let root = Node { value: Rc::new([]), perms: root_perms, content: 1, list: 1, children: Vec::new() };
        Self { root: Rc::new(root), generation: 1 }
    }

    /// Calls `visit` for every node, parents before their children and those in their order; it says whether the children are of interest.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&str, &Node) -> bool) {
        // One path for all, and no recursion: a path may have a thousand parts.
        let mut path = String::new();
        let mut open = Vec::new();
        if visit("/", &self.root) {
            open.push((self.root.children.iter(), 0));
        }
        while let Some((children, len)) = open.last_mut() {
            path.truncate(*len);
            let Some((name, node)) = children.next() else {
                open.pop();
                continue;
            };
            path.push('/');
            path.push_str(name);
            if visit(&path, node) {
                open.push((node.children.iter(), path.len()));
            }
        }
    }

    /// Lets no later change have a generation as low as this one.
    pub(crate) fn count_from(&mut self, generation: u64) {
        self.generation = self.generation.max(generation);
    }

    /// The generation of the last change anywhere.
    #[must_use]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The node there.
    #[must_use]
    pub(crate) fn get(&self, path: &Path) -> Option<&Node> {
        if path.is_special() {
            return None;
        }
        path.components().try_fold(&*self.root, |node, name| node.child(name).map(|child| &**child))
    }

    fn get_mut(&mut self, path: &Path) -> Option<&mut Node> {
        // Looked at first: a failed search must not copy half a path.
        self.get(path)?;
        path.components().try_fold(Rc::make_mut(&mut self.root), |node, name| node.child_mut(name))
    }

    fn next(&mut self) -> u64 {
        self.generation = self.generation.saturating_add(1);
        self.generation
    }

    /// Writes value and permissions; makes the node if its parent is there. Says whether it could.
    pub(crate) fn put(&mut self, path: &Path, value: &[u8], perms: Perms) -> bool {
        let generation = self.next();
        if let Some(node) = self.get_mut(path) {
            node.value = value.into();
            node.perms = perms;
            node.content = generation;
            return true;
        }
        let Some((parent, name)) = path.split_last() else { return false };
        let Some(parent) = self.get_mut(&parent) else { return false };
        let node = Node { value: value.into(), perms, content: generation, list: generation, children: Vec::new() };
        parent.children.push((name.into(), Rc::new(node)));
        parent.list = generation;
        true
    }

    /// Removes the node and all below; the root stays. Returns what was removed.
    pub(crate) fn remove(&mut self, path: &Path) -> Option<Rc<Node>> {
        let (parent, name) = path.split_last()?;
        self.get(path)?;
        let generation = self.next();
        let parent = self.get_mut(&parent)?;
        let index = parent.children.iter().position(|(own, _)| **own == *name)?;
        parent.list = generation;
        Some(parent.children.remove(index).1)
    }

    /// The topmost nodes that `domain` owns, and the nodes it does not own that name it, with their new permissions.
    #[must_use]
    pub(crate) fn traces_of(&self, domain: DomId) -> (Vec<Path>, Vec<(Path, Perms)>) {
        let (mut owned, mut named) = (Vec::new(), Vec::new());
        self.visit(|path, node| {
            if !node.perms.mention(domain) {
                return true;
            }
            let Ok(path) = Path::resolve(path.as_bytes(), "") else { return true };
            // The root cannot go.
            let goes = node.perms.owner() == domain && path != Path::root();
            if goes {
                owned.push(path);
            } else if let Some(perms) = node.perms.without(domain) {
                named.push((path, perms));
            }
            !goes
        });
        (owned, named)
    }
}
