// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `log` crate's backend: lines with the prefix that Xen's users know, chosen by `loglvl=` and `guest_loglvl=`.
//!
//! How our levels relate to the options' words: `error!` and `warn!` are errors and warnings. `info!` tells the course of
//! the boot, which Xen prints without a level, and a message without a level counts as a warning. `debug!` is the options'
//! "info", `trace!` their "debug". Messages with the target [`GUEST`] are about what a guest did, and obey `guest_loglvl=`.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicU8, Ordering};

use log::{LevelFilter, Log, Metadata, Record};

use crate::sync::{Rank, SpinLock};
use crate::time::system::now_ns;

/// Target of messages that a guest can cause.
pub(crate) const GUEST: &str = "guest";

/// Messages let through at once before the limit works, and how long one more takes.
const BURST: u32 = 10;
const NS_PER_MESSAGE: u64 = 5_000_000_000;

/// Thresholds as bytes: always, limited; our own, then guests'.
static THRESHOLDS: [[AtomicU8; 2]; 2] = {
    const DEFAULT: u8 = Level::Warning as u8;
    [[AtomicU8::new(DEFAULT), AtomicU8::new(DEFAULT)], [AtomicU8::new(Level::None as u8), AtomicU8::new(DEFAULT)]]
};
static LIMIT: SpinLock<Bucket> = SpinLock::new(Rank::Console, Bucket { free: BURST, since_ns: 0, dropped: 0 });

/// How detailed messages may be; a level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// No messages.
    None,
    /// Errors.
    Error,
    /// Warnings.
    Warning,
    /// What happens.
    Info,
    /// Everything (`debug` or `all`).
    Debug,
}

/// Up to `always` each message is printed; beyond it, up to `limited`, at a limited rate; the others are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    /// Printed without condition up to here.
    pub(crate) always: Level,
    /// Printed at a limited rate up to here.
    pub(crate) limited: Level,
}

impl Level {
    const NAMES: [(&'static str, Self); 6] = [
        ("none", Self::None),
        ("error", Self::Error),
        ("warning", Self::Warning),
        ("info", Self::Info),
        ("all", Self::Debug),
        ("debug", Self::Debug),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(own, _)| *own == name).map(|(_, level)| *level)
    }

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, level)| *level == self).map_or("", |(name, _)| name)
    }
}

impl Thresholds {
    /// From an option's value: `LEVEL`, or `LEVEL/LEVEL` with the second for messages at a limited rate.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (always, limited) = value.split_once('/').unwrap_or((value, value));
        let always = Level::parse(always)?;
        // A lower second level would have no effect; Xen raises it likewise.
        Some(Self { always, limited: Level::parse(limited)?.max(always) })
    }
}

impl fmt::Display for Thresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.always.name(), self.limited.name())
    }
}

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Print,
    /// Print it unless there were many.
    Limit,
    Drop,
}

fn severity(level: log::Level, of_guest: bool) -> Level {
    match level {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warning,
        log::Level::Info if of_guest => Level::Info,
        log::Level::Info => Level::Warning,
        log::Level::Debug => Level::Info,
        log::Level::Trace => Level::Debug,
    }
}

fn judge(level: log::Level, of_guest: bool) -> Verdict {
    let severity = severity(level, of_guest) as u8;
    let [always, limited] = &THRESHOLDS[usize::from(of_guest)];
    if severity <= always.load(Ordering::Relaxed) {
        Verdict::Print
    } else if severity <= limited.load(Ordering::Relaxed) {
        Verdict::Limit
    } else {
        Verdict::Drop
    }
}

/// Counts messages at a limited rate.
#[derive(Debug)]
struct Bucket {
    free: u32,
    /// When the last free place was added.
    since_ns: u64,
    /// Messages dropped since the last one printed.
    dropped: u32,
}

impl Bucket {
    /// May a message be printed? If so, how many were dropped before it.
    fn admit(&mut self, now_ns: u64) -> Option<u32> {
        let earned = now_ns.saturating_sub(self.since_ns) / NS_PER_MESSAGE;
        self.since_ns += earned * NS_PER_MESSAGE;
        self.free = BURST.min(self.free.saturating_add(u32::try_from(earned).unwrap_or(BURST)));
        if self.free == 0 {
            self.dropped = self.dropped.saturating_add(1);
            return None;
        }
        self.free -= 1;
        Some(core::mem::take(&mut self.dropped))
    }
}

struct ConsoleLog;

impl Log for ConsoleLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        judge(metadata.level(), metadata.target() == GUEST) != Verdict::Drop
    }

    fn log(&self, record: &Record<'_>) {
        match judge(record.level(), record.target() == GUEST) {
            Verdict::Print => {}
            Verdict::Limit => {
                let admitted = LIMIT.lock().admit(now_ns());
                match admitted {
                    None => return,
                    Some(0) => {}
                    Some(dropped) => super::line(format_args!("({dropped} messages dropped, there were too many)")),
                }
            }
            Verdict::Drop => return,
        }
        super::line(format_args!("{}", record.args()));
    }

    fn flush(&self) {}
}

static LOG: ConsoleLog = ConsoleLog;

/// Sends the `log` macros here.
pub(crate) fn init() {
    // Fails only if called twice, which changes nothing.
    let _ = log::set_logger(&LOG);
    log::set_max_level(LevelFilter::Info);
}

/// What is printed: our own messages, those about guests.
pub(crate) fn thresholds() -> (Thresholds, Thresholds) {
    let level = |slot: &AtomicU8| {
        let stored = slot.load(Ordering::Relaxed);
        Level::NAMES.iter().find(|(_, level)| *level as u8 == stored).map_or(Level::Debug, |(_, level)| *level)
    };
    let both = |[always, limited]: &[AtomicU8; 2]| Thresholds { always: level(always), limited: level(limited) };
    let [own, guest] = &THRESHOLDS;
    (both(own), both(guest))
}

/// Sets what is printed: our own messages, those about guests.
pub(crate) fn set_thresholds(own: Thresholds, guest: Thresholds) {
    for (slots, chosen) in THRESHOLDS.iter().zip([own, guest]) {
        slots[0].store(chosen.always as u8, Ordering::Relaxed);
        slots[1].store(chosen.limited as u8, Ordering::Relaxed);
    }
    // So that what would be dropped anyway costs a comparison.
    let most = own.always.max(own.limited).max(guest.always).max(guest.limited);
    log::set_max_level(match most {
        Level::None => LevelFilter::Off,
        Level::Error => LevelFilter::Error,
        Level::Warning => LevelFilter::Info,
        Level::Info => LevelFilter::Debug,
        Level::Debug => LevelFilter::Trace,
    });
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    #[test]
    fn levels_by_default() {
        assert_eq!(judge(log::Level::Info, false), Verdict::Print);
        assert_eq!(judge(log::Level::Debug, false), Verdict::Drop);
        assert_eq!(judge(log::Level::Warn, true), Verdict::Limit);
        assert_eq!(judge(log::Level::Info, true), Verdict::Drop);
    }

    #[test]
    fn options_are_read_and_shown() {
        for (value, shown) in [("all", "all/all"), ("error/debug", "error/all"), ("info/none", "info/info")] {
            assert_eq!(Thresholds::parse(value).map(|t| std::format!("{t}")).as_deref(), Some(shown));
        }
        assert_eq!(Thresholds::parse("loud"), None);
    }

    #[test]
    fn many_messages_are_limited() {
        let mut bucket = Bucket { free: BURST, since_ns: 0, dropped: 0 };
        assert_eq!((0..25).filter(|_| bucket.admit(1).is_some()).count(), BURST as usize);
        assert_eq!(bucket.admit(NS_PER_MESSAGE), Some(15));
        assert_eq!(bucket.admit(NS_PER_MESSAGE + 1), None);
        assert_eq!(bucket.admit(1000 * NS_PER_MESSAGE), Some(1));
        assert_eq!(bucket.free, BURST - 1);
    }
}
