// SPDX-License-Identifier: MIT OR Apache-2.0
//! `VCPUOP_register_vcpu_info`: contents move, the upcall is forced, once only, errors.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{EINVAL, ENOENT, ENXIO};
use guest_rt::hypercall::vcpu_op;
use guest_rt::{abi, check, check_eq, event, guest_main, memory, time, trap};

guest_main!(main);

fn register(id: u64, mfn: u64, offset: u64) -> i64 {
    vcpu_op(abi::VCPUOP_REGISTER_VCPU_INFO, id, &mut [mfn, offset])
}
fn main() {
    event::clear_all();
    let page = memory::alloc();
    check_eq!(register(0, page.mfn, 4096 - 0x3f), ENXIO, "across the page");
    check_eq!(register(0, page.mfn, 4), ENXIO, "misaligned");
    check_eq!(register(0, 0xfff_ffff, 0), EINVAL, "no such frame");
    check_eq!(register(64, page.mfn, 0), ENOENT, "no such vCPU");
    let l1 = memory::table_of(page.va, 1);
    check_eq!(register(0, l1.mfn, 0), EINVAL, "a page table");
    let old = event::vcpu_info();
    check_eq!(register(0, page.mfn, 0x40), 0, "register");
    event::set_vcpu_info(page.va + 0x40);
    check_eq!((event::upcall_pending(), event::pending_sel()), (1, u64::MAX), "everything is to be looked at");
    check_eq!(event::upcall_mask(), 1, "the mask came along");
    check!(time::time_info(page.va + 0x40).mul != 0, "the time came along");
    check_eq!(register(0, page.mfn, 0x80), EINVAL, "once only");
    memory::atomic64(page.va + 0x48).store(0, core::sync::atomic::Ordering::SeqCst);
    event::set_upcall_pending(0);
    let port = event::bind_ipi(0).unwrap_or(0);
    memory::write8(old, 0);
    check_eq!(event::send(port), 0, "send");
    check_eq!((event::upcall_pending(), event::pending_sel()), (1, 1), "upcalls use the new place");
    check_eq!(memory::read8(old), 0, "not the old one");
    let upcalls = event::upcalls();
    event::deliver();
    check_eq!(event::upcalls(), upcalls + 1, "and the new mask counts");
    let trap = trap::run_regs(&[0x48, 0x8b, 0x08], trap::Frame { rax: 0x1000, ..trap::Frame::default() });
    check_eq!((trap.vector, trap.cr2, memory::read64(page.va + 0x50)), (14, 0x1000, 0x1000), "cr2 goes there");
    let before = time::now_ns();
    check!(time::now_ns() >= before, "time goes on");
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, page.mfn, 0), EINVAL, "the page is in use");
    memory::must(memory::update_va(page.va, page.maddr() | memory::RO, 6), "map it read-only");
    check_eq!(memory::mmuext(abi::MMUEXT_PIN_L1, page.mfn, 0), EINVAL, "the registration holds it writable");
}
