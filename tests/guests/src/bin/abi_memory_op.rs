// SPDX-License-Identifier: MIT OR Apache-2.0
//! `memory_op`: the informational operations.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, EFAULT, EINVAL, ENOSYS, ESRCH};
use guest_rt::hypercall::{call, memory_op};
use guest_rt::{abi, check, check_eq, guest_main, memory, step};

guest_main!(main);

fn main() {
    let pages = memory::start_info_word(memory::start_info::NR_PAGES) as i64;
    check_eq!(memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [DOMID_SELF]), pages, "current_reservation");
    check_eq!(memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [0u64]), pages, "by number");
    check_eq!(memory_op(abi::XENMEM_CURRENT_RESERVATION, &mut [77u64]), ESRCH, "of no domain");
    let most = memory_op(abi::XENMEM_MAXIMUM_RESERVATION, &mut [DOMID_SELF]);
    step!("maximum_reservation {most:#x}");
    check!(most >= pages, "at least what there is");
    check_eq!(call(abi::HC_MEMORY_OP, [abi::XENMEM_CURRENT_RESERVATION, 0x10, 0, 0, 0]), EFAULT, "unreadable");
    let buffer = memory::alloc();
    let mut map = [128u64, buffer.va];
    check_eq!(memory_op(abi::XENMEM_MACHINE_MEMORY_MAP, &mut map), 0, "machine_memory_map");
    let count = map[0] as u32;
    step!("{count} ranges");
    check!(count >= 3, "some ranges");
    let mut last = 0;
    let mut ram = 0;
    for index in 0..u64::from(count) {
        let at = buffer.va + index * 20;
        let (start, size, kind) = (memory::read64(at), memory::read64(at + 8), memory::read32(at + 16));
        step!("{start:#x} + {size:#x} type {kind}");
        check!(start >= last && size > 0, "sorted, without overlap");
        last = start + size;
        ram += if kind == 1 { size } else { 0 };
    }
    check!(ram > 100 << 20, "the machine's memory");
    let mut small = [1u64, buffer.va];
    check_eq!(memory_op(abi::XENMEM_MACHINE_MEMORY_MAP, &mut small), EINVAL, "no room");
    let own = memory_op(abi::XENMEM_MEMORY_MAP, &mut [128u64, buffer.va]);
    check_eq!(own, ENOSYS, "dom0 has no map of its own");
    let info = memory_op(14, &mut [DOMID_SELF]);
    step!("maximum_gpfn {info:#x}");
    check_eq!(memory_op(18, &mut [0u64]), 0, "get_sharing_freed_pages");
    check_eq!(memory_op(19, &mut [0u64]), 0, "get_sharing_shared_pages");
    check_eq!(memory_op(26, &mut [DOMID_SELF, 0, 0, 0, 0, 0, 0, 0]), abi::EOPNOTSUPP, "get_vnumainfo");
}
