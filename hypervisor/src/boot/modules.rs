// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the loader hands over, in one form for multiboot 1 and 2.
//!
//! The loader is trusted (it has already run with every right), but a truncated or odd structure is reported, not
//! followed. The strings are copied: the loader's memory is given away later.
#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::memory_map::Region;
use crate::domain::firmware::EfiRegion;

/// A file the loader put into memory, at machine addresses `start..end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Module {
    /// The first byte.
    pub(crate) start: u64,
    /// Behind the last byte.
    pub(crate) end: u64,
    /// The words given with it. Begins with the file's path unless the loader is GRUB 2; see
    /// [`super::cmdline::strip_image_path`].
    pub(crate) cmdline: String,
}

/// Where the loader found ACPI's root pointer: a copy of its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rsdp {
    /// 0 for ACPI 1.0, else 2 or more.
    pub(crate) revision: u8,
    /// Machine address of the RSDT.
    pub(crate) rsdt: u32,
    /// Machine address of the XSDT; 0 if there is none.
    pub(crate) xsdt: u64,
}

/// What an EFI machine adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Efi {
    /// Machine address of the 64-bit system table; 0 if it was not given.
    pub(crate) system_table: u64,
    /// The memory map at ExitBootServices; empty if it was not given.
    pub(crate) memory_map: Vec<EfiRegion>,
    /// The loader did not leave the boot services (we ask it to).
    pub(crate) boot_services_active: bool,
}

/// A colour's place in a pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Channel {
    /// The lowest bit.
    pub(crate) position: u8,
    /// The number of bits.
    pub(crate) size: u8,
}

/// The screen as the loader left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Display {
    /// EGA text mode, usually at 0xb8000.
    Text {
        /// Machine address of the character cells.
        address: u64,
        /// Characters per line.
        columns: u32,
        /// Lines.
        rows: u32,
    },
    /// A linear framebuffer with direct colours.
    Rgb {
        /// Machine address of the first pixel.
        address: u64,
        /// Bytes per line.
        pitch: u32,
        /// Pixels per line.
        width: u32,
        /// Lines.
        height: u32,
        /// Bits per pixel.
        bpp: u8,
        /// Red, green, blue.
        channels: [Channel; 3],
    },
}

/// Everything the loader said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BootInfo {
    /// The loader's name, such as `GRUB 2.06-13+deb12u1` or `qemu`.
    pub(crate) loader: Option<String>,
    /// The hypervisor's command line, as given.
    pub(crate) cmdline: String,
    /// The modules in the order of the loader's configuration: dom0's kernel first.
    pub(crate) modules: Vec<Module>,
    /// The firmware's memory map, unsorted.
    pub(crate) memory_map: Vec<Region>,
    /// ACPI's root pointer. `None` does not mean that there is no ACPI: multiboot 1 cannot say.
    pub(crate) rsdp: Option<Rsdp>,
    /// `None` on a BIOS machine.
    pub(crate) efi: Option<Efi>,
    /// `None` if the loader did not say; on a BIOS machine that means text mode.
    pub(crate) display: Option<Display>,
}

/// Why boot information cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootInfoError {
    /// A structure is cut short, misaligned, or lies outside memory; names it.
    Truncated(&'static str),
    /// The loader gave no memory map.
    NoMemoryMap,
}

impl fmt::Display for BootInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated(what) => write!(f, "the loader's {what} is damaged; boot with GRUB 2 or QEMU's -kernel"),
            Self::NoMemoryMap => f.write_str("the loader gave no memory map; boot with GRUB 2 or QEMU's -kernel"),
        }
    }
}

/// Copies a string up to its NUL. Bytes beyond ASCII are kept if they are UTF-8, else replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or(bytes)).into_owned()
}

/// A little-endian field of a byte slice.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|b| u32::from_le_bytes(*b))
}

/// A little-endian field of a byte slice.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().map(|b| u64::from_le_bytes(*b))
}

/// Reads the end of a framebuffer description: bits per pixel, type, then (after `pad` of the format) colour fields.
///
/// `tail` starts at the bits-per-pixel byte and has the colour bytes right behind the type byte. Palette modes are of no
/// use to a console and count as no display.
pub(super) fn display(address: u64, pitch: u32, width: u32, height: u32, tail: &[u8]) -> Option<Display> {
    match *tail {
        [bpp, 1, ref colours @ ..] => {
            let &[rp, rs, gp, gs, bp, bs] = colours.first_chunk()?;
            let channel = |position, size| Channel { position, size };
            let channels = [channel(rp, rs), channel(gp, gs), channel(bp, bs)];
            Some(Display::Rgb { address, pitch, width, height, bpp, channels })
        }
        [_, 2, ..] => Some(Display::Text { address, columns: width, rows: height }),
        _ => None,
    }
}
