// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! One test for each class of mistake that Xen's grant tables had to be mended for. The numbers are advisories (XSA).
#![cfg(not(loom))]

mod common;

use common::*;
use grant_tables::{CacheFlush, CopyEffect, CopyRange, CopyTarget, Drain, Follow, GrantError, Limits, Scan, Version};
use hypercalls::grant_table::{CopyFlags, GnttabCacheFlush, GnttabCopy, GnttabCopyPtr, GrantStatus};
use hypercalls::{DomId, Errno, GrantHandle, GrantRef, Mfn};
use std::sync::atomic::Ordering::SeqCst;

const D0: DomId = DomId::new(0);

fn gref(raw: u32) -> GrantRef {
    GrantRef::new(raw)
}

/// 18, 134: swapping looked at the wrong table size and version.
#[test]
fn swap_checks_both_references_in_either_version() {
    let mut guest = Guest::new(1);
    guest.grant(8, PERMIT, 0, 8);
    assert_eq!(guest.table.swap(gref(8), gref(512)), Err(GrantError::BadRef));
    assert_eq!(guest.table.swap(gref(u32::MAX), gref(8)), Err(GrantError::BadRef));
    guest.set_version(Version::V2).unwrap();
    guest.grant_sub_page(255, 0, 0, 7, (16, 32));
    assert_eq!(guest.table.swap(gref(8), gref(256)), Err(GrantError::BadRef));
    guest.table.swap(gref(255), gref(9)).unwrap();
    let read: Vec<u32> = (0..4).map(|word| guest.word(9, word).load(SeqCst)).collect();
    assert_eq!(read, [u32::from(PERMIT | SUB_PAGE), 16 | 32 << 16, 7, 0]);
    assert!((0..4).all(|word| guest.word(255, word).load(SeqCst) == 0));
}

/// 18: an entry in use moved away from under its pins.
#[test]
fn swap_leaves_entries_in_use_alone() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(8, PERMIT, 0, 8);
    let handle = mapper.map(&mut guest, 8, HOST).unwrap();
    assert_eq!(guest.table.swap(gref(9), gref(8)).unwrap_err().status(), GrantStatus::EAGAIN);
    mapper.unmap(&mut guest, handle, 0x1000, 0).unwrap();
    assert_eq!(guest.table.swap(gref(9), gref(8)), Ok(()));
}

/// 26: a switch of versions used status memory that was not there.
#[test]
fn version_2_needs_its_status_frames_first() {
    let mut guest = Guest::new(1);
    guest.grow(3).unwrap();
    assert_eq!(guest.table.status_frames_for_v2(), 1);
    assert_eq!(guest.table.set_version(Version::V2), Err(GrantError::NoMemory));
    assert_eq!(guest.table.version(), Version::V1);
    guest.set_version(Version::V2).unwrap();
    assert_eq!((guest.table.entries(), guest.table.status_frames()), (768, 1));
}

/// 382: growing a version 2 table outran its array of status frames.
#[test]
fn a_version_2_table_grows_no_further_than_its_status_frames() {
    let mut guest = Guest::with_limits(1, limits(9));
    guest.set_version(Version::V2).unwrap();
    guest.grow(8).unwrap();
    let refused = guest.table.add_shared_frame(words(), Mfn::new(9));
    assert_eq!(refused, Err(GrantError::TableSize));
    assert_eq!(guest.table.growth_to(9).unwrap().status_frames, 1);
    guest.grow(9).unwrap();
    assert_eq!(guest.table.status_frame(1), Some(Mfn::new(0x2001)));
    assert_eq!(guest.table.status_frame(2), None);
    assert_eq!(guest.table.growth_to(10), Err(GrantError::TableSize));
    // The entry behind the second status frame works.
    guest.grant(2048, PERMIT, 0, 5);
    let claim = guest.claim(2048, 0, HOST).unwrap();
    assert_eq!(guest.bits(2048), READING | WRITING);
    guest.table.abandon_map(claim);
    assert_eq!(guest.bits(2048), 0);
}

/// 218, 224, 234, 236: pins and their marks came apart when one grant was mapped in several ways.
#[test]
fn marks_last_exactly_as_long_as_pins_of_their_sort() {
    for version in [Version::V1, Version::V2] {
        let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
        guest.set_version(version).unwrap();
        guest.grant(8, PERMIT, 0, 0x77);
        let read = mapper.map(&mut guest, 8, HOST_RO).unwrap();
        assert_eq!(guest.bits(8), READING);
        let write = mapper.map(&mut guest, 8, HOST | DEVICE).unwrap();
        assert_eq!(guest.bits(8), READING | WRITING);
        // Half of the second mapping goes: the other half still writes.
        mapper.unmap(&mut guest, write, 0x1000, 0).unwrap();
        assert_eq!(guest.bits(8), READING | WRITING);
        // The host half is gone, so its address is ignored now.
        mapper.unmap(&mut guest, write, 0x1000, 0).unwrap();
        assert_eq!(guest.bits(8), READING | WRITING);
        mapper.unmap(&mut guest, write, 0, 0x77000).unwrap();
        assert_eq!(guest.bits(8), READING);
        assert_eq!(mapper.unmap(&mut guest, write, 0x1000, 0), Err(GrantError::BadHandle));
        mapper.unmap(&mut guest, read, 0x1000, 0).unwrap();
        assert_eq!(guest.bits(8), 0);
        assert_eq!((guest.table.pinned(), mapper.table.mappings()), (0, 0));
    }
}

/// 224: releasing a device mapping by a wrong bus address; 234: an unmap whose page-table entry does not fit.
#[test]
fn an_unmap_that_fails_leaves_the_mapping_whole() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(8, PERMIT, 0, 0x77);
    let handle = mapper.map(&mut guest, 8, HOST | DEVICE).unwrap();
    let wrong = mapper.unmap(&mut guest, handle, 0x1000, 0x78000);
    assert_eq!(wrong, Err(GrantError::BusAddressMismatch));
    let unmapping = mapper.table.start_unmap(handle, 0x1000, 0x77000).unwrap();
    assert!(unmapping.is_host() && !unmapping.is_readonly());
    assert_eq!(unmapping.frame(), Mfn::new(0x77));
    mapper.table.cancel_unmap(unmapping);
    assert_eq!(guest.bits(8), READING | WRITING);
    mapper.unmap(&mut guest, handle, 0x1000, 0x77000).unwrap();
    assert_eq!((guest.table.pinned(), mapper.table.mappings()), (0, 0));
}

/// 228: two vCPUs used one handle at once.
#[test]
fn a_handle_being_unmapped_cannot_be_unmapped_again() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(8, PERMIT, 0, 0x77);
    let handle = mapper.map(&mut guest, 8, HOST).unwrap();
    let first = mapper.table.start_unmap(handle, 0x1000, 0).unwrap();
    assert_eq!(mapper.table.start_unmap(handle, 0x1000, 0).unwrap_err(), GrantError::InUse);
    guest.table.release(mapper.table.finish_unmap(first).unwrap());
    let again = mapper.table.start_unmap(handle, 0x1000, 0);
    assert_eq!(again.unwrap_err().status(), GrantStatus::BAD_HANDLE);
    // A handle that is only reserved is nobody's to unmap.
    let reserved = mapper.table.reserve_handle().unwrap();
    assert_eq!(mapper.table.start_unmap(handle, 1, 0).unwrap_err(), GrantError::BadHandle);
    mapper.table.cancel_handle(reserved);
    let never = mapper.table.start_unmap(GrantHandle::new(u32::MAX), 1, 0);
    assert_eq!(never.unwrap_err(), GrantError::BadHandle);
}

/// 226, 411: transitive grants that led back to their maker, on to another one, or elsewhere while pinned.
#[test]
fn transitive_grants_are_followed_once_and_stay_put() {
    let mut middle = Guest::new(1);
    middle.set_version(Version::V2).unwrap();
    middle.grant_transitive(8, 0, 0, 2, 33);
    let claim = middle.table.claim_copy(gref(8), D0, true, Follow::Yes).unwrap();
    let to = |granter, to| CopyTarget::Transitive { granter: DomId::new(granter), gref: gref(to) };
    assert_eq!(claim.target(), to(2, 33));
    // Retargeted while pinned: the next copy still goes where the first one went.
    middle.grant_transitive(8, 0, 0, 3, 44);
    let second = middle.table.claim_copy(gref(8), D0, false, Follow::Yes).unwrap();
    assert_eq!(second.target(), to(2, 33));
    // No mapping, and no second step.
    assert_eq!(middle.claim(8, 0, HOST).unwrap_err(), GrantError::NotGranted);
    let nested = middle.table.claim_copy(gref(8), D0, true, Follow::No);
    assert_eq!(nested.unwrap_err(), GrantError::NotGranted);
    middle.table.release_copy(claim);
    middle.table.release_copy(second);
    // Back to its own maker.
    middle.grant_transitive(9, 0, 0, 1, 8);
    let own = middle.table.claim_copy(gref(9), D0, true, Follow::Yes);
    assert_eq!(own.unwrap_err(), GrantError::BadTransitive);
    assert_eq!((middle.table.pinned(), middle.bits(8), middle.bits(9)), (0, 0, 0));
}

/// 230: a refused copy left its marks, or took away another's.
#[test]
fn a_refused_claim_leaves_marks_as_they_were() {
    for version in [Version::V1, Version::V2] {
        let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
        guest.set_version(version).unwrap();
        guest.grant(8, PERMIT | READONLY, 0, 0x77);
        let write = guest.table.claim_copy(gref(8), D0, false, Follow::Yes);
        assert_eq!(write.unwrap_err(), GrantError::GrantReadOnly);
        assert_eq!(guest.bits(8), 0);
        let handle = mapper.map(&mut guest, 8, HOST_RO).unwrap();
        let write = guest.table.claim_copy(gref(8), D0, false, Follow::Yes);
        assert_eq!(write.unwrap_err(), GrantError::GrantReadOnly);
        assert_eq!(guest.bits(8), READING);
        mapper.unmap(&mut guest, handle, 1, 0).unwrap();
        assert_eq!((guest.bits(8), guest.table.pinned()), (0, 0));
    }
}

/// 232: a cache flush of pages that were not the caller's to touch, and a search without end.
#[test]
fn a_cache_flush_is_for_users_of_the_page_and_bounded() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    let op = GnttabCacheFlush { a: 0x5000, offset: 4000, length: 97, op: 1 };
    assert_eq!(CacheFlush::parse(&op).unwrap_err().errno(), Errno::EINVAL);
    guest.grant(300, PERMIT, 0, 0x77);
    let handle = mapper.map(&mut guest, 300, HOST).unwrap();
    let (mut cursor, mut budget) = (0, 100);
    let find = |by, frame, budget: &mut u32, cursor: &mut u32| {
        guest.table.find_use(DomId::new(by), Mfn::new(frame), cursor, budget)
    };
    assert_eq!(find(0, 0x77, &mut budget, &mut cursor), Scan::Preempted);
    assert_eq!((cursor, budget), (100, 0));
    let Scan::Found(grant) = find(0, 0x77, &mut 1000, &mut cursor) else { panic!("not found") };
    assert_eq!((grant.gref, grant.host_writes), (gref(300), 1));
    assert_eq!(find(0, 0x78, &mut 1000, &mut 0), Scan::Done);
    assert_eq!(find(2, 0x77, &mut 1000, &mut 0), Scan::Done);
    mapper.unmap(&mut guest, handle, 1, 0).unwrap();
}

/// 255, 379, 387: status frames were given back although the guest still had them mapped.
#[test]
fn status_frames_stay_with_the_table_in_version_1() {
    let mut guest = Guest::new(1);
    guest.set_version(Version::V2).unwrap();
    guest.status_word(8).store(READING, SeqCst);
    guest.set_version(Version::V1).unwrap();
    assert_eq!((guest.table.status_frames(), guest.table.status_frame(0)), (0, None));
    assert!(guest.table.all_frames().any(|frame| frame == Mfn::new(0x2000)));
    // They serve again, cleared.
    assert_eq!(guest.table.status_frames_for_v2(), 0);
    guest.status_word(8).store(READING, SeqCst);
    guest.table.set_version(Version::V2).unwrap();
    assert_eq!(guest.status_word(8).load(SeqCst), 0);
    assert_eq!(guest.table.status_frame(0), Some(Mfn::new(0x2000)));
}

/// 268, 295: a guest that rewrites its entry for ever held the hypervisor in a loop.
#[test]
fn a_restless_granter_cannot_hold_a_claim_up() {
    let mut guest = Guest::new(1);
    guest.grant(8, PERMIT, 0, 0x77);
    let word = guest.word(8, 0);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let restless = std::thread::spawn({
        let stop = stop.clone();
        move || {
            while !stop.load(SeqCst) {
                // A cache attribute: the grant is valid all along.
                word.fetch_xor(1 << 5, SeqCst);
            }
        }
    });
    for _ in 0..1000 {
        match guest.claim(8, 0, HOST) {
            Ok(claim) => guest.table.abandon_map(claim),
            Err(error) => assert_eq!(error, GrantError::Unstable),
        }
    }
    stop.store(true, SeqCst);
    restless.join().unwrap();
    assert_eq!((guest.bits(8), guest.table.pinned()), (0, 0));
}

/// 316: failures that looked like success; 318: a copy that reported a count for a status.
#[test]
fn every_refusal_has_a_negative_status_of_its_op() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    let mut map = |gref, flags| mapper.map(&mut guest, gref, flags).unwrap_err().status();
    assert_eq!(map(8, 0), GrantStatus::BAD_GNTREF);
    assert_eq!(map(512, HOST), GrantStatus::BAD_GNTREF);
    assert_eq!(map(8, HOST), GrantStatus::GENERAL_ERROR);
    assert_eq!(mapper.table.mappings(), 0);
    let copy = |offset, len, start, length| {
        let side = |offset| GnttabCopyPtr { u: 0, domid: DomId::SELF, offset, _pad: [0; 4] };
        let op = GnttabCopy {
            source: side(offset),
            dest: side(0),
            len,
            flags: CopyFlags::empty(),
            status: GrantStatus::OKAY,
            _pad: [0; 2],
        };
        let source = CopyRange { frame: Mfn::new(1), start, length };
        CopyEffect::plan(&op, source, CopyRange::whole(Mfn::new(2))).map_err(GrantError::status)
    };
    assert_eq!(copy(1, 4096, 0, 4096), Err(GrantStatus::BAD_COPY_ARG));
    assert_eq!(copy(0xffff, 0xffff, 0, 4096), Err(GrantStatus::BAD_COPY_ARG));
    assert_eq!(copy(10, 10, 11, 100), Err(GrantStatus::GENERAL_ERROR));
    assert_eq!(copy(10, 10, 0, 19), Err(GrantStatus::GENERAL_ERROR));
    assert_eq!(copy(10, 10, 10, 10).map(|effect| (effect.source_offset, effect.length)), Ok((10, 10)));
}

/// 380: teardown of a domain with very many mappings took very long.
#[test]
fn teardown_goes_by_steps_and_gives_everything_back() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    for gref in 8..308 {
        guest.grant(gref, PERMIT, 0, gref);
        let mode = if gref % 2 == 0 { HOST } else { HOST_RO | DEVICE };
        let _handle = mapper.map(&mut guest, gref, mode).unwrap();
    }
    let (mut cursor, mut steps) = (0, 0);
    'teardown: loop {
        let mut budget = 32;
        loop {
            match mapper.table.drain_mapping(&mut cursor, &mut budget) {
                Drain::Release(_, release) => guest.table.release(release),
                Drain::Preempted => break,
                Drain::Done => break 'teardown,
            }
        }
        steps += 1;
    }
    assert!(steps >= 300 / 32);
    assert_eq!((guest.table.pinned(), mapper.table.mappings()), (0, 0));
    assert!((8..308).all(|gref| guest.bits(gref) == 0));
}

/// 384: the frame lists of a table were read while its version changed.
#[test]
fn frame_lists_are_of_the_present_version() {
    let mut guest = Guest::new(1);
    assert_eq!(guest.table.growth_to_status(1), Err(GrantError::BadArgument));
    guest.set_version(Version::V2).unwrap();
    assert_eq!(guest.table.shared_frame(0), Some(Mfn::new(0x1000)));
    assert_eq!(guest.table.shared_frame(1), None);
    assert_eq!(guest.table.growth_to_status(1).unwrap().shared_frames, 0);
    assert_eq!(guest.table.growth_to_status(2), Err(GrantError::TableSize));
    assert_eq!(guest.table.growth_to_status(u32::MAX), Err(GrantError::TableSize));
}

/// 394: mapping the same grant again and again overflowed its count.
#[test]
fn a_full_count_is_refused_and_nothing_is_lost() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(8, PERMIT, 0, 0x77);
    let handles: Vec<_> = (0..128).map(|_| mapper.map(&mut guest, 8, HOST).unwrap()).collect();
    let full = mapper.map(&mut guest, 8, HOST).unwrap_err();
    assert_eq!((full, full.status()), (GrantError::TooManyPins, GrantStatus::GENERAL_ERROR));
    let read = mapper.map(&mut guest, 8, HOST_RO).unwrap();
    for handle in handles {
        mapper.unmap(&mut guest, handle, 1, 0).unwrap();
    }
    assert_eq!(guest.bits(8), READING);
    mapper.unmap(&mut guest, read, 1, 0).unwrap();
    assert_eq!((guest.bits(8), guest.table.pinned()), (0, 0));
}

/// 486: one mapping was taken for another frame after the entry had changed.
#[test]
fn the_frame_is_read_once_per_use() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(8, PERMIT, 0, 0x77);
    let first = mapper.map(&mut guest, 8, HOST).unwrap();
    guest.word(8, 1).store(0x99, SeqCst);
    let claim = guest.claim(8, 0, HOST_RO).unwrap();
    assert_eq!(claim.frame(), Mfn::new(0x77));
    guest.table.abandon_map(claim);
    let unmapping = mapper.table.start_unmap(first, 1, 0).unwrap();
    assert_eq!(unmapping.frame(), Mfn::new(0x77));
    guest.table.release(mapper.table.finish_unmap(unmapping).unwrap());
    let claim = guest.claim(8, 0, HOST).unwrap();
    assert_eq!(claim.frame(), Mfn::new(0x99));
    guest.table.abandon_map(claim);
}

/// 500: an entry in use was copied from although it no longer permitted it.
#[test]
fn a_pinned_entry_is_asked_again() {
    for version in [Version::V1, Version::V2] {
        let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
        guest.set_version(version).unwrap();
        guest.grant(8, PERMIT, 0, 0x77);
        let handle = mapper.map(&mut guest, 8, HOST).unwrap();
        let copy = |guest: &mut Guest, by, readonly| {
            let claim = guest.table.claim_copy(gref(8), DomId::new(by), readonly, Follow::Yes)?;
            guest.table.release_copy(claim);
            Ok(())
        };
        assert_eq!(copy(&mut guest, 0, false), Ok(()));
        assert_eq!(copy(&mut guest, 2, true), Err(GrantError::PinnedByOther));
        guest.header(8, PERMIT | READONLY | READING, 0);
        assert_eq!(copy(&mut guest, 0, false), Err(GrantError::GrantReadOnly));
        assert_eq!(copy(&mut guest, 0, true), Ok(()));
        guest.header(8, 0, 0);
        assert_eq!(copy(&mut guest, 0, true), Err(GrantError::NotGranted));
        guest.header(8, PERMIT, 2);
        assert_eq!(copy(&mut guest, 0, true), Err(GrantError::NotGranted));
        mapper.unmap(&mut guest, handle, 1, 0).unwrap();
        assert_eq!(guest.table.pinned(), 0);
    }
}

/// 501: the version changed while other operations were under way.
#[test]
fn the_version_stays_while_anything_is_under_way() {
    let mut guest = Guest::new(1);
    guest.grant(8, PERMIT, 0, 0x77);
    let claim = guest.claim(8, 0, HOST).unwrap();
    assert_eq!(guest.set_version(Version::V2).unwrap_err().errno(), Errno::EBUSY);
    guest.table.abandon_map(claim);
    guest.grant(9, ACCEPT, 0, 0);
    let transfer = guest.table.accept_transfer(gref(9), D0, Mfn::new(0x55)).unwrap();
    assert_eq!(guest.set_version(Version::V2), Err(GrantError::InUse));
    guest.table.complete_transfer(transfer);
    assert_eq!(guest.word(9, 0).load(SeqCst), u32::from(ACCEPT | 4 | 8));
    assert_eq!(guest.word(9, 1).load(SeqCst), 0x55);
    guest.set_version(Version::V2).unwrap();
    let limits = Limits { version: Version::V1, ..limits(1) };
    let old = Guest::with_limits(1, limits).set_version(Version::V2);
    assert_eq!(old.unwrap_err().errno(), Errno::ENOSYS);
}

/// A domain that changes version keeps what its builder granted, marks and all.
#[test]
fn reserved_entries_survive_both_ways() {
    let (mut guest, mut mapper) = (Guest::new(1), Guest::new(0));
    guest.grant(0, PERMIT, 0, 0xc0);
    guest.grant(1, PERMIT, 0, 0xc1);
    guest.grant(8, PERMIT, 0, 0xc8);
    let handle = mapper.map(&mut guest, 1, HOST).unwrap();
    guest.set_version(Version::V2).unwrap();
    assert_eq!(guest.word(1, 0).load(SeqCst), u32::from(PERMIT));
    assert_eq!(guest.word(1, 2).load(SeqCst), 0xc1);
    assert_eq!((guest.bits(0), guest.bits(1)), (0, READING | WRITING));
    assert_eq!(guest.word(8, 0).load(SeqCst), 0);
    guest.word(0, 3).store(1, SeqCst);
    let too_high = guest.set_version(Version::V1);
    assert_eq!(too_high.unwrap_err().errno(), Errno::ERANGE);
    guest.word(0, 3).store(0, SeqCst);
    guest.set_version(Version::V1).unwrap();
    assert_eq!(guest.word(0, 1).load(SeqCst), 0xc0);
    assert_eq!((guest.bits(0), guest.bits(1)), (0, READING | WRITING));
    mapper.unmap(&mut guest, handle, 1, 0).unwrap();
    assert_eq!(guest.bits(1), 0);
}

/// A transfer needs exactly the offer that was made, and can be called off.
#[test]
fn transfers_want_an_exact_offer() {
    let mut guest = Guest::new(1);
    let accept = |guest: &mut Guest, from| guest.table.accept_transfer(gref(8), DomId::new(from), Mfn::new(1));
    assert_eq!(accept(&mut guest, 0).unwrap_err(), GrantError::NotGranted);
    guest.grant(8, ACCEPT, 2, 0);
    assert_eq!(accept(&mut guest, 0).unwrap_err(), GrantError::NotGranted);
    let transfer = accept(&mut guest, 2).unwrap();
    assert_eq!(accept(&mut guest, 2).unwrap_err(), GrantError::NotGranted);
    guest.table.abandon_transfer(transfer);
    assert_eq!(guest.word(8, 0).load(SeqCst), u32::from(ACCEPT) | 2 << 16);
    let high = guest.table.accept_transfer(gref(8), DomId::new(2), Mfn::new(1 << 32));
    assert_eq!(high.unwrap_err(), GrantError::NotRepresentable);
    let beyond = guest.table.accept_transfer(gref(512), DomId::new(2), Mfn::new(1));
    assert_eq!(beyond.unwrap_err().status(), GrantStatus::GENERAL_ERROR);
}
