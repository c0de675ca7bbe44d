// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store ls` and `xn store list`.

use super::escape::escaped;
use super::{ListArgs, LsArgs};
use crate::context::Context;
use crate::error::{At, Failure};
use crate::output;
use serde::Serialize;
use xenstore::client::Client;

/// A node as it is printed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Node {
    /// Its full path.
    pub(super) path: String,
    /// Its value, if that is UTF-8.
    pub(super) value: Option<String>,
    /// Its value in hexadecimal, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hex: Option<String>,
    /// Its rights, the owner's first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) permissions: Option<Vec<String>>,
    #[serde(skip)]
    bytes: Vec<u8>,
    #[serde(skip)]
    depth: usize,
}

impl Node {
    /// A node with this value.
    pub(super) fn new(path: String, bytes: Vec<u8>) -> Self {
        let value = String::from_utf8(bytes.clone()).ok();
        let hex = value.is_none().then(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        Self { path, value, hex, permissions: None, bytes, depth: 0 }
    }

    fn line(&self, full: bool) -> String {
        let name = if full { self.path.as_str() } else { self.path.rsplit('/').next().unwrap_or_default() };
        let indent = if full { 0 } else { self.depth };
        let rights = self.permissions.as_ref().map_or_else(String::new, |all| format!("  ({})", all.join(",")));
        format!("{:indent$}{name} = \"{}\"{rights}\n", "", escaped(&self.bytes))
    }
}

/// Shows a tree, the node it begins with left out, as `xenstore-ls` does.
pub(super) fn ls(args: &LsArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    let mut nodes = Vec::new();
    let names = client.list(&args.path).at(|| "ls")?;
    let mut open: Vec<(String, usize)> = names.iter().rev().map(|name| (below(&args.path, name), 0)).collect();
    while let Some((path, depth)) = open.pop() {
        // A node may be removed while we look: then it is not there.
        let Some(node) = visit(client, path, depth, args.permissions)? else { continue };
        let names = gone(client.list(&node.path))?.unwrap_or_default();
        let deeper = depth.saturating_add(1);
        open.extend(names.iter().rev().map(|name| (below(&node.path, name), deeper)));
        nodes.push(node);
    }
    let lines = |nodes: &Vec<Node>| nodes.iter().map(|node| node.line(args.full)).collect();
    args.output.print(&nodes, lines)
}

fn visit(client: &Client, path: String, depth: usize, permissions: bool) -> Result<Option<Node>, Failure> {
    let Some(value) = gone(client.read(&path))? else { return Ok(None) };
    let mut node = Node { depth, ..Node::new(path, value) };
    if permissions {
        let rights = gone(client.get_perms(&node.path))?.unwrap_or_default();
        node.permissions = Some(rights.iter().map(ToString::to_string).collect());
    }
    Ok(Some(node))
}

fn gone<T>(result: Result<T, xenstore::client::Error>) -> Result<Option<T>, Failure> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Failure::from(error)),
    }
}

/// The path of a child.
pub(super) fn below(path: &str, name: &str) -> String {
    format!("{}/{name}", path.trim_end_matches('/'))
}

/// Lists names.
pub(super) fn list(args: &ListArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    let mut all = Vec::new();
    for path in &args.paths {
        let names = client.list(path).at(|| "list")?;
        all.extend(names.into_iter().map(|name| if args.prefix { below(path, &name) } else { name }));
    }
    if args.output.is_json() {
        return output::json(&all);
    }
    output::text(&all.iter().flat_map(|name| [name.as_str(), "\n"]).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(path: &str, value: &[u8], depth: usize) -> Node {
        Node { depth, ..Node::new(path.into(), value.to_vec()) }
    }

    #[test]
    fn lines_are_those_of_xenstore_ls() {
        let mut leaf = node("/local/domain/0/name", b"Domain-0", 3);
        assert_eq!(leaf.line(false), "   name = \"Domain-0\"\n");
        assert_eq!(leaf.line(true), "/local/domain/0/name = \"Domain-0\"\n");
        leaf.permissions = Some(vec!["n0".into(), "r1".into()]);
        assert_eq!(leaf.line(true), "/local/domain/0/name = \"Domain-0\"  (n0,r1)\n");
        assert_eq!(below("/", "tool"), "/tool");
    }

    #[test]
    fn json_is_stable() {
        let mut first = node("/a", b"x", 0);
        first.permissions = Some(vec!["n0".into()]);
        let all = [first, node("/b", b"\xff\x00", 0)];
        assert_eq!(
            serde_json::to_string(&all).unwrap(),
            r#"[{"path":"/a","value":"x","permissions":["n0"]},{"path":"/b","value":null,"hex":"ff00"}]"#
        );
    }
}
