// SPDX-License-Identifier: MIT OR Apache-2.0
//! FIFO event arrays: ports beyond 4095, growing page by page, ports without a word.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::Ordering;
use guest_rt::abi::ENOSPC;
use guest_rt::{check_eq, event, guest_main, memory, step};

guest_main!(main);

fn main() {
    event::clear_all();
    let control = memory::alloc();
    check_eq!(event::init_control(control.mfn, 0, 0).0, 0, "init_control");
    let early = event::bind_ipi(0);
    check_eq!(early, Ok(1), "ports are given out even without words");
    check_eq!(event::send(1), 0, "send to a port without a word");
    check_eq!(memory::read32(control.va), 0, "nothing is ready");
    let pages: [memory::Page; 5] = core::array::from_fn(|_| memory::alloc());
    for page in pages {
        check_eq!(event::expand_array(page.mfn), 0, "expand_array");
    }
    step!("word of port 1 after the expansion: {:#x}", memory::read32(pages[0].va + 4));
    let mut last = 1;
    while let Ok(port) = event::bind_ipi(0) {
        check_eq!(port, last + 1, "ports in order");
        last = port;
        if last == 5 * 1024 - 1 {
            break;
        }
    }
    check_eq!(last, 5 * 1024 - 1, "more than the two-level ABI has");
    for port in [1023u32, 1024, 4095, 4096, 5119] {
        check_eq!(event::send(port), 0, "send {port}");
        let word = memory::atomic32(pages[port as usize / 1024].va + u64::from(port % 1024) * 4);
        check_eq!(word.load(Ordering::SeqCst) & (1 << 31 | 1 << 29), 1 << 31 | 1 << 29, "pending and linked {port}");
    }
    let mut expanded = 5;
    let result = loop {
        let result = event::expand_array(control.mfn);
        if result != 0 {
            break result;
        }
        expanded += 1;
    };
    check_eq!((result, expanded), (ENOSPC, 128), "131072 ports are the limit");
}
