// SPDX-License-Identifier: MIT OR Apache-2.0
//! Amounts of memory as people write them.

use crate::error::{Class, Failure};

/// KiB of `256m`, `1g`, `1048576` (KiB), `4096b`: `xl`'s units.
pub(crate) fn kib(text: &str) -> Result<u64, Failure> {
    let wrong = |why: &str| {
        Failure::new(Class::Usage, format!("'{text}' {why}"))
            .remedy("write a number of KiB, or one with b, k, m, g or t, as in 256m")
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase();
    let number: u64 = digits.parse().map_err(|_| wrong("is no size"))?;
    let shift = match unit.as_str() {
        "b" => return Ok(number / 1024),
        "" | "k" | "kb" => 0,
        "m" | "mb" => 10,
        "g" | "gb" => 20,
        "t" | "tb" => 30,
        _ => return Err(wrong("has a unit that is none")),
    };
    number.checked_mul(1 << shift).filter(|kib| *kib <= 1 << 42).ok_or_else(|| wrong("is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let all: Vec<u64> = ["4096b", "7", "7k", "256m", "1G", "1t"].map(|text| kib(text).unwrap()).into();
        assert_eq!(all, [4, 7, 7, 262_144, 1 << 20, 1 << 30]);
    }

    #[test]
    fn wrong_sizes_are_refused() {
        for text in ["", "m", "-1", "1.5g", "1q", "99999999999t", "18446744073709551616"] {
            assert_eq!(kib(text).unwrap_err().class(), Class::Usage, "{text}");
        }
    }
}
