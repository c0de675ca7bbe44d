// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The state as entries, and back.

use super::peer::{Page, Peer};
use super::queue::Queue;
use super::record::{Entry, Progress};
use super::ring::{Broken, Ring};
use crate::effect::{Effect, Kind};
use crate::quota::Limits;
use crate::store::{ConnId, Store};
use hypercalls::ids::{DomId, Port};
use std::collections::{BTreeMap, HashMap};

/// Further than any server gets between two restarts.
const GENERATIONS: u64 = 1 << 32;

/// Everything that is to outlive the server.
pub(crate) fn describe(store: &Store, peers: &HashMap<ConnId, Peer>) -> Vec<Entry> {
    let rings = peers.values().filter_map(Peer::progress).map(|(domain, progress)| Entry::Ring(domain, progress));
    store.describe().into_iter().map(Entry::Effect).chain(rings).collect()
}

/// The store as it was, and how far each ring had come.
pub(crate) fn replay(entries: Vec<Entry>) -> (Store, BTreeMap<DomId, Progress>) {
    let mut store = Store::new(Limits::default());
    let mut rings = BTreeMap::<DomId, Progress>::new();
    for entry in entries {
        match entry {
            Entry::Effect(Effect(Kind::Generation(generation))) => {
                // A client that reads a long list in parts must see that it may not be the same list any more.
                store.apply(&Effect(Kind::Generation(generation.saturating_add(GENERATIONS))));
            }
            Entry::Effect(effect) => {
                if let Effect(Kind::Release(domain)) = effect {
                    rings.remove(&domain);
                }
                store.apply(&effect);
            }
            Entry::Ring(domain, progress) => {
                rings.insert(domain, progress);
            }
            Entry::Input(domain, consumed, input) => {
                if let Some(progress) = rings.get_mut(&domain) {
                    (progress.consumed, progress.input) = (consumed, input);
                }
            }
            Entry::Output(domain, message) => {
                if let Some(progress) = rings.get_mut(&domain) {
                    progress.output.push(message);
                }
            }
        }
    }
    (store, rings)
}

/// A ring that goes on where it was. What went out since the last description is what the page says.
pub(crate) fn resume(domain: DomId, page: Page, port: Option<Port>, progress: Progress) -> Result<Peer, Broken> {
    let mut ring = Ring::open(page)?;
    ring.consumed = progress.consumed;
    let total = progress.output.iter().fold(0, |sum: usize, message| sum.saturating_add(message.len()));
    let sent = ring.produced.wrapping_sub(progress.produced) as usize;
    if sent > total {
        return Err(Broken::Counters);
    }
    let mut peer = Peer::of_ring(domain, ring, port);
    peer.input = progress.input;
    peer.queue = Queue::restore(progress.output, sent);
    Ok(peer)
}
