// SPDX-License-Identifier: MIT OR Apache-2.0
//! hypfs_op (42): a small tree of facts about the hypervisor, CPU pools, and the options that can be changed while it runs.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::hypfs::{HypfsDirentry, HypfsOp, HypfsType, MAX_PATH_LEN, VERSION};
use zerocopy::IntoBytes;

use crate::config::{EXTRA_VERSION, MAJOR_VERSION, MINOR_VERSION};
use crate::console::log::{Thresholds, set_thresholds, thresholds};
use crate::domain::{creation, pools};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census, version};
use crate::mm::guest_access;

/// The longest value that an option takes, with its zero byte.
const MAX_VALUE: usize = 16;
const ENTRY_LEN: usize = size_of::<HypfsDirentry>();

/// HYPERVISOR_hypfs_op(op, path, length of the path, buffer, size of the buffer), for control domains. EPERM. EINVAL: unknown operation, a
/// path that is none, a buffer without room for the entry. ENOENT. EFAULT. ENOMEM. ENOBUFS: no room for the content, whose length is told.
/// Writing: EACCES: it cannot be written. EDOM: not ended by a zero byte. EINVAL: not a value for it.
pub(crate) fn hypfs_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[op, path, path_len, buffer, size, _] = args;
    cx.require_control()?;
    census::HYPFS_OP.note(op as u32, path);
    if !creation::is_room_for(0) {
        return Err(Errno::ENOMEM.into());
    }
    match HypfsOp::new(op as u32) {
        HypfsOp::GET_VERSION if [path, path_len, buffer, size] == [0; 4] => return Ok(Outcome::Done(VERSION.into())),
        HypfsOp::READ => read(&find(path, path_len)?, buffer, size)?,
        HypfsOp::WRITE_CONTENTS => write(&find(path, path_len)?, buffer, size)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(Outcome::DONE)
}

/// Something in the tree.
#[derive(Debug, PartialEq, Eq)]
enum Node {
    Dir(Vec<(String, Node)>),
    Text(String),
    Number(u32),
    /// The messages that are printed: the hypervisor's own, or those about guests.
    Loglvl {
        of_guests: bool,
    },
}

/// The whole tree, names in order.
fn tree() -> Node {
    let dir =
        |entries: Vec<(&str, Node)>| Node::Dir(entries.into_iter().map(|(n, node)| (n.to_string(), node)).collect());
    let text = |text: &str| Node::Text(text.to_string());
    let compiled = |field: &[u8]| Node::Text(field.iter().take_while(|b| **b != 0).map(|b| char::from(*b)).collect());
    let info = version::compile_info();
    let mut pool_dirs = Vec::new();
    let mut next = pools::find_from(0);
    while let Some(pool) = next {
        pool_dirs.push((pool.id.to_string(), dir(alloc::vec![("sched-gran", text("cpu"))])));
        next = pool.id.checked_add(1).and_then(pools::find_from);
    }
    dir(alloc::vec![
        (
            "buildinfo",
            dir(alloc::vec![
                ("changeset", text(version::changeset())),
                (
                    "compileinfo",
                    dir(alloc::vec![
                        ("compile_by", compiled(&info.compile_by)),
                        ("compile_date", compiled(&info.compile_date)),
                        ("compile_domain", compiled(&info.compile_domain)),
                        ("compiler", compiled(&info.compiler)),
                    ])
                ),
                (
                    "version",
                    dir(alloc::vec![
                        ("extra", text(EXTRA_VERSION)),
                        ("major", Node::Number(MAJOR_VERSION as u32)),
                        ("minor", Node::Number(MINOR_VERSION as u32)),
                    ])
                ),
            ])
        ),
        ("cpupool", Node::Dir(pool_dirs)),
        (
            "params",
            dir(alloc::vec![
                ("guest_loglvl", Node::Loglvl { of_guests: true }),
                ("loglvl", Node::Loglvl { of_guests: false }),
            ])
        ),
    ])
}

impl Node {
    fn content(&self) -> Vec<u8> {
        let ended = |text: &str| text.bytes().chain([0]).collect();
        match self {
            Self::Dir(entries) => {
                let mut bytes = Vec::new();
                for (index, (name, node)) in entries.iter().enumerate() {
                    let room = name.len().saturating_add(1).next_multiple_of(4);
                    let is_last = index.saturating_add(1) == entries.len();
                    let next = if is_last { 0 } else { ENTRY_LEN.saturating_add(2).saturating_add(room) as u16 };
                    bytes.extend_from_slice(node.entry().as_bytes());
                    bytes.extend_from_slice(&next.to_le_bytes());
                    bytes.extend(name.bytes().chain(core::iter::repeat(0)).take(room));
                }
                bytes
            }
            Self::Text(text) => ended(text),
            Self::Number(number) => number.to_le_bytes().to_vec(),
            Self::Loglvl { of_guests } => {
                let (own, guests) = thresholds();
                ended(&if *of_guests { guests } else { own }.to_string())
            }
        }
    }

    fn entry(&self) -> HypfsDirentry {
        let (kind, max_write_len) = match self {
            Self::Dir(_) => (HypfsType::DIR, 0),
            Self::Text(_) => (HypfsType::STRING, 0),
            Self::Number(_) => (HypfsType::UINT, 0),
            Self::Loglvl { .. } => (HypfsType::STRING, MAX_VALUE as u32),
        };
        HypfsDirentry { kind, encoding: 0, pad: 0, content_len: self.content().len() as u32, max_write_len }
    }

    /// What a path leads to; a slash at its end means nothing.
    fn at(self, path: &str) -> Result<Self, Errno> {
        let mut node = self;
        let path = path.strip_prefix('/').ok_or(Errno::EINVAL)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let Self::Dir(entries) = node else { return Err(Errno::ENOENT) };
            node = entries.into_iter().find(|(other, _)| other == name).ok_or(Errno::ENOENT)?.1;
        }
        Ok(node)
    }
}

/// The entry that the caller's path leads to.
fn find(path: u64, len: u64) -> Result<Node, Errno> {
    if !(1..=u64::from(MAX_PATH_LEN)).contains(&len) {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; MAX_PATH_LEN as usize];
    let bytes = bytes.get_mut(..len as usize).ok_or(Errno::EINVAL)?;
    guest_access::read_bytes(path, bytes)?;
    let Some((0, name)) = bytes.split_last() else { return Err(Errno::EINVAL) };
    tree().at(core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?)
}

fn read(node: &Node, buffer: u64, size: u64) -> Result<(), Errno> {
    let entry = node.entry();
    let room = size.checked_sub(ENTRY_LEN as u64).ok_or(Errno::EINVAL)?;
    guest_access::write(GuestHandle::new(buffer), &entry)?;
    if room < entry.content_len.into() {
        return Err(Errno::ENOBUFS);
    }
    guest_access::write_bytes(buffer.wrapping_add(ENTRY_LEN as u64), &node.content())
}

fn write(node: &Node, buffer: u64, size: u64) -> Result<(), Errno> {
    let Node::Loglvl { of_guests } = node else { return Err(Errno::EACCES) };
    let mut bytes = [0; MAX_VALUE];
    let bytes = bytes.get_mut(..usize::try_from(size).unwrap_or(usize::MAX)).ok_or(Errno::EINVAL)?;
    guest_access::read_bytes(buffer, bytes)?;
    let Some((0, value)) = bytes.split_last() else { return Err(Errno::EDOM) };
    let chosen = core::str::from_utf8(value).ok().and_then(Thresholds::parse).ok_or(Errno::EINVAL)?;
    let (own, guests) = thresholds();
    if *of_guests {
        set_thresholds(own, chosen)
    } else {
        set_thresholds(chosen, guests)
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Node {
        Node::Dir(alloc::vec![
            ("changeset".to_string(), Node::Text("x".to_string())),
            ("sub".to_string(), Node::Dir(alloc::vec![("n".to_string(), Node::Number(7))])),
        ])
    }

    #[test]
    fn paths_lead_through_directories() {
        assert_eq!(sample().at("/"), Ok(sample()));
        assert_eq!(sample().at("/sub/n"), Ok(Node::Number(7)));
        assert_eq!(sample().at("/sub/").map(|node| node.entry().kind), Ok(HypfsType::DIR));
        for missing in ["/n", "/sub/n/x", "//sub"] {
            assert_eq!(sample().at(missing), Err(Errno::ENOENT), "{missing}");
        }
        assert_eq!(sample().at("sub"), Err(Errno::EINVAL));
        assert_eq!(sample().at(""), Err(Errno::EINVAL));
    }

    #[test]
    fn a_directory_is_a_list_of_entries() {
        let content = sample().content();
        assert_eq!(content.len(), 26 + 18);
        assert_eq!(content[12..14], 26_u16.to_le_bytes());
        assert_eq!(&content[14..24], b"changeset\0");
        assert_eq!(content[26 + 12..26 + 14], [0, 0], "the last one");
        assert_eq!(&content[26 + 14..], b"sub\0");
        assert_eq!(content[26 + 4..26 + 8], 18_u32.to_le_bytes(), "of one entry with a short name");
    }
}
