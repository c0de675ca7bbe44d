// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Limits for domains other than dom0, what each has in use, and how often it was refused.

use crate::tree::Node;
use hypercalls::ids::DomId;
use std::collections::{BTreeMap, BTreeSet};
use xenstore::Error;

macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $default:literal, $meaning:literal;)*) => {
        /// What is limited.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quota {
            $($(#[$doc])* $name,)*
        }

        impl Quota {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in control commands: Xen's, where Xen has it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning,)*
                }
            }

            const fn default(self) -> u64 {
                match self {
                    $(Self::$name => $default,)*
                }
            }
        }
    };
}

quotas! {
    /// Nodes a domain may own.
    Nodes = "nodes", 1000, "Nodes a domain may own";
    /// Watches of a connection; as in Xen, one more is let through.
    Watches = "watches", 128, "Watches of a domain";
    /// Open transactions of a connection; as in Xen, one more is let through.
    Transactions = "transactions", 10, "Open transactions of a domain";
    /// Answers and events that wait to be read, beyond which nothing more is read from a domain.
    Outstanding = "outstanding", 20, "Unread answers and events of a domain";
    /// Nodes a transaction may touch.
    TransactionNodes = "transaction-nodes", 1024, "Nodes a transaction may touch";
    /// Bytes that wait to be read, beyond which a domain is given up, and bytes its transactions may keep.
    Memory = "memory", 2_621_440, "Unread bytes of a domain; as many in its transactions";
    /// Bytes of one node, in Xen's format; this many are already too many.
    NodeBytes = "node-size", 2048, "Bytes of a node";
    /// Permission entries of one node.
    Perms = "permissions", 5, "Permissions of a node";
}

impl Quota {
    /// The one of this name.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|quota| quota.name().as_bytes() == name)
    }

    fn index(self) -> usize {
        self as usize
    }
}

const COUNT: usize = Quota::ALL.len();

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits([u64; COUNT]);

impl Default for Limits {
    /// Those of Xen 4.17.
    fn default() -> Self {
        let mut limits = Self([0; COUNT]);
        Quota::ALL.iter().for_each(|quota| limits.set(*quota, quota.default()));
        limits
    }
}

impl Limits {
    /// The limit.
    #[must_use]
    pub fn get(&self, quota: Quota) -> u64 {
        self.0.get(quota.index()).copied().unwrap_or_default()
    }

    /// Changes it.
    pub fn set(&mut self, quota: Quota, value: u64) {
        if let Some(limit) = self.0.get_mut(quota.index()) {
            *limit = value;
        }
    }

    /// Whether `used` is beyond the limit.
    pub(crate) fn exceeded(&self, quota: Quota, used: usize) -> bool {
        u64::try_from(used).unwrap_or(u64::MAX) > self.get(quota)
    }
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Error(Error),
    Quota(Quota),
}

impl Refusal {
    /// What the client is told.
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Quota(Quota::Watches) => Error::TooBig,
            Self::Quota(Quota::Memory) => Error::NoMemory,
            Self::Quota(_) => Error::NoSpace,
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
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

/// How often a domain was refused because of each limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals([u64; COUNT]);

impl Refusals {
    /// Each limit and how often it was met.
    pub fn counts(&self) -> impl Iterator<Item = (Quota, u64)> {
        Quota::ALL.iter().copied().zip(self.0)
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(crate) fn set(&mut self, quota: Quota, count: u64) {
        if let Some(own) = self.0.get_mut(quota.index()) {
            *own = count;
        }
    }

    fn add(&mut self, quota: Quota) {
        if let Some(own) = self.0.get_mut(quota.index()) {
            *own = own.saturating_add(1);
        }
    }
}

/// What one domain has in use, and how often it was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Nodes it owns.
    pub nodes: u64,
    /// Requests refused because of a limit.
    pub refused: Refusals,
}

/// The counters of all domains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    domains: BTreeMap<DomId, Usage>,
    // Refused since this was last written down.
    changed: BTreeSet<DomId>,
}

impl Counters {
    /// What `domain` has in use.
    #[must_use]
    pub(crate) fn usage(&self, domain: DomId) -> Usage {
        self.domains.get(&domain).copied().unwrap_or_default()
    }

    /// Every domain that has something in use, or was refused.
    pub(crate) fn domains(&self) -> impl Iterator<Item = (DomId, Usage)> {
        self.domains.iter().map(|(id, usage)| (*id, *usage))
    }

    /// Adds `change` to the nodes of `owner`.
    pub(crate) fn add_nodes(&mut self, owner: DomId, change: i64) {
        let usage = self.domains.entry(owner).or_default();
        usage.nodes = usage.nodes.saturating_add_signed(change);
        if *usage == Usage::default() {
            self.domains.remove(&owner);
        }
    }

    pub(crate) fn refuse(&mut self, domain: DomId, quota: Quota) {
        self.domains.entry(domain).or_default().refused.add(quota);
        self.changed.insert(domain);
    }

    /// The domains that were refused since this was last asked.
    pub(crate) fn take_changed(&mut self) -> Vec<(DomId, Refusals)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|id| (id, self.usage(id).refused)).collect()
    }

    pub(crate) fn refused(&self) -> impl Iterator<Item = (DomId, Refusals)> {
        self.domains().map(|(id, usage)| (id, usage.refused)).filter(|(_, refused)| refused.total() > 0)
    }

    pub(crate) fn set_refusals(&mut self, domain: DomId, refusals: Refusals) {
        self.domains.entry(domain).or_default().refused = refusals;
    }

    /// Forgets how often a domain was refused that is gone.
    pub(crate) fn forget(&mut self, domain: DomId) {
        self.changed.remove(&domain);
        if let Some(usage) = self.domains.get_mut(&domain) {
            usage.refused = Refusals::default();
        }
        self.add_nodes(domain, 0);
    }
}
