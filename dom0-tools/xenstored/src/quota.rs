// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Limits for domains other than dom0, and what each has in use.

use crate::tree::Node;
use hypercalls::ids::DomId;
use std::collections::HashMap;

/// The limits, with the defaults of Xen 4.17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes a domain may own.
    pub nodes: u64,
    /// Watches of a connection; as in Xen, one more is let through.
    pub watches: usize,
    /// Open transactions of a connection; as in Xen, one more is let through.
    pub transactions: usize,
    /// Bytes of one node, in Xen's format; this many are already too many.
    pub node_bytes: usize,
    /// Permission entries of one node.
    pub perms: usize,
    /// Nodes a transaction may touch.
    pub transaction_nodes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { nodes: 1000, watches: 128, transactions: 10, node_bytes: 2048, perms: 5, transaction_nodes: 1024 }
    }
}

/// The size Xen counts for a node: a head of 24 bytes, 8 per permission entry, the value, the names of the children with NULs.
#[must_use]
pub(crate) fn node_bytes(value: usize, perms: usize, children: usize) -> usize {
    value.saturating_add(perms.saturating_mul(8)).saturating_add(children).saturating_add(24)
}

/// Bytes of the names of a node's children, with NULs.
#[must_use]
pub(crate) fn children_bytes(node: &Node) -> usize {
    node.children().fold(0, |sum, name| sum.saturating_add(name.len()).saturating_add(1))
}

/// What one domain has in use, and how often it was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nodes it owns.
    pub nodes: u64,
    /// Requests refused because of a limit.
    pub refused: u64,
}

/// The counters of all domains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters(HashMap<DomId, Usage>);

impl Counters {
    /// What `domain` has in use.
    #[must_use]
    pub(crate) fn usage(&self, domain: DomId) -> Usage {
        self.0.get(&domain).copied().unwrap_or_default()
    }

    /// Adds `change` to the nodes of `owner`.
    pub(crate) fn add_nodes(&mut self, owner: DomId, change: i64) {
        let usage = self.0.entry(owner).or_default();
        usage.nodes = usage.nodes.saturating_add_signed(change);
    }

    pub(crate) fn refuse(&mut self, domain: DomId) {
        let usage = self.0.entry(domain).or_default();
        usage.refused = usage.refused.saturating_add(1);
    }

    /// Forgets a domain that owns nothing any more.
    pub(crate) fn forget(&mut self, domain: DomId) {
        self.0.remove(&domain);
    }
}
