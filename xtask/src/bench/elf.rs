// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much memory an ELF image takes where it is loaded.

/// Bytes of all segments that are loaded, of a 32-bit or 64-bit little-endian ELF; none for anything else.
pub(crate) fn loaded_bytes(image: &[u8]) -> Option<u64> {
    const PT_LOAD: u64 = 1;
    if !image.starts_with(b"\x7fELF") || *image.get(5)? != 1 {
        return None;
    }
    let number = |at: usize, size: usize| {
        let bytes = image.get(at..at.checked_add(size)?)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    // Where the headers say: e_phoff, e_phentsize, e_phnum; and p_memsz in a program header.
    let wide = *image.get(4)? == 2;
    let (table, size, count, in_memory, word) = if wide { (32, 54, 56, 40, 8) } else { (28, 42, 44, 20, 4) };
    let (table, size) = (usize::try_from(number(table, word)?).ok()?, usize::try_from(number(size, 2)?).ok()?);
    let mut total = 0u64;
    for index in 0..usize::try_from(number(count, 2)?).ok()? {
        let header = table.checked_add(index.checked_mul(size)?)?;
        if number(header, 4)? == PT_LOAD {
            total = total.checked_add(number(header.checked_add(in_memory)?, word)?)?;
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(image: &mut [u8], at: usize, value: u64, size: usize) {
        image[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    /// Two segments, the second of which is only a note.
    fn image(wide: bool) -> Vec<u8> {
        let mut image = vec![0; 256];
        image[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1]);
        let (table, size, count, in_memory, word) = if wide { (32, 54, 56, 40, 8) } else { (28, 42, 44, 20, 4) };
        put(&mut image, table, 64, word);
        put(&mut image, size, 64, 2);
        put(&mut image, count, 2, 2);
        for (index, (kind, bytes)) in [(1, 0x12_3456), (4, 0x1000)].into_iter().enumerate() {
            put(&mut image, 64 + index * 64, kind, 4);
            put(&mut image, 64 + index * 64 + in_memory, bytes, word);
        }
        image
    }

    #[test]
    fn loaded_segments_count() {
        assert_eq!(loaded_bytes(&image(true)), Some(0x12_3456));
        assert_eq!(loaded_bytes(&image(false)), Some(0x12_3456));
        assert_eq!(loaded_bytes(&image(true)[..100]), None);
        assert_eq!(loaded_bytes(b"MZ"), None);
    }
}
