// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the information structure of a multiboot 1 loader, such as QEMU's `-kernel` and GRUB's `multiboot`.
//!
//! The structure is a web of 32-bit pointers, so the reader is given a function that lends the bytes at a machine address.
//! Source: Multiboot Specification 0.6.96, section 3.3.
#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};

use super::memory_map::{Kind, Region};
use super::modules::{BootInfo, BootInfoError, Display, Module, text, u32_at, u64_at};

const INFO_SIZE: usize = 116;
/// A string without end is cut here.
const STRING_MAX: usize = 4096;
/// A loader that claims more is not believed.
const MODULES_MAX: usize = 64;

const HAS_CMDLINE: u32 = 1 << 2;
const HAS_MODULES: u32 = 1 << 3;
const HAS_MEMORY_MAP: u32 = 1 << 6;
const HAS_LOADER_NAME: u32 = 1 << 9;
const HAS_FRAMEBUFFER: u32 = 1 << 12;

/// Reads the structure at machine address `info` through `read(address, length)`, which returns `None` for memory it
/// cannot lend.
pub(crate) fn parse<'a>(info: u64, read: impl Fn(u64, usize) -> Option<&'a [u8]>) -> Result<BootInfo, BootInfoError> {
    let header = read(info, INFO_SIZE)
        .filter(|bytes| bytes.len() >= INFO_SIZE)
        .ok_or(BootInfoError::Truncated("multiboot structure"))?;
    let field = |offset| u32_at(header, offset).unwrap_or(0);
    let flags = field(0);
    let mut boot = BootInfo::default();
    if flags & HAS_CMDLINE != 0 {
        boot.cmdline = string(&read, field(16));
    }
    if flags & HAS_LOADER_NAME != 0 {
        boot.loader = Some(string(&read, field(64)));
    }
    if flags & HAS_MODULES != 0 {
        boot.modules = modules(&read, field(20), field(24))?;
    }
    if flags & HAS_MEMORY_MAP == 0 {
        return Err(BootInfoError::NoMemoryMap);
    }
    boot.memory_map = memory_map(&read, field(44), field(48))?;
    if flags & HAS_FRAMEBUFFER != 0 {
        boot.display = display(header);
    }
    Ok(boot)
}

fn string<'a>(read: &impl Fn(u64, usize) -> Option<&'a [u8]>, address: u32) -> String {
    // Byte by byte, because the string may end right before memory that cannot be lent.
    let bytes: Vec<u8> = (0..STRING_MAX as u64)
        .map_while(|i| read(u64::from(address) + i, 1)?.first().copied())
        .take_while(|b| *b != 0)
        .collect();
    text(&bytes)
}

fn modules<'a>(
    read: &impl Fn(u64, usize) -> Option<&'a [u8]>,
    count: u32,
    address: u32,
) -> Result<Vec<Module>, BootInfoError> {
    const ENTRY_SIZE: usize = 16;
    const DAMAGED: BootInfoError = BootInfoError::Truncated("module list");
    let count = usize::try_from(count).ok().filter(|n| *n <= MODULES_MAX).ok_or(DAMAGED)?;
    let list = read(address.into(), count * ENTRY_SIZE).ok_or(DAMAGED)?;
    let mut modules = Vec::with_capacity(count);
    for entry in list.chunks_exact(ENTRY_SIZE).take(count) {
        let field = |offset| u32_at(entry, offset).unwrap_or(0);
        let (start, end) = (field(0), field(4));
        if start > end {
            return Err(DAMAGED);
        }
        let cmdline = if field(8) == 0 { String::new() } else { string(read, field(8)) };
        modules.push(Module { start: start.into(), end: end.into(), cmdline });
    }
    Ok(modules)
}

/// Entries carry their own size, which does not count the size field itself.
fn memory_map<'a>(
    read: &impl Fn(u64, usize) -> Option<&'a [u8]>,
    length: u32,
    address: u32,
) -> Result<Vec<Region>, BootInfoError> {
    const DAMAGED: BootInfoError = BootInfoError::Truncated("memory map");
    let length = usize::try_from(length).ok().filter(|n| *n <= 1 << 16).ok_or(DAMAGED)?;
    let mut rest = read(address.into(), length).ok_or(DAMAGED)?;
    let mut regions = Vec::new();
    while !rest.is_empty() {
        let size = u32_at(rest, 0).and_then(|n| usize::try_from(n).ok()).filter(|n| *n >= 20).ok_or(DAMAGED)?;
        let entry = rest.get(4..).and_then(|entry| entry.get(..size)).ok_or(DAMAGED)?;
        let (start, len) = (u64_at(entry, 0).ok_or(DAMAGED)?, u64_at(entry, 8).ok_or(DAMAGED)?);
        regions.push(Region::from_len(start, len, Kind::from_e820(u32_at(entry, 16).ok_or(DAMAGED)?)));
        rest = rest.get(4 + size..).unwrap_or(&[]);
    }
    if regions.is_empty() { Err(BootInfoError::NoMemoryMap) } else { Ok(regions) }
}

fn display(header: &[u8]) -> Option<Display> {
    let address = u64_at(header, 88)?;
    let (pitch, width, height) = (u32_at(header, 96)?, u32_at(header, 100)?, u32_at(header, 104)?);
    super::modules::display(address, pitch, width, height, header.get(108..)?)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::modules::Channel;
    use super::*;
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    const BASE: u64 = 0x9000;

    /// A little memory image at [`BASE`], built the way QEMU does it.
    fn image() -> Vec<u8> {
        let mut m = vec![0u8; 0x400];
        let put = |m: &mut Vec<u8>, at: usize, v: u32| m[at..at + 4].copy_from_slice(&v.to_le_bytes());
        put(&mut m, 0, HAS_CMDLINE | HAS_MODULES | HAS_MEMORY_MAP | HAS_LOADER_NAME | HAS_FRAMEBUFFER);
        put(&mut m, 16, 0x9100);
        put(&mut m, 20, 2);
        put(&mut m, 24, 0x9180);
        put(&mut m, 44, 48);
        put(&mut m, 48, 0x9200);
        put(&mut m, 64, 0x9170);
        put(&mut m, 88, 0xb8000);
        put(&mut m, 96, 160);
        put(&mut m, 100, 80);
        put(&mut m, 104, 25);
        m[108] = 16;
        m[109] = 2;
        m[0x100..0x110].copy_from_slice(b"xenolith com1=1\0");
        m[0x170..0x175].copy_from_slice(b"qemu\0");
        put(&mut m, 0x180, 0x10_0000);
        put(&mut m, 0x184, 0x20_0000);
        put(&mut m, 0x188, 0x9150);
        put(&mut m, 0x190, 0x20_0000);
        put(&mut m, 0x194, 0x20_0400);
        m[0x150..0x15a].copy_from_slice(b"bzImage a\0");
        for (i, (addr, len, kind)) in [(0u32, 0x9_fc00u32, 1u32), (0x10_0000, 0x700_0000, 1)].into_iter().enumerate() {
            let at = 0x200 + i * 24;
            put(&mut m, at, 20);
            put(&mut m, at + 4, addr);
            put(&mut m, at + 12, len);
            put(&mut m, at + 20, kind);
        }
        m
    }

    fn lend<'a>(memory: &'a [u8]) -> impl Fn(u64, usize) -> Option<&'a [u8]> {
        |address, len| {
            let from = usize::try_from(address.checked_sub(BASE)?).ok()?;
            memory.get(from..from.checked_add(len)?)
        }
    }

    #[test]
    fn reads_what_qemu_writes() {
        let memory = image();
        let boot = parse(BASE, lend(&memory)).unwrap();
        assert_eq!(boot.cmdline, "xenolith com1=1");
        assert_eq!(boot.loader.as_deref(), Some("qemu"));
        assert_eq!(boot.modules.len(), 2);
        assert_eq!(boot.modules[0], Module { start: 0x10_0000, end: 0x20_0000, cmdline: "bzImage a".into() });
        assert_eq!(boot.modules[1].cmdline, "");
        assert_eq!(
            boot.memory_map,
            [
                Region { start: 0, end: 0x9_fc00, kind: Kind::Usable },
                Region { start: 0x10_0000, end: 0x710_0000, kind: Kind::Usable },
            ]
        );
        assert_eq!(boot.display, Some(Display::Text { address: 0xb8000, columns: 80, rows: 25 }));
    }

    #[test]
    fn says_what_is_damaged() {
        let mut memory = image();
        assert_eq!(parse(0, lend(&memory)), Err(BootInfoError::Truncated("multiboot structure")));
        memory[20] = 200;
        assert_eq!(parse(BASE, lend(&memory)), Err(BootInfoError::Truncated("module list")));
        memory[20] = 0;
        memory[0x200] = 19;
        assert_eq!(parse(BASE, lend(&memory)), Err(BootInfoError::Truncated("memory map")));
        memory[0] &= !(HAS_MEMORY_MAP as u8);
        assert_eq!(parse(BASE, lend(&memory)), Err(BootInfoError::NoMemoryMap));
        memory[0] |= HAS_MEMORY_MAP as u8;
        memory[44] = 0;
        assert_eq!(parse(BASE, lend(&memory)), Err(BootInfoError::NoMemoryMap));
    }

    #[test]
    fn direct_colour() {
        let mut memory = image();
        memory[108..116].copy_from_slice(&[32, 1, 16, 8, 8, 8, 0, 8]);
        let Some(Display::Rgb { bpp: 32, channels, .. }) = parse(BASE, lend(&memory)).unwrap().display else {
            panic!()
        };
        assert_eq!(channels[0], Channel { position: 16, size: 8 });
    }

    proptest! {
        #[test]
        fn never_panics(noise in prop::collection::vec((0usize..0x400, any::<u8>()), 0..40)) {
            let mut memory = image();
            for (at, byte) in noise {
                memory[at] = byte;
            }
            let _ = parse(BASE, lend(&memory));
        }
    }
}
