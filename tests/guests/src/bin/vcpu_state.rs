// SPDX-License-Identifier: MIT OR Apache-2.0
//! State of a vCPU survives others running on its CPU: FPU, segment bases, debug registers, system time.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use guest_rt::hypercall::call;
use guest_rt::{abi, check, check_eq, event, guest_main, skip, time, trap, vcpu};

guest_main!(main);

static ROUNDS: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicU64 = AtomicU64::new(0);
static BAD: AtomicU64 = AtomicU64::new(0);
fn base(which: u64, value: u64) -> i64 {
    call(abi::HC_SET_SEGMENT_BASE, [which, value, 0, 0, 0])
}
fn yield_now() {
    call(abi::HC_SCHED_OP, [abi::SCHEDOP_YIELD, 0, 0, 0, 0]);
}
fn ap(_: u64) {
    base(0, 0x2222_0000);
    call(abi::HC_SET_DEBUGREG, [0, 0x2222, 0, 0, 0]);
    vcpu::fill_fpu(0x2222, 0x27f, 0x1f80);
    while STOP.load(Ordering::SeqCst) == 0 {
        yield_now();
        if vcpu::read_fpu() != ([0x2222; 5], 0x27f, 0x1f80) {
            BAD.fetch_or(1, Ordering::SeqCst);
        }
        if call(abi::HC_GET_DEBUGREG, [0, 0, 0, 0, 0]) != 0x2222 {
            BAD.fetch_or(2, Ordering::SeqCst);
        }
        ROUNDS.fetch_add(1, Ordering::SeqCst);
    }
}
fn main() {
    if !vcpu::exists(1) {
        skip!("only one vCPU");
    }
    event::clear_all();
    check_eq!(base(0, 0x1111_0000), 0, "FS base");
    check_eq!(base(1, 0x1111_1000), 0, "user GS base");
    check_eq!(base(2, 0x1111_2000), 0, "kernel GS base");
    check_eq!(call(abi::HC_SET_DEBUGREG, [0, 0x1111, 0, 0, 0]), 0, "debug register");
    vcpu::fill_fpu(0x1111, 0x37f, 0x9f80);
    vcpu::start(1, ap);
    let limit = time::now_ns() + 10_000_000_000;
    while ROUNDS.load(Ordering::SeqCst) < 300 {
        check!(time::now_ns() < limit, "vCPU 1 does not run");
        yield_now();
        check_eq!(vcpu::read_fpu(), ([0x1111; 5], 0x37f, 0x9f80), "FPU registers");
        check_eq!(call(abi::HC_GET_DEBUGREG, [0, 0, 0, 0, 0]), 0x1111, "debug register");
        for (msr, want) in [(0xc000_0100u64, 0x1111_0000), (0xc000_0102, 0x1111_1000), (0xc000_0101, 0x1111_2000)] {
            // rdmsr
            let trap = trap::run_regs(&[0x0f, 0x32], trap::Frame { rcx: msr, ..trap::Frame::default() });
            check_eq!(trap.frame.rax, want, "MSR {msr:#x}");
        }
    }
    STOP.store(1, Ordering::SeqCst);
    check_eq!(BAD.load(Ordering::SeqCst), 0, "vCPU 1 kept its own state");
}
