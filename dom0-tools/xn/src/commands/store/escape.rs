// SPDX-License-Identifier: MIT OR Apache-2.0
//! Values as text: what is not printable is written as an escape, and read back from one.

use std::fmt::Write as _;

/// The value as printable ASCII: `\\n`, `\\r`, `\\t`, `\\\\`, and `\\xNN` for all other bytes.
pub(super) fn escaped(value: &[u8]) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

/// The value that such a text stands for; `None` for an escape that is none.
pub(super) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        value.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high.checked_mul(16)?.checked_add(low)?).ok()?
            }
            _ => return None,
        });
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_readable() {
        assert_eq!(escaped(b"a b\n\x00\\"), "a b\\n\\x00\\\\");
        assert_eq!(escaped("\u{e9}".as_bytes()), "\\xc3\\xa9");
    }

    #[test]
    fn bad_escapes_are_refused() {
        for text in ["\\", "\\x", "\\x1", "\\xg0", "\\q"] {
            assert_eq!(unescaped(text), None, "{text}");
        }
        assert_eq!(unescaped("\u{e9}"), Some("\u{e9}".as_bytes().to_vec()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost(value in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unescaped(&escaped(&value)), Some(value));
        }
    }
}
