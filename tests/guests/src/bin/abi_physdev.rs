// SPDX-License-Identifier: MIT OR Apache-2.0
//! `physdev_op`: the IO-APIC through the hypervisor, pirqs, and what is refused.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EBUSY, EFAULT, EINVAL};
use guest_rt::hypercall::{call, physdev_op};
use guest_rt::{abi, check_eq, event, guest_main, memory, step};

guest_main!(main);

fn main() {
    const IO_APIC: u64 = 0xfec0_0000;
    let mut version = [IO_APIC, 1];
    check_eq!(physdev_op(8, &mut version), 0, "apic_read");
    step!("IO-APIC version {:#x}", version[1] >> 32);
    check_eq!(version[1] >> 48, 23, "24 pins");
    check_eq!(physdev_op(8, &mut [0xfec1_0000u64, 1]), EINVAL, "no IO-APIC there");
    check_eq!(physdev_op(10, &mut [5u32, 0]), 0, "alloc_irq_vector");
    check_eq!(physdev_op(5, &mut [5000u32, 0]), EINVAL, "irq_status_query of no pirq");
    let mut status = [5u32, 0];
    check_eq!((physdev_op(5, &mut status), status[1] & 1), (0, 1), "irq_status_query: needs an EOI");
    check_eq!(physdev_op(12, &mut [5000u32]), EINVAL, "eoi of no pirq");
    let port = {
        let mut arg = [5u32, 0, 0];
        let result = guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_BIND_PIRQ, &mut arg);
        step!("bind_pirq before map_pirq: {result}");
        result
    };
    check_eq!(port, abi::EPERM, "a pirq has to be mapped first");
    // domid, type GSI; index, pirq
    let mut map = [abi::DOMID_SELF | 1 << 32, 5 | 5 << 32, 0, 0, 0];
    check_eq!(physdev_op(13, &mut map), 0, "map_pirq");
    check_eq!(map[1] >> 32, 5, "the pirq asked for");
    check_eq!(physdev_op(21, &mut [5u32, 0x0101]), 0, "setup_gsi, level, low");
    let mut arg = [5u32, 0, 0];
    check_eq!(guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_BIND_PIRQ, &mut arg), 0, "bind_pirq");
    let status = event::status(abi::DOMID_SELF, arg[2]).map(|s| (s.status, s.detail));
    check_eq!(status, Ok((3, 5)), "status");
    let mut again = [5u32, 0, 0];
    check_eq!(guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_BIND_PIRQ, &mut again), abi::EEXIST, "bound already");
    check_eq!(event::close(arg[2]), 0, "close");
    let page = memory::alloc();
    check_eq!(physdev_op(28, &mut [0xfff_ffffu64]), EINVAL, "pirq_eoi_gmfn of no frame");
    check_eq!(physdev_op(28, &mut [page.mfn]), 0, "pirq_eoi_gmfn_v2");
    check_eq!(physdev_op(28, &mut [page.mfn]), EBUSY, "twice");
    check_eq!(call(abi::HC_PHYSDEV_OP, [5, 0x10, 0, 0, 0]), EFAULT, "unreadable");
}
