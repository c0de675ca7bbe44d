// SPDX-License-Identifier: MIT OR Apache-2.0
//! `vcpu_op`: ids that do not exist, states, contexts that `VCPUOP_initialise` refuses.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EEXIST, EFAULT, EINVAL, ENOENT, ENOSYS};
use guest_rt::hypercall::{call, vcpu_op0};
use guest_rt::vcpu::{context, initialise};
use guest_rt::{abi, check_eq, guest_main, memory, skip, step, vcpu};

guest_main!(main);

fn idle(_: u64) {}
fn main() {
    check_eq!(vcpu_op0(abi::VCPUOP_IS_UP, 0), 1, "vCPU 0 is up");
    for id in [64u64, 127, 8191, 0xffff_ffff] {
        check_eq!(vcpu_op0(abi::VCPUOP_IS_UP, id), ENOENT, "vCPU {id}");
    }
    check_eq!(vcpu_op0(99, 0), ENOSYS, "unknown operation");
    check_eq!(vcpu_op0(abi::VCPUOP_INITIALISE, 64), ENOENT, "initialise no vCPU");
    check_eq!(call(abi::HC_VCPU_OP, [abi::VCPUOP_INITIALISE, 0, 0x10, 0, 0]), EFAULT, "an unreadable context");
    check_eq!(vcpu_op0(abi::VCPUOP_UP, 0), 0, "vCPU 0 up: it is");
    if !vcpu::exists(1) {
        skip!("only one vCPU");
    }
    check_eq!(vcpu_op0(abi::VCPUOP_IS_UP, 1), 0, "vCPU 1 is down");
    check_eq!(vcpu_op0(abi::VCPUOP_UP, 1), EINVAL, "up before initialise");
    check_eq!(vcpu_op0(abi::VCPUOP_DOWN, 1), 0, "down while down");
    let good = vcpu::context(1, idle);
    let change = |offset: u64, value: u64, error: i64, what: &str| {
        let old = memory::read64(good.va + offset);
        memory::write64(good.va + offset, value);
        let result = initialise(1, good);
        step!("{what}: {result}");
        check_eq!(result, error, "{what}");
        memory::write64(good.va + offset, old);
    };
    const BAD: u64 = 0x8000_0000_0000;
    change(context::REGS + 0x80, BAD, EINVAL, "non-canonical rip");
    change(context::CALLBACKS, BAD, EINVAL, "non-canonical event callback");
    change(context::TRAPS + 8, BAD, EINVAL, "non-canonical trap handler");
    change(context::FS_BASE, BAD, EINVAL, "non-canonical fs base");
    change(context::LDT_BASE, BAD, EINVAL, "non-canonical ldt base");
    change(context::GDT_ENTS, 8193, EINVAL, "too many gdt entries");
    change(context::CTRLREG + 24, 0xfff_ffff_f000, EINVAL, "no such frame for cr3");
    check_eq!(vcpu_op0(abi::VCPUOP_UP, 1), EINVAL, "still not initialised");
    check_eq!(initialise(1, good), 0, "initialise");
    check_eq!(initialise(1, good), EEXIST, "initialise again");
    check_eq!(vcpu_op0(abi::VCPUOP_IS_UP, 1), 0, "still down");
}
