// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Every kind of image unpacks to the same kernel; a damaged one is refused by name and never panics.

mod common;

use common::{PACKED, Recipe, bzimage, compress};
use guest_image::{Format, ImageError, Kernel, bzimage as reader};
use proptest::prelude::*;

/// All a boot does with an image before it plans.
fn unpack(image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut elf = vec![0; reader::kernel_elf_len(image)?];
    reader::unpack_into(image, &mut elf)?;
    Ok(elf)
}

#[test]
fn every_compression_unpacks() {
    let elf = Recipe::default().elf();
    for format in PACKED {
        let image = bzimage(&compress(format, &elf));
        assert_eq!(reader::format(&image), Ok(format));
        assert!(unpack(&image).as_ref() == Ok(&elf), "{format}");
    }
}

#[test]
fn plain_and_gzipped_elf_files_are_kernels_too() {
    let elf = Recipe::default().elf();
    assert!(reader::is_elf(&elf));
    assert!(unpack(&elf).as_ref() == Ok(&elf));
    assert!(unpack(&compress(Format::Gzip, &elf)).as_ref() == Ok(&elf));
    assert!(unpack(&bzimage(&elf)).as_ref() == Ok(&elf));
}

#[test]
fn x86_branches_survive_the_filter() {
    // Calls to one place from many: what the branch filter rewrites.
    let mut code = Vec::new();
    while code.len() < 60_000 {
        let relative = 0x12345_u32.wrapping_sub(code.len() as u32 + 5);
        code.push(0xe8);
        code.extend(relative.to_le_bytes());
        code.extend([0x48, 0x89, 0xc3, 0xe9, 1, 2, 3, 0]);
    }
    let recipe = Recipe { segments: vec![(0x100_0000, code, 0x10000)], ..Recipe::default() };
    let elf = recipe.elf();
    assert!(unpack(&bzimage(&compress(Format::Xz, &elf))).as_ref() == Ok(&elf));
}

#[test]
fn what_is_no_kernel_is_named() {
    let elf = Recipe::default().elf();
    let good = bzimage(&compress(Format::Lz4, &elf));
    assert_eq!(unpack(b""), Err(ImageError::NotAKernel));
    assert_eq!(unpack(&[0x42; 4096]), Err(ImageError::NotAKernel));
    // An initrd in the kernel's place is a gzip file, but no kernel inside.
    let cpio = compress(Format::Gzip, b"0707010000000000000");
    assert_eq!(Kernel::parse(&unpack(&cpio).unwrap()).err(), Some(ImageError::NotElf));

    let mut old = good.clone();
    old[0x206..0x208].copy_from_slice(&0x204_u16.to_le_bytes());
    assert_eq!(unpack(&old), Err(ImageError::BootProtocolTooOld(0x204)));
    assert_eq!(unpack(&good[..good.len() / 2]), Err(ImageError::Truncated("payload")));
    assert_eq!(unpack(&good[..0x205]), Err(ImageError::Truncated("setup header")));

    assert_eq!(unpack(&bzimage(b"BZh91AY&SY")), Err(ImageError::UnsupportedCompression("bzip2")));
    assert_eq!(unpack(&bzimage(b"\x89LZO\0\r\n\x1a1234")), Err(ImageError::UnsupportedCompression("lzo")));
    assert_eq!(unpack(&bzimage(b"what is this")), Err(ImageError::UnknownCompression(*b"what")));

    let mut packed = compress(Format::Xz, &elf);
    let end = packed.len();
    packed[end - 1] = 0xff;
    assert!(matches!(unpack(&bzimage(&packed)), Err(ImageError::AbsurdLength(_))));
}

#[test]
fn a_wrong_length_word_is_named() {
    let elf = Recipe::default().elf();
    for format in PACKED {
        let packed = compress(format, &elf);
        let (stream, _) = packed.split_at(packed.len() - 4);
        for wrong in [elf.len() - 1, elf.len() + 1, 1] {
            let mut packed = stream.to_vec();
            packed.extend((wrong as u32).to_le_bytes());
            let result = unpack(&bzimage(&packed));
            let named = matches!(result, Err(ImageError::WrongLength { .. } | ImageError::DamagedPayload(_)));
            assert!(named, "{format} {wrong}: {:?}", result.err());
        }
    }
}

#[test]
fn the_buffer_must_fit() {
    let elf = Recipe::default().elf();
    for format in PACKED {
        let image = bzimage(&compress(format, &elf));
        let mut small = vec![0; elf.len() - 1];
        let refusal = ImageError::BufferLength { needed: elf.len(), given: elf.len() - 1 };
        assert_eq!(reader::unpack_into(&image, &mut small), Err(refusal), "{format}");
    }
}

#[test]
fn every_truncated_payload_is_an_error() {
    let elf = Recipe::default().elf();
    for format in PACKED {
        let packed = compress(format, &elf);
        let (stream, len) = packed.split_at(packed.len() - 4);
        for cut in [0, 1, 3, 5, 12, 13, 17, 40, stream.len() / 2, stream.len() - 9, stream.len() - 5] {
            let mut packed = stream[..cut].to_vec();
            packed.extend(len);
            assert!(unpack(&bzimage(&packed)).is_err(), "{format} cut to {cut}");
        }
    }
}

/// Formats with a checksum notice any change of contents.
fn has_checksum(format: Format) -> bool {
    matches!(format, Format::Gzip | Format::Xz)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn flipped_bits_never_panic_and_are_noticed(
        format in proptest::sample::select(PACKED.to_vec()),
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let elf = Recipe { segments: vec![(0x100_0000, b"some kernel code".repeat(200), 0x4000)], ..Recipe::default() }.elf();
        let mut packed = compress(format, &elf);
        for (index, bit) in flips {
            let at = index.index(packed.len());
            packed[at] ^= 1 << bit;
        }
        let result = unpack(&bzimage(&packed));
        if has_checksum(format) && let Ok(unpacked) = result {
            prop_assert!(unpacked == elf, "damage went unnoticed");
        }
    }

    #[test]
    fn random_payloads_never_panic(
        magic in proptest::sample::select(vec![&b"\x1f\x8b\x08\0"[..], b"\xfd7zXZ\0\0\x01", b"\x28\xb5\x2f\xfd", b"\x02\x21\x4c\x18", b"\x5d\0\0\x01"]),
        rest in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut payload = magic.to_vec();
        payload.extend(rest);
        payload.extend(5000_u32.to_le_bytes());
        let _unpacked = unpack(&bzimage(&payload));
    }

    #[test]
    fn random_files_never_panic(file in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let _unpacked = unpack(&file);
    }

    #[test]
    fn random_headers_never_panic(
        changes in proptest::collection::vec((0..0x260_usize, any::<u8>()), 1..20),
    ) {
        let mut image = bzimage(&compress(Format::Gzip, b"hello"));
        for (at, byte) in changes {
            image[at] = byte;
        }
        let _unpacked = unpack(&image);
    }
}
