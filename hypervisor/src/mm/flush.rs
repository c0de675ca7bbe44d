// SPDX-License-Identifier: MIT OR Apache-2.0
//! TLB flushes across CPUs, and the clock that tells which CPUs need none.
//!
//! The clock ticks only when a flush is forced. A CPU notes the clock at each full flush of its own (CR3 loads); a frame
//! notes it when its last typed use ends. A CPU can hold a stale translation of the frame only if its note is not newer.
//!
//! A CPU that is idle with a vCPU's tables loaded is not woken up for a flush: it is told to do it before that vCPU runs.
//!
//! A request is a number in the target's mailbox and an interrupt. The requester waits, answering its own mailbox: every
//! wait loop in the hypervisor does (`sync::relax`), so two CPUs that flush each other both get on.
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sync;
use crate::x86::percpu::{self, CpuLocal, kept};
use crate::x86::{ipi, tlb};

static CLOCK: AtomicU32 = AtomicU32::new(1);

/// The TLB clock now.
#[inline]
pub(crate) fn clock() -> u32 {
    CLOCK.load(Ordering::Acquire)
}

/// Can this CPU use a translation from the time of `stamp`?
fn may_be_stale(cpu: &CpuLocal, stamp: u32) -> bool {
    cpu.tlb_time.load(Ordering::Acquire).wrapping_sub(stamp).cast_signed() <= 0
        && cpu.kept.load(Ordering::Acquire) != kept::STALE
}

/// Leaves a flush to an idle CPU for the time when it runs a guest again, if it is idle with tables loaded: until then it uses addresses of
/// the hypervisor alone.
fn is_deferred(cpu: &CpuLocal) -> bool {
    let before = cpu.kept.compare_exchange(kept::LOADED, kept::STALE, Ordering::AcqRel, Ordering::Acquire);
    matches!(before, Ok(_) | Err(kept::STALE))
}

/// Is this CPU idle with tables loaded?
pub(crate) fn is_kept(cpu: &CpuLocal) -> bool {
    cpu.kept.load(Ordering::Relaxed) != kept::NOTHING
}

/// This CPU is idle, and the tables that are loaded stay so.
pub(crate) fn keep_loaded(cpu: &CpuLocal) {
    cpu.kept.store(kept::LOADED, Ordering::Release);
}

/// The tables that were kept are used again. Must all be flushed first?
#[must_use]
pub(crate) fn use_kept(cpu: &CpuLocal) -> bool {
    cpu.kept.swap(kept::NOTHING, Ordering::AcqRel) == kept::STALE
}

/// Other tables have been loaded.
pub(crate) fn forget_kept(cpu: &CpuLocal) {
    cpu.kept.store(kept::NOTHING, Ordering::Release);
}

/// A set of CPUs, bit per number.
pub(crate) type CpuBits = u64;

/// Flushes everything on this CPU.
pub(crate) fn local() {
    let cpu = percpu::this();
    let now = clock();
    tlb::flush_local(cpu);
    cpu.tlb_time.store(now, Ordering::Release);
}

/// Flushes CPUs that may hold translations as old as `stamp`, and waits until they have.
pub(crate) fn everyone_since(stamp: u32) {
    since(!0, stamp);
}

/// Flushes those of `cpus` that may hold translations as old as `stamp`, and waits.
pub(crate) fn since(cpus: CpuBits, stamp: u32) {
    let mut stale: CpuBits = 0;
    for cpu in percpu::all() {
        let bit = 1 << cpu.id().raw();
        if cpus & bit != 0 && may_be_stale(cpu, stamp) {
            stale |= bit;
        }
    }
    if stale != 0 {
        // Later stamps equal the new value or exceed it, and the flushed CPUs note the new value.
        CLOCK.fetch_add(1, Ordering::AcqRel);
        on(stale);
    }
}

/// Flushes everything on `cpus` and waits until it is done.
#[inline]
pub(crate) fn on(cpus: CpuBits) {
    let own: CpuBits = 1 << percpu::this().id().raw();
    if cpus & !own != 0 {
        others(cpus, own);
    } else if cpus & own != 0 {
        local();
    }
}

/// The same if `cpus` has more in it than `own`, the CPU this runs on.
#[inline(never)]
fn others(cpus: CpuBits, own: CpuBits) {
    let are_meant = |cpu: &&'static CpuLocal| cpus & !own & 1 << cpu.id().raw() != 0;
    let mut tickets = [0_usize; crate::config::MAX_CPUS];
    let mut asked: CpuBits = 0;
    for cpu in percpu::all().filter(are_meant) {
        if is_deferred(cpu) {
            continue;
        }
        asked |= 1 << cpu.id().raw();
        let ticket = cpu.flush_posted.fetch_add(1, Ordering::AcqRel).wrapping_add(1);
        if let Some(slot) = tickets.get_mut(cpu.id().index()) {
            *slot = ticket;
        }
        ipi::flush(cpu);
    }
    if cpus & own != 0 {
        local();
    }
    for cpu in percpu::all().filter(|cpu| asked & 1 << cpu.id().raw() != 0) {
        let ticket = tickets.get(cpu.id().index()).copied().unwrap_or(0);
        while (cpu.flush_done.load(Ordering::Acquire).wrapping_sub(ticket)).cast_signed() < 0 {
            sync::relax();
        }
    }
}

/// Does another CPU wait for this one to flush?
#[inline(always)]
pub(crate) fn is_posted(cpu: &CpuLocal) -> bool {
    cpu.flush_posted.load(Ordering::Acquire) != cpu.flush_done.load(Ordering::Relaxed)
}

/// Answers this CPU's mailbox.
pub(crate) fn poll() {
    let cpu = percpu::this();
    let posted = cpu.flush_posted.load(Ordering::Acquire);
    if posted != cpu.flush_done.load(Ordering::Relaxed) {
        local();
        cpu.flush_done.store(posted, Ordering::Release);
    }
}
