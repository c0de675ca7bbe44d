// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Small kernels made on the spot: an ELF file with Xen notes, packed as each kind of bzImage.

#![allow(dead_code, reason = "each test binary uses a part")]

use guest_image::Format;
use lzma_rust2::{CheckType, FilterType, LzmaOptions, LzmaWriter, XzOptions, XzWriter};

/// Where the made kernel is mapped.
pub(crate) const VIRT_BASE: u64 = 0xffff_ffff_8000_0000;

/// What to write into the made kernel.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    /// Notes: type and contents, in order.
    pub(crate) notes: Vec<(u32, Vec<u8>)>,
    /// Physical address, contents and length in memory of each segment.
    pub(crate) segments: Vec<(u64, Vec<u8>, u64)>,
    /// `e_machine`.
    pub(crate) machine: u16,
    /// `EI_CLASS`.
    pub(crate) class: u8,
    /// Whether segments begin in the file where they begin in a page, as linkers have it.
    pub(crate) congruent: bool,
}

impl Default for Recipe {
    /// Shaped like Debian's kernel, but 100 KiB long.
    fn default() -> Self {
        let code: Vec<u8> = (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8).collect();
        Self {
            notes: vec![
                (1, (VIRT_BASE + 0x100_0040).to_le_bytes().to_vec()),
                (3, VIRT_BASE.to_le_bytes().to_vec()),
                (4, 0_u64.to_le_bytes().to_vec()),
                (5, b"xen-3.0\0".to_vec()),
                (6, b"linux\0".to_vec()),
                (15, 0x80_0000_0000_u64.to_le_bytes().to_vec()),
                (16, 1_u32.to_le_bytes().to_vec()),
                (17, 0x8801_u32.to_le_bytes().to_vec()),
            ],
            segments: vec![(0x100_0000, code, 0x19000), (0x101_9000, vec![0xc3; 777], 0x3000)],
            machine: 62,
            class: 2,
            congruent: false,
        }
    }
}

impl Recipe {
    /// The same with one note replaced or, with `None`, left out.
    pub(crate) fn with_note(mut self, kind: u32, desc: Option<Vec<u8>>) -> Self {
        self.notes.retain(|(k, _)| *k != kind);
        self.notes.extend(desc.map(|desc| (kind, desc)));
        self
    }

    /// The ELF file.
    pub(crate) fn elf(&self) -> Vec<u8> {
        let mut notes = Vec::new();
        for (kind, desc) in &self.notes {
            notes.extend(4_u32.to_le_bytes());
            notes.extend((desc.len() as u32).to_le_bytes());
            notes.extend(kind.to_le_bytes());
            notes.extend(b"Xen\0");
            notes.extend(desc);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        let mut parts = vec![(4_u32, 0, notes.clone(), notes.len() as u64)];
        parts.extend(self.segments.iter().map(|(paddr, data, len)| (1, *paddr, data.clone(), *len)));

        let mut elf = vec![0x7f, b'E', b'L', b'F', self.class, 1, 1, 0];
        elf.resize(16, 0);
        elf.extend(2_u16.to_le_bytes());
        elf.extend(self.machine.to_le_bytes());
        elf.extend(1_u32.to_le_bytes());
        elf.extend(0x100_0000_u64.to_le_bytes());
        elf.extend(64_u64.to_le_bytes());
        elf.extend(0_u64.to_le_bytes());
        elf.extend(0_u32.to_le_bytes());
        for word in [64, 56, parts.len() as u16, 0, 0, 0] {
            elf.extend(word.to_le_bytes());
        }
        let mut end = 64 + 56 * parts.len() as u64;
        let mut offsets = Vec::new();
        for (_, paddr, data, _) in &parts {
            let gap = if self.congruent { paddr.wrapping_sub(end) % 4096 } else { 0 };
            offsets.push(end + gap);
            end += gap + data.len() as u64;
        }
        for ((kind, paddr, data, len), offset) in parts.iter().zip(&offsets) {
            elf.extend(kind.to_le_bytes());
            elf.extend(7_u32.to_le_bytes());
            for word in [*offset, VIRT_BASE + paddr, *paddr, data.len() as u64, *len, 4] {
                elf.extend(word.to_le_bytes());
            }
        }
        for ((_, _, data, _), offset) in parts.into_iter().zip(offsets) {
            elf.resize(offset as usize, 0xee);
            elf.extend(data);
        }
        elf
    }
}

/// All compressions of bzImages.
pub(crate) const PACKED: [Format; 5] = [Format::Gzip, Format::Xz, Format::Zstd, Format::Lz4, Format::Lzma];

/// Compresses as the kernel build does, with the length behind (which gzip has by itself).
pub(crate) fn compress(format: Format, data: &[u8]) -> Vec<u8> {
    use lzma_rust2::Write;
    let mut out = match format {
        Format::Elf => return data.to_vec(),
        Format::Gzip => return gzip(data),
        Format::Xz => {
            let mut options = XzOptions::with_preset(6);
            options.set_check_sum_type(CheckType::Crc32);
            options.prepend_pre_filter(FilterType::BcjX86, 0);
            let mut writer = XzWriter::new(Vec::new(), options).unwrap();
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        Format::Lzma => {
            let options = LzmaOptions::with_preset(6);
            let mut writer = LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
            writer.write_all(data).unwrap();
            writer.finish().unwrap()
        }
        Format::Zstd => ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest),
        Format::Lz4 => {
            let mut out = 0x184c_2102_u32.to_le_bytes().to_vec();
            for block in data.chunks(8 << 20) {
                let block = lz4_flex::block::compress(block);
                out.extend((block.len() as u32).to_le_bytes());
                out.extend(block);
            }
            out
        }
    };
    out.extend((data.len() as u32).to_le_bytes());
    out
}

fn gzip(data: &[u8]) -> Vec<u8> {
    // With a file name, which real ones may have.
    let mut out = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    out.extend(b"vmlinux.bin\0");
    out.extend(miniz_oxide::deflate::compress_to_vec(data, 6));
    let crc = data.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 != 0 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    });
    out.extend((!crc).to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out
}

/// Puts a payload into a bzImage.
pub(crate) fn bzimage(payload: &[u8]) -> Vec<u8> {
    let (setup_sects, payload_offset) = (3_usize, 0x2cc_usize);
    let start = (setup_sects + 1) * 512 + payload_offset;
    let mut image = vec![0_u8; start];
    image[0x1f1] = setup_sects as u8;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&(payload_offset as u32).to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    image.extend(payload);
    // What follows the payload in a real one.
    image.extend([0x90; 100]);
    image
}
