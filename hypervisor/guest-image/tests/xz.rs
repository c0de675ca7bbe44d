// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! xz and lzma against a second opinion: what `lzma-rust2` packs must unpack, whatever the options.

mod common;

use std::num::NonZeroU64;

use common::bzimage;
use guest_image::{ImageError, bzimage as reader};
use lzma_rust2::{
    CheckType, EncodeMode, FilterType, LzmaOptions, LzmaReader, LzmaWriter, Read, Write, XzOptions, XzWriter,
};
use proptest::prelude::*;

/// Unpacks a stream, which must give `len` bytes.
fn unpack(stream: &[u8], len: usize) -> Result<Vec<u8>, ImageError> {
    let mut payload = stream.to_vec();
    payload.extend((len as u32).to_le_bytes());
    let mut out = vec![0; len];
    reader::unpack_into(&bzimage(&payload), &mut out)?;
    Ok(out)
}

fn xz(data: &[u8], options: XzOptions) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

fn lzma(data: &[u8], announced: bool) -> Vec<u8> {
    let len = announced.then_some(data.len() as u64);
    let mut writer = LzmaWriter::new_use_header(Vec::new(), &LzmaOptions::with_preset(6), len).unwrap();
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

/// A piece of data that makes the encoder do something particular.
#[derive(Clone, Debug)]
enum Piece {
    Noise(Vec<u8>),
    /// Bytes that branches are made of.
    Branches(Vec<u8>),
    /// So many bytes from so far back.
    Copy {
        distance: usize,
        len: usize,
    },
}

fn piece() -> impl Strategy<Value = Piece> {
    let branch_byte = proptest::sample::select(vec![0xe8_u8, 0xe9, 0, 0xff, 1, 0xfe, 0x80]);
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..60).prop_map(Piece::Noise),
        proptest::collection::vec(branch_byte, 1..60).prop_map(Piece::Branches),
        (1..20_usize, 1..600_usize).prop_map(|(distance, len)| Piece::Copy { distance, len }),
        (1..100_000_usize, 1..60_usize).prop_map(|(distance, len)| Piece::Copy { distance, len }),
    ]
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(piece(), 1..200).prop_map(|pieces| {
        let mut data = vec![0x42];
        for piece in pieces {
            match piece {
                Piece::Noise(bytes) | Piece::Branches(bytes) => data.extend(bytes),
                Piece::Copy { distance, len } => {
                    let distance = distance.min(data.len());
                    for _ in 0..len {
                        data.push(data[data.len() - distance]);
                    }
                }
            }
        }
        data
    })
}

fn options() -> impl Strategy<Value = XzOptions> {
    let checks = vec![CheckType::None, CheckType::Crc32, CheckType::Crc64, CheckType::Sha256];
    (0..=4_u32, 0..=4_u32, 0..=4_u32, any::<bool>(), any::<Option<bool>>(), proptest::sample::select(checks)).prop_map(
        |(literal_bits, lp, pb, fast, filter, check)| {
            let mut options = XzOptions::with_preset(6);
            options.lzma_options.lp = lp.min(literal_bits);
            options.lzma_options.lc = literal_bits - lp.min(literal_bits);
            options.lzma_options.pb = pb;
            options.lzma_options.dict_size = 1 << 16;
            if fast {
                options.lzma_options.mode = EncodeMode::Fast;
            }
            options.set_check_sum_type(check);
            options.set_block_size(NonZeroU64::new(1 << 16).filter(|_| filter.is_some()));
            if filter == Some(true) {
                options.prepend_pre_filter(FilterType::BcjX86, 0);
            }
            options
        },
    )
}

#[test]
fn noise_is_stored_in_plain_chunks() {
    let mut word = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (word >> 24) as u8
    })
    .take(300_000)
    .collect();
    let packed = xz(&noise, XzOptions::with_preset(1));
    assert!(packed.len() > noise.len());
    assert!(unpack(&packed, noise.len()) == Ok(noise));
}

#[test]
fn a_long_run_takes_many_chunks() {
    let run = vec![0_u8; 5 << 20];
    assert!(unpack(&xz(&run, XzOptions::with_preset(6)), run.len()) == Ok(run));
}

#[test]
fn each_damaged_field_of_the_container_is_noticed() {
    let data = b"contents ".repeat(30);
    let packed = xz(&data, XzOptions::with_preset(6));
    for at in 0..packed.len() {
        let mut damaged = packed.clone();
        damaged[at] ^= 0x10;
        assert!(unpack(&damaged, data.len()).is_err(), "byte {at}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn xz_unpacks(data in data(), options in options()) {
        let packed = xz(&data, options);
        prop_assert!(unpack(&packed, data.len()) == Ok(data));
    }

    #[test]
    fn lzma_unpacks_with_and_without_length(data in data(), announced: bool) {
        let packed = lzma(&data, announced);
        prop_assert!(unpack(&packed, data.len()) == Ok(data));
    }

    #[test]
    fn damaged_lzma_never_panics_and_means_the_same(
        data in data(),
        announced: bool,
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u8), 1..4),
    ) {
        let mut packed = lzma(&data, announced);
        for (index, bit) in flips {
            let at = 13 + index.index(packed.len() - 13);
            packed[at] ^= 1 << bit;
        }
        if let Ok(unpacked) = unpack(&packed, data.len()) {
            let mut other = Vec::new();
            let mut reader = LzmaReader::new_mem_limit(&packed[..], u32::MAX, None).unwrap();
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                other.extend(&buffer[..n]);
            }
            prop_assert!(unpacked == other);
        }
    }
}
