// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The layout of guests, walked as a processor would.

mod common;

use std::collections::HashMap;
use std::convert::Infallible;

use common::{Recipe, VIRT_BASE};
use guest_image::start_info::{self, Links, Params};
use guest_image::{ImageError, Kernel, PfnRange, Plan, Request, Role, page_tables};
use hypercalls::start_info::{StartInfo, StartInfoFlags, VgaConsoleInfo, VgaType};
use hypercalls::{Mfn, PAGE_SIZE, Pfn, Port};
use proptest::prelude::*;
use zerocopy::FromBytes;

fn plan(recipe: &Recipe, request: &Request) -> Result<Plan, ImageError> {
    let elf = recipe.elf();
    Plan::new(&Kernel::parse(&elf)?, request)
}

/// A machine where frame `n` of the guest is machine frame `n ^ SCRAMBLE`.
const SCRAMBLE: u64 = 0x5_5555;

/// All tables of a plan by machine frame.
fn tables(plan: &Plan) -> HashMap<u64, [u64; 512]> {
    let mut found = HashMap::new();
    let mut last_level = 0;
    let result = page_tables::for_each(
        plan,
        |pfn| Mfn::new(pfn.raw() ^ SCRAMBLE),
        |table| {
            assert!(plan.is_page_table(table.pfn));
            assert!(found.insert(table.pfn.raw() ^ SCRAMBLE, *table.entries).is_none(), "a table twice");
            last_level = table.level;
            Ok::<(), Infallible>(())
        },
    );
    assert_eq!(result, Ok(()));
    assert_eq!(last_level, 4, "the root comes last");
    assert_eq!(found.len() as u64, plan.page_tables.count() + plan.p2m.tables.count(), "all tables");
    found
}

/// What a page walk finds: the guest's frame and the entry.
fn walk(plan: &Plan, tables: &HashMap<u64, [u64; 512]>, va: u64) -> Option<(Pfn, u64)> {
    let mut mfn = plan.root_table().raw() ^ SCRAMBLE;
    let mut entry = 0;
    for shift in [39, 30, 21, 12] {
        entry = tables[&mfn][(va >> shift) as usize & 511];
        if entry & 1 == 0 {
            return None;
        }
        mfn = entry >> 12 & 0xff_ffff_ffff;
    }
    Some((Pfn::new(mfn ^ SCRAMBLE), entry))
}

fn check_mapping(plan: &Plan) {
    let tables = tables(plan);
    for pfn in plan.mapped().iter() {
        let (found, entry) = walk(plan, &tables, plan.va_of(pfn)).expect("mapped");
        assert_eq!(found, pfn);
        assert_eq!(entry & 2 == 0, plan.page_tables.contains(pfn), "tables are read-only, the rest is not");
        assert_eq!(entry & 0xfff & !2, 0x25, "present, user, accessed");
        assert_eq!(entry >> 52, 1, "software bit 52, executable");
    }
    assert_eq!(walk(plan, &tables, plan.v_end), None);
    assert_eq!(walk(plan, &tables, plan.v_start.wrapping_sub(1)), None);
    for (n, pfn) in plan.p2m.list.iter().enumerate() {
        let (found, entry) = walk(plan, &tables, plan.p2m.va + 4096 * n as u64).expect("mapped");
        assert_eq!(found, pfn);
        assert_eq!(entry & 2, 2);
    }
    let entries: usize = tables.values().flatten().filter(|entry| **entry != 0).count();
    let p2m_pages = if plan.p2m.tables.count() > 0 { plan.p2m.list.count() } else { 0 };
    let expected = plan.mapped().count() + p2m_pages + plan.page_tables.count() + plan.p2m.tables.count() - 1;
    assert_eq!(entries as u64, expected, "nothing else is mapped");
}

/// No frame has two uses, and all are the guest's.
fn check_frames(plan: &Plan) {
    let one = |pfn| PfnRange::new(pfn, 1);
    let mut uses = vec![plan.kernel, one(plan.start_info), plan.page_tables, one(plan.boot_stack), plan.p2m.list];
    uses.push(plan.p2m.tables);
    uses.extend(plan.initrd.map(|initrd| initrd.frames));
    uses.extend(plan.rings.iter().flat_map(|rings| [one(rings.xenstore), one(rings.console)]));
    uses.retain(|range| range.count() > 0);
    uses.sort_by_key(|range| range.start());
    for pair in uses.windows(2) {
        assert!(pair[0].end() <= pair[1].start(), "{pair:x?} overlap");
    }
    assert!(uses.last().unwrap().end().raw() <= plan.used_pages);
    assert!(plan.mapped().count() <= plan.used_pages && plan.used_pages <= plan.nr_pages);
    assert!(plan.mapped().end().raw() - plan.boot_stack.raw() > 128, "512 KiB behind the stack");
    assert_eq!(plan.v_end % (4 << 20), 0);
}

#[test]
fn both_orders() {
    let request = Request { role: Role::Dom0, nr_pages: 0x4000, initrd_len: 0x5001 };
    let dom0 = plan(&Recipe::default(), &request).unwrap();
    assert_eq!(dom0.start_info, Pfn::new(0x101c));
    assert_eq!(dom0.page_tables, PfnRange::new(Pfn::new(0x101d), 3 + 10));
    assert_eq!(dom0.boot_stack, Pfn::new(0x102a));
    assert_eq!(dom0.v_end, VIRT_BASE + 0x140_0000);
    assert_eq!(dom0.initrd.unwrap().frames, PfnRange::new(Pfn::new(0x1400), 6));
    assert_eq!(dom0.p2m.list, PfnRange::new(Pfn::new(0x1406), 0x20));
    assert_eq!(dom0.p2m.tables, PfnRange::new(Pfn::new(0x1426), 3));
    check_frames(&dom0);
    check_mapping(&dom0);

    let domu = plan(&Recipe::default(), &Request { role: Role::DomU, ..request }).unwrap();
    let rings = domu.rings.unwrap();
    assert_eq!((rings.xenstore, rings.console), (Pfn::new(0x101d), Pfn::new(0x101e)));
    assert_eq!(domu.root_table(), Pfn::new(0x101f));
    check_frames(&domu);
    check_mapping(&domu);
}

#[test]
fn old_kernels_get_everything_mapped() {
    let recipe = Recipe::default().with_note(15, None).with_note(16, None);
    let request = Request { role: Role::Dom0, nr_pages: 0x4000, initrd_len: 0x5000 };
    let plan = plan(&recipe, &request).unwrap();
    let initrd = plan.initrd.unwrap();
    assert_eq!(initrd.frames, PfnRange::new(Pfn::new(0x101c), 5));
    assert!(!initrd.by_pfn);
    assert_eq!(plan.p2m.va, VIRT_BASE + 0x102_1000);
    assert_eq!(plan.p2m.tables.count(), 0);
    check_frames(&plan);
    check_mapping(&plan);
    let info = info(&plan, dom0_links());
    assert_eq!((info.mod_start, info.mod_len), (VIRT_BASE + 0x101_c000, 0x5000));
    assert!(!info.flags.contains(StartInfoFlags::MOD_START_PFN));
    assert_eq!((info.first_p2m_pfn.raw(), info.nr_p2m_frames), (0, 0));
}

#[test]
fn a_kernel_at_virtual_zero_is_fine() {
    let recipe = Recipe::default()
        .with_note(3, None)
        .with_note(15, None)
        .with_note(1, Some(0x100_0000_u64.to_le_bytes().to_vec()));
    let plan = plan(&recipe, &Request { role: Role::DomU, nr_pages: 0x2000, initrd_len: 0 }).unwrap();
    assert_eq!(plan.v_start, 0);
    assert_eq!(plan.initrd, None);
    check_frames(&plan);
}

#[test]
fn too_little_memory_is_counted() {
    let request = Request { role: Role::Dom0, nr_pages: 0x1400 + 0x100 + 11 + 3, initrd_len: 0x10_0000 };
    assert_eq!(plan(&Recipe::default(), &request).unwrap().used_pages, request.nr_pages);
    let less = Request { nr_pages: request.nr_pages - 1, ..request };
    let refusal =
        ImageError::NotEnoughMemory { needed_pages: request.nr_pages, given_pages: less.nr_pages, initrd_pages: 0x100 };
    assert_eq!(plan(&Recipe::default(), &less), Err(refusal));
    let endless = Request { initrd_len: u64::MAX, ..request };
    assert!(plan(&Recipe::default(), &endless).is_err());
    let vast = Request { nr_pages: u64::MAX, ..request };
    assert!(matches!(plan(&Recipe::default(), &vast), Err(ImageError::TooLarge(_))));
}

#[test]
fn a_large_guest_gets_more_p2m_tables() {
    let request = Request { role: Role::DomU, nr_pages: 8 << 18, initrd_len: 0 };
    let plan = plan(&Recipe::default(), &request).unwrap();
    assert_eq!(plan.p2m.list.count(), 4096);
    assert_eq!(plan.p2m.tables.count(), 8 + 1 + 1);
    check_frames(&plan);
    check_mapping(&plan);
}

fn dom0_links() -> Links {
    Links::Dom0 { vga: Some(VgaConsoleInfo { video_type: VgaType::TEXT_MODE_3, _pad: [0; 3], u: [7; 36] }) }
}

fn page(plan: &Plan, links: Links) -> [u8; PAGE_SIZE] {
    let mut page = [0xee; PAGE_SIZE];
    let params = Params { shared_info: Mfn::new(0x1234), cmd_line: b"console=hvc0 quiet", links };
    start_info::write(plan, &params, &mut page).unwrap();
    page
}

fn info(plan: &Plan, links: Links) -> StartInfo {
    StartInfo::read_from_prefix(&page(plan, links)).unwrap().0
}

#[test]
fn dom0_is_told_everything() {
    let request = Request { role: Role::Dom0, nr_pages: 0x4000, initrd_len: 0x5001 };
    let plan = plan(&Recipe::default(), &request).unwrap();
    let page = page(&plan, dom0_links());
    let info = info(&plan, dom0_links());
    assert!(info.magic.starts_with(b"xen-3.0-x86_64p\0"));
    assert_eq!((info.nr_pages, info.shared_info), (0x4000, 0x123_4000));
    let flags = StartInfoFlags::PRIVILEGED | StartInfoFlags::INITDOMAIN | StartInfoFlags::MOD_START_PFN;
    assert_eq!(info.flags, flags);
    assert_eq!((info.store_mfn.raw(), info.store_evtchn.raw()), (0, 0));
    assert_eq!(info.console[..8], [0x90, 4, 0, 0, 0x28, 0, 0, 0]);
    assert_eq!((info.pt_base, info.nr_pt_frames), (VIRT_BASE + 0x101_d000, 13));
    assert_eq!((info.mod_start, info.mod_len), (0x1400, 0x5001));
    assert_eq!((info.mfn_list, info.first_p2m_pfn.raw(), info.nr_p2m_frames), (0x80_0000_0000, 0x1406, 0x23));
    assert!(info.cmd_line.starts_with(b"console=hvc0 quiet\0"));
    assert_eq!((page[0x490], page[0x494], page[0x4b7]), (3, 7, 7));
    assert!(page[0x4b8..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_domu_gets_its_rings() {
    let request = Request { role: Role::DomU, nr_pages: 0x4000, initrd_len: 0 };
    let plan = plan(&Recipe::default(), &request).unwrap();
    let links = Links::DomU {
        store_mfn: Mfn::new(0x111),
        store_port: Port::new(1),
        console_mfn: Mfn::new(0x222),
        console_port: Port::new(2),
    };
    let info = info(&plan, links);
    assert!(info.magic.starts_with(b"xen-3.0-x86_64\0"));
    assert_eq!(info.flags, StartInfoFlags::empty());
    assert_eq!((info.store_mfn.raw(), info.store_evtchn.raw()), (0x111, 1));
    assert_eq!(info.console, [0x22, 2, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((info.mod_start, info.mod_len), (0, 0));
}

#[test]
fn command_lines_have_a_limit() {
    let request = Request { role: Role::Dom0, nr_pages: 0x4000, initrd_len: 0 };
    let plan = plan(&Recipe::default(), &request).unwrap();
    let mut page = [0; PAGE_SIZE];
    let line = [b'x'; 1024];
    let params = |cmd_line| Params { shared_info: Mfn::new(1), cmd_line, links: Links::Dom0 { vga: None } };
    assert_eq!(start_info::write(&plan, &params(&line[..1023]), &mut page), Ok(()));
    assert_eq!(page[0x80 + 1022..0x80 + 1024], [b'x', 0]);
    let refusal = start_info::write(&plan, &params(&line), &mut page);
    assert_eq!(refusal, Err(ImageError::CommandLineTooLong(1024)));
    assert_eq!(start_info::write(&plan, &params(b"a\0b"), &mut page), Err(ImageError::CommandLineHasNul));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_is_sound(
        base in proptest::sample::select(vec![0_u64, 0x40_0000, VIRT_BASE, 0xffff_8800_0000_0000, 0x7f_ffc0_0000]),
        kernel_pages in 1..3000_u64,
        nr_pages in 0x800..0x40000_u64,
        initrd_len in 0..0x100_0000_u64,
        dom0 in any::<bool>(),
        (mapped_initrd, mapped_p2m) in (any::<bool>(), any::<bool>()),
    ) {
        let mut recipe = Recipe {
            segments: vec![(0x100_0000, vec![1; 64], kernel_pages * 4096)],
            ..Recipe::default()
        }
        .with_note(3, Some(base.to_le_bytes().to_vec()))
        .with_note(15, Some(0x4000_0000_0000_u64.to_le_bytes().to_vec()))
        .with_note(1, Some((base + 0x100_0000).to_le_bytes().to_vec()));
        if mapped_initrd {
            recipe = recipe.with_note(16, None);
        }
        if mapped_p2m {
            recipe = recipe.with_note(15, None);
        }
        let role = if dom0 { Role::Dom0 } else { Role::DomU };
        match plan(&recipe, &Request { role, nr_pages, initrd_len }) {
            Ok(plan) => {
                check_frames(&plan);
                check_mapping(&plan);
            }
            Err(refusal) => {
                let counted = matches!(refusal, ImageError::NotEnoughMemory { needed_pages, .. } if needed_pages > nr_pages);
                prop_assert!(counted, "{refusal}");
            }
        }
    }
}
