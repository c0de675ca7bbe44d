// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! CRC-64 as xz uses it (ECMA-182, reflected).

/// `TABLE[b]` advances byte `b` over one byte.
static TABLE: [u64; 256] = table();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
const fn table() -> [u64; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ 0xc96c_5795_d787_0f42 } else { crc >> 1 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

/// The checksum of all of `data`.
pub(crate) fn of(data: &[u8]) -> u64 {
    let mut crc = !0_u64;
    for &byte in data {
        let [low, ..] = crc.to_le_bytes();
        // A byte cannot index outside 256 entries; the compiler drops the check.
        #[expect(clippy::indexing_slicing, reason = "a u8 index into an array of 256")]
        let entry = TABLE[usize::from(byte ^ low)];
        crc = (crc >> 8) ^ entry;
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value() {
        assert_eq!(super::of(b"123456789"), 0x995d_c9bb_df19_39fa);
        assert_eq!(super::of(b""), 0);
    }
}
