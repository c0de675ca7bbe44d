// SPDX-License-Identifier: MIT OR Apache-2.0
//! What single operations cost: prints `bench ROW instructions VALUE` for each. No test: `cargo xtask bench` boots it, with QEMU
//! counting instructions, on Xenolith and on Xen.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use core::hint::black_box;

use guest_rt::abi::DOMID_SELF;
use guest_rt::bench::{self, UserLoop};
use guest_rt::hypercall::{addr, call, grant_table_op, memory_op};
use guest_rt::memory::{RO, RW};
use guest_rt::{abi, check_eq, console, event, grant, guest_main, memory, time};

guest_main!(main);

/// How often each loop is measured; the cheapest round counts: interrupts only ever add.
const ROUNDS: u32 = 15;
/// `UVMF_INVLPG`, on this vCPU.
const INVLPG: u64 = 2;
/// Entries of a multicall, and pages and updates of other batches.
const BATCH: u64 = 32;

/// Prints the cheapest of several rounds, one of which gives its ticks; `operations` are done in a round.
fn row(name: &str, operations: u64, mut round: impl FnMut() -> u64) {
    round();
    let best = (0..ROUNDS).map(|_| round()).min().unwrap_or(0);
    console::print(format_args!("bench {name} instructions {}\n", (best + operations / 2) / operations));
}

/// Prints what one `operation` costs.
#[inline(always)]
fn each(name: &str, mut operation: impl FnMut()) {
    const LOOP: u64 = 64;
    row(name, LOOP, || bench::time(LOOP, &mut operation));
}

fn ok(result: i64) {
    check_eq!(result, 0, "an operation that is measured");
}

fn entries() {
    each("xen_version", || {
        black_box(call(abi::HC_XEN_VERSION, [0; 5]));
    });
    let mut list = [[abi::HC_XEN_VERSION, 0, 0, 0, 0, 0, 0, 0]; BATCH as usize];
    row("multicall_entry", 8 * BATCH, || {
        bench::time(8, || ok(call(abi::HC_MULTICALL, [addr(&mut list), BATCH, 0, 0, 0])))
    });
    let stack = guest_rt::trap::kernel_stack_top();
    each("stack_switch", || ok(call(abi::HC_STACK_SWITCH, [abi::FLAT_KERNEL_SS, stack, 0, 0, 0])));
    each("set_timer_op", || ok(call(abi::HC_SET_TIMER_OP, [0; 5])));
    let later = time::now_ns() + 3_600_000_000_000;
    each("set_timer_op_arm", || ok(call(abi::HC_SET_TIMER_OP, [later, 0, 0, 0, 0])));
    ok(call(abi::HC_SET_TIMER_OP, [0; 5]));
    each("sched_yield", || ok(call(abi::HC_SCHED_OP, [abi::SCHEDOP_YIELD, 0, 0, 0, 0])));
    each("wrmsr_fs_base", || bench::wrmsr_fs_base(0));
    each("cpuid_forced", || {
        black_box(bench::cpuid_forced(0));
    });
}

fn traps() {
    let hole = memory::alloc();
    hole.unmap();
    row("page_fault_bounce", 64, || bench::kernel_faults(hole.va, 64));
    row("user_syscall", 64, || bench::user(UserLoop::Syscalls, 64, hole.va));
    row("user_page_fault", 64, || bench::user(UserLoop::Faults, 64, hole.va));
    row("iret_user", 64, || bench::user(UserLoop::Arrivals, 64, hole.va));
}

fn events() {
    let (Ok(near), Ok(far)) = (event::alloc_unbound(DOMID_SELF, DOMID_SELF), event::bind_interdomain(DOMID_SELF, 1))
    else {
        guest_rt::skip!("ports");
    };
    check_eq!((near, far), (1, 2), "ports");
    ok(event::send(near));
    let mut port = [near];
    each("evtchn_send_pending", || ok(guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_SEND, &mut port)));
    let (word, info) = (event::shared_info() + event::PENDING, event::vcpu_info());
    each("evtchn_send_cleared", || {
        memory::write64(word, 0);
        memory::write64(info + 8, 0);
        memory::write8(info, 0);
        ok(guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_SEND, &mut port));
    });
    event::clear_all();
    let mut status = [DOMID_SELF as u32, near, 0, 0, 0, 0];
    each("evtchn_status", || ok(guest_rt::hypercall::event_channel_op(abi::EVTCHNOP_STATUS, &mut status)));
}

fn mappings() {
    let page = memory::alloc();
    let (ro, rw) = (page.maddr() | RO, page.maddr() | RW);
    let mut turn = false;
    each("va_mapping_flip_invlpg", || {
        turn = !turn;
        ok(memory::update_va(page.va, if turn { ro } else { rw }, INVLPG));
    });
    let pages = memory::alloc_many(BATCH);
    let all = |index| memory::page_of(pages.va + index * memory::PAGE);
    let maddrs: [u64; BATCH as usize] = core::array::from_fn(|index| all(index as u64).maddr());
    let unmap = || {
        let mut va = pages.va;
        bench::time(BATCH, || {
            ok(memory::update_va(va, 0, INVLPG));
            va += memory::PAGE;
        })
    };
    let map = || {
        let mut index = 0;
        bench::time(BATCH, || {
            ok(memory::update_va(pages.va + index as u64 * memory::PAGE, maddrs[index] | RW, 0));
            index += 1;
        })
    };
    row("va_mapping_unmap", BATCH, || {
        let ticks = unmap();
        map();
        ticks
    });
    row("va_mapping_map", BATCH, || {
        unmap();
        map()
    });
    let entry = memory::walk(page.va, 1).maddr;
    each("mmu_update_1", || {
        turn = !turn;
        ok(memory::mmu_update(entry, if turn { ro } else { rw }));
    });
    let many = memory::alloc_many(64);
    let mut updates = [[0_u64; 2]; 64];
    for (index, update) in updates.iter_mut().enumerate() {
        let page = memory::page_of(many.va + index as u64 * memory::PAGE);
        *update = [memory::walk(page.va, 1).maddr, page.maddr() | RO];
    }
    row("mmu_update_64_entry", 64, || {
        for update in &mut updates {
            update[1] ^= abi::PTE_RW;
        }
        bench::time(1, || ok(memory::mmu_update_dom(&mut updates, DOMID_SELF).0))
    });
    for (name, op) in
        [("mmuext_invlpg_local", abi::MMUEXT_INVLPG_LOCAL), ("mmuext_tlb_flush_local", abi::MMUEXT_TLB_FLUSH_LOCAL)]
    {
        let mut op = [op, page.va, 0];
        each(name, || ok(call(abi::HC_MMUEXT_OP, [addr(&mut op), 1, 0, DOMID_SELF, 0])));
    }
}

fn tables() {
    let data = memory::alloc_many(64);
    let leaves = |table: memory::Page| {
        for index in 0..64 {
            table.set(index * 7, memory::page_of(data.va + index * memory::PAGE).maddr() | RW);
        }
        table.make_ro();
    };
    let l1 = memory::alloc();
    leaves(l1);
    row("pin_unpin_l1_64", 4, || {
        bench::time(4, || {
            ok(memory::mmuext(abi::MMUEXT_PIN_L1, l1.mfn, 0));
            ok(memory::mmuext(abi::MMUEXT_UNPIN, l1.mfn, 0));
        })
    });
    // A process: an L3 with a low and a high L2, and eight L1s of 64 pages.
    let (l4, l3) = (memory::alloc(), memory::alloc());
    for (slot, half) in [0, 511].into_iter().enumerate() {
        let l2 = memory::alloc();
        for index in 0..4 {
            let l1 = memory::alloc();
            leaves(l1);
            l2.set(index * 100 + slot as u64, l1.maddr() | RW);
        }
        l2.make_ro();
        l3.set(half, l2.maddr() | RW);
    }
    l3.make_ro();
    l4.set(0, l3.maddr() | RW);
    l4.make_ro();
    row("l4_pin_unpin_process", 1, || {
        bench::time(1, || {
            ok(memory::mmuext(abi::MMUEXT_PIN_L4, l4.mfn, 0));
            ok(memory::mmuext(abi::MMUEXT_UNPIN, l4.mfn, 0));
        })
    });
}

fn grants() {
    let table = grant::map_table();
    let (page, window) = (memory::alloc(), memory::alloc());
    window.unmap();
    grant::set_v1(table, 8, 0, page.mfn, grant::PERMIT);
    each("grant_map_unmap", || {
        let mapped = grant::map(window.va, grant::HOST_MAP, 8, 0);
        ok(i64::from(mapped.status));
        ok(i64::from(grant::unmap(window.va, 0, mapped.handle)));
    });
    let target = memory::alloc();
    for (name, length) in [("grant_copy_64", 64), ("grant_copy_4k", 4096_u64)] {
        let mut arg = [8, 0, target.mfn, DOMID_SELF, length | 1 << 16];
        each(name, || ok(grant_table_op(abi::GNTTABOP_COPY, &mut arg, 1)));
        ok(i64::from((arg[4] >> 32) as i16));
    }
}

fn memory_pages() {
    let spare: [(u64, u64); BATCH as usize] = core::array::from_fn(|_| memory::spare());
    let mut frames = spare.map(|(_, mfn)| mfn);
    let reserve = |cmd, list: &mut [u64; BATCH as usize]| {
        check_eq!(memory_op(cmd, &mut [addr(list), BATCH, 0, DOMID_SELF]), BATCH as i64, "a reservation");
    };
    row("memory_populate_page", BATCH, || {
        reserve(abi::XENMEM_DECREASE_RESERVATION, &mut frames);
        frames = spare.map(|(pfn, _)| pfn);
        bench::time(1, || reserve(abi::XENMEM_POPULATE_PHYSMAP, &mut frames))
    });
}

fn main() {
    guest_rt::hypercall::vcpu_op0(abi::VCPUOP_STOP_PERIODIC_TIMER, 0);
    entries();
    traps();
    events();
    mappings();
    tables();
    grants();
    memory_pages();
}
