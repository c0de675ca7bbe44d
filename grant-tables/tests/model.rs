// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Random operations of three domains on each other's tables, against a naive model: plain words, and a list of all uses
//! from which every count is taken anew.
#![cfg(not(loom))]

mod common;

use common::*;
use grant_tables::{CopyTarget, Follow, GrantError, Scan, Version};
use hypercalls::{DomId, GrantHandle, GrantRef, Mfn};
use proptest::prelude::*;
use std::sync::atomic::Ordering::SeqCst;

const DOMAINS: usize = 3;
/// References the operations choose from; the last two are past the end of one frame in one version or both.
const REFS: [u32; 8] = [0, 1, 7, 8, 9, 255, 256, 512];

#[derive(Clone, Debug)]
enum Op {
    /// A granter writes its entry: flags, to whom, and the three other words.
    Write {
        dom: usize,
        gref: usize,
        flags: u16,
        to: u16,
        rest: [u32; 3],
    },
    Map {
        mapper: usize,
        granter: usize,
        gref: usize,
        flags: u32,
    },
    /// The nth use there is, with or without each half.
    Unmap {
        nth: usize,
        host: bool,
        device: bool,
        good_address: bool,
        cancel: bool,
    },
    Copy {
        by: usize,
        granter: usize,
        gref: usize,
        readonly: bool,
        follow: bool,
    },
    SetVersion {
        dom: usize,
        version: Version,
    },
    Swap {
        dom: usize,
        a: usize,
        b: usize,
    },
    Transfer {
        from: usize,
        to: usize,
        gref: usize,
        complete: bool,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let dom = || 0..DOMAINS;
    let gref = || 0..REFS.len();
    // Mostly plausible flags, some noise.
    let flags = prop_oneof![
        4 => Just(PERMIT),
        1 => Just(PERMIT | READONLY),
        1 => Just(ACCEPT),
        1 => Just(PERMIT | SUB_PAGE),
        1 => Just(TRANSITIVE),
        1 => any::<u16>(),
    ];
    let rest = (0..0x30_0000_u32, 0..4_u32, prop_oneof![4 => Just(0), 1 => 0..2_u32]).prop_map(<[u32; 3]>::from);
    let version = prop_oneof![Just(Version::V1), Just(Version::V2)];
    prop_oneof![
        5 => (dom(), gref(), flags, 0..DOMAINS as u16, rest)
            .prop_map(|(dom, gref, flags, to, rest)| Op::Write { dom, gref, flags, to, rest }),
        6 => (dom(), dom(), gref(), 0..8_u32)
            .prop_map(|(mapper, granter, gref, flags)| Op::Map { mapper, granter, gref, flags }),
        5 => (0..64_usize, any::<(bool, bool, bool, bool)>()).prop_map(|(nth, (host, device, good_address, cancel))| {
            Op::Unmap { nth, host, device, good_address, cancel }
        }),
        3 => (dom(), dom(), gref(), any::<(bool, bool)>())
            .prop_map(|(by, granter, gref, (readonly, follow))| Op::Copy { by, granter, gref, readonly, follow }),
        1 => (dom(), version).prop_map(|(dom, version)| Op::SetVersion { dom, version }),
        1 => (dom(), gref(), gref()).prop_map(|(dom, a, b)| Op::Swap { dom, a, b }),
        1 => (dom(), dom(), gref(), any::<bool>())
            .prop_map(|(from, to, gref, complete)| Op::Transfer { from, to, gref, complete }),
    ]
}

/// A use of a grant, by a mapping.
#[derive(Clone, Debug)]
struct Use {
    mapper: usize,
    handle: GrantHandle,
    granter: usize,
    gref: u32,
    host: bool,
    device: bool,
    readonly: bool,
    frame: u64,
}

/// A table as plain words.
#[derive(Clone)]
struct Plain {
    v2: bool,
    words: Vec<[u32; 4]>,
    status: Vec<u16>,
}

struct Model {
    tables: Vec<Plain>,
    uses: Vec<Use>,
}

impl Model {
    fn new() -> Self {
        let table = Plain { v2: false, words: vec![[0; 4]; 512], status: vec![0; 512] };
        Self { tables: vec![table; DOMAINS], uses: Vec::new() }
    }

    fn exists(&self, dom: usize, gref: u32) -> bool {
        gref < if self.tables[dom].v2 { 256 } else { 512 }
    }

    fn uses_of(&self, granter: usize, gref: u32) -> impl Iterator<Item = &Use> {
        self.uses.iter().filter(move |one| one.granter == granter && one.gref == gref)
    }

    /// The marks the uses of a grant call for.
    fn marks(&self, granter: usize, gref: u32) -> u16 {
        let reading = self.uses_of(granter, gref).any(|one| one.host || one.device);
        let writing = self.uses_of(granter, gref).any(|one| !one.readonly && (one.host || one.device));
        match (reading, writing) {
            (_, true) => READING | WRITING,
            (true, false) => READING,
            (false, false) => 0,
        }
    }

    fn mark(&mut self, dom: usize, gref: u32, set: u16, clear: u16) {
        let table = &mut self.tables[dom];
        if table.v2 {
            let word = &mut table.status[gref as usize];
            *word = (*word | set) & !clear;
        } else {
            let word = &mut table.words[gref as usize][0];
            *word = (*word | u32::from(set)) & !u32::from(clear);
        }
    }

    /// What the entry permits `by` to do: a whole page, a part, or somebody else's grant.
    fn permits(&self, dom: usize, gref: u32, by: usize, write: bool) -> Result<&str, GrantError> {
        let table = &self.tables[dom];
        let word = table.words[gref as usize][0];
        let kind = match (word & 3, table.v2) {
            (1, true) if word & 256 != 0 => "part",
            (1, _) => "page",
            (3, true) => "transitive",
            _ => return Err(GrantError::NotGranted),
        };
        if word >> 16 != by as u32 {
            return Err(GrantError::NotGranted);
        }
        Ok(kind).and_then(|kind| if write && word & 4 != 0 { Err(GrantError::GrantReadOnly) } else { Ok(kind) })
    }

    fn frame(&self, dom: usize, gref: u32) -> u64 {
        let table = &self.tables[dom];
        let [_, second, third, fourth] = table.words[gref as usize];
        if table.v2 { u64::from(third) | u64::from(fourth) << 32 } else { u64::from(second) }
    }

    /// Whether a claim for these kinds gets through, and the frame if it does.
    fn claim(
        &mut self,
        (granter, gref): (usize, u32),
        by: usize,
        write: bool,
        kinds: &[&str],
    ) -> Result<(String, u64), GrantError> {
        if !self.exists(granter, gref) {
            return Err(GrantError::BadRef);
        }
        let held = self.uses_of(granter, gref).next().cloned();
        if held.as_ref().is_some_and(|one| one.mapper != by) {
            return Err(GrantError::PinnedByOther);
        }
        // Only mappings last, and those are of whole pages.
        let kinds = if held.is_some() { &["page"] } else { kinds };
        let kind = match self.permits(granter, gref, by, false) {
            Ok(kind) if kinds.contains(&kind) => kind.to_owned(),
            _ => return Err(GrantError::NotGranted),
        };
        self.permits(granter, gref, by, write)?;
        Ok((kind, held.map_or_else(|| self.frame(granter, gref), |one| one.frame)))
    }
}

struct World {
    guests: Vec<Guest>,
    model: Model,
}

impl World {
    fn new() -> Self {
        Self { guests: (0..DOMAINS).map(|id| Guest::new(id as u16)).collect(), model: Model::new() }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Write { dom, gref, flags, to, rest } => self.write(dom, REFS[gref], flags, to, rest),
            Op::Map { mapper, granter, gref, flags } => self.map(mapper, granter, REFS[gref], flags),
            Op::Unmap { nth, host, device, good_address, cancel } => {
                self.unmap(nth, (host, device), good_address, cancel);
            }
            Op::Copy { by, granter, gref, readonly, follow } => {
                self.copy(by, (granter, REFS[gref]), readonly, follow);
            }
            Op::SetVersion { dom, version } => self.set_version(dom, version),
            Op::Swap { dom, a, b } => self.swap(dom, REFS[a], REFS[b]),
            Op::Transfer { from, to, gref, complete } => self.transfer(from, to, REFS[gref], complete),
        }
    }

    fn write(&mut self, dom: usize, gref: u32, flags: u16, to: u16, rest: [u32; 3]) {
        if !self.model.exists(dom, gref) {
            return;
        }
        let table = &mut self.model.tables[dom];
        let words = [u32::from(flags) | u32::from(to) << 16, rest[0], rest[1], rest[2]];
        let size = if table.v2 { 4 } else { 2 };
        for (word, value) in words.into_iter().enumerate().take(size) {
            self.guests[dom].word(gref, word).store(value, SeqCst);
            table.words[gref as usize][word] = value;
        }
    }

    fn map(&mut self, mapper: usize, granter: usize, gref: u32, flags: u32) {
        let readonly = flags & 4 != 0;
        let expected = if flags & 3 == 0 {
            Err(GrantError::BadRef)
        } else {
            self.model.claim((granter, gref), mapper, !readonly, &["page"])
        };
        let reserved = self.guests[mapper].table.reserve_handle().unwrap();
        match self.guests[granter].claim(gref, mapper as u16, flags) {
            Ok(claim) => {
                let frame = claim.frame().raw();
                assert_eq!(Ok(("page".to_owned(), frame)), expected);
                let handle = self.guests[mapper].table.commit_map(reserved, claim);
                assert!(!self.model.uses.iter().any(|one| one.mapper == mapper && one.handle == handle));
                let (host, device) = (flags & 2 != 0, flags & 1 != 0);
                self.model.uses.push(Use { mapper, handle, granter, gref, host, device, readonly, frame });
                self.model.mark(granter, gref, self.model.marks(granter, gref), 0);
            }
            Err(error) => {
                self.guests[mapper].table.cancel_handle(reserved);
                assert_eq!(Err(error), expected);
            }
        }
    }

    fn unmap(&mut self, nth: usize, (host, device): (bool, bool), good_address: bool, cancel: bool) {
        if self.model.uses.is_empty() {
            let unknown = self.guests[0].table.start_unmap(GrantHandle::new(nth as u32), 1, 1);
            assert_eq!(unknown.unwrap_err(), GrantError::BadHandle);
            return;
        }
        let nth = nth % self.model.uses.len();
        let one = self.model.uses[nth].clone();
        let bus = (one.frame << 12) + if good_address { 0 } else { 8 };
        let table = &mut self.guests[one.mapper].table;
        let (host_addr, bus_addr) = (u64::from(host), if device { bus } else { 0 });
        let unmapping = match table.start_unmap(one.handle, host_addr, bus_addr) {
            Ok(unmapping) => unmapping,
            Err(error) => {
                assert_eq!(error, GrantError::BusAddressMismatch);
                assert!(device && one.device && !good_address);
                return;
            }
        };
        let device = bus_addr != 0 && one.device;
        assert_eq!(unmapping.is_host(), host && one.host);
        assert_eq!((unmapping.frame().raw(), unmapping.is_readonly()), (one.frame, one.readonly));
        if cancel {
            return table.cancel_unmap(unmapping);
        }
        let release = table.finish_unmap(unmapping);
        assert_eq!(release.is_some(), device || (host && one.host));
        if let Some(release) = release {
            assert_eq!((release.access().is_host(), release.access().is_device()), (host && one.host, device));
            self.guests[one.granter].table.release(release);
        }
        let before = self.model.marks(one.granter, one.gref);
        let left = &mut self.model.uses[nth];
        left.host &= !host;
        left.device &= !device;
        if !left.host && !left.device {
            self.model.uses.remove(nth);
        }
        let after = self.model.marks(one.granter, one.gref);
        self.model.mark(one.granter, one.gref, 0, before & !after);
    }

    fn copy(&mut self, by: usize, (granter, gref): (usize, u32), readonly: bool, follow: bool) {
        let (kinds, step): (&[&str], _) =
            if follow { (&["page", "part", "transitive"], Follow::Yes) } else { (&["page", "part"], Follow::No) };
        let mut expected = self.model.claim((granter, gref), by, !readonly, kinds);
        let words = self.model.tables[granter].words.get(gref as usize).copied().unwrap_or_default();
        let before = if expected.is_ok() { self.model.marks(granter, gref) } else { 0 };
        let claimed = expected.is_ok();
        if expected.as_ref().is_ok_and(|(kind, _)| kind == "transitive") && words[1] & 0xffff == granter as u32 {
            expected = Err(GrantError::BadTransitive);
        }
        let table = &mut self.guests[granter].table;
        match table.claim_copy(GrantRef::new(gref), DomId::new(by as u16), readonly, step) {
            Ok(claim) => {
                let (kind, frame) = expected.unwrap();
                match claim.target() {
                    CopyTarget::Bytes(range) => {
                        assert_eq!(range.frame.raw(), frame);
                        let whole = (0, 4096);
                        let part = ((words[1] & 0xffff) as u16, (words[1] >> 16) as u16);
                        assert_eq!((range.start, range.length), if kind == "page" { whole } else { part });
                    }
                    CopyTarget::Transitive { granter, gref } => {
                        assert_eq!(kind, "transitive");
                        assert_eq!((u32::from(granter.raw()), gref.raw()), (words[1] & 0xffff, words[2]));
                    }
                }
                table.release_copy(claim);
            }
            Err(error) => assert_eq!(Err(error), expected),
        }
        if claimed {
            // The copy's own marks come and go; it also takes away what the guest set by itself, and gives mappings back theirs.
            let own = if readonly { READING } else { READING | WRITING };
            self.model.mark(granter, gref, before, own & !before);
        }
    }

    fn set_version(&mut self, dom: usize, version: Version) {
        let table = &self.model.tables[dom];
        let v2 = version == Version::V2;
        let kept: Vec<[u32; 4]> = table.words[..8].to_vec();
        let unfit = table.v2
            && kept.iter().any(|words| match words[0] & 3 {
                1 => words[3] != 0 || words[0] & 256 != 0,
                3 => true,
                _ => false,
            });
        let expected = if table.v2 == v2 {
            Ok(())
        } else if self.model.uses.iter().any(|one| one.granter == dom && one.gref >= 8) {
            Err(GrantError::InUse)
        } else if unfit {
            Err(GrantError::NotRepresentable)
        } else {
            Ok(())
        };
        assert_eq!(self.guests[dom].set_version(version), expected);
        let table = &mut self.model.tables[dom];
        if expected.is_err() || table.v2 == v2 {
            return;
        }
        let status = std::mem::replace(&mut table.status, vec![0; 512]);
        table.words = vec![[0; 4]; 512];
        table.v2 = v2;
        for (gref, [header, second, third, _]) in kept.into_iter().enumerate() {
            let ours = if header & 3 == u32::from(ACCEPT) { 0 } else { header & 24 };
            if v2 {
                table.words[gref] = [header & !ours, 0, second, 0];
                table.status[gref] = ours as u16;
            } else {
                table.words[gref] = [header | u32::from(status[gref] & 24), third, 0, 0];
            }
        }
    }

    fn swap(&mut self, dom: usize, a: u32, b: u32) {
        let used = |gref| self.model.uses_of(dom, gref).next().is_some();
        let expected = if !self.model.exists(dom, a) || !self.model.exists(dom, b) {
            Err(GrantError::BadRef)
        } else if a != b && (used(a) || used(b)) {
            Err(GrantError::InUse)
        } else {
            Ok(())
        };
        assert_eq!(self.guests[dom].table.swap(GrantRef::new(a), GrantRef::new(b)), expected);
        if expected.is_ok() {
            self.model.tables[dom].words.swap(a as usize, b as usize);
            self.model.tables[dom].status.swap(a as usize, b as usize);
        }
    }

    fn transfer(&mut self, from: usize, to: usize, gref: u32, complete: bool) {
        let offered = u32::from(ACCEPT) | (from as u32) << 16;
        let exists = self.model.exists(to, gref);
        let fits = exists && self.model.tables[to].words[gref as usize][0] == offered;
        let used = self.model.uses_of(to, gref).next().is_some();
        let table = &mut self.guests[to].table;
        let accepted = table.accept_transfer(GrantRef::new(gref), DomId::new(from as u16), Mfn::new(0x5_0001));
        assert_eq!(accepted.is_ok(), fits && !used);
        let Ok(transfer) = accepted else { return };
        if !complete {
            return table.abandon_transfer(transfer);
        }
        table.complete_transfer(transfer);
        let table = &mut self.model.tables[to];
        let words = &mut table.words[gref as usize];
        words[0] |= 4 | 8;
        if table.v2 {
            (words[2], words[3]) = (0x5_0001, 0);
        } else {
            words[1] = 0x5_0001;
        }
    }

    fn check(&self) {
        for (dom, (guest, table)) in self.guests.iter().zip(&self.model.tables).enumerate() {
            assert_eq!(guest.table.version() == Version::V2, table.v2);
            for gref in REFS.into_iter().filter(|gref| self.model.exists(dom, *gref)) {
                let size = if table.v2 { 4 } else { 2 };
                for word in 0..size {
                    let seen = guest.word(gref, word).load(SeqCst);
                    assert_eq!(seen, table.words[gref as usize][word], "d{dom} ref {gref} word {word}");
                }
                if table.v2 {
                    let seen = guest.status_word(gref).load(SeqCst);
                    assert_eq!(seen, table.status[gref as usize], "d{dom} ref {gref} status");
                }
            }
            let mapped = self.model.uses.iter().filter(|one| one.mapper == dom).count();
            assert_eq!(guest.table.mappings() as usize, mapped);
            self.check_pins(dom);
        }
    }

    fn check_pins(&self, dom: usize) {
        let (mut cursor, mut budget, mut found) = (0, u32::MAX, 0);
        while let Scan::Found(grant) = self.guests[dom].table.next_pinned(&mut cursor, &mut budget) {
            found += 1;
            let uses: Vec<_> = self.model.uses_of(dom, grant.gref.raw()).collect();
            let count = |host: bool, readonly: bool| {
                let same = |one: &&&Use| one.readonly == readonly && if host { one.host } else { one.device };
                uses.iter().filter(same).count()
            };
            assert_eq!(usize::from(grant.by.raw()), uses[0].mapper);
            assert_eq!(grant.frame, Some(Mfn::new(uses[0].frame)));
            assert_eq!(usize::from(grant.host_reads), count(true, true));
            assert_eq!(usize::from(grant.host_writes), count(true, false));
            assert_eq!(usize::from(grant.device_reads), count(false, true));
            assert_eq!(usize::from(grant.device_writes), count(false, false));
        }
        assert_eq!(self.guests[dom].table.pinned(), found);
        assert!(self.model.uses.iter().filter(|one| one.granter == dom).all(|one| one.gref < 512));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tables_do_what_the_model_does(ops in prop::collection::vec(op(), 1..120)) {
        let mut world = World::new();
        for op in ops {
            world.apply(op);
            world.check();
        }
    }
}

/// A guest takes away the marks of a mapping; the next claim, be it for a copy, gives them back.
#[test]
fn a_copy_gives_a_mapping_its_marks_back() {
    const DEVICE: u32 = 1;
    const DEVICE_READONLY: u32 = 5;
    for (flags, kept) in [(DEVICE, READING | WRITING), (DEVICE_READONLY, READING)] {
        let mut world = World::new();
        let granted = || Op::Write { dom: 1, gref: 0, flags: 1, to: 1, rest: [0; 3] };
        let maps = Op::Map { mapper: 1, granter: 1, gref: 0, flags };
        let copies = Op::Copy { by: 1, granter: 1, gref: 0, readonly: false, follow: false };
        for op in [granted(), maps, granted(), copies] {
            world.apply(op);
            world.check();
        }
        assert_eq!(world.guests[1].word(REFS[0], 0).load(SeqCst), u32::from(1 | kept) | 1 << 16);
    }
}
