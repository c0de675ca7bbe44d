// SPDX-License-Identifier: MIT OR Apache-2.0
//! vCPUs as the scheduler and the timers know them: by the number of their unit.
#![forbid(unsafe_code)]

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::domain::vcpu::Vcpu;
use crate::sched;
use crate::sync::{Rank, SpinLock};
use crate::time;
use crate::time::timer::TimerKind;

/// Numbers that were given back; the next new one.
static NUMBERS: SpinLock<(Vec<u32>, u32)> = SpinLock::new(Rank::DomainTable, (Vec::new(), 0));
static UNITS: SpinLock<Vec<Option<Arc<Vcpu>>>> = SpinLock::new(Rank::RunQueue, Vec::new());

/// A number for a unit that nobody has.
pub(crate) fn take_number() -> u32 {
    let mut numbers = NUMBERS.lock();
    if let Some(number) = numbers.0.pop() {
        return number;
    }
    numbers.1 += 1;
    numbers.1 - 1
}

/// A number is in use no more.
pub(crate) fn free_number(number: u32) {
    NUMBERS.lock().0.push(number);
}

/// Makes a vCPU known by its unit number, with room for its timers.
pub(crate) fn register(vcpu: &Arc<Vcpu>) {
    let unit = vcpu.unit as usize;
    let mut units = UNITS.lock();
    if units.len() <= unit {
        units.resize_with(unit + 1, || None);
    }
    if let Some(slot) = units.get_mut(unit) {
        *slot = Some(vcpu.clone());
    }
    let slots = units.len() as u32;
    drop(units);
    time::system::reserve_slots(slots);
}

/// The vCPU never runs again, and its timers stop. It keeps the number of its unit as long as it lives, so that whoever still wakes or
/// stops it does not hit another. `false`: it is still on a CPU, try again.
pub(crate) fn unregister(vcpu: &Arc<Vcpu>) -> bool {
    let mut units = UNITS.lock();
    let Some(slot) = units.get_mut(vcpu.unit as usize) else { return true };
    if !slot.as_ref().is_some_and(|known| Arc::ptr_eq(known, vcpu)) {
        return true;
    }
    if !sched::retire_unit(&vcpu.sched) {
        return false;
    }
    for kind in [TimerKind::SingleShot, TimerKind::Periodic, TimerKind::Poll, TimerKind::Watchdog] {
        vcpu.cancel_timer(kind);
    }
    // The caller has another reference: nothing is freed under the lock.
    *slot = None;
    true
}

/// How many vCPUs there are.
pub(crate) fn count() -> usize {
    UNITS.lock().iter().flatten().count()
}

/// The vCPU of a unit.
pub(crate) fn by_unit(unit: u32) -> Option<Arc<Vcpu>> {
    UNITS.lock().get(unit as usize).cloned().flatten()
}
