// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starting the other CPUs: INIT, SIPI, SIPI, one CPU after another (SDM vol. 3A 9.4.4).
#![forbid(unsafe_code)]

use alloc::vec::Vec;
use core::ops::Range;

use super::acpi_madt::LocalApic;
use crate::x86::{apic, instr, trampoline};

/// The pages a SIPI can start at which real firmware leaves alone: above the BIOS data area, below the EBDA's usual home.
const LOW_PAGES: Range<u64> = 0x1000..0x9_f000;
const PAGE: u64 = 0x1000;
/// Pause after INIT and between the two SIPIs, microseconds.
const INIT_PAUSE_US: u64 = 10_000;
const SIPI_PAUSE_US: u64 = 300;
/// How long a CPU may take to its first instruction in the image.
const START_TIMEOUT_US: u64 = 2_000_000;

/// The APIC ids of the CPUs to use, the boot CPU first, then in the table's order: enabled, no id twice, addressable
/// (`max_apic_id`: 254 by xAPIC), and `limit` of them at most (at least one).
pub(crate) fn choose_cpus(local_apics: &[LocalApic], boot_apic_id: u32, max_apic_id: u32, limit: usize) -> Vec<u32> {
    let mut chosen = Vec::from([boot_apic_id]);
    for cpu in local_apics.iter().filter(|cpu| cpu.enabled) {
        if cpu.apic_id > max_apic_id {
            log::warn!("CPU with APIC id {:#x} cannot be addressed without x2APIC, ignored", cpu.apic_id);
        } else if chosen.len() < limit && !chosen.contains(&cpu.apic_id) {
            chosen.push(cpu.apic_id);
        }
    }
    chosen
}

/// The page for the start-up code: the highest usable one. Ranges are usable memory, end exclusive.
pub(crate) fn choose_page(usable: impl Iterator<Item = Range<u64>>) -> Option<u8> {
    let pages = usable.filter_map(|range| {
        let start = range.start.max(LOW_PAGES.start).next_multiple_of(PAGE);
        let end = range.end.min(LOW_PAGES.end) & !(PAGE - 1);
        (start < end).then(|| end - PAGE)
    });
    pages.max().and_then(|address| u8::try_from(address / PAGE).ok())
}

/// Starts the CPU that the mailbox was filled for by `trampoline::post`, with the start-up code at `page`. `false` when it does not come up; it is then reset again so that it cannot wake later
/// with a mailbox meant for another.
pub(crate) fn start_cpu(apic_id: u32, page: u8, tsc_hz: u64) -> bool {
    apic::send_init(apic_id);
    delay_us(INIT_PAUSE_US, tsc_hz);
    apic::send_startup(apic_id, page);
    if !wait_taken(SIPI_PAUSE_US, tsc_hz) {
        // The second one is ignored by a CPU that took the first.
        apic::send_startup(apic_id, page);
    }
    let started = wait_taken(START_TIMEOUT_US, tsc_hz);
    if !started {
        apic::send_init(apic_id);
    }
    started
}

/// Waits until a condition holds or the time is over; whether it holds.
pub(crate) fn wait_until(condition: impl Fn() -> bool, microseconds: u64, tsc_hz: u64) -> bool {
    let start = instr::rdtsc_ordered();
    let ticks = tsc_hz / 1_000_000 * microseconds;
    loop {
        if condition() {
            return true;
        }
        if instr::rdtsc_ordered().wrapping_sub(start) >= ticks {
            return condition();
        }
        instr::pause();
    }
}

fn wait_taken(microseconds: u64, tsc_hz: u64) -> bool {
    wait_until(trampoline::is_taken, microseconds, tsc_hz)
}

fn delay_us(microseconds: u64, tsc_hz: u64) {
    wait_until(|| false, microseconds, tsc_hz);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(apic_id: u32, enabled: bool) -> LocalApic {
        LocalApic { apic_id, acpi_id: apic_id, enabled }
    }

    #[test]
    fn the_boot_cpu_comes_first() {
        let table = [cpu(0, true), cpu(1, true), cpu(2, false), cpu(3, true), cpu(3, true), cpu(300, true)];
        assert_eq!(choose_cpus(&table, 1, 254, 64), [1, 0, 3]);
        assert_eq!(choose_cpus(&table, 1, u32::MAX, 64), [1, 0, 3, 300]);
        assert_eq!(choose_cpus(&table, 1, 254, 2), [1, 0]);
        assert_eq!(choose_cpus(&table, 0, 254, 1), [0]);
        assert_eq!(choose_cpus(&[], 7, 254, 64), [7]);
    }

    #[test]
    fn a_low_page() {
        let pc = [0..0x9_fc00, 0x10_0000..0x8000_0000];
        assert_eq!(choose_page(pc.into_iter()), Some(0x9e));
        let odd = [0x1800..0x3800, 0x0..0x1000];
        assert_eq!(choose_page(odd.into_iter()), Some(2));
        assert_eq!(choose_page(core::iter::once(0x10_0000..0x20_0000)), None);
    }

    #[test]
    fn waiting_ends() {
        assert!(wait_until(|| true, 0, 1_000_000_000));
        assert!(!wait_until(|| false, 10, 1_000_000_000));
    }
}
