// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hypercall numbers that do not exist, and unknown sub-operations of those that do.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::ENOSYS;
use guest_rt::hypercall::call;
use guest_rt::{abi, check_eq, guest_main, step};

guest_main!(main);

fn main() {
    for number in
        [11, 27, 34, 38, 43, 44, 47, 50, 51, 52, 53, 55, 63, 64, 127, 128, 1000, 1 << 31, 1 << 32, 1 << 63, u64::MAX]
    {
        let result = call(number, [0x10, 0x10, 0x10, 0, 0]);
        check_eq!(result, ENOSYS, "hypercall {number:#x}");
    }
    let unknown = [
        (abi::HC_SCHED_OP, "sched_op"),
        (abi::HC_EVENT_CHANNEL_OP, "event_channel_op"),
        (abi::HC_MEMORY_OP, "memory_op"),
        (abi::HC_XEN_VERSION, "xen_version"),
        (abi::HC_CONSOLE_IO, "console_io"),
        (abi::HC_PHYSDEV_OP, "physdev_op"),
        (abi::HC_CALLBACK_OP, "callback_op"),
        (abi::HC_VCPU_OP, "vcpu_op"),
        (abi::HC_NMI_OP, "nmi_op"),
    ];
    let mut zeros = [0u64; 32];
    for (number, name) in unknown {
        let result = call(
            number,
            [63, if number == abi::HC_VCPU_OP { 0 } else { guest_rt::hypercall::addr(&mut zeros) }, 0, 0, 0],
        );
        step!("{name}: {result}");
        check_eq!(result, ENOSYS, "{name}");
    }
    check_eq!(call(abi::HC_VM_ASSIST, [2, 0, 0, 0, 0]), ENOSYS, "vm_assist command 2");
    check_eq!(call(abi::HC_VM_ASSIST, [0, 31, 0, 0, 0]), abi::EINVAL, "vm_assist type 31");
    check_eq!(call(abi::HC_SET_SEGMENT_BASE, [4, 0, 0, 0, 0]), abi::EINVAL, "set_segment_base 4");
    let versions = [(abi::HC_SYSCTL, "sysctl"), (abi::HC_DOMCTL, "domctl"), (abi::HC_PLATFORM_OP, "platform_op")];
    for (number, name) in versions {
        check_eq!(
            call(number, [guest_rt::hypercall::addr(&mut zeros), 0, 0, 0, 0]),
            abi::EACCES,
            "{name} of interface version 0"
        );
        check_eq!(call(number, [0x10, 0, 0, 0, 0]), abi::EFAULT, "{name}, unreadable");
    }
}
