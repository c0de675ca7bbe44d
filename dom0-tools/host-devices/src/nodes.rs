// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Directories of the store that describe a device, and where they are.

use hypercalls::ids::DomId;
use xenstore::client::{Access, Error, Nodes, Permission};

/// `XenbusStateInitialising`
pub(crate) const INITIALISING: &str = "1";
/// `XenbusStateInitWait`
pub(crate) const INIT_WAIT: u32 = 2;
/// `XenbusStateConnected`
pub(crate) const CONNECTED: u32 = 4;
/// `XenbusStateClosing`
pub(crate) const CLOSING: u32 = 5;
/// `XenbusStateClosed`
pub(crate) const CLOSED: u32 = 6;

/// The home of backends in dom0.
pub(crate) const BACKENDS: &str = "/local/domain/0/backend";

/// The guest's side of a device.
pub(crate) fn frontend(domain: DomId, class: &str, device: &str) -> String {
    format!("/local/domain/{}/device/{class}/{device}", domain.raw())
}

/// Dom0's side of a device.
pub(crate) fn backend(domain: DomId, class: &str, device: &str) -> String {
    format!("{BACKENDS}/{class}/{}/{device}", domain.raw())
}

/// A directory with its nodes. All share the directory's permissions, which the server gives each new node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dir {
    path: String,
    owner: DomId,
    reader: DomId,
    entries: Vec<(&'static str, String)>,
    /// Nodes of dom0's in a guest's directory.
    guarded: Vec<&'static str>,
}

impl Dir {
    /// One the guest owns and dom0 reads.
    pub(crate) fn of_guest(path: String, guest: DomId, entries: Vec<(&'static str, String)>) -> Self {
        Self { path, owner: guest, reader: DomId::DOM0, entries, guarded: Vec::new() }
    }

    /// One dom0 owns and the guest reads.
    pub(crate) fn of_dom0(path: String, guest: DomId, entries: Vec<(&'static str, String)>) -> Self {
        Self { path, owner: DomId::DOM0, reader: guest, entries, guarded: Vec::new() }
    }

    /// Takes `entry` from the guest: it may read it, but not write it.
    pub(crate) fn guard(mut self, entry: &'static str) -> Self {
        self.guarded.push(entry);
        self
    }

    /// Writes it all, in a transaction: the kernel's drivers act on what they find first.
    pub(crate) fn write(&self, nodes: &Nodes<'_>) -> Result<(), Error> {
        nodes.mkdir(&self.path)?;
        let perms = [Permission::new(self.owner, Access::None), Permission::new(self.reader, Access::Read)];
        nodes.set_perms(&self.path, &perms)?;
        for (name, value) in &self.entries {
            nodes.write(&format!("{}/{name}", self.path), value)?;
        }
        for name in &self.guarded {
            let perms = [Permission::new(DomId::DOM0, Access::None), Permission::new(self.owner, Access::Read)];
            nodes.set_perms(&format!("{}/{name}", self.path), &perms)?;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    #[cfg(test)]
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.entries.iter().find(|(entry, _)| *entry == name).map(|(_, value)| value.as_str())
    }
}

/// Removes a node, then those above it that nothing else is in, up to and without `top`.
pub(crate) fn remove_up_to(nodes: &Nodes<'_>, path: &str, top: &str) -> Result<(), Error> {
    nodes.discard(path)?;
    let mut path = path;
    while let Some((parent, _)) = path.rsplit_once('/') {
        if parent.len() <= top.len() || !list(nodes, parent)?.is_empty() {
            break;
        }
        nodes.discard(parent)?;
        path = parent;
    }
    Ok(())
}

/// The children; none of what is not there.
pub(crate) fn list(nodes: &Nodes<'_>, path: &str) -> Result<Vec<String>, Error> {
    match nodes.list(path) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}

/// The state of one side of a device; `None` if there is no such side.
pub(crate) fn state(nodes: &Nodes<'_>, side: &str) -> Result<Option<u32>, Error> {
    // A guest may write anything here; what is no number is state 0, unknown.
    match nodes.read(&format!("{side}/state")) {
        Ok(bytes) => Ok(Some(str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).unwrap_or(0))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
