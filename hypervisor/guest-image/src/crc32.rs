// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! CRC-32 as gzip uses it (reflected 0xedb88320), eight bytes a step: over 60 MB a bytewise table would be felt at boot.

/// `TABLES[k][b]` advances byte `b` over `k` further zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "evaluated by the compiler")]
#[expect(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut k = 1;
    while k < 8 {
        let mut byte = 0;
        while byte < 256 {
            let crc = tables[k - 1][byte];
            tables[k][byte] = (crc >> 8) ^ tables[0][(crc & 0xff) as usize];
            byte += 1;
        }
        k += 1;
    }
    tables
}

/// The checksum of all of `data`.
pub(crate) fn of(data: &[u8]) -> u32 {
    let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
    // A byte cannot index outside 256 entries; the compiler drops the check.
    #[expect(clippy::indexing_slicing, reason = "a u8 index into an array of 256")]
    let look = |table: &[u32; 256], byte: u8| table[usize::from(byte)];
    let mut crc = !0_u32;
    let (chunks, rest) = data.as_chunks::<8>();
    for &[b0, b1, b2, b3, b4, b5, b6, b7] in chunks {
        let [c0, c1, c2, c3] = crc.to_le_bytes();
        crc = look(t7, b0 ^ c0)
            ^ look(t6, b1 ^ c1)
            ^ look(t5, b2 ^ c2)
            ^ look(t4, b3 ^ c3)
            ^ look(t3, b4)
            ^ look(t2, b5)
            ^ look(t1, b6)
            ^ look(t0, b7);
    }
    for &byte in rest {
        let [low, ..] = crc.to_le_bytes();
        crc = (crc >> 8) ^ look(t0, byte ^ low);
    }
    !crc
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value_and_odd_lengths() {
        assert_eq!(super::of(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::of(b""), 0);
        assert_eq!(super::of(b"The quick brown fox jumps over the lazy dog"), 0x414f_a339);
    }
}
