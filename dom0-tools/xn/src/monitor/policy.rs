// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is to be done with a domain, from what is on record and what the hypervisor says of it. Pure.

use crate::guests::record::{Phase, Record};
use domain_builder::config::{Action, Config};
use hypercalls::sched::ShutdownReason;
use std::time::Duration;
use xen_control::DomainInfo;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Nothing.
    Nothing,
    /// Take it down and forget it.
    CleanUp,
    /// Take it down because it ended and its configuration says so.
    Destroy,
    /// Take it down and make it anew.
    Restart,
    /// Keep what is left under another name, and make it anew.
    RenameRestart,
    /// Keep what is left.
    Preserve,
}

/// Decides for a domain whose lock is held: so nobody else is at work on it.
pub(crate) fn decide(record: &Record, info: Option<&DomainInfo>) -> Deed {
    let info = info.filter(|info| info.uuid == record.uuid.to_bytes());
    match (record.phase, info) {
        (Phase::Restarting, _) => Deed::Restart,
        // Its maker is dead, or it is gone.
        (Phase::Creating, _) | (_, None) => Deed::CleanUp,
        (_, Some(info)) if info.dying => Deed::CleanUp,
        (Phase::Preserved, Some(_)) => Deed::Nothing,
        (Phase::Running, Some(info)) => match info.shutdown {
            Some(reason) if record.monitored => after(reason, &record.config),
            _ => Deed::Nothing,
        },
    }
}

fn after(reason: ShutdownReason, config: &Config) -> Deed {
    let action = match reason {
        ShutdownReason::POWEROFF => config.on_poweroff,
        ShutdownReason::REBOOT => config.on_reboot,
        ShutdownReason::WATCHDOG => config.on_watchdog,
        // Nobody here saves domains: whoever had it suspended will also take it further.
        ShutdownReason::SUSPEND => return Deed::Nothing,
        _ => config.on_crash,
    };
    match action {
        Action::Destroy | Action::CoredumpDestroy => Deed::Destroy,
        Action::Restart | Action::CoredumpRestart => Deed::Restart,
        Action::RenameRestart => Deed::RenameRestart,
        Action::Preserve => Deed::Preserve,
    }
}

/// A run shorter than this is a short one.
const SHORT: Duration = Duration::from_secs(10);
/// So many short runs in a row are enough.
const MOST: u32 = 5;

/// Whether, and when, a domain that ended is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// After this time; and with so many short runs in a row on record.
    After(Duration, u32),
    /// Not any more: it ends at once each time.
    GiveUp,
}

/// The more often it ended shortly after its start, the later it is made anew: a guest that dies at once shall not keep the host busy.
pub(crate) fn pace(record: &Record, now: u64) -> Pace {
    let ran = Duration::from_secs(now.saturating_sub(record.created));
    if ran >= SHORT {
        return Pace::After(Duration::ZERO, 0);
    }
    let runs = record.short_runs.saturating_add(1);
    if runs >= MOST {
        return Pace::GiveUp;
    }
    // None for the first, then 1, 2, 4 seconds.
    let delay = if runs == 1 { 0 } else { 1_u64 << runs.saturating_sub(2) };
    Pace::After(Duration::from_secs(delay), runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;
    use domain_builder::config::{self, Source, Uuid};

    fn record(phase: Phase, extra: &str) -> Record {
        let text = format!("name='a'\nkernel='/k'\n{extra}");
        let config = config::parse(&[Source { name: "test", text: text.as_bytes() }]).unwrap().config;
        let mut record = Record::new(Uuid::from_bytes(samples::info(3, None).uuid), config, true, 0);
        record.domid = Some(3);
        record.phase = phase;
        record
    }

    #[test]
    fn each_end_has_its_action() {
        let settings = "on_poweroff='preserve'\non_reboot='rename-restart'\non_crash='destroy'\non_watchdog='restart'";
        let record = record(Phase::Running, settings);
        let deed = |reason| decide(&record, Some(&samples::info(3, Some(reason))));
        assert_eq!(deed(ShutdownReason::POWEROFF), Deed::Preserve);
        assert_eq!(deed(ShutdownReason::REBOOT), Deed::RenameRestart);
        assert_eq!(deed(ShutdownReason::CRASH), Deed::Destroy);
        assert_eq!(deed(ShutdownReason::WATCHDOG), Deed::Restart);
        assert_eq!(deed(ShutdownReason::SUSPEND), Deed::Nothing);
        assert_eq!(deed(ShutdownReason::new(77)), Deed::Destroy);
        assert_eq!(decide(&record, Some(&samples::info(3, None))), Deed::Nothing);
    }

    #[test]
    fn what_is_gone_or_half_made_is_cleaned_up() {
        for phase in [Phase::Creating, Phase::Running, Phase::Preserved] {
            assert_eq!(decide(&record(phase, ""), None), Deed::CleanUp);
        }
        assert_eq!(decide(&record(Phase::Creating, ""), Some(&samples::info(3, None))), Deed::CleanUp);
        assert_eq!(decide(&record(Phase::Restarting, ""), None), Deed::Restart);
        let ended = samples::info(3, Some(ShutdownReason::CRASH));
        assert_eq!(decide(&record(Phase::Preserved, ""), Some(&ended)), Deed::Nothing);
        // Another domain with the number of one that is gone.
        let other = DomainInfo { uuid: [9; 16], ..samples::info(3, None) };
        assert_eq!(decide(&record(Phase::Running, ""), Some(&other)), Deed::CleanUp);
    }

    #[test]
    fn restart_loops_slow_down_and_end() {
        let mut record = record(Phase::Running, "");
        let start = record.created;
        let mut delays = Vec::new();
        while let Pace::After(delay, runs) = pace(&record, start + 1) {
            delays.push(delay.as_secs());
            record.short_runs = runs;
        }
        assert_eq!(delays, [0, 1, 2, 4]);
        assert_eq!(pace(&record, start + 10), Pace::After(Duration::ZERO, 0));
    }
}
