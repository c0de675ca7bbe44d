// SPDX-License-Identifier: MIT OR Apache-2.0
//! `platform_op`: processor information and firmware lists.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::ESRCH;
use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, guest_main, step};

guest_main!(main);

fn platform(cmd: u32, words: &[u32]) -> (i64, [u32; 34]) {
    let mut arg = [0u32; 34];
    arg[0] = cmd;
    arg[1] = 0x0300_0001;
    arg[2..2 + words.len()].copy_from_slice(words);
    let result = call(abi::HC_PLATFORM_OP, [addr(&mut arg), 0, 0, 0, 0]);
    (result, arg)
}
fn main() {
    let (result, cpu) = platform(55, &[0]);
    check_eq!(result, 0, "get_cpuinfo");
    step!("cpu 0 of {}: flags {} APIC {} ACPI {}", cpu[3] + 1, cpu[4], cpu[5], cpu[6]);
    check_eq!((cpu[4] & 1, cpu[5]), (1, 0), "cpu 0 is online, its APIC has number 0");
    check!(cpu[3] < 64, "the highest cpu");
    let (result, cpu) = platform(55, &[cpu[3] + 1]);
    check_eq!((result, cpu[4]), (0, 2), "a cpu that is not there is invalid");
    let (disk, _) = platform(50, &[1, 200]);
    check_eq!(disk, ESRCH, "firmware_info: no such disk");
    let (signature, _) = platform(50, &[2, 200]);
    check_eq!(signature, ESRCH, "firmware_info: no such signature");
    let (unknown, _) = platform(50, &[99, 0]);
    check_eq!(unknown, abi::EINVAL, "firmware_info: no such type");
}
