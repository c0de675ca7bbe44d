// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What requests changed, so that it can be written down and done again after the server died. The same values, in another order, describe
//! a whole store: there is one way back, [`Store::apply`].
//!
//! Only what outlives the server is here. Local clients lose their connection when it dies, and with it their watches and transactions.

use crate::bytes::{Reader, Writer};
use crate::perms::Perms;
use crate::quota::{Quota, Refusals};
use crate::store::Store;
use hypercalls::ids::DomId;
use xenstore::{Path, strings};

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect(pub(crate) Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A node is made or gets this value and these permissions.
    Put(Path, Vec<u8>, Perms),
    /// A node and all below it go.
    Remove(Path),
    /// A domain has a ring: the frame its page is in, and the port of its channel.
    Introduce(DomId, u64, u32),
    /// It is gone, with its watches and transactions. What happens to its nodes is said on its own.
    Release(DomId),
    /// It has shut down, or not any more.
    ShutDown(DomId, bool),
    /// It acts for another one, or not any more.
    Target(DomId, Option<DomId>),
    /// Who hears a special name.
    Special(Path, Perms),
    /// The ring of a domain has a watch; the number is what to cut off the paths it reports.
    Watch(DomId, Path, Vec<u8>, u32),
    /// It has not any more.
    Unwatch(DomId, Path, Vec<u8>),
    /// All watches and transactions of a ring go.
    Reset(DomId),
    /// A ring has an open transaction. After a restart it can only fail.
    Start(DomId, u32),
    /// It is over.
    End(DomId, u32),
    /// How often a domain was refused by now.
    Refused(DomId, Refusals),
    /// A limit was set.
    Limit(Quota, u64),
    /// Every generation counts from here.
    Generation(u64),
}

impl Effect {
    /// Appends it to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut to = Writer(std::mem::take(out));
        let domain = |to: &mut Writer, tag: u8, domain: DomId| {
            to.u8(tag);
            to.u32(domain.raw().into());
        };
        match &self.0 {
            Kind::Put(path, value, perms) => {
                to.u8(0);
                to.bytes(path.as_str().as_bytes());
                to.bytes(value);
                to.bytes(&perms.to_wire());
            }
            Kind::Remove(path) => {
                to.u8(1);
                to.bytes(path.as_str().as_bytes());
            }
            Kind::Introduce(id, frame, port) => {
                domain(&mut to, 2, *id);
                to.u64(*frame);
                to.u32(*port);
            }
            Kind::Release(id) => domain(&mut to, 3, *id),
            Kind::ShutDown(id, is) => {
                domain(&mut to, 4, *id);
                to.u8((*is).into());
            }
            Kind::Target(id, target) => {
                domain(&mut to, 5, *id);
                to.u32(target.map_or(u32::MAX, |target| target.raw().into()));
            }
            Kind::Special(path, perms) => {
                to.u8(6);
                to.bytes(path.as_str().as_bytes());
                to.bytes(&perms.to_wire());
            }
            Kind::Watch(id, path, token, cut) => {
                domain(&mut to, 7, *id);
                to.bytes(path.as_str().as_bytes());
                to.bytes(token);
                to.u32(*cut);
            }
            Kind::Unwatch(id, path, token) => {
                domain(&mut to, 8, *id);
                to.bytes(path.as_str().as_bytes());
                to.bytes(token);
            }
            Kind::Reset(id) => domain(&mut to, 9, *id),
            Kind::Start(id, transaction) => {
                domain(&mut to, 10, *id);
                to.u32(*transaction);
            }
            Kind::End(id, transaction) => {
                domain(&mut to, 11, *id);
                to.u32(*transaction);
            }
            Kind::Refused(id, refusals) => {
                domain(&mut to, 12, *id);
                refusals.counts().for_each(|(_, count)| to.u64(count));
            }
            Kind::Limit(quota, value) => {
                to.u8(13);
                to.bytes(quota.name().as_bytes());
                to.u64(*value);
            }
            Kind::Generation(generation) => {
                to.u8(14);
                to.u64(*generation);
            }
        }
        *out = to.0;
    }

    /// Takes the first one off `bytes`; `None` if there is no whole and valid one.
    #[must_use]
    pub fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let mut from = Reader(bytes);
        let kind = match from.u8()? {
            0 => Kind::Put(path(&mut from)?, from.bytes()?.to_vec(), perms(&mut from)?),
            1 => Kind::Remove(path(&mut from)?),
            2 => Kind::Introduce(domain(&mut from)?, from.u64()?, from.u32()?),
            3 => Kind::Release(domain(&mut from)?),
            4 => Kind::ShutDown(domain(&mut from)?, from.u8()? != 0),
            5 => {
                let id = domain(&mut from)?;
                Kind::Target(id, u16::try_from(from.u32()?).ok().map(DomId::new))
            }
            6 => Kind::Special(path(&mut from)?, perms(&mut from)?),
            7 => Kind::Watch(domain(&mut from)?, path(&mut from)?, from.bytes()?.to_vec(), from.u32()?),
            8 => Kind::Unwatch(domain(&mut from)?, path(&mut from)?, from.bytes()?.to_vec()),
            9 => Kind::Reset(domain(&mut from)?),
            10 => Kind::Start(domain(&mut from)?, from.u32()?),
            11 => Kind::End(domain(&mut from)?, from.u32()?),
            12 => {
                let id = domain(&mut from)?;
                let mut refusals = Refusals::default();
                for quota in Quota::ALL {
                    refusals.set(*quota, from.u64()?);
                }
                Kind::Refused(id, refusals)
            }
            13 => Kind::Limit(Quota::from_name(from.bytes()?)?, from.u64()?),
            14 => Kind::Generation(from.u64()?),
            _ => return None,
        };
        *bytes = from.0;
        Some(Self(kind))
    }
}

fn path(from: &mut Reader<'_>) -> Option<Path> {
    Path::resolve_or_special(from.bytes()?, "").ok()
}

fn domain(from: &mut Reader<'_>) -> Option<DomId> {
    Some(DomId::new(u16::try_from(from.u32()?).ok()?))
}

fn perms(from: &mut Reader<'_>) -> Option<Perms> {
    Perms::parse(&strings(from.bytes()?).0).ok()
}

impl Store {
    /// Does again what an earlier server did. Meant for a new store, with what [`Store::describe`] or [`Store::take_effects`] gave.
    pub fn apply(&mut self, effect: &Effect) {
        match effect.0.clone() {
            Kind::Put(path, value, perms) => {
                let old = self.tree.get(&path).map(|node| node.perms().owner());
                let owner = perms.owner();
                if self.tree.put(&path, &value, perms) {
                    if let Some(old) = old {
                        self.counters.add_nodes(old, -1);
                    }
                    self.counters.add_nodes(owner, 1);
                }
            }
            Kind::Remove(path) => {
                if let Some(gone) = self.tree.remove(&path) {
                    gone.walk(&path, &mut |_, node| self.counters.add_nodes(node.perms().owner(), -1));
                }
            }
            Kind::Introduce(id, frame, port) => {
                self.attach(id, frame, port);
            }
            Kind::Release(id) => self.detach(id),
            Kind::ShutDown(id, is) => {
                if let Some(domain) = self.domains.get_mut(&id) {
                    domain.shut_down = is;
                }
            }
            Kind::Target(id, target) => self.put_target(id, target),
            Kind::Special(path, perms) => {
                self.special.insert(path, perms);
            }
            Kind::Watch(id, path, token, cut) => {
                if let Some(connection) = self.ring_of(id) {
                    self.watches.add(connection, path, &token, usize::try_from(cut).unwrap_or_default());
                }
            }
            Kind::Unwatch(id, path, token) => {
                if let Some(connection) = self.ring_of(id) {
                    self.watches.remove(connection, &path, &token);
                }
            }
            Kind::Reset(id) => {
                if let Some(connection) = self.ring_of(id) {
                    self.reset(connection);
                }
            }
            Kind::Start(id, transaction) => self.restore_transaction(id, transaction),
            Kind::End(id, transaction) => {
                if let Some(connection) = self.ring_of(id).and_then(|ring| self.connections.get_mut(&ring)) {
                    connection.transactions.remove(&transaction);
                }
            }
            Kind::Refused(id, refusals) => self.counters.set_refusals(id, refusals),
            Kind::Limit(quota, value) => self.limits.set(quota, value),
            Kind::Generation(generation) => self.tree.count_from(generation),
        }
        // What was applied was written down before.
        self.effects.clear();
    }

    /// The whole store as changes to a new one.
    #[must_use]
    pub fn describe(&self) -> Vec<Effect> {
        let mut all = vec![Kind::Generation(self.tree.generation())];
        all.extend(Quota::ALL.iter().map(|quota| Kind::Limit(*quota, self.limits.get(*quota))));
        // Parents before their children.
        self.tree.visit(|path, node| {
            let path = Path::resolve(path.as_bytes(), "").ok();
            all.extend(path.map(|path| Kind::Put(path, node.value().to_vec(), node.perms().clone())));
            true
        });
        all.extend(self.special.iter().map(|(path, perms)| Kind::Special(path.clone(), perms.clone())));
        for (id, domain) in &self.domains {
            all.push(Kind::Introduce(*id, domain.frame, domain.port));
            if domain.shut_down {
                all.push(Kind::ShutDown(*id, true));
            }
            for watch in self.watches.of(domain.connection) {
                let cut = u32::try_from(watch.cut).unwrap_or_default();
                all.push(Kind::Watch(*id, watch.path.clone(), watch.token.to_vec(), cut));
            }
            let open = self.connections.get(&domain.connection).map(|connection| connection.transactions.keys());
            all.extend(open.into_iter().flatten().map(|transaction| Kind::Start(*id, *transaction)));
        }
        all.extend(self.targets.iter().map(|(id, target)| Kind::Target(*id, Some(*target))));
        all.extend(self.counters.refused().map(|(id, refusals)| Kind::Refused(id, refusals)));
        all.into_iter().map(Effect).collect()
    }

    /// What has changed since this was last asked, in order.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn note(&mut self, kind: Kind) {
        self.effects.push(Effect(kind));
    }
}
