// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the boot information of a multiboot 2 loader: GRUB 2's `multiboot2`, on BIOS and UEFI.
//!
//! The crate `multiboot2` knows the structure and the tags' numbers. Contents are decoded here: the crate's typed views
//! assert instead of reporting, and its memory-map and framebuffer views do not take what the specification allows.
//! Source: Multiboot2 Specification 2.0, section 3.6.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use multiboot2::{DynSizedStructure, TagHeader, TagType};

use super::memory_map::{Kind, Region};
use super::modules::{self, BootInfo, BootInfoError, Efi, Module, Rsdp, text, u32_at, u64_at};
use crate::domain::firmware::EfiRegion;

/// Size and alignment of the head of the information and of each tag.
const HEAD: usize = 8;

/// Reads the whole information structure: `bytes` starts at the address in ebx, which is 8-byte aligned, and is as long as
/// its first word says.
pub(crate) fn parse(bytes: &[u8]) -> Result<BootInfo, BootInfoError> {
    const DAMAGED: BootInfoError = BootInfoError::Truncated("multiboot2 information");
    let mut boot = BootInfo::default();
    let mut efi = Efi::default();
    let mut rest = bytes.get(HEAD..).ok_or(DAMAGED)?;
    loop {
        let size = u32_at(rest, 4).and_then(|n| usize::try_from(n).ok()).filter(|n| *n >= HEAD).ok_or(DAMAGED)?;
        // Tags are padded to their alignment; the pad is not in their size.
        let padded = size.checked_next_multiple_of(HEAD).ok_or(DAMAGED)?;
        let (tag, behind) = rest.split_at_checked(padded).ok_or(DAMAGED)?;
        let tag = DynSizedStructure::<TagHeader>::ref_from_slice(tag).map_err(|_| DAMAGED)?;
        let kind = TagType::from(tag.header().typ);
        if kind == TagType::End {
            break;
        }
        take(&mut boot, &mut efi, kind, tag.payload())?;
        rest = behind;
    }
    if efi != Efi::default() {
        boot.efi = Some(efi);
    }
    if boot.memory_map.is_empty() {
        boot.memory_map = efi_regions(boot.efi.as_ref())?;
    }
    // What runtime services live in is nobody else's, whatever the loader made of it.
    let runtime = boot.efi.iter().flat_map(super::efi::runtime_regions);
    boot.memory_map.extend(runtime.map(|e| Region::from_len(e.start, e.pages.saturating_mul(4096), Kind::Reserved)));
    Ok(boot)
}

fn take(boot: &mut BootInfo, efi: &mut Efi, kind: TagType, payload: &[u8]) -> Result<(), BootInfoError> {
    match kind {
        TagType::Cmdline => boot.cmdline = text(payload),
        TagType::BootLoaderName => boot.loader = Some(text(payload)),
        TagType::Module => boot.modules.push(module(payload).ok_or(BootInfoError::Truncated("module list"))?),
        TagType::Mmap => boot.memory_map = memory_map(payload).ok_or(BootInfoError::Truncated("memory map"))?,
        TagType::EfiMmap => {
            efi.memory_map = efi_map(payload).ok_or(BootInfoError::Truncated("EFI memory map"))?;
        }
        TagType::Efi64 => efi.system_table = u64_at(payload, 0).unwrap_or(0),
        TagType::EfiBs => efi.boot_services_active = true,
        // The newer RSDP wins, whichever comes first.
        TagType::AcpiV1 if boot.rsdp.is_none() => boot.rsdp = rsdp(payload),
        TagType::AcpiV2 => boot.rsdp = rsdp(payload).or(boot.rsdp),
        TagType::Framebuffer => boot.display = framebuffer(payload),
        _ => {}
    }
    Ok(())
}

fn module(payload: &[u8]) -> Option<Module> {
    let (start, end) = (u32_at(payload, 0)?, u32_at(payload, 4)?);
    (start <= end).then(|| Module {
        start: start.into(),
        end: end.into(),
        cmdline: text(payload.get(8..).unwrap_or(&[])),
    })
}

/// Splits a table whose entries may be longer than what we know of them.
fn entries(table: &[u8], size: u32, least: usize) -> Option<core::slice::ChunksExact<'_, u8>> {
    let size = usize::try_from(size).ok().filter(|size| *size >= least)?;
    Some(table.chunks_exact(size))
}

fn memory_map(payload: &[u8]) -> Option<Vec<Region>> {
    entries(payload.get(8..)?, u32_at(payload, 0)?, 20)?
        .map(|e| Some(Region::from_len(u64_at(e, 0)?, u64_at(e, 8)?, Kind::from_e820(u32_at(e, 16)?))))
        .collect()
}

fn efi_map(payload: &[u8]) -> Option<Vec<EfiRegion>> {
    entries(payload.get(8..)?, u32_at(payload, 0)?, 40)?
        .map(|e| {
            Some(EfiRegion {
                kind: u32_at(e, 0)?,
                start: u64_at(e, 8)?,
                pages: u64_at(e, 24)?,
                attributes: u64_at(e, 32)?,
            })
        })
        .collect()
}

/// The memory map of a loader that passes only EFI's.
fn efi_regions(efi: Option<&Efi>) -> Result<Vec<Region>, BootInfoError> {
    let map = efi.map_or(&[][..], |efi| &efi.memory_map);
    if map.is_empty() {
        return Err(BootInfoError::NoMemoryMap);
    }
    Ok(map
        .iter()
        .map(|e| Region::from_len(e.start, e.pages.saturating_mul(4096), Kind::from_efi(e.kind, e.attributes)))
        .collect())
}

/// The tag holds a copy of the RSDP (ACPI specification, section 5.2.5.3).
fn rsdp(payload: &[u8]) -> Option<Rsdp> {
    let revision = *payload.get(15)?;
    let xsdt = if revision >= 2 { u64_at(payload, 24).unwrap_or(0) } else { 0 };
    Some(Rsdp { revision, rsdt: u32_at(payload, 16)?, xsdt })
}

fn framebuffer(payload: &[u8]) -> Option<modules::Display> {
    let (address, pitch) = (u64_at(payload, 0)?, u32_at(payload, 8)?);
    let (width, height) = (u32_at(payload, 12)?, u32_at(payload, 16)?);
    // Two reserved bytes stand between the type and the colours, unlike in multiboot 1.
    let mut tail = [0; 8];
    tail[..2].copy_from_slice(payload.get(20..22)?);
    if let Some(colours) = payload.get(24..30) {
        tail[2..].copy_from_slice(colours);
    }
    modules::display(address, pitch, width, height, &tail)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::modules::{Channel, Display};
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Room with the alignment a loader gives.
    #[repr(align(8))]
    struct Room([u8; 1024]);

    struct Builder(Vec<u8>);

    impl Builder {
        fn new() -> Self {
            Self([0; 8].to_vec())
        }
        fn tag(mut self, kind: u32, payload: &[u8]) -> Self {
            self.0.extend(kind.to_le_bytes());
            self.0.extend((payload.len() as u32 + 8).to_le_bytes());
            self.0.extend(payload);
            self.0.resize(self.0.len().next_multiple_of(8), 0);
            self
        }
        fn parse(self) -> Result<BootInfo, BootInfoError> {
            let this = self.tag(0, &[]);
            let mut room = Room([0; 1024]);
            room.0[..this.0.len()].copy_from_slice(&this.0);
            super::parse(&room.0[..this.0.len()])
        }
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    fn usual() -> Builder {
        let mut module = words(&[0x10_0000, 0x20_0000]);
        module.extend(b"root=/dev/vda ro\0");
        let mut framebuffer = words(&[0xc000_0000, 0, 4096, 1024, 768]);
        framebuffer.extend([32, 1, 0, 0, 16, 8, 8, 8, 0, 8]);
        let mut rsdp = b"RSD PTR \0BOCHS \x02".to_vec();
        rsdp.extend(words(&[0x7fe_0014, 36, 0x7fe_0030, 0, 0]));
        Builder::new()
            .tag(1, b"dom0_mem=512M\0")
            .tag(2, b"GRUB 2.06-13+deb12u1\0")
            .tag(3, &module)
            .tag(6, &words(&[24, 0, 0, 0, 0x9_fc00, 0, 1, 0, 0x10_0000, 0, 0x1000_0000, 0, 1, 0]))
            .tag(8, &framebuffer)
            .tag(15, &rsdp)
            .tag(14, &[0; 20])
            .tag(0x1234, &[1, 2, 3])
    }

    #[test]
    fn reads_what_grub_writes() {
        let boot = usual().parse().unwrap();
        assert_eq!(boot.cmdline, "dom0_mem=512M");
        assert_eq!(boot.loader.as_deref(), Some("GRUB 2.06-13+deb12u1"));
        assert_eq!(boot.modules, [Module { start: 0x10_0000, end: 0x20_0000, cmdline: "root=/dev/vda ro".into() }]);
        assert_eq!(boot.memory_map[1], Region { start: 0x10_0000, end: 0x1010_0000, kind: Kind::Usable });
        assert_eq!(boot.rsdp, Some(Rsdp { revision: 2, rsdt: 0x7fe_0014, xsdt: 0x7fe_0030 }));
        assert_eq!(boot.efi, None);
        let Some(Display::Rgb { address: 0xc000_0000, pitch: 4096, bpp: 32, channels, .. }) = boot.display else {
            panic!("{:?}", boot.display)
        };
        assert_eq!(channels[0], Channel { position: 16, size: 8 });
    }

    #[test]
    fn reads_efi() {
        let map = words(&[48, 1, 7, 0, 0x10_0000, 0, 0, 0, 256, 0, 8, 0, 0, 0]);
        let boot = Builder::new().tag(17, &map).tag(12, &words(&[0x7f00_0000, 0])).parse().unwrap();
        let efi = boot.efi.unwrap();
        assert_eq!(efi.system_table, 0x7f00_0000);
        assert_eq!(efi.memory_map, [EfiRegion { kind: 7, start: 0x10_0000, pages: 256, attributes: 8 }]);
        assert!(!efi.boot_services_active);
        assert_eq!(boot.memory_map, [Region { start: 0x10_0000, end: 0x20_0000, kind: Kind::Usable }]);
        assert!(usual().tag(18, &[]).parse().unwrap().efi.unwrap().boot_services_active);
    }

    #[test]
    fn says_what_is_damaged() {
        assert_eq!(Builder::new().parse(), Err(BootInfoError::NoMemoryMap));
        assert_eq!(usual().tag(3, &words(&[2, 1])).parse(), Err(BootInfoError::Truncated("module list")));
        assert_eq!(usual().tag(6, &words(&[3, 0])).parse(), Err(BootInfoError::Truncated("memory map")));
        assert_eq!(parse(&[]), Err(BootInfoError::Truncated("multiboot2 information")));
        let text = BootInfoError::Truncated("memory map");
        assert_eq!(std::format!("{text}"), "the loader's memory map is damaged; boot with GRUB 2 or QEMU's -kernel");
    }

    proptest! {
        #[test]
        fn never_panics(noise in prop::collection::vec((8usize..400, any::<u8>()), 0..40), len in 0usize..500) {
            let bytes = usual().tag(0, &[]).0;
            let mut room = Room([0; 1024]);
            room.0[..bytes.len()].copy_from_slice(&bytes);
            for (at, byte) in noise {
                room.0[at] = byte;
            }
            let _ = parse(&room.0[..len]);
        }
    }
}
