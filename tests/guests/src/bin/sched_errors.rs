// SPDX-License-Identifier: MIT OR Apache-2.0
//! Unknown and refused scheduler operations; the compatible `sched_op`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, ENOSYS, ESRCH};
use guest_rt::hypercall::{call, sched_op};
use guest_rt::{abi, check_eq, guest_main, step};

guest_main!(main);

fn main() {
    check_eq!(sched_op(99, &mut [0u64]), ENOSYS, "unknown");
    check_eq!(call(abi::HC_SCHED_OP, [abi::SCHEDOP_SHUTDOWN, 0x10, 0, 0, 0]), EFAULT, "shutdown without a reason");
    check_eq!(sched_op(4, &mut [77u32, 0]), ESRCH, "remote_shutdown of no domain");
    check_eq!(sched_op(7, &mut [-1i32]), abi::EINVAL, "pin_override off, when it is not on");
    check_eq!(sched_op(6, &mut [1u32, 30]), abi::EINVAL, "watchdog 1 is not set");
    check_eq!(sched_op(6, &mut [0u32, 30]), 1, "a watchdog gets number 1");
    check_eq!(sched_op(6, &mut [0u32, 30]), 2, "the next number 2");
    check_eq!(sched_op(6, &mut [1u32, 0]), 0, "stop the first");
    check_eq!(sched_op(6, &mut [2u32, 0]), 0, "stop the second");
    check_eq!(call(abi::HC_SCHED_OP_COMPAT, [0, 0, 0, 0, 0]), 0, "compatible yield");
    let unknown = call(abi::HC_SCHED_OP_COMPAT, [99, 0, 0, 0, 0]);
    step!("unknown compatible operation: {unknown}");
    check_eq!(unknown, ENOSYS, "compatible, unknown");
}
