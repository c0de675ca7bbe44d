// SPDX-License-Identifier: MIT OR Apache-2.0
//! `platform_op`: what is refused, and the answers that ask nothing of the machine.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, ENOSYS, EOPNOTSUPP, ESRCH};
use guest_rt::hypercall::{addr, call};
use guest_rt::{abi, check, check_eq, guest_main};

guest_main!(main);

const EPERM: i64 = -1;

fn platform(cmd: u32, words: &[u32]) -> (i64, [u32; 34]) {
    let mut arg = [0u32; 34];
    arg[0] = cmd;
    arg[1] = 0x0300_0001;
    arg[2..2 + words.len()].copy_from_slice(words);
    let result = call(abi::HC_PLATFORM_OP, [addr(&mut arg), 0, 0, 0, 0]);
    (result, arg)
}

/// An operation with a pointer at word `at`.
fn with_pointer(cmd: u32, words: [u32; 6], at: usize, pointer: u64) -> i64 {
    let mut words = words;
    words[at..at + 2].copy_from_slice(&[pointer as u32, (pointer >> 32) as u32]);
    platform(cmd, &words).0
}

fn main() {
    let refused: [(&str, u32, &[u32], i64); 16] = [
        ("platform_quirk", 39, &[9], EINVAL),
        ("change_freq", 52, &[0, 0, 0, 0], ENOSYS),
        ("getidletime", 53, &[0], ENOSYS),
        ("set_processor_pminfo", 54, &[0, 4], EINVAL),
        ("cpu_online", 56, &[99], EINVAL),
        ("cpu_offline", 57, &[99], EINVAL),
        ("cpu_offline of the boot cpu", 57, &[0], EOPNOTSUPP),
        ("cpu_hotadd", 58, &[!0, 0, 0], EINVAL),
        ("mem_hotadd", 59, &[0, 0, 0, 0, 0, 0], EINVAL),
        ("core_parking", 60, &[9, 0], EINVAL),
        ("resource_op of 4", 61, &[4, 0], EINVAL),
        ("enter_acpi_sleep: flags", 51, &[0, 7, 2], EINVAL),
        ("enter_acpi_sleep: state", 51, &[0, 7, 0], EINVAL),
        ("firmware_info: keyboard 1", 50, &[5, 1], ESRCH),
        ("firmware_info: monitor 1", 50, &[3, 1], ESRCH),
        ("no command", 34, &[], ENOSYS),
    ];
    for (name, cmd, words, want) in refused {
        check_eq!(platform(cmd, words).0, want, "{name}");
    }
    check_eq!(platform(61, &[0, 0]).0, 0, "resource_op of nothing");
    let (result, parked) = platform(60, &[2, 7]);
    check_eq!((result, parked[3]), (0, 0), "no cpu is parked");
    let (result, version) = platform(48, &[0]);
    check!(result == 0 && version[4] != 0 && version[7] != 0, "cpu 0 has a vendor and a family");
    let (result, version) = platform(48, &[99]);
    check_eq!((result, version[4], version[7]), (0, 0, 0), "cpu 99 has none");
    let mut pdc = [2u32, 1, 0];
    check_eq!(with_pointer(54, [0, 3, 0, 0, 0, 0], 2, addr(&mut pdc)), EINVAL, "_PDC of revision 2");
    resources();
}

fn resources() {
    let entry = |entry: [u64; 3]| {
        let mut entry = entry;
        let result = with_pointer(61, [1, 0, 0, 0, 0, 0], 2, addr(&mut entry));
        (result, i64::from(entry[0] as u32 as i32))
    };
    check_eq!(entry([0, 0x10, 0]), (1, 0), "the time is read");
    check_eq!(entry([1, 0x10, 0]), (0, EPERM), "and not written");
    check_eq!(entry([0, 0x1b, 0]), (0, EPERM), "another register");
    check_eq!(entry([0, 1 << 32, 0]), (0, EINVAL), "no register");
    check_eq!(entry([5, 0x10, 0]), (0, EOPNOTSUPP), "no command");
}
