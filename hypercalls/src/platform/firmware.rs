// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What the firmware said, and calls of EFI.

use crate::handle::GuestHandle;
use crate::macros::{open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A time as EFI tells it.
#[doc(alias = "xenpf_efi_time")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiTime {
    /// Year.
    pub year: u16,
    /// Month.
    pub month: u8,
    /// Day.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub min: u8,
    /// Second.
    pub sec: u8,
    /// Padding.
    pub _pad: [u8; 1],
    /// Nanoseconds.
    pub ns: u32,
    /// Minutes from UTC.
    pub tz: i16,
    /// Daylight-saving bits.
    pub daylight: u8,
    /// Padding.
    pub _pad1: [u8; 1],
}

/// An EFI identifier.
#[doc(alias = "xenpf_efi_guid")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiGuid {
    /// Part.
    pub data1: u32,
    /// Part.
    pub data2: u16,
    /// Part.
    pub data3: u16,
    /// Part.
    pub data4: [u8; 8],
}

open_enum! {
    /// [`EfiRuntimeCall::function`].
    pub struct EfiFunction: u32 {
        /// Reads the clock.
        #[doc(alias = "XEN_EFI_get_time")]
        GET_TIME = 1,
        /// Sets it.
        #[doc(alias = "XEN_EFI_set_time")]
        SET_TIME = 2,
        /// Reads the alarm.
        #[doc(alias = "XEN_EFI_get_wakeup_time")]
        GET_WAKEUP_TIME = 3,
        /// Sets it.
        #[doc(alias = "XEN_EFI_set_wakeup_time")]
        SET_WAKEUP_TIME = 4,
        /// Counts.
        #[doc(alias = "XEN_EFI_get_next_high_monotonic_count")]
        GET_NEXT_HIGH_MONOTONIC_COUNT = 5,
        /// Reads a variable.
        #[doc(alias = "XEN_EFI_get_variable")]
        GET_VARIABLE = 6,
        /// Writes one.
        #[doc(alias = "XEN_EFI_set_variable")]
        SET_VARIABLE = 7,
        /// Lists them.
        #[doc(alias = "XEN_EFI_get_next_variable_name")]
        GET_NEXT_VARIABLE_NAME = 8,
        /// Tells the space for them.
        #[doc(alias = "XEN_EFI_query_variable_info")]
        QUERY_VARIABLE_INFO = 9,
        /// About capsules.
        #[doc(alias = "XEN_EFI_query_capsule_capabilities")]
        QUERY_CAPSULE_CAPABILITIES = 10,
        /// Passes capsules.
        #[doc(alias = "XEN_EFI_update_capsule")]
        UPDATE_CAPSULE = 11,
    }
}

/// A call of an EFI runtime service.
#[doc(alias = "xenpf_efi_runtime_call")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiRuntimeCall {
    /// Which.
    pub function: EfiFunction,
    /// Flags, by function.
    pub misc: u32,
    /// Out: EFI status.
    pub status: u64,
    /// The function's own argument.
    pub u: [u8; 40],
}

payload!(EfiRuntimeCall, u);

open_enum! {
    /// [`FirmwareInfo::info_type`].
    pub struct FirmwareInfoType: u32 {
        /// BIOS disk ([`FirmwareDiskInfo`]).
        #[doc(alias = "XEN_FW_DISK_INFO")]
        DISK_INFO = 1,
        /// MBR signature ([`FirmwareMbrSignature`]).
        #[doc(alias = "XEN_FW_DISK_MBR_SIGNATURE")]
        DISK_MBR_SIGNATURE = 2,
        /// Monitor ([`FirmwareVbeddcInfo`]).
        #[doc(alias = "XEN_FW_VBEDDC_INFO")]
        VBEDDC_INFO = 3,
        /// EFI; [`FirmwareInfo::index`] says what.
        #[doc(alias = "XEN_FW_EFI_INFO")]
        EFI_INFO = 4,
        /// Keyboard state (u8).
        #[doc(alias = "XEN_FW_KBD_SHIFT_FLAGS")]
        KBD_SHIFT_FLAGS = 5,
    }
}

/// What the firmware said at boot.
#[doc(alias = "xenpf_firmware_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct FirmwareInfo {
    /// In: about what.
    pub info_type: FirmwareInfoType,
    /// In: which one.
    pub index: u32,
    /// Out.
    pub u: [u8; 32],
}

payload!(FirmwareInfo, u);

/// A BIOS disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FirmwareDiskInfo {
    /// BIOS number.
    pub device: u8,
    /// EDD version.
    pub version: u8,
    /// Bits.
    pub interface_support: u16,
    /// Geometry.
    pub legacy_max_cylinder: u16,
    /// Geometry.
    pub legacy_max_head: u8,
    /// Geometry.
    pub legacy_sectors_per_track: u8,
    /// In: where to put the EDD parameters.
    pub edd_params: GuestHandle<u8>,
}

/// A disk's signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FirmwareMbrSignature {
    /// BIOS number.
    pub device: u8,
    /// Padding.
    pub _pad: [u8; 3],
    /// From the MBR.
    pub mbr_signature: u32,
}

/// A monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FirmwareVbeddcInfo {
    /// Bits.
    pub capabilities: u8,
    /// Seconds per block.
    pub edid_transfer_time: u8,
    /// Padding.
    pub _pad: [u8; 6],
    /// In: where to put the EDID, 128 bytes.
    pub edid: GuestHandle<u8>,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<EfiTime>() == 0x10);
    assert!(size_of::<EfiGuid>() == 0x10);
    assert!(size_of::<EfiRuntimeCall>() == 0x38);
    assert!(size_of::<FirmwareInfo>() == 0x28);
    assert!(size_of::<FirmwareDiskInfo>() == 0x10);
    assert!(size_of::<FirmwareMbrSignature>() == 0x8);
    assert!(size_of::<FirmwareVbeddcInfo>() == 0x10);
};
