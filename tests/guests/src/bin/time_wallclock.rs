// SPDX-License-Identifier: MIT OR Apache-2.0
//! The wall clock in shared_info, and setting it by `XENPF_settime64`.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, event, guest_main, memory, step};

guest_main!(main);

fn wallclock() -> (u32, u64, u32) {
    let shared = event::shared_info();
    let word = |offset| memory::read32(shared + 0xc00 + offset);
    (word(0), u64::from(word(4)) | u64::from(word(12)) << 32, word(8))
}
fn settime(cmd: u32, secs: u64, nsecs: u64, system_ns: u64, version: u32) -> i64 {
    let mut arg = [0u64; 17];
    arg[0] = u64::from(cmd) | u64::from(version) << 32;
    arg[1..4].copy_from_slice(&[secs, nsecs, system_ns]);
    call(abi::HC_PLATFORM_OP, [addr(&mut arg), 0, 0, 0, 0])
}
fn main() {
    let (version, secs, nsecs) = wallclock();
    step!("version {version} at system time 0: {secs} s {nsecs} ns");
    check_eq!(version & 1, 0, "consistent");
    // After 2020, before 2100.
    check!(secs > 1_577_836_800 && secs < 4_102_444_800, "{secs} s");
    check!(nsecs < 1_000_000_000, "{nsecs} ns");
    const VERSION: u32 = 0x0300_0001;
    check_eq!(settime(62, 2_000_000_010, 500, 4_000_000_200, VERSION), 0, "settime64");
    let (after, secs, nsecs) = wallclock();
    check_eq!((secs, nsecs), (2_000_000_006, 300), "the time at system time 0");
    check_eq!(after, version + 2, "version");
    check_eq!(settime(62, 1, 1 | 1 << 32, 0, VERSION), abi::EINVAL, "mbz is not zero");
    check_eq!(settime(62, 1, 0, 0, 0x0300_0000), abi::EACCES, "another interface version");
    check_eq!(settime(1000, 0, 0, 0, VERSION), abi::ENOSYS, "unknown command");
}
