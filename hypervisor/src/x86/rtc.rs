// SPDX-License-Identifier: MIT OR Apache-2.0
//! The CMOS clock: register access, and its calendar as seconds since 1970.
#![forbid(unsafe_code)]

use super::instr::{inb, outb, pause};

/// Index port; bit 7 masks NMI.
pub(crate) const INDEX_PORT: u16 = 0x70;
/// Data port.
pub(crate) const DATA_PORT: u16 = 0x71;

const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;
const UPDATE_IN_PROGRESS: u8 = 0x80;
const BINARY: u8 = 0x04;
const HOURS_24: u8 = 0x02;
/// An update takes 2 ms; a clock busy for this many reads is broken.
const MAX_POLLS: u32 = 1_000_000;
const MAX_TRIES: u32 = 16;

/// The clock registers as they stand, undecoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct RawClock {
    /// Registers 0, 2, 4, 7, 8, 9 and the century register (0 if there is none).
    pub(crate) seconds: u8,
    /// Minutes.
    pub(crate) minutes: u8,
    /// Hours; bit 7 is PM in 12-hour mode.
    pub(crate) hours: u8,
    /// Day of the month.
    pub(crate) day: u8,
    /// Month, 1 to 12.
    pub(crate) month: u8,
    /// Year without the century.
    pub(crate) year: u8,
    /// Century, or 0.
    pub(crate) century: u8,
    /// Status register B: the format of the others.
    pub(crate) status_b: u8,
}

/// Reads a CMOS register. The caller holds the lock that covers ports 0x70 and 0x71.
pub(crate) fn read_register(index: u8) -> u8 {
    outb(INDEX_PORT, index);
    inb(DATA_PORT)
}

/// Writes a CMOS register; lock as for [`read_register`].
pub(crate) fn write_register(index: u8, value: u8) {
    outb(INDEX_PORT, index);
    outb(DATA_PORT, value);
}

/// The wall clock in seconds since 1970, UTC assumed. `None` when the clock is broken or absent. Lock as for [`read_register`].
pub(crate) fn read_unix_seconds(century_register: Option<u8>) -> Option<u64> {
    let mut last = read_raw(century_register)?;
    for _ in 0..MAX_TRIES {
        let again = read_raw(century_register)?;
        if again == last {
            return unix_seconds(&again);
        }
        last = again;
    }
    None
}

fn read_raw(century_register: Option<u8>) -> Option<RawClock> {
    let ready = (0..MAX_POLLS).any(|_| {
        pause();
        read_register(STATUS_A) & UPDATE_IN_PROGRESS == 0
    });
    ready.then(|| RawClock {
        seconds: read_register(0),
        minutes: read_register(2),
        hours: read_register(4),
        day: read_register(7),
        month: read_register(8),
        year: read_register(9),
        century: century_register.map_or(0, read_register),
        status_b: read_register(STATUS_B),
    })
}

/// Decodes the registers (BCD or binary, 12 or 24 hours). `None` when they are no date.
pub(crate) fn unix_seconds(raw: &RawClock) -> Option<u64> {
    let number = |value: u8| {
        if raw.status_b & BINARY != 0 { Some(value) } else { from_bcd(value) }
    };
    let hour = if raw.status_b & HOURS_24 != 0 {
        number(raw.hours)?
    } else {
        number(raw.hours & 0x7f)? % 12 + if raw.hours & 0x80 != 0 { 12 } else { 0 }
    };
    let (second, minute) = (number(raw.seconds)?, number(raw.minutes)?);
    let (day, month) = (number(raw.day)?, number(raw.month)?);
    let year = u64::from(number(raw.year)?);
    let year = match number(raw.century) {
        Some(century @ 19..=29) => u64::from(century) * 100 + year,
        // No century register: the clock is younger than this program.
        _ if year >= 70 => 1900 + year,
        _ => 2000 + year,
    };
    if second > 59 || minute > 59 || hour > 23 || !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1970
    {
        return None;
    }
    let days = days_since_1970(year, u64::from(month), u64::from(day));
    Some(days * 86_400 + u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second))
}

/// Days from 1970-01-01 to a Gregorian date. Counting years from March puts the leap day at a year's end.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    /// Days from 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    year * 365 + leap_days + day_of_year - EPOCH
}

fn from_bcd(value: u8) -> Option<u8> {
    (value & 0xf < 10 && value >> 4 < 10).then_some((value >> 4) * 10 + (value & 0xf))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(status_b: u8, hours: u8) -> RawClock {
        RawClock { seconds: 0x59, minutes: 0x30, hours, day: 0x29, month: 0x02, year: 0x24, century: 0x20, status_b }
    }

    #[test]
    fn bcd_24_hours() {
        // 2024-02-29 23:30:59
        assert_eq!(unix_seconds(&clock(HOURS_24, 0x23)), Some(1_709_249_459));
    }

    #[test]
    fn bcd_12_hours() {
        assert_eq!(unix_seconds(&clock(0, 0x91)), unix_seconds(&clock(HOURS_24, 0x23)));
        assert_eq!(unix_seconds(&clock(0, 0x12)), unix_seconds(&clock(HOURS_24, 0x00)));
        assert_eq!(unix_seconds(&clock(0, 0x92)), unix_seconds(&clock(HOURS_24, 0x12)));
    }

    #[test]
    fn binary_without_century() {
        let raw = RawClock {
            seconds: 0,
            minutes: 0,
            hours: 0,
            day: 1,
            month: 1,
            year: 0,
            century: 0,
            status_b: BINARY | HOURS_24,
        };
        assert_eq!(unix_seconds(&raw), Some(946_684_800));
        assert_eq!(unix_seconds(&RawClock { year: 70, ..raw }), Some(0));
        assert_eq!(unix_seconds(&RawClock { month: 13, ..raw }), None);
        assert_eq!(unix_seconds(&RawClock { hours: 24, ..raw }), None);
    }

    #[test]
    fn no_bcd_no_date() {
        assert_eq!(unix_seconds(&clock(HOURS_24, 0xff)), None);
    }
}
