// SPDX-License-Identifier: MIT OR Apache-2.0
//! System time by the paravirtual clock, and timers.
#![forbid(unsafe_code)]

pub use crate::bench::tsc_ordered as tsc;
use crate::{abi, event, hypercall, memory};

/// One consistent copy of a vcpu_time_info.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeInfo {
    /// Even once consistent.
    pub version: u32,
    /// TSC at the last update.
    pub tsc: u64,
    /// System time at the last update, ns.
    pub system_ns: u64,
    /// Multiplier, 32.32.
    pub mul: u32,
    /// Shift before multiplying.
    pub shift: i8,
    /// `XEN_PVCLOCK_*`.
    pub flags: u8,
}

/// Copies the time information of the vcpu_info at `info`.
pub fn time_info(info: u64) -> TimeInfo {
    loop {
        let version = memory::read32(info + 0x20);
        let copy = TimeInfo {
            version,
            tsc: memory::read64(info + 0x28),
            system_ns: memory::read64(info + 0x30),
            mul: memory::read32(info + 0x38),
            shift: memory::read8(info + 0x3c) as i8,
            flags: memory::read8(info + 0x3d),
        };
        if version & 1 == 0 && memory::read32(info + 0x20) == version {
            return copy;
        }
    }
}

impl TimeInfo {
    /// System time in ns at TSC value `tsc`.
    pub fn at(&self, tsc: u64) -> u64 {
        let delta = tsc.wrapping_sub(self.tsc);
        let delta = if self.shift < 0 { delta >> -self.shift } else { delta << self.shift };
        self.system_ns.wrapping_add(((u128::from(delta) * u128::from(self.mul)) >> 32) as u64)
    }
}

/// System time now, ns since the hypervisor booted.
pub fn now_ns() -> u64 {
    loop {
        let before = time_info(event::vcpu_info());
        let now = before.at(tsc());
        if time_info(event::vcpu_info()).version == before.version {
            return now;
        }
    }
}

/// `VCPUOP_set_singleshot_timer` for the boot vCPU.
pub fn singleshot(at_ns: u64, flags: u64) -> i64 {
    hypercall::vcpu_op(abi::VCPUOP_SET_SINGLESHOT_TIMER, 0, &mut [at_ns, flags])
}

/// `SCHEDOP_poll` of `ports` until `timeout_ns` (absolute, 0 = none).
pub fn poll(ports: &mut [u32], timeout_ns: u64) -> i64 {
    let mut arg = [hypercall::addr(ports), ports.len() as u64, timeout_ns];
    hypercall::sched_op(abi::SCHEDOP_POLL, &mut arg)
}

/// Sleeps by polling nothing.
pub fn sleep_ns(ns: u64) {
    let until = now_ns() + ns;
    while now_ns() < until {
        memory::must(poll(&mut [], until), "poll");
    }
}
