// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What a builder accepts as a PV kernel, and each refusal.

mod common;

use common::{Recipe, VIRT_BASE};
use guest_image::kernel::LoadSegment;
use guest_image::{ImageError, Kernel, Plan, Request, Role};
use hypercalls::Pfn;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const DOM0: Request = Request { role: Role::Dom0, nr_pages: 0x8000, initrd_len: 5000 };

/// Why the recipe does not become a dom0.
fn refusal(recipe: &Recipe) -> Option<ImageError> {
    let elf = recipe.elf();
    Kernel::parse(&elf).and_then(|kernel| Plan::new(&kernel, &DOM0)).err()
}

#[test]
fn a_good_kernel_is_accepted() {
    let elf = Recipe::default().elf();
    let kernel = Kernel::parse(&elf).unwrap();
    assert_eq!(kernel.notes().entry, VIRT_BASE + 0x100_0040);
    assert_eq!(kernel.notes().supported_features, Some(0x8801));
    assert_eq!((kernel.frames().start(), kernel.frames().end()), (Pfn::new(0x1000), Pfn::new(0x101c)));
    let [first, second] = kernel.segments() else { panic!("two segments") };
    assert_eq!((first.guest_phys, first.data.len(), first.mem_len), (0x100_0000, 100_000, 0x19000));
    assert_eq!((second.guest_phys, second.data.len(), second.mem_len), (0x101_9000, 777, 0x3000));
}

#[test]
fn a_physical_offset_moves_the_kernel_down() {
    let recipe = Recipe::default()
        .with_note(4, Some(0x80_0000_u64.to_le_bytes().to_vec()))
        .with_note(1, Some((VIRT_BASE + 0x80_0000).to_le_bytes().to_vec()));
    let elf = recipe.elf();
    assert_eq!(Kernel::parse(&elf).unwrap().frames().start(), Pfn::new(0x800));
}

/// Guest memory as copying makes it, by byte.
fn copied(kernel: &Kernel<'_>) -> BTreeMap<u64, u8> {
    let bytes = |segment: &LoadSegment<'_>| (segment.guest_phys..).zip(segment.data.to_vec());
    kernel.segments().iter().flat_map(bytes).collect()
}

/// The frames that need no copy. Panics if one is not what copying would make of it, or if a frame or a page of the file occurs twice.
fn pages_in_file(elf: &[u8]) -> Vec<u64> {
    let kernel = Kernel::parse(elf).unwrap();
    let memory = copied(&kernel);
    let moves: Vec<_> = kernel.pages_in_file().collect();
    for (pfn, page) in &moves {
        let page = &elf[*page as usize * 4096..][..4096];
        assert!((pfn.to_addr()..).zip(page).all(|(at, byte)| memory.get(&at) == Some(byte)), "{pfn:?}");
    }
    let (frames, pages): (BTreeSet<_>, BTreeSet<_>) = moves.iter().copied().unzip();
    assert_eq!((frames.len(), pages.len()), (moves.len(), moves.len()));
    frames.into_iter().map(Pfn::raw).collect()
}

#[test]
fn whole_pages_of_the_file_need_no_copy() {
    let recipe = Recipe { congruent: true, ..Recipe::default() };
    // 100,000 bytes are 24 pages and a part; 777 are a part.
    assert_eq!(pages_in_file(&recipe.elf()), (0x1000..0x1018).collect::<Vec<_>>());
    let odd = Recipe { segments: vec![(0x100_0010, vec![1; 3 * 4096], 3 * 4096)], ..recipe.clone() };
    assert_eq!(pages_in_file(&odd.elf()), [0x1001, 0x1002]);
    assert!(pages_in_file(&Recipe::default().elf()).is_empty());
    let twice = vec![(0x100_0000, vec![1; 8192], 8192), (0x100_1000, vec![2; 8192], 8192)];
    assert!(pages_in_file(&Recipe { segments: twice, ..recipe }.elf()).is_empty());
}

proptest! {
    #[test]
    fn no_copy_means_the_same_contents(
        parts in prop::collection::vec((0_u64..0x18000, 1_usize..0x5000, 0_u64..0x3000), 1..5),
        aligned: bool,
    ) {
        let segments = (1_u8..).zip(parts).map(|(fill, (at, len, more))| {
            let at = if aligned { at & !0xfff } else { at };
            (0x100_0000 + at, vec![fill; len], len as u64 + more)
        });
        // So that the entry point lies inside.
        let segments = segments.chain([(0x102_0000, vec![9; 4096], 4096), (0x100_0000, Vec::new(), 4096)]).collect();
        pages_in_file(&Recipe { segments, congruent: true, ..Recipe::default() }.elf());
    }
}

#[test]
fn wrong_files_are_named() {
    let foreign = Recipe { machine: 183, ..Recipe::default() };
    assert_eq!(refusal(&foreign), Some(ImageError::NotX86_64));
    let narrow = Recipe { class: 1, ..Recipe::default() };
    assert_eq!(refusal(&narrow), Some(ImageError::NotX86_64));
    let empty = Recipe { segments: Vec::new(), ..Recipe::default() };
    assert_eq!(refusal(&empty), Some(ImageError::BadElf("the list of segments")));
    assert_eq!(Kernel::parse(b"#!/bin/sh").err(), Some(ImageError::NotElf));
    assert_eq!(Kernel::parse(b"\x7fELF\x02\x01").err(), Some(ImageError::Truncated("ELF header")));
}

#[test]
fn kernels_without_pv_are_named() {
    let bare = Recipe { notes: Vec::new(), ..Recipe::default() };
    assert_eq!(refusal(&bare), Some(ImageError::NoXenNotes));
    assert_eq!(refusal(&Recipe::default().with_note(1, None)), Some(ImageError::NoPvEntry));
    assert_eq!(refusal(&Recipe::default().with_note(5, None)), Some(ImageError::NotXen3));
    assert_eq!(refusal(&Recipe::default().with_note(5, Some(b"xen-2.0\0".to_vec()))), Some(ImageError::NotXen3));
    assert_eq!(refusal(&Recipe::default().with_note(3, Some(vec![1, 2]))), Some(ImageError::BadNote(3)));
}

#[test]
fn only_dom0_needs_dom0_support() {
    let recipe = Recipe::default().with_note(17, Some(0x8001_u32.to_le_bytes().to_vec()));
    assert_eq!(refusal(&recipe), Some(ImageError::NoDom0Support));
    let elf = recipe.elf();
    let kernel = Kernel::parse(&elf).unwrap();
    assert!(Plan::new(&kernel, &Request { role: Role::DomU, ..DOM0 }).is_ok());
    // A kernel that lists nothing is trusted.
    assert_eq!(refusal(&Recipe::default().with_note(17, None)), None);
}

#[test]
fn addresses_must_be_in_the_kernel_and_outside_the_hypervisor() {
    let entry = |va: u64| Recipe::default().with_note(1, Some(va.to_le_bytes().to_vec()));
    let outside = VIRT_BASE + 0x200_0000;
    assert_eq!(refusal(&entry(outside)), Some(ImageError::BadAddress { what: "entry point", address: outside }));
    let page = |va: u64| Recipe::default().with_note(2, Some(va.to_le_bytes().to_vec()));
    assert_eq!(refusal(&page(VIRT_BASE + 0x100_1000)), None);
    assert!(matches!(refusal(&page(VIRT_BASE + 0x100_1008)), Some(ImageError::BadAddress { .. })));
    for base in [0xffff_8000_0000_0000_u64, 0x0000_8000_0000_0000, 0xffff_ffff_ffff_f000] {
        let recipe = Recipe::default()
            .with_note(3, Some(base.to_le_bytes().to_vec()))
            .with_note(1, Some(base.wrapping_add(0x100_0000).to_le_bytes().to_vec()));
        assert!(matches!(refusal(&recipe), Some(ImageError::BadAddress { .. } | ImageError::TooLarge(_))), "{base:#x}");
    }
    for list in [0xffff_8000_0000_0000_u64, VIRT_BASE + 0x4000_0000, 0x80_0000_0008, 0xffff_ffff_ffff_f000] {
        let recipe = Recipe::default().with_note(15, Some(list.to_le_bytes().to_vec()));
        assert!(matches!(refusal(&recipe), Some(ImageError::BadAddress { .. })), "{list:#x}");
    }
}

#[test]
fn every_refusal_has_a_sentence() {
    let errors = [
        ImageError::NotAKernel,
        ImageError::NoXenNotes,
        ImageError::NoDom0Support,
        ImageError::CommandLineTooLong(2000),
        ImageError::NotEnoughMemory { needed_pages: 100, given_pages: 50, initrd_pages: 20 },
        ImageError::BadElf("a segment"),
        ImageError::TooLarge("the kernel"),
        ImageError::LegacyGuestSection,
    ];
    for error in errors {
        let text = error.to_string();
        assert!(text.contains(": ") && !text.contains('\n'), "what, and what to do: {text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn damaged_elf_files_never_panic(
        changes in proptest::collection::vec((0..700_usize, any::<u8>()), 1..12),
        cut in 0..110_000_usize,
        role in proptest::sample::select(vec![Role::Dom0, Role::DomU]),
    ) {
        let mut elf = Recipe::default().elf();
        for (at, byte) in changes {
            elf[at] = byte;
        }
        elf.truncate(cut);
        if let Ok(kernel) = Kernel::parse(&elf) {
            let _plan = Plan::new(&kernel, &Request { role, ..DOM0 });
        }
    }

    #[test]
    fn damaged_notes_never_panic(changes in proptest::collection::vec((232..440_usize, any::<u8>()), 1..6)) {
        let mut elf = Recipe::default().elf();
        for (at, byte) in changes {
            elf[at] = byte;
        }
        if let Ok(kernel) = Kernel::parse(&elf) {
            let _plan = Plan::new(&kernel, &DOM0);
        }
    }
}
