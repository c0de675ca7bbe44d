// SPDX-License-Identifier: MIT OR Apache-2.0
//! `console_io`: writes of any length, reads without input, bad pointers and commands.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{CONSOLEIO_READ, CONSOLEIO_WRITE, EFAULT, ENOSYS};
use guest_rt::console::write_bytes;
use guest_rt::hypercall::call;
use guest_rt::{abi, check_eq, guest_main};

guest_main!(main);

fn main() {
    check_eq!(write_bytes(b"console_io: a line\n"), 0, "a line");
    check_eq!(write_bytes(b""), 0, "nothing");
    let long = [b'.'; 600];
    check_eq!(write_bytes(&long), 0, "a long line");
    check_eq!(write_bytes(b"\n"), 0, "its end");
    check_eq!(write_bytes(b"tab\tbell and \x01control\n"), 0, "control characters");
    check_eq!(call(abi::HC_CONSOLE_IO, [CONSOLEIO_WRITE, 10, 0x10, 0, 0]), EFAULT, "write from an unmapped page");
    check_eq!(
        call(abi::HC_CONSOLE_IO, [CONSOLEIO_WRITE, 10, abi::HYPERVISOR_VIRT_START, 0, 0]),
        EFAULT,
        "write from the hypervisor's range"
    );
    let mut buffer = [0x5au8; 16];
    let read = call(abi::HC_CONSOLE_IO, [CONSOLEIO_READ, 16, guest_rt::hypercall::addr(&mut buffer), 0, 0]);
    check_eq!((read, buffer), (0, [0x5a; 16]), "no input");
    check_eq!(call(abi::HC_CONSOLE_IO, [2, 0, 0, 0, 0]), ENOSYS, "unknown command");
}
