// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a dom0 finds at its start: start_info, the linear mapping, page tables, shared_info.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::memory::{FRAME_MASK, VIRT_BASE, start_info, start_info_word, walk};
use guest_rt::{check, check_eq, event, guest_main, memory, step};

guest_main!(main);

fn main() {
    let info = memory::start_info_va();
    let magic: [u8; 16] = core::array::from_fn(|index| memory::read8(info + index as u64));
    check_eq!(&magic, b"xen-3.0-x86_64p\0", "magic");
    let pages = start_info_word(start_info::NR_PAGES);
    step!("{pages:#x} pages");
    check!((0x3000..=0x4000).contains(&pages) || pages > 0x4000, "some memory");
    let flags = start_info_word(start_info::FLAGS) as u32;
    step!("flags {flags:#x}");
    check_eq!(flags & 3, 3, "privileged, initial domain");
    check_eq!(memory::read64(info + 0x38), 0, "no xenstore page");
    check_eq!(memory::read32(info + 0x40), 0, "no xenstore port");
    let (offset, size) = (memory::read32(info + 0x48), memory::read32(info + 0x4c));
    step!("console information at {offset:#x}, {size:#x} bytes");
    check!(size == 0 || offset == 0x490, "console information");
    let tables = start_info_word(start_info::PT_BASE);
    let frames = start_info_word(start_info::NR_PT_FRAMES);
    step!("page tables at {tables:#x}, {frames} frames");
    check_eq!(info & 0xfff, 0, "start_info has its own page");
    check_eq!(tables, info + 0x1000, "the page tables follow start_info");
    check_eq!(walk(info, 4).va & !0xfff, tables, "the L4 is the first");
    let read_only = |va: u64| walk(va, 1).value & 2 == 0;
    for index in 0..frames {
        check!(read_only(tables + index * 4096), "page table {index} is read-only");
    }
    check!(!read_only(info) && !read_only(tables + frames * 4096), "their neighbours are writable");
    let end = (tables + (frames + 1) * 4096 + 0x3f_ffff) & !0x3f_ffff;
    for pfn in 0..(end - VIRT_BASE) >> 12 {
        // The runtime put shared_info over one of the free pages.
        if VIRT_BASE + (pfn << 12) == event::shared_info() {
            continue;
        }
        let entry = walk(VIRT_BASE + (pfn << 12), 1).value;
        check_eq!((entry & FRAME_MASK) >> 12, memory::p2m(pfn), "pfn {pfn:#x} is at its place");
        check_eq!(memory::m2p(memory::p2m(pfn)), pfn, "and known");
    }
    check_eq!(start_info_word(start_info::MFN_LIST), 0x80_0000_0000, "the p2m list is where the note asks");
    let (first, count) = (start_info_word(start_info::FIRST_P2M_PFN), start_info_word(start_info::NR_P2M_FRAMES));
    step!("p2m list in pfn {first:#x}, {count} frames");
    check!(count * 512 >= pages && first + count <= pages, "the list's frames");
    check_eq!(start_info_word(start_info::SHARED_INFO) & 0xfff, 0, "shared_info");
    for vcpu in 0..32 {
        check_eq!(memory::read8(event::shared_info() + vcpu * 0x40 + 1), 1, "vCPU {vcpu} starts masked");
    }
}
