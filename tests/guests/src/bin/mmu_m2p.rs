// SPDX-License-Identifier: MIT OR Apache-2.0
//! The machine-to-physical table: contents, size, read-only, and `MMU_MACHPHYS_UPDATE`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, EPERM};
use guest_rt::hypercall::memory_op;
use guest_rt::memory::{M2P, m2p, mmu_update, p2m, update_va};
use guest_rt::trap::Frame;
use guest_rt::{abi, check, check_eq, guest_main, memory, step, trap};

guest_main!(main);

fn main() {
    let mut mapping = [0u64; 3];
    check_eq!(memory_op(abi::XENMEM_MACHPHYS_MAPPING, &mut mapping), 0, "machphys_mapping");
    step!("{mapping:x?}");
    check_eq!((mapping[0], mapping[1]), (M2P, 0xffff_8040_0000_0000), "range");
    let max_page = guest_rt::hypercall::call(abi::HC_MEMORY_OP, [abi::XENMEM_MAXIMUM_RAM_PAGE, 0, 0, 0, 0]) as u64;
    step!("maximum_ram_page {max_page:#x}");
    check_eq!(mapping[2], max_page - 1, "the last index");
    let pages = memory::start_info_word(memory::start_info::NR_PAGES);
    for pfn in 0..pages {
        check_eq!(m2p(p2m(pfn)), pfn, "pfn {pfn:#x} by both tables");
    }
    check_eq!(m2p(0xa0), u64::MAX, "I/O memory has no pseudo-physical frame");
    // mov [rax], rcx
    let trap = trap::run_regs(&[0x48, 0x89, 0x08], Frame { rax: M2P + 8 * p2m(5), ..Frame::default() });
    step!("write: vector {} error {:#x} cr2 {:#x}", trap.vector, trap.error, trap.cr2);
    check_eq!((trap.vector, trap.cr2), (14, M2P + 8 * p2m(5)), "a write faults");
    check_eq!(m2p(p2m(5)), 5, "and does nothing");
    // call rax
    let trap = trap::run_regs(&[0xff, 0xd0], Frame { rax: M2P, ..Frame::default() });
    check_eq!((trap.vector, trap.cr2), (14, M2P), "it is not executable");
    let (pfn, mfn) = memory::spare();
    check_eq!(mmu_update(mfn << 12 | 1, 0x777), 0, "MACHPHYS_UPDATE");
    check_eq!(m2p(mfn), 0x777, "it changed");
    check_eq!(mmu_update(mfn << 12 | 1, pfn), 0, "back");
    let result = mmu_update(0xa_0000 | 1, 0x777);
    step!("I/O memory: {result}");
    check!(result == EINVAL || result == EPERM, "a frame that is not ours");
    check_eq!(m2p(0xa0), u64::MAX, "unchanged");
    check_eq!(update_va(M2P, memory::alloc().maddr() | memory::RW, 0), EINVAL, "its mapping cannot be changed");
}
