// SPDX-License-Identifier: MIT OR Apache-2.0
//! A vCPU's timers: they are queued on the CPU it is on, or was on last.
#![forbid(unsafe_code)]

use crate::domain::vcpu::Vcpu;
use crate::time::system;
use crate::time::timer::{Earliest, TimerId, TimerKind};
use crate::x86::ipi;
use crate::x86::percpu::{self, CpuId, softirq};

use core::sync::atomic::Ordering;

impl Vcpu {
    fn timer_cpu(&self) -> CpuId {
        CpuId::new(self.cpu.load(Ordering::Relaxed))
    }

    /// Sets a timer to a system time in ns, which may be past: it then expires at once.
    pub(crate) fn arm_timer(&self, kind: TimerKind, deadline_ns: u64) {
        let Some(cpu) = percpu::get(self.timer_cpu()) else { return };
        if system::arm(cpu.id(), TimerId::new(self.unit, kind), deadline_ns) == Earliest::Same {
            return;
        }
        let now = system::now_ns();
        if deadline_ns > now && cpu.id() == percpu::this().id() {
            system::program(cpu.id(), now);
        } else {
            ipi::raise(cpu, softirq::TIMER);
        }
    }

    /// Stops a timer. The hardware is left alone: an interrupt for nothing costs less than programming it.
    pub(crate) fn cancel_timer(&self, kind: TimerKind) {
        let _ = system::cancel(self.timer_cpu(), TimerId::new(self.unit, kind));
    }
}
