// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xn store read`, `write`, `rm`, `exists`.

use super::escape::{escaped, unescaped};
use super::tree::Node;
use super::{PathsArgs, ReadArgs, RmArgs, WriteArgs};
use crate::context::Context;
use crate::error::{At, Class, Failure};
use crate::output;
use xenstore::client::{Error, Nodes};

/// Shows values.
pub(super) fn read(args: &ReadArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    let mut nodes = Vec::new();
    let mut bytes = Vec::new();
    for path in &args.paths {
        let value = client.read(path)?;
        if args.prefix {
            bytes.extend_from_slice(format!("{path}: ").as_bytes());
        }
        if args.raw {
            bytes.extend_from_slice(&value);
        } else {
            bytes.extend_from_slice(escaped(&value).as_bytes());
            bytes.push(b'\n');
        }
        nodes.push(Node::new(path.clone(), value));
    }
    if args.output.is_json() { output::json(&nodes) } else { output::bytes(&bytes) }
}

/// Writes all values or none.
pub(super) fn write(args: &WriteArgs, context: &mut Context) -> Result<(), Failure> {
    let pairs = pairs(&args.pairs).at(|| "write")?;
    let client = context.store()?;
    client.transaction(|nodes| pairs.iter().try_for_each(|(path, value)| nodes.write(path, value)))?;
    Ok(())
}

fn pairs(words: &[String]) -> Result<Vec<(&str, Vec<u8>)>, Failure> {
    let (pairs, rest) = words.as_chunks::<2>();
    if let [path] = rest {
        return Err(Failure::new(Class::Usage, format!("'{path}' has no value")).remedy("give a value for each path"));
    }
    let mut all = Vec::new();
    for [path, text] in pairs {
        let value = unescaped(text).ok_or_else(|| {
            Failure::new(Class::Usage, format!("'{text}' has an escape that is none"))
                .remedy("write \\\\ for a backslash, \\xNN for any byte")
        })?;
        all.push((path.as_str(), value));
    }
    Ok(all)
}

/// Removes all nodes or none. A node that is not there is an error, as with `xenstore-rm`.
pub(super) fn rm(args: &RmArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    client.transaction(|nodes| args.paths.iter().try_for_each(|path| remove(nodes, path, args.tidy)))?;
    Ok(())
}

fn remove(nodes: &Nodes<'_>, path: &str, tidy: bool) -> Result<(), Error> {
    nodes.read(path)?;
    nodes.rm(path)?;
    let mut above = path;
    while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| tidy && !parent.is_empty()) {
        if !nodes.list(parent)?.is_empty() || !nodes.read(parent)?.is_empty() {
            return Ok(());
        }
        nodes.rm(parent)?;
        above = parent;
    }
    Ok(())
}

/// Fails for the first node that is not there.
pub(super) fn exists(args: &PathsArgs, context: &mut Context) -> Result<(), Failure> {
    let client = context.store()?;
    for path in &args.paths {
        if !client.exists(path)? {
            return Err(Failure::new(Class::Failed, format!("{path}: no such node")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_come_in_pairs() {
        let words_ok = words(&["/a", "1", "/b", "\\x00"]);
        assert_eq!(pairs(&words_ok).unwrap(), [("/a", b"1".to_vec()), ("/b", b"\0".to_vec())]);
        let missing = pairs(&words(&["/a", "1", "/b"])).unwrap_err();
        assert_eq!((missing.class(), missing.to_string().contains("'/b' has no value")), (Class::Usage, true));
        assert_eq!(pairs(&words(&["/a", "\\q"])).unwrap_err().class(), Class::Usage);
    }
}
