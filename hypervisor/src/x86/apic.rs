// SPDX-License-Identifier: MIT OR Apache-2.0
//! This CPU's local APIC, by MMIO (xAPIC) or MSR (x2APIC): interrupts in and out, and the one-shot timer.
//!
//! One mode serves all CPUs; the boot CPU chooses it before any other CPU runs. Interrupts are off in the hypervisor, so the
//! two-word ICR write of xAPIC mode needs no lock.
// UNSAFETY: APIC registers are MSRs, and the MMIO window is kept as a bare pointer in an atomic.
#![expect(unsafe_code, reason = "MSR writes and the shared window pointer")]

use core::{
    ptr::{NonNull, null_mut},
    sync::atomic::{AtomicPtr, Ordering},
};

use super::{
    instr::{cpuid, pause, rdmsr, rdtsc_ordered, wrmsr},
    mmio::Mmio,
    msr,
};

/// Bytes to map.
pub(crate) const WINDOW: usize = 0x1000;

const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;

const ID: u32 = 0x20;
const VERSION: u32 = 0x30;
const TASK_PRIORITY: u32 = 0x80;
const EOI: u32 = 0xb0;
const LOGICAL_DESTINATION: u32 = 0xd0;
const DESTINATION_FORMAT: u32 = 0xe0;
const SPURIOUS: u32 = 0xf0;
const IN_SERVICE: u32 = 0x100;
const ERROR_STATUS: u32 = 0x280;
const LVT_CMCI: u32 = 0x2f0;
const COMMAND_LOW: u32 = 0x300;
const COMMAND_HIGH: u32 = 0x310;
const LVT_TIMER: u32 = 0x320;
const LVT_THERMAL: u32 = 0x330;
const LVT_PERFORMANCE: u32 = 0x340;
const LVT_LINT0: u32 = 0x350;
const LVT_LINT1: u32 = 0x360;
const LVT_ERROR: u32 = 0x370;
const TIMER_INITIAL: u32 = 0x380;
const TIMER_CURRENT: u32 = 0x390;
const TIMER_DIVIDE: u32 = 0x3e0;

const LVT_MASKED: u32 = 1 << 16;
const LVT_NMI: u32 = 4 << 8;
const LVT_EXTINT: u32 = 7 << 8;
const LVT_TIMER_DEADLINE: u32 = 2 << 17;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_1: u32 = 0xb;

const COMMAND_FIXED: u32 = 0;
const COMMAND_NMI: u32 = 4 << 8;
const COMMAND_INIT: u32 = 5 << 8;
const COMMAND_STARTUP: u32 = 6 << 8;
const COMMAND_PENDING: u32 = 1 << 12;
const COMMAND_ASSERT: u32 = 1 << 14;
const TO_ALL_BUT_SELF: u32 = 3 << 18;

/// The xAPIC window, or null in x2APIC mode. Stored once by [`choose_mode`], before other CPUs start.
static REGISTERS: AtomicPtr<u8> = AtomicPtr::new(null_mut());

/// How the timer is armed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum TimerMode {
    /// By an absolute TSC value.
    Deadline,
    /// By a count of bus ticks at this many per second.
    Count {
        /// Ticks per second.
        hz: u64,
    },
}

/// Whether the CPU has x2APIC mode.
pub(crate) fn has_x2apic() -> bool {
    cpuid(1, 0).ecx & 1 << 21 != 0
}

/// Whether the firmware left the CPU in x2APIC mode; going back would need a full disable, so it is kept.
pub(crate) fn is_x2apic_on() -> bool {
    rdmsr(msr::APIC_BASE) & BASE_X2APIC != 0
}

/// Chooses the mode for all CPUs: x2APIC if already on, or if wanted and present; else MMIO by the given window
/// ([`WINDOW`] bytes at the MADT's address). Boot CPU, once.
pub(crate) fn choose_mode(window: Mmio, want_x2apic: bool) {
    assert!(window.len() >= WINDOW, "local APIC window too small");
    let x2apic = is_x2apic_on() || (want_x2apic && has_x2apic());
    let base = if x2apic { null_mut() } else { window.base().as_ptr() };
    REGISTERS.store(base, Ordering::Release);
}

/// Whether all CPUs use x2APIC mode.
pub(crate) fn uses_x2apic() -> bool {
    window().is_none()
}

/// Enables this CPU's APIC: all local sources masked, NMI pin open, every priority accepted.
pub(crate) fn init_cpu(spurious_vector: u8, error_vector: u8) {
    let old = rdmsr(msr::APIC_BASE);
    let mut base = old | BASE_ENABLE;
    if uses_x2apic() {
        base |= BASE_X2APIC;
    }
    if base != old {
        // The architecture allows disabled -> xAPIC -> x2APIC only in steps.
        // SAFETY: the register exists on every 64-bit CPU; the address bits are unchanged.
        unsafe { wrmsr(msr::APIC_BASE, old | BASE_ENABLE) };
        // SAFETY: as above; the x2APIC bit is set only when CPUID offers the mode.
        unsafe { wrmsr(msr::APIC_BASE, base) };
    }
    if !uses_x2apic() {
        // Flat model; physical destinations are used, but a zero logical id is not allowed to match by accident.
        write(DESTINATION_FORMAT, u32::MAX);
        write(LOGICAL_DESTINATION, 0);
    }
    write(TASK_PRIORITY, 0);
    let highest_lvt = read(VERSION) >> 16 & 0xff;
    for (needs, register) in [(6, LVT_CMCI), (5, LVT_THERMAL), (4, LVT_PERFORMANCE)] {
        if highest_lvt >= needs {
            write(register, LVT_MASKED);
        }
    }
    write(LVT_TIMER, LVT_MASKED);
    write(LVT_LINT0, LVT_MASKED | LVT_EXTINT);
    write(LVT_LINT1, LVT_NMI);
    write(LVT_ERROR, u32::from(error_vector));
    write(ERROR_STATUS, 0);
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(spurious_vector));
    // Interrupts left in service by the firmware would block all lower vectors for ever.
    for _ in 0..256 {
        if (0..8).all(|word| read(IN_SERVICE + word * 0x10) == 0) {
            break;
        }
        eoi();
    }
}

/// This CPU's APIC id.
pub(crate) fn id() -> u32 {
    let raw = read(ID);
    if uses_x2apic() { raw } else { raw >> 24 }
}

/// Ends the interrupt of the highest priority in service.
#[inline]
pub(crate) fn eoi() {
    write(EOI, 0);
}

/// Whether a vector is in service here.
pub(crate) fn is_in_service(vector: u8) -> bool {
    vector_bit(IN_SERVICE, vector)
}

/// Reads and clears the error status.
pub(crate) fn take_errors() -> u32 {
    write(ERROR_STATUS, 0);
    read(ERROR_STATUS)
}

/// Sends an ordinary interrupt to one CPU.
#[inline]
pub(crate) fn send_fixed(apic_id: u32, vector: u8) {
    command(apic_id, COMMAND_FIXED | COMMAND_ASSERT | u32::from(vector));
}

/// Sends an NMI to every other CPU: the panic stop.
pub(crate) fn send_nmi_all_but_self() {
    command(0, COMMAND_NMI | COMMAND_ASSERT | TO_ALL_BUT_SELF);
}

/// Resets a CPU into wait-for-SIPI.
pub(crate) fn send_init(apic_id: u32) {
    command(apic_id, COMMAND_INIT | COMMAND_ASSERT);
}

/// Starts a waiting CPU in real mode at `page << 12`.
pub(crate) fn send_startup(apic_id: u32, page: u8) {
    command(apic_id, COMMAND_STARTUP | COMMAND_ASSERT | u32::from(page));
}

/// Whether the CPU can arm its timer by TSC value (CPUID 1 ECX bit 24).
pub(crate) fn has_tsc_deadline() -> bool {
    cpuid(1, 0).ecx & 1 << 24 != 0
}

/// Prepares this CPU's timer; it stays unarmed.
pub(crate) fn timer_init(vector: u8, mode: TimerMode) {
    match mode {
        TimerMode::Deadline => {
            write(LVT_TIMER, LVT_TIMER_DEADLINE | u32::from(vector));
            // SDM 10.5.4.1: in xAPIC mode the LVT write must be visible before the first deadline write.
            core::sync::atomic::fence(Ordering::SeqCst);
        }
        TimerMode::Count { .. } => {
            write(TIMER_DIVIDE, DIVIDE_BY_1);
            write(LVT_TIMER, u32::from(vector));
        }
    }
    timer_disarm(mode);
}

/// Arms the timer for an absolute TSC value; one in the past fires at once. Zero would disarm and becomes one.
#[inline]
pub(crate) fn timer_arm_deadline(tsc: u64) {
    // SAFETY: `TimerMode::Deadline` is chosen only when the CPU has the register; it only causes an interrupt.
    unsafe { wrmsr(msr::TSC_DEADLINE, tsc.max(1)) };
}

/// Arms the timer for a number of bus ticks, at least one.
#[inline]
pub(crate) fn timer_arm_count(count: u32) {
    write(TIMER_INITIAL, count.max(1));
}

/// Disarms the timer.
pub(crate) fn timer_disarm(mode: TimerMode) {
    match mode {
        // SAFETY: as `timer_arm_deadline`; zero disarms.
        TimerMode::Deadline => unsafe { wrmsr(msr::TSC_DEADLINE, 0) },
        TimerMode::Count { .. } => write(TIMER_INITIAL, 0),
    }
}

/// Ticks per second of the counting timer, measured against the TSC over about 10 ms. Leaves the timer disarmed and masked.
pub(crate) fn timer_measure_hz(tsc_hz: u64) -> u64 {
    write(TIMER_DIVIDE, DIVIDE_BY_1);
    write(LVT_TIMER, LVT_MASKED);
    let span = tsc_hz / 100;
    write(TIMER_INITIAL, u32::MAX);
    let start = rdtsc_ordered();
    while rdtsc_ordered().wrapping_sub(start) < span {
        pause();
    }
    let count = read(TIMER_CURRENT);
    let elapsed = rdtsc_ordered().wrapping_sub(start);
    write(TIMER_INITIAL, 0);
    let ticks = u128::from(u32::MAX - count) * u128::from(tsc_hz) / u128::from(elapsed.max(1));
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn vector_bit(register: u32, vector: u8) -> bool {
    read(register + u32::from(vector / 32) * 0x10) & 1 << (vector % 32) != 0
}

fn command(apic_id: u32, low: u32) {
    if uses_x2apic() {
        // An x2APIC write is not serialising: make earlier stores visible before the other CPU is told to look (SDM 10.12.3).
        // SAFETY: fences order memory, nothing else.
        unsafe { core::arch::asm!("mfence", "lfence", options(nostack, preserves_flags)) };
        // SAFETY: x2APIC mode is on; the ICR only sends an interrupt.
        unsafe { wrmsr(msr::X2APIC_BASE + (COMMAND_LOW >> 4), u64::from(apic_id) << 32 | u64::from(low)) };
    } else {
        wait_for_delivery();
        write(COMMAND_HIGH, apic_id << 24);
        write(COMMAND_LOW, low);
    }
}

/// Bounded: an APIC that never delivers is a dead machine, but the panic path must still print.
fn wait_for_delivery() {
    for _ in 0..1_000_000 {
        if read(COMMAND_LOW) & COMMAND_PENDING == 0 {
            return;
        }
        pause();
    }
}

fn window() -> Option<NonNull<u8>> {
    NonNull::new(REGISTERS.load(Ordering::Relaxed))
}

#[inline]
fn read(register: u32) -> u32 {
    match window() {
        // SAFETY: `register` is one of the constants above, inside the window `choose_mode` was given; volatile device read.
        Some(base) => unsafe { base.add(register as usize).cast::<u32>().read_volatile() },
        // An MSR read of a 32-bit register: the high half is zero.
        None => (rdmsr(msr::X2APIC_BASE + (register >> 4)) & u64::from(u32::MAX)) as u32,
    }
}

#[inline]
fn write(register: u32, value: u32) {
    match window() {
        // SAFETY: as `read`; APIC registers only steer interrupts.
        Some(base) => unsafe { base.add(register as usize).cast::<u32>().write_volatile(value) },
        // SAFETY: x2APIC mode is on; APIC registers only steer interrupts.
        None => unsafe { wrmsr(msr::X2APIC_BASE + (register >> 4), u64::from(value)) },
    }
}
