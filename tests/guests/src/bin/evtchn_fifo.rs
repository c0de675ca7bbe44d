// SPDX-License-Identifier: MIT OR Apache-2.0
//! The FIFO ABI: init_control, expand_array, event words, priorities and the order of a queue.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::sync::atomic::Ordering;
use guest_rt::abi::{DOMID_SELF, EINVAL, ENOENT};
use guest_rt::event::{expand_array, init_control, send, set_priority, unmask};
use guest_rt::{abi, check_eq, event, guest_main, memory, need};

guest_main!(main);

const PENDING: u32 = 1 << 31;
const MASKED: u32 = 1 << 30;
const LINKED: u32 = 1 << 29;
const LINK: u32 = (1 << 17) - 1;
fn main() {
    event::clear_all();
    let (control, words) = (memory::alloc(), memory::alloc());
    let early = event::bind_ipi(0).unwrap_or(0);
    need!(early == 1, "a port of the two-level ABI");
    check_eq!(send(early), 0, "pending before the switch");
    check_eq!(init_control(control.mfn, 4096 - 0x40, 0).0, EINVAL, "a block across the page");
    check_eq!(init_control(control.mfn, 4, 0).0, EINVAL, "a misaligned block");
    check_eq!(init_control(control.mfn, 0, 31).0, ENOENT, "no such vCPU");
    check_eq!(init_control(0xfff_ffff, 0, 0).0, EINVAL, "no such frame");
    let at = 0x100;
    check_eq!(init_control(control.mfn, at as u32, 0), (0, 17), "init_control, 17 bits of link");
    check_eq!(init_control(control.mfn, at as u32, 0).0, EINVAL, "twice");
    check_eq!(expand_array(0xfff_ffff), EINVAL, "no such frame");
    check_eq!(expand_array(words.mfn), 0, "expand_array");
    check_eq!(control.try_rw(), 0, "the pages stay writable");
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, words.mfn, 0), EINVAL, "but are no page tables");

    let word = |port: u32| memory::atomic32(words.va + u64::from(port) * 4);
    let ready = || memory::read32(control.va + at);
    let head = |priority: u64| memory::read32(control.va + at + 8 + priority * 4);
    check_eq!(word(early).load(Ordering::SeqCst) & PENDING, PENDING, "what was pending stays so");
    // Take what there is: unlink as a guest does.
    memory::atomic32(control.va + at).store(0, Ordering::SeqCst);
    memory::write32(control.va + at + 8 + 7 * 4, 0);
    word(early).store(0, Ordering::SeqCst);
    event::set_upcall_pending(0);

    let ports: [u32; 4] = core::array::from_fn(|_| event::bind_ipi(0).unwrap_or(0));
    check_eq!(ports, [2, 3, 4, 5], "ports");
    let [a, b, c, d] = ports;
    check_eq!(send(b), 0, "send b");
    check_eq!(
        (ready(), head(7), word(b).load(Ordering::SeqCst)),
        (1 << 7, b, PENDING | LINKED),
        "b is the head of queue 7"
    );
    check_eq!(event::upcall_pending(), 1, "upcall");
    event::set_upcall_pending(0);
    check_eq!(send(a), 0, "send a");
    check_eq!((head(7), word(b).load(Ordering::SeqCst)), (b, PENDING | LINKED | a), "a follows b");
    check_eq!(word(a).load(Ordering::SeqCst), PENDING | LINKED, "a is the tail");
    check_eq!(event::upcall_pending(), 0, "the queue was ready: no new upcall");
    check_eq!(send(b), 0, "send b again");
    check_eq!(word(b).load(Ordering::SeqCst) & LINK, a, "no change");

    check_eq!(set_priority(c, 0), 0, "highest priority");
    check_eq!(set_priority(d, 15), 0, "lowest priority");
    check_eq!(set_priority(d, 16), EINVAL, "no such priority");
    check_eq!(set_priority(200, 1), EINVAL, "no such port");
    check_eq!((send(c), send(d)), (0, 0), "send");
    check_eq!((ready(), head(0), head(15)), (1 | 1 << 7 | 1 << 15, c, d), "three queues");

    // The guest empties queue 7: first b, then a.
    for (port, next) in [(b, a), (a, 0)] {
        let old = word(port).fetch_and(!(LINKED | LINK), Ordering::SeqCst);
        check_eq!(old & LINK, next, "link");
        word(port).fetch_and(!PENDING, Ordering::SeqCst);
    }
    memory::write32(control.va + at + 8 + 7 * 4, 0);
    memory::atomic32(control.va + at).fetch_and(!(1 << 7), Ordering::SeqCst);
    word(a).fetch_or(MASKED, Ordering::SeqCst);
    event::set_upcall_pending(0);
    check_eq!(send(a), 0, "send to a masked port");
    check_eq!((word(a).load(Ordering::SeqCst), ready() & 1 << 7), (PENDING | MASKED, 0), "pending, not linked");
    check_eq!(unmask(a), 0, "unmask");
    check_eq!((word(a).load(Ordering::SeqCst), head(7), ready() & 1 << 7), (PENDING | LINKED, a, 1 << 7), "linked now");
    check_eq!(event::upcall_pending(), 1, "upcall");
    check_eq!(event::close(a), 0, "close");
    check_eq!(word(a).load(Ordering::SeqCst) & PENDING, 0, "closing clears pending");
    check_eq!(event::status(DOMID_SELF, a).map(|s| s.status), Ok(0), "closed");
    check_eq!(event::bind_ipi(0), Ok(6), "a port that is still linked is not given out");
}
