// SPDX-License-Identifier: MIT OR Apache-2.0
//! Event channels between two vCPUs, both ways, many times.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use guest_rt::{abi, check, check_eq, event, guest_main, memory, need, skip, step, time, vcpu};

guest_main!(main);

static TO_BSP: AtomicU32 = AtomicU32::new(0);
static TO_AP: AtomicU32 = AtomicU32::new(0);
static ROUNDS: AtomicU64 = AtomicU64::new(0);
const COUNT: u64 = 200;
fn ap(_: u64) {
    let (to_bsp, to_ap) = (TO_BSP.load(Ordering::SeqCst), TO_AP.load(Ordering::SeqCst));
    for _ in 0..COUNT {
        let result = time::poll(&mut [to_ap], 0);
        check_eq!(result, 0, "poll on vCPU 1");
        check!(event::take_pending(to_ap), "vCPU 1 woke without an event");
        ROUNDS.fetch_add(1, Ordering::SeqCst);
        check_eq!(event::send(to_bsp), 0, "send from vCPU 1");
    }
}
fn main() {
    if !vcpu::exists(1) {
        skip!("only one vCPU");
    }
    guest_rt::hypercall::vcpu_op0(abi::VCPUOP_STOP_PERIODIC_TIMER, 0);
    event::clear_all();
    let (to_bsp, to_ap) = (event::bind_ipi(0).unwrap_or(0), event::bind_ipi(1).unwrap_or(0));
    need!(to_bsp != 0 && to_ap != 0, "ports");
    check_eq!(event::status(abi::DOMID_SELF, to_ap).map(|s| (s.status, s.vcpu)), Ok((5, 1)), "an IPI for vCPU 1");
    TO_BSP.store(to_bsp, Ordering::SeqCst);
    TO_AP.store(to_ap, Ordering::SeqCst);
    vcpu::start(1, ap);
    let start = time::now_ns();
    for round in 1..=COUNT {
        check_eq!(event::send(to_ap), 0, "send");
        let limit = time::now_ns() + 2_000_000_000;
        check_eq!(time::poll(&mut [to_bsp], limit), 0, "poll");
        check!(event::take_pending(to_bsp), "no answer in round {round}");
        check_eq!(ROUNDS.load(Ordering::SeqCst), round, "one wake-up for one event");
    }
    step!("{COUNT} round trips in {} us", (time::now_ns() - start) / 1000);
    check_eq!(memory::read64(event::vcpu_info() + 0x40 + 8) & 1, 1, "vCPU 1's own selector was set");
    check_eq!(memory::read8(event::vcpu_info() + 0x40), 1, "and its upcall, which it kept masked");
}
