// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What a PV guest finds at entry (`xen.h`: `start_info`), and the control domain's video mode.

use crate::frame::{Mfn, Pfn};
use crate::ids::Port;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Bytes of [`StartInfo::cmd_line`], final NUL included.
pub const MAX_GUEST_CMDLINE: usize = 1024;

/// [`StartInfo::magic`] of the control domain, before NUL padding.
pub const MAGIC_DOM0: &[u8] = b"xen-3.0-x86_64p";
/// [`StartInfo::magic`] of any other domain, before NUL padding.
pub const MAGIC_DOMU: &[u8] = b"xen-3.0-x86_64";

flags! {
    /// [`StartInfo::flags`].
    pub struct StartInfoFlags: u32 {
        /// The domain is privileged.
        #[doc(alias = "SIF_PRIVILEGED")]
        PRIVILEGED = 1 << 0,
        /// It is the first domain, with real hardware.
        #[doc(alias = "SIF_INITDOMAIN")]
        INITDOMAIN = 1 << 1,
        /// `mod_start` points to a list of [`MultibootModList`].
        #[doc(alias = "SIF_MULTIBOOT_MOD")]
        MULTIBOOT_MOD = 1 << 2,
        /// `mod_start` is a frame number, and the module is not mapped.
        #[doc(alias = "SIF_MOD_START_PFN")]
        MOD_START_PFN = 1 << 3,
        /// The toolstack understands a virtually mapped P2M.
        #[doc(alias = "SIF_VIRT_P2M_4TOOLS")]
        VIRT_P2M_4TOOLS = 1 << 4,
        /// Power-management bits handed to the control domain.
        #[doc(alias = "SIF_PM_MASK")]
        PM_MASK = 0xff << 8,
    }
}

/// The page a PV guest's `rsi` points to at entry.
#[doc(alias = "start_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct StartInfo {
    /// NUL-padded: [`MAGIC_DOM0`] or [`MAGIC_DOMU`].
    pub magic: [u8; 32],
    /// Frames given to the domain.
    pub nr_pages: u64,
    /// Machine address of the shared-info page.
    pub shared_info: u64,
    /// What kind of domain this is.
    pub flags: StartInfoFlags,
    /// Padding.
    pub _pad: [u8; 4],
    /// The xenstore page; 0 in the control domain.
    pub store_mfn: Mfn,
    /// The xenstore port; 0 in the control domain.
    pub store_evtchn: Port,
    /// Padding.
    pub _pad1: [u8; 4],
    /// [`ConsoleDomU`] or [`ConsoleDom0`].
    pub console: [u8; 16],
    /// Virtual address of the initial L4, the first of the page-table frames.
    pub pt_base: u64,
    /// Frames of the initial page tables, contiguous.
    pub nr_pt_frames: u64,
    /// Virtual address of the P2M list.
    pub mfn_list: u64,
    /// The module (initrd): virtual address, or frame number with [`StartInfoFlags::MOD_START_PFN`].
    pub mod_start: u64,
    /// Its length in bytes.
    pub mod_len: u64,
    /// NUL-terminated command line.
    pub cmd_line: [u8; 1024],
    /// The first frame of the P2M list and its page tables, if it lies outside the initial mapping.
    pub first_p2m_pfn: Pfn,
    /// How many frames those are.
    pub nr_p2m_frames: u64,
}

payload!(StartInfo, console);

/// [`StartInfo::console`] of a domain with a console ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ConsoleDomU {
    /// The console page.
    pub mfn: Mfn,
    /// The console port.
    pub evtchn: Port,
    /// Padding.
    pub _pad: [u8; 4],
}

/// [`StartInfo::console`] of the control domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ConsoleDom0 {
    /// Where in the start-info page the [`VgaConsoleInfo`] is, in bytes.
    pub info_off: u32,
    /// Its size; 0 if there is none.
    pub info_size: u32,
}

/// An entry of the module list, with [`StartInfoFlags::MULTIBOOT_MOD`].
#[doc(alias = "xen_multiboot_mod_list")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MultibootModList {
    /// Frame or address where it starts.
    pub mod_start: u32,
    /// Where it ends.
    pub mod_end: u32,
    /// Its command line.
    pub cmdline: u32,
    /// Zero.
    pub pad: u32,
}

open_enum! {
    /// What [`VgaConsoleInfo::u`] holds.
    pub struct VgaType: u8 {
        /// Text: [`VgaTextMode`].
        #[doc(alias = "XEN_VGATYPE_TEXT_MODE_3")]
        TEXT_MODE_3 = 0x03,
        /// Frame buffer set up by VESA: [`VgaFrameBuffer`].
        #[doc(alias = "XEN_VGATYPE_VESA_LFB")]
        VESA_LFB = 0x23,
        /// Frame buffer set up by EFI: [`VgaFrameBuffer`].
        #[doc(alias = "XEN_VGATYPE_EFI_LFB")]
        EFI_LFB = 0x70,
    }
}

/// The video mode the control domain inherits.
#[doc(alias = "dom0_vga_console_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(4))]
pub struct VgaConsoleInfo {
    /// Which kind.
    pub video_type: VgaType,
    /// Padding.
    pub _pad: [u8; 3],
    /// [`VgaTextMode`] or [`VgaFrameBuffer`].
    pub u: [u8; 36],
}

payload!(VgaConsoleInfo, u);

/// A text console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VgaTextMode {
    /// In scan lines.
    pub font_height: u16,
    /// Column.
    pub cursor_x: u16,
    /// Row.
    pub cursor_y: u16,
    /// Height in characters.
    pub rows: u16,
    /// Width in characters.
    pub columns: u16,
}

/// A linear frame buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VgaFrameBuffer {
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// Stride.
    pub bytes_per_line: u16,
    /// Depth.
    pub bits_per_pixel: u16,
    /// Machine address, low half.
    pub lfb_base: u32,
    /// In 64 KiB units for VESA, bytes for EFI.
    pub lfb_size: u32,
    /// Bit position of red.
    pub red_pos: u8,
    /// Bits of red.
    pub red_size: u8,
    /// Bit position of green.
    pub green_pos: u8,
    /// Bits of green.
    pub green_size: u8,
    /// Bit position of blue.
    pub blue_pos: u8,
    /// Bits of blue.
    pub blue_size: u8,
    /// Bit position of the rest.
    pub rsvd_pos: u8,
    /// Bits of the rest.
    pub rsvd_size: u8,
    /// VESA or EFI capabilities.
    pub gbl_caps: u32,
    /// VESA mode attributes.
    pub mode_attrs: u16,
    /// Zero.
    pub pad: u16,
    /// Machine address, high half.
    pub ext_lfb_base: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<StartInfo>() == 0x490);
    assert!(size_of::<ConsoleDomU>() == 0x10);
    assert!(size_of::<ConsoleDom0>() == 0x8);
    assert!(size_of::<MultibootModList>() == 0x10);
    assert!(size_of::<VgaConsoleInfo>() == 0x28);
    assert!(size_of::<VgaTextMode>() == 0xa);
    assert!(size_of::<VgaFrameBuffer>() == 0x24);
};
