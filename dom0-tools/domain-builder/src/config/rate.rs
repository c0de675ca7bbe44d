// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Rate limits of network interfaces: `10Mb/s`, `1MB/s@20ms`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How much may be sent. The backend refills the credit once in an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    bits_per_second: u64,
    interval_us: u32,
}

/// The interval that counts when none is given, in microseconds.
const DEFAULT_INTERVAL_US: u32 = 50_000;
/// Longest interval: the backend counts microseconds in 32 bits.
const MAX_INTERVAL_US: u64 = 4_294_967_295;

impl Rate {
    /// Reads a limit; `None` if it is none, or lets nothing through.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (rate, interval) = match text.split_once('@') {
            Some((rate, interval)) => (rate, parse_interval(interval)?),
            None => (text, DEFAULT_INTERVAL_US),
        };
        let (digits, unit) = split_unit(rate.strip_suffix("/s")?);
        let bits = match unit {
            "GB" => 8_000_000_000,
            "MB" => 8_000_000,
            "KB" => 8_000,
            "B" => 8,
            "Gb" => 1_000_000_000,
            "Mb" => 1_000_000,
            "Kb" => 1_000,
            "b" => 1,
            _ => return None,
        };
        let bits_per_second = digits.parse::<u64>().ok()?.checked_mul(bits)?;
        let rate = Self { bits_per_second, interval_us: interval };
        (rate.bytes_per_interval() > 0).then_some(rate)
    }

    /// Bytes that may be sent in an interval.
    #[must_use]
    pub fn bytes_per_interval(self) -> u64 {
        let bytes = u128::from(self.bits_per_second / 8) * u128::from(self.interval_us) / 1_000_000;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// The interval in microseconds.
    #[must_use]
    pub const fn interval_us(self) -> u32 {
        self.interval_us
    }

    /// What the backend's node `rate` holds: bytes, and microseconds.
    #[must_use]
    pub fn store_value(self) -> String {
        format!("{},{}", self.bytes_per_interval(), self.interval_us)
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

fn parse_interval(text: &str) -> Option<u32> {
    let (digits, unit) = split_unit(text);
    let us = match unit {
        "us" | "" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        _ => return None,
    };
    let interval = digits.parse::<u64>().ok()?.checked_mul(us).filter(|&us| us <= MAX_INTERVAL_US)?;
    u32::try_from(interval).ok()
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}b/s@", self.bits_per_second)?;
        if self.interval_us.is_multiple_of(1000) {
            write!(f, "{}ms", self.interval_us / 1000)
        } else {
            write!(f, "{}us", self.interval_us)
        }
    }
}

impl TryFrom<String> for Rate {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a rate looks like 10Mb/s@50ms")
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_xl_makes() {
        for (text, value) in [
            ("10Mb/s", "62500,50000"),
            ("250KB/s@20ms", "5000,20000"),
            ("1MB/s@20ms", "20000,20000"),
            ("1MB/s@1s", "1000000,1000000"),
            ("10GB/s", "500000000,50000"),
            ("1000B/s@2000", "2,2000"),
        ] {
            let rate = Rate::parse(text).unwrap();
            assert_eq!(rate.store_value(), value, "{text}");
            assert_eq!(Rate::parse(&rate.to_string()), Some(rate));
        }
    }

    #[test]
    fn nonsense_and_nothing_are_refused() {
        for bad in [
            "",
            "x",
            "10",
            "10Mb",
            "0Mb/s",
            "8b/s",
            "10mb/s",
            "-1Mb/s",
            "1MB/s@",
            "1MB/s@5000s",
            "99999999999999999999B/s",
        ] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }
}
