// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hypercalls whose arguments point into the hypervisor, nowhere, or across its border: refused, nothing written.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, HYPERVISOR_VIRT_END, HYPERVISOR_VIRT_START};
use guest_rt::hypercall::call;
use guest_rt::{abi, check, check_eq, guest_main, memory};

guest_main!(main);

fn main() {
    let bad = [
        0x0,
        0x1000,
        0x7fff_ffff_fffc,
        0x8000_0000_0000,
        HYPERVISOR_VIRT_START,
        HYPERVISOR_VIRT_START + 0x100,
        0xffff_82d0_4000_0000,
        0xffff_8300_0000_0000,
        HYPERVISOR_VIRT_END - 4,
        HYPERVISOR_VIRT_END,
        0xffff_ffff_ffff_fffc,
    ];
    let m2p = memory::read64(memory::M2P + 8 * memory::p2m(1));
    for pointer in bad {
        let calls: [(&str, u64, [u64; 5]); 16] = [
            ("extraversion", abi::HC_XEN_VERSION, [1, pointer, 0, 0, 0]),
            ("features", abi::HC_XEN_VERSION, [6, pointer, 0, 0, 0]),
            ("console write", abi::HC_CONSOLE_IO, [0, 8, pointer, 0, 0]),
            ("multicall", abi::HC_MULTICALL, [pointer, 1, 0, 0, 0]),
            ("mmu_update", abi::HC_MMU_UPDATE, [pointer, 1, 0, abi::DOMID_SELF, 0]),
            ("mmuext_op", abi::HC_MMUEXT_OP, [pointer, 1, 0, abi::DOMID_SELF, 0]),
            ("set_gdt", abi::HC_SET_GDT, [pointer, 1, 0, 0, 0]),
            ("evtchn status", abi::HC_EVENT_CHANNEL_OP, [abi::EVTCHNOP_STATUS, pointer, 0, 0, 0]),
            ("alloc_unbound", abi::HC_EVENT_CHANNEL_OP, [abi::EVTCHNOP_ALLOC_UNBOUND, pointer, 0, 0, 0]),
            ("grant map", abi::HC_GRANT_TABLE_OP, [abi::GNTTABOP_MAP_GRANT_REF, pointer, 1, 0, 0]),
            ("query_size", abi::HC_GRANT_TABLE_OP, [abi::GNTTABOP_QUERY_SIZE, pointer, 1, 0, 0]),
            ("runstate", abi::HC_VCPU_OP, [abi::VCPUOP_GET_RUNSTATE_INFO, 0, pointer, 0, 0]),
            ("poll", abi::HC_SCHED_OP, [abi::SCHEDOP_POLL, pointer, 0, 0, 0]),
            ("machphys", abi::HC_MEMORY_OP, [abi::XENMEM_MACHPHYS_MAPPING, pointer, 0, 0, 0]),
            ("callback", abi::HC_CALLBACK_OP, [0, pointer, 0, 0, 0]),
            ("exchange", abi::HC_MEMORY_OP, [abi::XENMEM_EXCHANGE, pointer, 0, 0, 0]),
        ];
        for (name, number, args) in calls {
            let result = call(number, args);
            // The M2P is the one part of the range that a guest may read: what is there counts as an argument.
            let readable = (HYPERVISOR_VIRT_START..HYPERVISOR_VIRT_START + 0x1000).contains(&pointer);
            check!(result == EFAULT || readable && result < 0, "{name} at {pointer:#x} gave {result}");
        }
    }
    check_eq!(memory::read64(memory::M2P + 8 * memory::p2m(1)), m2p, "the M2P is as it was");
    // A structure that begins in good memory and ends in an unmapped page.
    let page = memory::alloc_many(2);
    memory::page_of(page.va + 4096).unmap();
    check_eq!(call(abi::HC_XEN_VERSION, [3, page.va + 4096 - 64, 0, 0, 0]), EFAULT, "capabilities across the border");
    check_eq!(call(abi::HC_XEN_VERSION, [1, page.va + 4096 - 16, 0, 0, 0]), 0, "extraversion up to the border");
    check_eq!(call(abi::HC_XEN_VERSION, [1, page.va + 4096 - 15, 0, 0, 0]), EFAULT, "one byte across it");
    page.make_ro();
    check_eq!(call(abi::HC_XEN_VERSION, [1, page.va, 0, 0, 0]), EFAULT, "a read-only page");
}
