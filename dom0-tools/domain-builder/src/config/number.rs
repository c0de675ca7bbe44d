// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Numbers as configuration files write them.

use super::error::{Fault, Problem};
use super::piece::Piece;

/// A number in decimal, in hexadecimal behind `0x`, in octal behind `0`.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if text.len() > 1 && text.starts_with('0') => (text.get(1..)?, 8),
        None => (text, 10),
    };
    // `from_str_radix` would take a sign too.
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(digits, radix).ok()
}

/// A number from `least` to `greatest`.
pub(crate) fn within(piece: &Piece, least: u64, greatest: u64) -> Result<u64, Fault> {
    let text = piece.as_str();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match parse(text) {
        Some(number) if (least..=greatest).contains(&number) => Ok(number),
        // Negative ones, and those too long for any integer, are numbers all the same.
        None if !all_digits || text.starts_with('0') => Err(Fault::new(piece, Problem::NotANumber)),
        _ => Err(Fault::new(piece, Problem::OutOfRange { least, greatest })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_notations() {
        assert_eq!(parse("10"), Some(10));
        assert_eq!(parse("0x10"), Some(16));
        assert_eq!(parse("010"), Some(8));
        assert_eq!(parse("0"), Some(0));
        for bad in ["", "08", "0x", "5x", "+5", "-5", " 5", "0x-1", "99999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
