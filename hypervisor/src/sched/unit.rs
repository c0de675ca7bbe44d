// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the scheduler knows of a unit (a vCPU).
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use super::affinity::CpuMask;
use super::group::Group;

/// Weights are from 1 to this.
pub(crate) const MAX_WEIGHT: u32 = 65_535;

/// What a unit is doing, bits of `Unit::flags`.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(super) enum Flag {
    /// It wants to run.
    Runnable = 1,
    /// It woke up and did not run since.
    Woken = 2,
    /// It is in its CPU's queue.
    Queued = 4,
    /// Its registers are in its CPU: it runs there, or was not released yet.
    Held = 8,
    /// It never runs again.
    Retired = 16,
    /// It is on its CPU's list of those whose group has used up its allowance.
    Parked = 32,
    /// It is held by a CPU that is idle.
    Kept = 64,
}

/// A unit. It belongs to one CPU at a time, whose lock guards everything here that changes; the fields are atomic because others
/// may look without it.
#[derive(Debug)]
pub(crate) struct Unit {
    number: u32,
    group: Arc<Group>,
    cpu: AtomicU32,
    weight: AtomicU32,
    vtime: AtomicU64,
    hard: AtomicU64,
    soft: AtomicU64,
    flags: AtomicU8,
}

impl Unit {
    /// A unit that does not want to run yet.
    pub(super) fn new(number: u32, group: &Arc<Group>, weight: u32, cpu: u32, vtime: u64, hard: CpuMask) -> Self {
        Self {
            number,
            group: group.clone(),
            cpu: AtomicU32::new(cpu),
            weight: AtomicU32::new(weight.clamp(1, MAX_WEIGHT)),
            vtime: AtomicU64::new(vtime),
            hard: AtomicU64::new(hard.bits()),
            soft: AtomicU64::new(!0),
            flags: AtomicU8::new(0),
        }
    }

    /// What its owner calls it.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    /// The CPU it belongs to: where it runs, waits, or was last.
    pub(super) fn cpu(&self) -> u32 {
        self.cpu.load(Ordering::Acquire)
    }

    pub(super) fn set_cpu(&self, cpu: u32) {
        self.cpu.store(cpu, Ordering::Release);
    }

    pub(super) fn weight(&self) -> u64 {
        u64::from(self.weight.load(Ordering::Relaxed))
    }

    pub(super) fn set_weight(&self, weight: u32) {
        self.weight.store(weight.clamp(1, MAX_WEIGHT), Ordering::Relaxed);
    }

    pub(super) fn vtime(&self) -> u64 {
        self.vtime.load(Ordering::Relaxed)
    }

    pub(super) fn set_vtime(&self, vtime: u64) {
        self.vtime.store(vtime, Ordering::Relaxed);
    }

    /// Where it may run.
    pub(super) fn hard(&self) -> CpuMask {
        CpuMask::from_bits(self.hard.load(Ordering::Relaxed))
    }

    /// Where it may run and would like to; everywhere it may if it has no wish that can come true.
    pub(super) fn preferred(&self) -> CpuMask {
        let hard = self.hard();
        let both = hard.and(CpuMask::from_bits(self.soft.load(Ordering::Relaxed)));
        if both.is_empty() { hard } else { both }
    }

    pub(super) fn set_affinity(&self, hard: CpuMask, soft: CpuMask) {
        self.hard.store(hard.bits(), Ordering::Relaxed);
        self.soft.store(soft.bits(), Ordering::Relaxed);
    }

    /// Does it want to run, as far as the scheduler has been told?
    pub(crate) fn wants_to_run(&self) -> bool {
        self.is(Flag::Runnable)
    }

    pub(super) fn is(&self, flag: Flag) -> bool {
        self.flags.load(Ordering::Relaxed) & flag as u8 != 0
    }

    /// Sets or clears a flag; the lock of its CPU is held. Tells what it was.
    pub(super) fn set(&self, flag: Flag, on: bool) -> bool {
        let before = self.flags.load(Ordering::Relaxed);
        let after = if on { before | flag as u8 } else { before & !(flag as u8) };
        self.flags.store(after, Ordering::Relaxed);
        before & flag as u8 != 0
    }
}
