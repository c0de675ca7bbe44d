// SPDX-License-Identifier: MIT OR Apache-2.0
//! The screen as the loader left it: where our text goes, and what dom0 is told (`dom0_vga_console_info`, Xen header
//! `xen.h`).
#![forbid(unsafe_code)]

use hypercalls::start_info::{VgaConsoleInfo, VgaFrameBuffer, VgaTextMode, VgaType};

use crate::boot::modules::{BootInfo, Channel, Display};

/// Scan lines of a character in the usual text mode of 400 lines.
const FONT_HEIGHT: u16 = 16;
/// VESA mode attributes: supported, in colour, graphics, with a linear frame buffer.
const VESA_ATTRIBUTES: u16 = 0x99;
/// VESA counts frame buffer memory in these.
const VESA_UNIT: u32 = 64 << 10;

/// A text screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TextMode {
    /// Machine address of the character cells.
    pub(crate) address: u64,
    /// Characters per line.
    pub(crate) columns: usize,
    /// Lines.
    pub(crate) rows: usize,
}

/// The text screen, if the machine is in text mode.
pub(crate) fn text_mode(boot: &BootInfo) -> Option<TextMode> {
    match boot.display {
        Some(Display::Text { address, columns, rows }) => {
            Some(TextMode { address, columns: columns as usize, rows: rows as usize })
        }
        None if boot.efi.is_none() => Some(TextMode { address: 0xb8000, columns: 80, rows: 25 }),
        _ => None,
    }
}

/// What dom0 is told. `cursor`: row and column behind our own text.
pub(crate) fn console_info(boot: &BootInfo, cursor: Option<(usize, usize)>) -> Option<VgaConsoleInfo> {
    if let Some(Display::Rgb { address, pitch, width, height, bpp, channels }) = boot.display {
        let buffer = frame_buffer(address, pitch, [width, height], bpp, channels, boot.efi.is_some());
        let kind = if boot.efi.is_some() { VgaType::EFI_LFB } else { VgaType::VESA_LFB };
        return Some(info(kind, |info| info.set_payload(&buffer)));
    }
    let mode = text_mode(boot)?;
    let (row, column) = cursor.unwrap_or((mode.rows.saturating_sub(1), 0));
    let text = VgaTextMode {
        font_height: FONT_HEIGHT,
        cursor_x: short(column),
        cursor_y: short(row),
        rows: short(mode.rows),
        columns: short(mode.columns),
    };
    Some(info(VgaType::TEXT_MODE_3, |info| info.set_payload(&text)))
}

fn info(video_type: VgaType, fill: impl FnOnce(&mut VgaConsoleInfo)) -> VgaConsoleInfo {
    let mut info = VgaConsoleInfo { video_type, _pad: [0; 3], u: [0; 36] };
    fill(&mut info);
    info
}

fn short(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

fn frame_buffer(
    address: u64,
    pitch: u32,
    [width, height]: [u32; 2],
    bpp: u8,
    [red, green, blue]: [Channel; 3],
    efi: bool,
) -> VgaFrameBuffer {
    let bytes = pitch.saturating_mul(height);
    let [rsvd_pos, rsvd_size] = unused_bits(bpp, [red, green, blue]);
    VgaFrameBuffer {
        width: short(width as usize),
        height: short(height as usize),
        bytes_per_line: short(pitch as usize),
        bits_per_pixel: bpp.into(),
        lfb_base: address as u32,
        lfb_size: if efi { bytes } else { bytes.div_ceil(VESA_UNIT) },
        red_pos: red.position,
        red_size: red.size,
        green_pos: green.position,
        green_size: green.size,
        blue_pos: blue.position,
        blue_size: blue.size,
        rsvd_pos,
        rsvd_size,
        gbl_caps: 0,
        mode_attrs: if efi { 0 } else { VESA_ATTRIBUTES },
        pad: 0,
        ext_lfb_base: (address >> 32) as u32,
    }
}

/// Position and number of the bits of a pixel that no colour has.
fn unused_bits(bpp: u8, channels: [Channel; 3]) -> [u8; 2] {
    let mask = |position: u8, size: u8| ((1_u64 << size.min(63)) - 1).checked_shl(position.into()).unwrap_or(0);
    let used = channels.iter().fold(0, |used, channel| used | mask(channel.position, channel.size));
    let unused = mask(0, bpp) & !used;
    if unused == 0 { [0; 2] } else { [unused.trailing_zeros() as u8, unused.count_ones() as u8] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::modules::Efi;

    #[test]
    fn text_mode_of_a_bios_machine() {
        let boot = BootInfo::default();
        let info = console_info(&boot, Some((7, 3))).unwrap();
        assert_eq!(info.video_type, VgaType::TEXT_MODE_3);
        let text: VgaTextMode = info.payload();
        assert_eq!((text.font_height, text.cursor_x, text.cursor_y, text.rows, text.columns), (16, 3, 7, 25, 80));
    }

    #[test]
    fn frame_buffer_of_an_efi_machine() {
        let channel = |position| Channel { position, size: 8 };
        let display = Display::Rgb {
            address: 0x8_c000_0000,
            pitch: 4096,
            width: 1024,
            height: 768,
            bpp: 32,
            channels: [channel(16), channel(8), channel(0)],
        };
        let mut boot = BootInfo { display: Some(display), ..BootInfo::default() };
        let vesa: VgaFrameBuffer = console_info(&boot, None).unwrap().payload();
        assert_eq!((vesa.lfb_size, vesa.mode_attrs), (48, 0x99));
        boot.efi = Some(Efi::default());
        assert_eq!(text_mode(&boot), None);
        let info = console_info(&boot, None).unwrap();
        assert_eq!(info.video_type, VgaType::EFI_LFB);
        let buffer: VgaFrameBuffer = info.payload();
        assert_eq!((buffer.lfb_base, buffer.ext_lfb_base, buffer.lfb_size), (0xc000_0000, 8, 4096 * 768));
        assert_eq!((buffer.red_pos, buffer.rsvd_pos, buffer.rsvd_size), (16, 24, 8));
    }

    #[test]
    fn an_efi_machine_without_a_screen() {
        let boot = BootInfo { efi: Some(Efi::default()), ..BootInfo::default() };
        assert_eq!(console_info(&boot, None), None);
    }
}
