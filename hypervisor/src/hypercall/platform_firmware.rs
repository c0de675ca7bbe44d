// SPDX-License-Identifier: MIT OR Apache-2.0
//! XENPF_firmware_info: what the BIOS said.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::handle::GuestHandle;
use hypercalls::platform::{FirmwareInfo, FirmwareInfoType};

use crate::domain::firmware;
use crate::hypercall::platform_efi;
use crate::mm::guest_access;
use crate::mm::map;

/// The BIOS data area's byte that INT 16h, AH=02h returns.
const KEYBOARD_FLAGS: usize = 0x417;

/// XENPF_firmware_info. ESRCH: no such disk or monitor; real mode is never entered, so none is known. EINVAL.
pub(crate) fn info(mut info: FirmwareInfo, handle: GuestHandle<FirmwareInfo>) -> Result<(), Errno> {
    match info.info_type {
        FirmwareInfoType::DISK_INFO | FirmwareInfoType::DISK_MBR_SIGNATURE | FirmwareInfoType::VBEDDC_INFO => {
            return Err(Errno::ESRCH);
        }
        FirmwareInfoType::EFI_INFO => platform_efi::info(&mut info)?,
        FirmwareInfoType::KBD_SHIFT_FLAGS if info.index == 0 => info.set_payload(&keyboard_flags()),
        FirmwareInfoType::KBD_SHIFT_FLAGS => return Err(Errno::ESRCH),
        _ => return Err(Errno::EINVAL),
    }
    guest_access::write(handle, &info)
}

/// The state of the shift keys as the BIOS left it; 0 without a BIOS.
fn keyboard_flags() -> u8 {
    if firmware::facts().is_none_or(|facts| !facts.has_bios) {
        return 0;
    }
    map::bytes(Mfn::new(0)).get(KEYBOARD_FLAGS).map_or(0, |byte| byte.load(Ordering::Relaxed))
}
