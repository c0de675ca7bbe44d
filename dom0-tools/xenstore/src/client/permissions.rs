// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Permissions of a node as a client sees them: a list whose first entry names the owner, and says what everybody may who is not named.

use hypercalls::ids::DomId;
use std::fmt;

/// What an entry grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `n`
    None,
    /// `r`
    Read,
    /// `w`
    Write,
    /// `b`
    Both,
}

impl Access {
    const LETTERS: [(char, Self); 4] = [('n', Self::None), ('r', Self::Read), ('w', Self::Write), ('b', Self::Both)];

    /// The letter of the protocol.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::None => 'n',
            Self::Read => 'r',
            Self::Write => 'w',
            Self::Both => 'b',
        }
    }
}

/// One entry, such as `r7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permission {
    /// The domain it is about; in the first entry the owner.
    pub domain: DomId,
    /// What it grants; in the first entry to everybody who is not named.
    pub access: Access,
}

impl Permission {
    /// An entry.
    #[must_use]
    pub const fn new(domain: DomId, access: Access) -> Self {
        Self { domain, access }
    }

    /// Reads an entry such as `r7`; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letter = text.chars().next()?;
        let access = Access::LETTERS.iter().find(|(own, _)| *own == letter)?.1;
        let digits = text.get(1..).filter(|digits| digits.starts_with(|first: char| first.is_ascii_digit()))?;
        Some(Self { domain: DomId::new(digits.parse().ok()?), access })
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.access.letter(), self.domain.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_go_both_ways() {
        for text in ["n0", "r7", "w32751", "b1"] {
            assert_eq!(Permission::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "r", "x1", "r-1", "r+1", "r70000", "r1 "] {
            assert_eq!(Permission::parse(text), None, "{text}");
        }
    }
}
