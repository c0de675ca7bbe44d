// SPDX-License-Identifier: MIT OR Apache-2.0
//! The paravirtual clock: version even, values sane, monotonic, advancing as the TSC does.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

use guest_rt::{check, event, guest_main, step, time};

guest_main!(main);

fn main() {
    let info = time::time_info(event::vcpu_info());
    step!("{info:?}");
    check!(info.mul >= 0x8000_0000, "the multiplier is normalised");
    check!(info.version != 0, "it was written");
    let mut last = time::now_ns();
    check!(last > 0 && last < 3_600_000_000_000, "nanoseconds since the hypervisor booted: {last}");
    for _ in 0..2000 {
        let now = time::now_ns();
        check!(now >= last, "time went back from {last} to {now}");
        last = now;
    }
    let (ns, tsc) = both();
    time::sleep_ns(100_000_000);
    let (later_ns, later_tsc) = both();
    let (ns, tsc) = (later_ns - ns, later_tsc - tsc);
    // What the frequency says the TSC steps took, within 2 %.
    let shift = i32::from(info.shift);
    let scaled = if shift < 0 { tsc >> -shift } else { tsc << shift };
    let by_tsc = ((u128::from(scaled) * u128::from(info.mul)) >> 32) as u64;
    step!("slept {ns} ns, by the TSC {by_tsc} ns");
    check!(ns >= 100_000_000, "slept {ns} ns");
    check!(by_tsc.abs_diff(ns) < ns / 50, "{by_tsc} by the TSC, {ns} by the clock");
}

/// The clock and the TSC at the same moment: of several tries the one that nothing came between, such as another program of the host's.
fn both() -> (u64, u64) {
    let try_once = |_| {
        let before = time::tsc();
        let ns = time::now_ns();
        (time::tsc() - before, ns, before)
    };
    let (took, ns, before) = (0..20).map(try_once).min().unwrap_or_default();
    (ns, before + took / 2)
}
