// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A granter that rewrites its entry while it is being claimed, in every interleaving. Run with
//! `RUSTFLAGS="--cfg loom" cargo test -p grant-tables --test loom_claim --release`.
#![cfg(loom)]

use grant_tables::{
    AtomicU16, AtomicU32, GrantError, GrantTable, Limits, MapMode, SHARED_WORDS, STATUS_WORDS, Version,
};
use hypercalls::grant_table::MapFlags;
use hypercalls::{DomId, GrantRef, Mfn};
use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::fence;
use loom::thread;

const GREF: GrantRef = GrantRef::new(8);
const PERMIT: u32 = 1;
const READING: u16 = 8;
const WRITING: u16 = 16;
const FRAME: u32 = 0x77;
const OTHER_FRAME: u32 = 0x99;
const MAPPER: DomId = DomId::new(0);
/// Another domain, to which the granter gives the second frame.
const STRANGER: u32 = 2 << 16;

struct Shared {
    words: &'static [AtomicU32],
    status: &'static [AtomicU16],
}

fn table(version: Version) -> (GrantTable<'static>, Shared) {
    let words: &[AtomicU32] = (0..SHARED_WORDS).map(|_| AtomicU32::new(0)).collect::<Vec<_>>().leak();
    let status: &[AtomicU16] = (0..STATUS_WORDS).map(|_| AtomicU16::new(0)).collect::<Vec<_>>().leak();
    let mut table = GrantTable::new(DomId::new(1), Limits { grant_frames: 1, ..Limits::default() });
    table.add_shared_frame(words, Mfn::new(1)).unwrap();
    if version == Version::V2 {
        table.add_status_frame(status, Mfn::new(2)).unwrap();
        table.set_version(version).unwrap();
    }
    (table, Shared { words, status })
}

fn mode() -> MapMode {
    MapMode::parse(MapFlags::HOST_MAP).unwrap()
}

/// The pages' own words are cleared one by one, each a step to loom.
fn model(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    builder.check(test);
}

/// Version 1: the granter ends access by one compare-exchange and gives the reference to somebody else. Whoever wins,
/// the mapper never gets the second frame, nor the first one after the granter took it back.
#[test]
fn v1_revoke_races_claim() {
    model(|| {
        let (mut table, shared) = table(Version::V1);
        let (header, frame) = (&shared.words[16], &shared.words[17]);
        frame.store(FRAME, Relaxed);
        header.store(PERMIT, Release);
        let granter = thread::spawn(move || {
            let revoked = header.compare_exchange(PERMIT, 0, AcqRel, Acquire).is_ok();
            if revoked {
                frame.store(OTHER_FRAME, Relaxed);
                header.store(PERMIT | STRANGER, Release);
            }
            revoked
        });
        let claim = table.claim_map(GREF, MAPPER, mode());
        let revoked = granter.join().unwrap();
        match claim {
            Ok(claim) => {
                assert!(!revoked);
                assert_eq!(claim.frame(), Mfn::new(u64::from(FRAME)));
                assert_eq!(header.load(Relaxed), PERMIT | u32::from(READING | WRITING));
                table.abandon_map(claim);
                assert_eq!(header.load(Relaxed), PERMIT);
            }
            Err(error) => {
                assert!(revoked);
                assert_eq!(error, GrantError::NotGranted);
                // Nothing of ours was left in the new grant.
                assert_eq!(header.load(Relaxed), PERMIT | STRANGER);
            }
        }
        assert_eq!(table.pinned(), 0);
    });
}

/// Version 1: a new grant's frame is seen with its flags.
#[test]
fn v1_grant_publishes_its_frame() {
    model(|| {
        let (mut table, shared) = table(Version::V1);
        let (header, frame) = (&shared.words[16], &shared.words[17]);
        let granter = thread::spawn(move || {
            frame.store(FRAME, Relaxed);
            header.store(PERMIT, Release);
        });
        if let Ok(claim) = table.claim_map(GREF, MAPPER, mode()) {
            assert_eq!(claim.frame(), Mfn::new(u64::from(FRAME)));
            table.abandon_map(claim);
        }
        granter.join().unwrap();
    });
}

/// Version 1: when the granter sees the marks gone, it sees what was written to the page.
#[test]
fn v1_release_hands_the_page_back() {
    model(|| {
        let (mut table, shared) = table(Version::V1);
        let (header, frame) = (&shared.words[16], &shared.words[17]);
        // A word no protocol uses stands for the page.
        let page = &shared.words[100];
        frame.store(FRAME, Relaxed);
        header.store(PERMIT, Release);
        let claim = table.claim_map(GREF, MAPPER, mode()).unwrap();
        let granter = thread::spawn(move || {
            let revoked = header.compare_exchange(PERMIT, 0, AcqRel, Acquire).is_ok();
            if revoked {
                assert_eq!(page.load(Relaxed), 1);
            }
        });
        page.store(1, Relaxed);
        table.abandon_map(claim);
        granter.join().unwrap();
    });
}

/// Version 2: flags and status are two words. The granter clears the flags and then looks at the status; the claim must
/// not succeed if the granter found no mark.
#[test]
fn v2_revoke_races_claim() {
    model(|| {
        let (mut table, shared) = table(Version::V2);
        let (header, frame, status) = (&shared.words[32], &shared.words[34], &shared.status[8]);
        frame.store(FRAME, Relaxed);
        header.store(PERMIT, Release);
        let granter = thread::spawn(move || {
            header.store(0, Relaxed);
            fence(SeqCst);
            let revoked = status.load(Acquire) & (READING | WRITING) == 0;
            if revoked {
                frame.store(OTHER_FRAME, Relaxed);
                header.store(PERMIT | STRANGER, Release);
            }
            revoked
        });
        let claim = table.claim_map(GREF, MAPPER, mode());
        let revoked = granter.join().unwrap();
        match claim {
            Ok(claim) => {
                assert!(!revoked);
                assert_eq!(claim.frame(), Mfn::new(u64::from(FRAME)));
                assert_eq!(status.load(Relaxed), READING | WRITING);
                table.abandon_map(claim);
            }
            Err(error) => assert_eq!(error, GrantError::NotGranted),
        }
        // Won or lost, no mark stays behind.
        assert_eq!(status.load(Relaxed), 0);
        assert_eq!(table.pinned(), 0);
    });
}
