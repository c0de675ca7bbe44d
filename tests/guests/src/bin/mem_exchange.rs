// SPDX-License-Identifier: MIT OR Apache-2.0
//! `XENMEM_exchange`: single pages for single pages, four for one of order 2, and failures.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::abi::{DOMID_SELF, EFAULT, EINVAL};
use guest_rt::hypercall::{addr, memory_op};
use guest_rt::memory::m2p;
use guest_rt::{abi, check, check_eq, guest_main, memory, step};

guest_main!(main);

struct Call {
    result: i64,
    exchanged: u64,
}
fn exchange(input: &mut [u64], in_order: u64, output: &mut [u64], out_order: u64, bits: u64) -> Call {
    let mut arg = [
        addr(input),
        input.len() as u64,
        in_order,
        DOMID_SELF,
        addr(output),
        output.len() as u64,
        out_order | bits << 32,
        DOMID_SELF,
        0,
    ];
    let result = memory_op(abi::XENMEM_EXCHANGE, &mut arg);
    Call { result, exchanged: arg[8] }
}
fn main() {
    let spares: [(u64, u64); 4] = core::array::from_fn(|_| memory::spare());
    let pfns = spares.map(|spare| spare.0);
    let mut output = [pfns[0]];
    let call = exchange(&mut [spares[0].1], 0, &mut output, 0, 0);
    check_eq!((call.result, call.exchanged), (0, 1), "one for one");
    check!(output[0] != pfns[0], "the new frame is told");
    check_eq!(m2p(output[0]), pfns[0], "M2P of the new frame");
    let old = spares[0].1;
    check!(output[0] == old || m2p(old) != pfns[0], "M2P of the old frame");
    let window = memory::alloc();
    check_eq!(memory::update_va(window.va, output[0] << 12 | memory::RW, 6), 0, "the new frame maps");
    check_eq!(memory::update_va(window.va, window.maddr() | memory::RW, 6), 0, "and is unmapped");

    let mut input = [output[0], spares[1].1, spares[2].1, spares[3].1];
    let mut output = [pfns[3]];
    let call = exchange(&mut input, 0, &mut output, 2, 0);
    step!("order 2: {} {} frame {:#x}", call.result, call.exchanged, output[0]);
    check_eq!((call.result, call.exchanged), (0, 4), "four for one of order 2");
    check_eq!(output[0] % 4, 0, "the new frames are aligned");
    for index in 0..4 {
        check_eq!(m2p(output[0] + index), pfns[3] + index, "M2P");
    }
    let block = output[0];
    let mut output = [pfns[0], pfns[1], pfns[2]];
    let call = exchange(&mut [block], 2, &mut output, 0, 0);
    check_eq!((call.result, call.exchanged), (EINVAL, 0), "sizes that differ");
    let mapped = memory::alloc();
    let call = exchange(&mut [mapped.mfn], 0, &mut [mapped.pfn()], 0, 0);
    step!("a mapped page: {} {}", call.result, call.exchanged);
    check_eq!((call.result, call.exchanged), (EINVAL, 0), "a page that is mapped");
    let call = exchange(&mut [0xfff_ffff], 0, &mut [pfns[0]], 0, 0);
    check_eq!((call.result, call.exchanged), (EINVAL, 0), "no such frame");
    let call = exchange(&mut [block], 0, &mut [pfns[3]], 0, 13);
    step!("below 8 KiB: {} {}", call.result, call.exchanged);
    check_eq!((call.result, call.exchanged), (abi::ENOMEM, 0), "no memory that low");
    check_eq!(m2p(block), pfns[3], "nothing changed");
    check_eq!(
        memory_op(abi::XENMEM_EXCHANGE, &mut [0x10u64, 1, 0, DOMID_SELF, 0x10, 1, 0, DOMID_SELF, 0]),
        EFAULT,
        "unreadable lists"
    );
}
