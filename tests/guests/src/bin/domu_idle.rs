// SPDX-License-Identifier: MIT OR Apache-2.0
//! No test by itself: a domU for the toolstack to create by the hundred. It says one line on its console and then gives back
//! what it is sent, `q` ends it.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::console_ring::Ring;
use guest_rt::{abi, guest_main, hypercall};

guest_main!(main);

fn main() {
    let console = Ring::open();
    console.write(b"XENOLITH-DOMU up\r\n");
    loop {
        let byte = console.read();
        if byte == b'q' {
            let mut reason = abi::SHUTDOWN_POWEROFF;
            hypercall::sched_op(abi::SCHEDOP_SHUTDOWN, &mut reason);
        }
        console.write(&[byte]);
    }
}
