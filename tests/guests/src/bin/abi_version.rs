// SPDX-License-Identifier: MIT OR Apache-2.0
//! `xen_version`: every sub-operation.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EFAULT, EINVAL, ENOBUFS, ENOSYS};
use guest_rt::hypercall::{call, xen_version};
use guest_rt::{abi, check, check_eq, guest_main, step};

guest_main!(main);

fn text(bytes: &[u8]) -> &str {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    core::str::from_utf8(&bytes[..end]).unwrap_or("?")
}

fn main() {
    check_eq!(call(abi::HC_XEN_VERSION, [0; 5]), 4 << 16 | 17, "version 4.17");

    let mut extra = [0xffu8; 16];
    check_eq!(xen_version(1, &mut extra), 0, "extraversion");
    check!(extra.contains(&0), "extraversion ends");
    step!("extraversion {}", text(&extra));

    let mut info = [0xffu8; 0x90];
    check_eq!(xen_version(2, &mut info), 0, "compile_info");
    check!(info[..64].contains(&0) && info[64..80].contains(&0), "compile_info strings end");

    let mut capabilities = [0xffu8; 1024];
    check_eq!(xen_version(3, &mut capabilities), 0, "capabilities");
    let capabilities = text(&capabilities);
    step!("capabilities {capabilities}");
    check!(capabilities.split(' ').any(|word| word == "xen-3.0-x86_64"), "PV guests of 64 bits: {}", capabilities);

    check_eq!(xen_version(4, &mut [0u8; 64]), 0, "changeset");

    let mut platform = [0u64];
    check_eq!(xen_version(5, &mut platform), 0, "platform_parameters");
    check_eq!(platform[0], abi::HYPERVISOR_VIRT_START, "virt_start");

    check_eq!(call(abi::HC_XEN_VERSION, [7, 0, 0, 0, 0]), 4096, "pagesize");

    let mut handle = [0xffu8; 16];
    check_eq!(xen_version(8, &mut handle), 0, "guest_handle");
    check_eq!(handle, [0; 16], "dom0's handle");

    let mut command_line = [0xffu8; 1024];
    check_eq!(xen_version(9, &mut command_line), 0, "commandline");
    check!(command_line.contains(&0), "commandline ends");

    whole_texts();

    check_eq!(call(abi::HC_XEN_VERSION, [15, 0, 0, 0, 0]), ENOSYS, "an unknown sub-operation");
    check_eq!(call(abi::HC_XEN_VERSION, [1, 0x10, 0, 0, 0]), EFAULT, "extraversion to an unmapped page");
    check_eq!(call(abi::HC_XEN_VERSION, [1, abi::HYPERVISOR_VIRT_START, 0, 0, 0]), EFAULT, "to the hypervisor's range");
    check_eq!(xen_version(6, &mut [1u32, 0]), EINVAL, "feature word 1");
}

/// The texts that newer Xens do not cut off: where there is one of them, there are all, and they are those of the older calls.
fn whole_texts() {
    if call(abi::HC_XEN_VERSION, [11, 0, 0, 0, 0]) == ENOSYS {
        for cmd in 12..=14 {
            check_eq!(call(abi::HC_XEN_VERSION, [cmd, 0, 0, 0, 0]), ENOSYS, "without the first of them");
        }
        return;
    }
    for (old, new) in [(1, 11), (3, 12), (4, 13), (9, 14)] {
        let mut cut = [0u8; 1024];
        check_eq!(xen_version(old, &mut cut), 0, "the older call");
        let cut = text(&cut);
        let len = call(abi::HC_XEN_VERSION, [new, 0, 0, 0, 0]);
        check_eq!(len, cut.len() as i64, "length");
        // The first word is the room behind it.
        let mut buffer = [0xffff_ffffu32; 257];
        buffer[0] = 0;
        check_eq!(xen_version(new, &mut buffer), EINVAL, "no room at all");
        if len > 1 {
            buffer[0] = len as u32 - 1;
            check_eq!(xen_version(new, &mut buffer), ENOBUFS, "too little room");
        }
        buffer[0] = 1024;
        check_eq!(xen_version(new, &mut buffer), len, "the whole text");
        let byte = |at: usize| buffer[1 + at / 4].to_le_bytes()[at % 4];
        check!(cut.bytes().enumerate().all(|(at, wanted)| byte(at) == wanted), "the same text as {}", cut);
        check_eq!(byte(cut.len()), 0xff, "nothing behind it");
    }
    check_eq!(
        call(abi::HC_XEN_VERSION, [11, abi::HYPERVISOR_VIRT_START, 0, 0, 0]),
        EFAULT,
        "to the hypervisor's range"
    );
}
