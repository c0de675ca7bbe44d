// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Numbers of variable length: seven bits a byte, the lowest first.

/// Bytes of the longest number, of 63 bits.
const MAX_LEN: usize = 9;

/// The number at the start of `bytes`, and what follows it.
pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (k, &byte) in bytes.iter().take(MAX_LEN).enumerate() {
        value |= u64::from(byte & 0x7f) << k.wrapping_mul(7);
        if byte & 0x80 == 0 {
            // A zero at the end would be a second way to write the same number.
            let shortest = byte != 0 || k == 0;
            return shortest.then_some((value, bytes.get(k.wrapping_add(1)..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::varint;

    #[test]
    fn numbers_of_all_lengths() {
        assert_eq!(varint(&[0, 7]), Some((0, &[7][..])));
        assert_eq!(varint(&[0x7f]), Some((127, &[][..])));
        assert_eq!(varint(&[0x80, 1]), Some((128, &[][..])));
        let largest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(varint(&largest), Some((u64::MAX >> 1, &[][..])));
        assert_eq!(varint(&[0x80, 0]), None);
        assert_eq!(varint(&[0x80]), None);
        assert_eq!(varint(&[0xff; 12]), None);
    }
}
