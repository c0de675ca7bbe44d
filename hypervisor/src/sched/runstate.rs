// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long a vCPU ran, waited, slept: the numbers behind `vcpu_runstate_info` (Xen header vcpu.h, abi: `RUNSTATE_*`).
#![forbid(unsafe_code)]

/// What a vCPU is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// On a CPU.
    Running = 0,
    /// Wants a CPU.
    Runnable = 1,
    /// Waits for an event.
    Blocked = 2,
    /// Down or paused.
    Offline = 3,
}

/// Accounting of one vCPU; times in ns of system time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Runstate {
    state: State,
    since: u64,
    time: [u64; 4],
}

impl Runstate {
    /// Offline from now on.
    pub(crate) fn new(now: u64) -> Self {
        Self { state: State::Offline, since: now, time: [0; 4] }
    }

    /// Enters a state. Time never runs backwards here, whatever another CPU's clock says.
    pub(crate) fn change(&mut self, state: State, now: u64) {
        let now = now.max(self.since);
        if let Some(total) = self.time.get_mut(self.state as usize) {
            *total = total.saturating_add(now.saturating_sub(self.since));
        }
        self.state = state;
        self.since = now;
    }

    /// It wants a CPU now. A running one goes on running.
    pub(crate) fn wake(&mut self, now: u64) {
        if matches!(self.state, State::Blocked | State::Offline) {
            self.change(State::Runnable, now);
        }
    }

    /// State, since when, and totals; the current state's total counts up to `since` only, as the ABI wants it.
    pub(crate) fn snapshot(&self) -> (State, u64, [u64; 4]) {
        (self.state, self.since, self.time)
    }

    /// Totals up to now.
    pub(crate) fn totals(&self, now: u64) -> [u64; 4] {
        let mut copy = *self;
        copy.change(self.state, now);
        copy.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_to_elapsed_time() {
        let mut runstate = Runstate::new(100);
        runstate.change(State::Runnable, 150);
        runstate.change(State::Running, 160);
        runstate.change(State::Blocked, 200);
        runstate.change(State::Running, 190);
        assert_eq!(runstate.snapshot(), (State::Running, 200, [40, 10, 0, 50]));
        assert_eq!(runstate.totals(260).iter().sum::<u64>(), 160);
    }

    #[test]
    fn waking_ends_sleep_only() {
        let mut runstate = Runstate::new(100);
        runstate.wake(110);
        assert_eq!(runstate.snapshot(), (State::Runnable, 110, [0, 0, 0, 10]));
        runstate.change(State::Running, 120);
        runstate.wake(130);
        assert_eq!(runstate.snapshot(), (State::Running, 120, [0, 10, 0, 10]));
    }
}
