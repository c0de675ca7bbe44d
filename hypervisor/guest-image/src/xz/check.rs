// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The checks of blocks.

use crate::{bytes, crc32, crc64};

/// How a block's contents are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Crc32,
    Crc64,
    /// None, or one that is skipped; how many bytes.
    Unknown(usize),
}

impl Check {
    /// The check that the stream flags name.
    pub(super) fn from_flags(flags: [u8; 2]) -> Option<Self> {
        match flags {
            [0, 1] => Some(Self::Crc32),
            [0, 4] => Some(Self::Crc64),
            [0, 0] => Some(Self::Unknown(0)),
            // The kinds come in groups of three of the same length.
            [0, kind @ 2..=15] => Some(Self::Unknown(2 << kind.div_ceil(3))),
            _ => None,
        }
    }

    /// Bytes behind the block.
    pub(super) fn len(self) -> usize {
        match self {
            Self::Crc32 => 4,
            Self::Crc64 => 8,
            Self::Unknown(len) => len,
        }
    }

    /// Whether `sum`, found behind the block, fits its contents.
    pub(super) fn matches(self, contents: &[u8], sum: &[u8]) -> bool {
        match self {
            Self::Crc32 => bytes::u32_at(sum, 0) == Some(crc32::of(contents)),
            Self::Crc64 => bytes::u64_at(sum, 0) == Some(crc64::of(contents)),
            Self::Unknown(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Check;

    #[test]
    fn lengths_are_those_of_the_format() {
        let lengths = core::array::from_fn(|kind| Check::from_flags([0, kind as u8]).map_or(99, Check::len));
        assert_eq!(lengths, [0_usize, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64]);
        assert_eq!(Check::from_flags([0, 16]), None);
        assert_eq!(Check::from_flags([1, 1]), None);
    }
}
