// SPDX-License-Identifier: MIT OR Apache-2.0
//! `XENVER_get_features`: what a 64-bit PV dom0 is told.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{call, xen_version};
use guest_rt::{abi, check_eq, guest_main, step};

guest_main!(main);

fn features() -> u32 {
    let mut info = [0u32, 0];
    check_eq!(xen_version(6, &mut info), 0, "get_features");
    info[1]
}

fn main() {
    let before = features();
    step!("features {before:#x}");
    // mmu_pt_update_preserve_ad, highmem_assist, gnttab_map_avail_bits, dom0, memory_op_vnode_supported, direct_mapped
    let want = 1 << 5 | 1 << 6 | 1 << 7 | 1 << 11 | 1 << 13 | 1 << 17;
    // pae_pgdir_above_4gb comes with this guest's ELF note PAE_MODE "yes".
    check_eq!(before, want | 1 << 4, "features of dom0");
    check_eq!(call(abi::HC_VM_ASSIST, [1, 3, 0, 0, 0]), 0, "disable pae_extended_cr3");
    check_eq!(features(), want, "pae_pgdir_above_4gb without the assist");
    check_eq!(call(abi::HC_VM_ASSIST, [0, 3, 0, 0, 0]), 0, "enable pae_extended_cr3");
    check_eq!(features(), want | 1 << 4, "and with it again");
}
