// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The tree: reading and changing nodes, in or out of a transaction.

use super::connection::{Change, Client, Group, joined, protocol};
use super::error::Error;
use super::permissions::Permission;
use crate::wire::strings;
use hypercalls::io::xs_wire::XsMessageType;

/// The tree as one transaction sees it, or as it is.
#[derive(Clone, Copy, Debug)]
pub struct Nodes<'c> {
    client: &'c Client,
    group: Group,
}

impl<'c> Nodes<'c> {
    pub(super) fn new(client: &'c Client, group: Group) -> Self {
        Self { client, group }
    }

    fn call(&self, kind: XsMessageType, operation: &'static str, path: &str) -> Result<Vec<u8>, Error> {
        self.client.call_in(self.group, kind, operation, &[path])
    }

    /// The value.
    ///
    /// # Errors
    /// As for every request.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.call(XsMessageType::READ, "read", path)
    }

    /// The value as text.
    ///
    /// # Errors
    /// As for every request; [`Error::Protocol`] for a value that is not UTF-8.
    pub fn read_text(&self, path: &str) -> Result<String, Error> {
        String::from_utf8(self.read(path)?).map_err(|_| protocol("read", path, "not text"))
    }

    /// The value as text, or `None` if there is no such node.
    ///
    /// # Errors
    /// As [`Nodes::read_text`].
    pub fn find_text(&self, path: &str) -> Result<Option<String>, Error> {
        match self.read_text(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same of several nodes, in the time that one takes.
    ///
    /// # Errors
    /// As [`Nodes::read_text`].
    pub fn find_texts<const N: usize>(&self, paths: [&str; N]) -> Result<[Option<String>; N], Error> {
        let mut values = self.client.read_all(self.group, &paths)?.into_iter();
        let mut texts = [const { None }; N];
        for (text, path) in texts.iter_mut().zip(paths) {
            let value = values.next().flatten().map(String::from_utf8).transpose();
            *text = value.map_err(|_| protocol("read", path, "not text"))?;
        }
        Ok(texts)
    }

    /// Writes the value; makes the node, and those missing above it. In a transaction or batch, a refusal comes with its end.
    ///
    /// # Errors
    /// As for every request.
    pub fn write(&self, path: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        if path.contains('\0') {
            return Err(Error::Argument { operation: "write", subject: path.to_owned(), what: "a NUL in the path" });
        }
        let payload = [path.as_bytes(), b"\0", value.as_ref()].concat();
        self.change(XsMessageType::WRITE, "write", path, &payload)
    }

    /// Makes the node, and those missing above it; one that is there stays as it is. In a transaction or batch, a refusal comes with its end.
    ///
    /// # Errors
    /// As for every request.
    pub fn mkdir(&self, path: &str) -> Result<(), Error> {
        let payload = joined("mkdir", path, &[path])?;
        self.change(XsMessageType::MKDIR, "mkdir", path, &payload)
    }

    /// Removes the node and all below it; that it is not there is no error, that its parent is not is `ENOENT`.
    ///
    /// # Errors
    /// As for every request.
    pub fn rm(&self, path: &str) -> Result<(), Error> {
        self.call(XsMessageType::RM, "rm", path).map(drop)
    }

    /// Removes the node and all below it, if there is such a node. In a transaction or batch, a refusal comes with its end.
    ///
    /// # Errors
    /// As for every request, but never `ENOENT`.
    pub fn discard(&self, path: &str) -> Result<(), Error> {
        let payload = joined("rm", path, &[path])?;
        let change = Change { kind: XsMessageType::RM, operation: "rm", or_missing: true };
        self.client.change(self.group, change, path, &payload)
    }

    fn change(&self, kind: XsMessageType, operation: &'static str, path: &str, payload: &[u8]) -> Result<(), Error> {
        self.client.change(self.group, Change { kind, operation, or_missing: false }, path, payload)
    }

    /// The names of the children, however many there are.
    ///
    /// # Errors
    /// As for every request.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        match self.call(XsMessageType::DIRECTORY, "list", path) {
            Ok(names) => texts("list", path, &names),
            Err(error) if error.reason() == Some(crate::Error::TooBig) => self.list_parts(path),
            Err(error) => Err(error),
        }
    }

    /// The children in several answers, all of one generation of the node.
    fn list_parts(&self, path: &str) -> Result<Vec<String>, Error> {
        let mut generation = Vec::new();
        let mut names = Vec::new();
        loop {
            let offset = names.len().to_string();
            let part = self.client.call_in(self.group, XsMessageType::DIRECTORY_PART, "list", &[path, &offset])?;
            let cut = part.iter().position(|byte| *byte == 0).ok_or_else(|| protocol("list", path, "no generation"))?;
            let (now, rest) = part.split_at_checked(cut).unwrap_or_default();
            let mut rest = rest.get(1..).unwrap_or_default();
            if now != generation {
                // The first part, or the list has changed: from the start, and what came now is of no use unless it is the start.
                generation = now.to_vec();
                if !names.is_empty() {
                    names.clear();
                    continue;
                }
            }
            // The last part ends with one more NUL than the name before it.
            let last = rest == [0] || rest.ends_with(&[0, 0]);
            if last {
                rest = rest.get(..rest.len().saturating_sub(1)).unwrap_or_default();
            }
            names.extend_from_slice(rest);
            if last {
                return texts("list", path, &names);
            }
            if rest.is_empty() {
                return Err(protocol("list", path, "an empty part"));
            }
        }
    }

    /// Whether there is such a node.
    ///
    /// # Errors
    /// As for every request, but never `ENOENT`.
    pub fn exists(&self, path: &str) -> Result<bool, Error> {
        match self.read(path) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The permissions; the first names the owner.
    ///
    /// # Errors
    /// As for every request.
    pub fn get_perms(&self, path: &str) -> Result<Vec<Permission>, Error> {
        let answer = self.call(XsMessageType::GET_PERMS, "get permissions of", path)?;
        let bad = || protocol("get permissions of", path, "no permission");
        texts("get permissions of", path, &answer)?.iter().map(|text| Permission::parse(text).ok_or_else(bad)).collect()
    }

    /// Replaces the permissions; the first names the owner. In a transaction or batch, a refusal comes with its end.
    ///
    /// # Errors
    /// As for every request.
    pub fn set_perms(&self, path: &str, perms: &[Permission]) -> Result<(), Error> {
        let texts: Vec<String> = perms.iter().map(ToString::to_string).collect();
        let parts: Vec<&str> = std::iter::once(path).chain(texts.iter().map(String::as_str)).collect();
        let payload = joined("set permissions of", path, &parts)?;
        self.change(XsMessageType::SET_PERMS, "set permissions of", path, &payload)
    }
}

/// Operations on the tree outside of a transaction: those of [`Nodes`].
impl Client {
    /// See [`Nodes::read`].
    ///
    /// # Errors
    /// As for every request.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        self.nodes().read(path)
    }

    /// See [`Nodes::read_text`].
    ///
    /// # Errors
    /// As for every request.
    pub fn read_text(&self, path: &str) -> Result<String, Error> {
        self.nodes().read_text(path)
    }

    /// See [`Nodes::find_text`].
    ///
    /// # Errors
    /// As for every request.
    pub fn find_text(&self, path: &str) -> Result<Option<String>, Error> {
        self.nodes().find_text(path)
    }

    /// See [`Nodes::write`].
    ///
    /// # Errors
    /// As for every request.
    pub fn write(&self, path: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        self.nodes().write(path, value)
    }

    /// See [`Nodes::mkdir`].
    ///
    /// # Errors
    /// As for every request.
    pub fn mkdir(&self, path: &str) -> Result<(), Error> {
        self.nodes().mkdir(path)
    }

    /// See [`Nodes::rm`].
    ///
    /// # Errors
    /// As for every request.
    pub fn rm(&self, path: &str) -> Result<(), Error> {
        self.nodes().rm(path)
    }

    /// See [`Nodes::list`].
    ///
    /// # Errors
    /// As for every request.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Error> {
        self.nodes().list(path)
    }

    /// See [`Nodes::exists`].
    ///
    /// # Errors
    /// As for every request.
    pub fn exists(&self, path: &str) -> Result<bool, Error> {
        self.nodes().exists(path)
    }

    /// See [`Nodes::get_perms`].
    ///
    /// # Errors
    /// As for every request.
    pub fn get_perms(&self, path: &str) -> Result<Vec<Permission>, Error> {
        self.nodes().get_perms(path)
    }

    /// See [`Nodes::set_perms`].
    ///
    /// # Errors
    /// As for every request.
    pub fn set_perms(&self, path: &str, perms: &[Permission]) -> Result<(), Error> {
        self.nodes().set_perms(path, perms)
    }
}

fn texts(operation: &'static str, path: &str, payload: &[u8]) -> Result<Vec<String>, Error> {
    let (parts, rest) = strings(payload);
    if !rest.is_empty() {
        return Err(protocol(operation, path, "no NUL at the end"));
    }
    let text =
        |part: &&[u8]| str::from_utf8(part).map(str::to_owned).map_err(|_| protocol(operation, path, "not text"));
    parts.iter().map(text).collect()
}
