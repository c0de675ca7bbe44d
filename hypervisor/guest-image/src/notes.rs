// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Xen's ELF notes: what a kernel says about itself, and what a builder refuses because of it.
//!
//! Source: the public header `elfnote.h`; abi.md section 1.3 says which notes matter.

use hypercalls::elfnote::ElfNote;

use crate::bytes;
use crate::elf::Elf;
use crate::error::ImageError;

/// `XENFEAT_dom0`.
const FEATURE_DOM0: u64 = 1 << 11;

/// What the notes say, as far as a builder needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XenNotes {
    /// Virtual address where the boot vCPU starts.
    pub entry: u64,
    /// Virtual address of the page that wants hypercall stubs; absent in kernels that issue `syscall` themselves.
    pub hypercall_page: Option<u64>,
    /// Virtual address of pseudo-physical address 0.
    pub virt_base: u64,
    /// Subtracted from each segment's `p_paddr` to get a pseudo-physical address.
    pub paddr_offset: u64,
    /// Where the p2m list shall be mapped; `None`: inside the kernel mapping.
    pub init_p2m: Option<u64>,
    /// Whether the kernel takes the RAM disk as a frame number, unmapped.
    pub mod_start_pfn: bool,
    /// Whether it wants `VMASST_TYPE_pae_extended_cr3` on from the start (PAE_MODE "yes").
    pub extended_cr3: bool,
    /// The features the kernel can use (`XENFEAT_*` bits), if it lists them.
    pub supported_features: Option<u64>,
}

impl XenNotes {
    /// Collects the notes of a kernel. The last of two equal ones counts.
    ///
    /// # Errors
    /// No notes, damaged ones, none that make a PV kernel, another ABI than xen-3.0.
    pub fn parse(elf: &Elf<'_>) -> Result<Self, ImageError> {
        let mut found = Found::default();
        for (data, align) in elf.notes() {
            found.read_all(data, *align)?;
        }
        if !found.any {
            let legacy = elf.has_guest_section();
            return Err(if legacy { ImageError::LegacyGuestSection } else { ImageError::NoXenNotes });
        }
        let Some(entry) = found.entry else {
            return Err(ImageError::NoPvEntry);
        };
        if !found.speaks_xen3 {
            return Err(ImageError::NotXen3);
        }
        Ok(Self {
            entry,
            hypercall_page: found.hypercall_page,
            virt_base: found.virt_base.unwrap_or(0),
            paddr_offset: found.paddr_offset.unwrap_or(0),
            init_p2m: found.init_p2m,
            mod_start_pfn: found.mod_start_pfn,
            extended_cr3: found.extended_cr3,
            supported_features: found.supported_features,
        })
    }

    /// Refuses a kernel that lists its features and cannot be the control domain.
    ///
    /// # Errors
    /// [`ImageError::NoDom0Support`].
    pub fn check_dom0(&self) -> Result<(), ImageError> {
        match self.supported_features {
            Some(features) if features & FEATURE_DOM0 == 0 => Err(ImageError::NoDom0Support),
            // A kernel that lists nothing is from before the note existed, when every PV kernel could be dom0.
            _ => Ok(()),
        }
    }
}

/// The notes while they are collected.
#[derive(Default)]
struct Found {
    any: bool,
    entry: Option<u64>,
    hypercall_page: Option<u64>,
    virt_base: Option<u64>,
    paddr_offset: Option<u64>,
    speaks_xen3: bool,
    init_p2m: Option<u64>,
    mod_start_pfn: bool,
    extended_cr3: bool,
    supported_features: Option<u64>,
}

impl Found {
    fn read_all(&mut self, mut data: &[u8], align: u64) -> Result<(), ImageError> {
        const DAMAGED: ImageError = ImageError::BadElf("a note");
        let align = if align == 8 { 8 } else { 4 };
        while !data.is_empty() {
            let name_len = u64::from(bytes::u32_at(data, 0).ok_or(DAMAGED)?);
            let desc_len = u64::from(bytes::u32_at(data, 4).ok_or(DAMAGED)?);
            let kind = bytes::u32_at(data, 8).ok_or(DAMAGED)?;
            let name = bytes::slice(data, 12, name_len).ok_or(DAMAGED)?;
            let desc_at = 12_u64.saturating_add(name_len).next_multiple_of(align);
            let desc = bytes::slice(data, desc_at, desc_len).ok_or(DAMAGED)?;
            if name == b"Xen\0" {
                self.any = true;
                self.read(kind, desc)?;
            }
            let end = desc_at.saturating_add(desc_len).next_multiple_of(align);
            // The last note may lack its padding.
            data = usize::try_from(end).ok().and_then(|end| data.get(end..)).unwrap_or_default();
        }
        Ok(())
    }

    fn read(&mut self, kind: u32, desc: &[u8]) -> Result<(), ImageError> {
        let number = || number(desc).ok_or(ImageError::BadNote(kind));
        match ElfNote::new(kind) {
            ElfNote::ENTRY => self.entry = Some(number()?),
            ElfNote::HYPERCALL_PAGE => self.hypercall_page = Some(number()?),
            ElfNote::VIRT_BASE => self.virt_base = Some(number()?),
            ElfNote::PADDR_OFFSET => self.paddr_offset = Some(number()?),
            ElfNote::XEN_VERSION => self.speaks_xen3 = desc.starts_with(b"xen-3."),
            ElfNote::INIT_P2M => self.init_p2m = Some(number()?),
            ElfNote::MOD_START_PFN => self.mod_start_pfn = number()? != 0,
            ElfNote::PAE_MODE => self.extended_cr3 = desc.starts_with(b"yes"),
            ElfNote::SUPPORTED_FEATURES => self.supported_features = Some(number()?),
            // The rest is for other loaders, for suspend, or demands of 32-bit days.
            _ => {}
        }
        Ok(())
    }
}

/// A numeric note, of 4 or 8 bytes.
fn number(desc: &[u8]) -> Option<u64> {
    match desc.len() {
        4 => bytes::u32_at(desc, 0).map(u64::from),
        8 => bytes::u64_at(desc, 0),
        _ => None,
    }
}
