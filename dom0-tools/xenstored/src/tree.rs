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
    children: Vec<Child>,
}

#[derive(Clone, Debug)]
struct Child {
    // Seldom equal where names differ: looked at first.
    key: u64,
    name: Rc<str>,
    node: Rc<Node>,
}

impl Child {
    /// The last eight bytes of a name, which is where siblings differ.
    fn key(name: &str) -> u64 {
        name.bytes().fold(0, |key, byte| key << 8 | u64::from(byte))
    }
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
        self.children.iter().map(|child| &*child.name)
    }

    fn index(&self, name: &str) -> Option<usize> {
        let key = Child::key(name);
        self.children.iter().position(|child| child.key == key && *child.name == *name)
    }

    fn child(&self, name: &str) -> Option<&Self> {
        self.children.get(self.index(name)?).map(|child| &*child.node)
    }

    fn child_mut(&mut self, name: &str) -> Option<&mut Self> {
        let index = self.index(name)?;
        self.children.get_mut(index).map(|child| Rc::make_mut(&mut child.node))
    }

    fn put(&mut self, value: &[u8], perms: Perms, generation: u64) {
        self.value = value.into();
        self.perms = perms;
        self.content = generation;
    }

    /// Calls `visit` for everything below, children before their parent, and then for itself.
    pub(crate) fn walk(&self, path: &Path, visit: &mut impl FnMut(&Path, &Self)) {
        // Not by recursion: a path may have a thousand parts. What is listed after its parent is visited before it.
        let mut all = vec![(path.clone(), self)];
        let mut next = 0;
        while let Some((path, node)) = all.get(next).cloned() {
            all.extend(node.children.iter().map(|child| (path.child(&child.name), &*child.node)));
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
            let Some(Child { name, node, .. }) = children.next() else {
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
        path.components().try_fold(&*self.root, Node::child)
    }

    /// The node there and the one above it, each if it is there; the root is its own parent.
    pub(crate) fn get_both(&self, path: &Path) -> [Option<&Node>; 2] {
        let Some((parent, name)) = path.split_last() else { return [self.get(path); 2] };
        let parent = self.get(&parent);
        [parent.and_then(|parent| parent.child(name)), parent]
    }

    /// The node, for changing it: where transactions share it, this tree gets a copy of the way there.
    fn get_mut(&mut self, path: &Path) -> Option<&mut Node> {
        if path.is_special() {
            return None;
        }
        path.components().try_fold(Rc::make_mut(&mut self.root), Node::child_mut)
    }

    fn next(&mut self) -> u64 {
        self.generation = self.generation.saturating_add(1);
        self.generation
    }

    /// Writes value and permissions; makes the node if its parent is there. Says whether it could.
    pub(crate) fn put(&mut self, path: &Path, value: &[u8], perms: Perms) -> bool {
        let generation = self.next();
        if *path == Path::root() {
            Rc::make_mut(&mut self.root).put(value, perms, generation);
            return true;
        }
        let Some((above, name)) = path.split_last() else { return false };
        let Some(parent) = self.get_mut(&above) else { return false };
        if let Some(node) = parent.child_mut(name) {
            node.put(value, perms, generation);
            return true;
        }
        let node = Node { value: value.into(), perms, content: generation, list: generation, children: Vec::new() };
        parent.children.push(Child { key: Child::key(name), name: name.into(), node: Rc::new(node) });
        parent.list = generation;
        true
    }

    /// Removes the node and all below; the root stays. Returns what was removed.
    pub(crate) fn remove(&mut self, path: &Path) -> Option<Rc<Node>> {
        let (above, name) = path.split_last()?;
        self.get(path)?;
        let generation = self.next();
        let parent = self.get_mut(&above)?;
        let index = parent.index(name)?;
        parent.list = generation;
        Some(parent.children.remove(index).node)
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
