// SPDX-License-Identifier: MIT OR Apache-2.0
//! No test by itself: a domU that uses all the CPU it gets; with `sleep` as its command line one that wakes up every 10 ms and says
//! on its console how late it was.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::console_ring::Ring;
use guest_rt::{guest_main, memory, time};

guest_main!(main);

/// How often it sleeps before it says something.
const ROUNDS: usize = 50;
const PERIOD_NS: u64 = 10_000_000;

fn main() {
    let console = Ring::open();
    console.write(b"XENOLITH-DOMU up\r\n");
    if !memory::start_info_word(memory::start_info::CMD_LINE).to_le_bytes().starts_with(b"sleep") {
        loop {
            core::hint::spin_loop();
        }
    }
    loop {
        let mut late = [0_u64; ROUNDS];
        for late in &mut late {
            let wanted = time::now_ns() + PERIOD_NS;
            memory::must(time::poll(&mut [], wanted), "sleep");
            *late = time::now_ns().saturating_sub(wanted);
        }
        late.sort_unstable();
        console.write(b"XENOLITH-DOMU late us: median ");
        number(&console, late[ROUNDS / 2] / 1000);
        console.write(b" worst ");
        number(&console, late[ROUNDS - 1] / 1000);
        console.write(b"\r\n");
    }
}

fn number(console: &Ring, mut value: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    console.write(&digits[first..]);
}
