// SPDX-License-Identifier: MIT OR Apache-2.0
//! Run-state information: by call, in registered memory, and with the update flag.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call, vcpu_op};
use guest_rt::time::now_ns;
use guest_rt::{abi, check, check_eq, guest_main, memory, step, time};

guest_main!(main);

fn info() -> [u64; 6] {
    let mut info = [0u64; 6];
    check_eq!(vcpu_op(abi::VCPUOP_GET_RUNSTATE_INFO, 0, &mut info), 0, "get_runstate_info");
    info
}
fn main() {
    let first = info();
    step!("{first:?}");
    check_eq!(first[0] as u32, 0, "running");
    check!(first[1] <= now_ns(), "entered in the past");
    time::sleep_ns(50_000_000);
    let second = info();
    let blocked = second[4] - first[4];
    step!("blocked for {blocked} ns");
    check!(blocked > 30_000_000, "blocked while it slept: {blocked} ns");
    let sum = |info: &[u64; 6]| info[2] + info[3] + info[4] + info[5];
    let (before, a, after) = (now_ns(), info(), now_ns());
    time::sleep_ns(20_000_000);
    let (before2, b, after2) = (now_ns(), info(), now_ns());
    let passed = sum(&b) - sum(&a);
    check!(passed >= before2 - after && passed <= after2 - before, "the states add up to the time: {passed}");

    let page = memory::alloc();
    let mut area = [page.at(4)];
    check_eq!(vcpu_op(abi::VCPUOP_REGISTER_RUNSTATE, 0, &mut area), 0, "register the area");
    check_eq!(page.word(4) as u32, 0, "running, at once");
    check!(page.word(5) != 0, "with its entry time");
    let blocked = page.word(8);
    time::sleep_ns(20_000_000);
    check!(page.word(8) - blocked >= 10_000_000, "the area is updated");
    check_eq!(page.word(5) >> 63, 0, "no update under way");
    check_eq!(call(abi::HC_VM_ASSIST, [0, 5, 0, 0, 0]), 0, "runstate_update_flag");
    time::sleep_ns(5_000_000);
    check_eq!(page.word(5) >> 63, 0, "no update under way");
    let mut unmapped = [0x1000u64];
    let result = vcpu_op(abi::VCPUOP_REGISTER_RUNSTATE, 0, &mut unmapped);
    step!("an unmapped area: {result}");
    check_eq!(result, 0, "an unmapped area is taken, and stays unwritten");
    check_eq!(
        call(abi::HC_VCPU_OP, [abi::VCPUOP_REGISTER_RUNSTATE, 0, 0x10, 0, 0]),
        abi::EFAULT,
        "unreadable argument"
    );
    check_eq!(vcpu_op(abi::VCPUOP_REGISTER_RUNSTATE, 0, &mut [0u64]), 0, "unregister");
    check_eq!(addr(&mut unmapped) & 7, 0, "aligned");
}
