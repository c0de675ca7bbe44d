// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The members of the unions in [`FirmwareInfo`](super::FirmwareInfo) and [`EfiRuntimeCall`](super::EfiRuntimeCall) that
//! concern EFI. The headers leave these structs without names.

use super::{EfiGuid, EfiTime};
use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// [`FirmwareInfo::index`](super::FirmwareInfo::index) when asking about EFI; in brackets what the union holds.
    pub struct EfiInfoIndex: u32 {
        /// EFI's version (u32).
        #[doc(alias = "XEN_FW_EFI_VERSION")]
        VERSION = 0,
        /// Where the configuration tables are ([`EfiConfigTables`]).
        #[doc(alias = "XEN_FW_EFI_CONFIG_TABLE")]
        CONFIG_TABLE = 1,
        /// Who wrote it ([`EfiVendor`]).
        #[doc(alias = "XEN_FW_EFI_VENDOR")]
        VENDOR = 2,
        /// What an address is ([`EfiMemory`]).
        #[doc(alias = "XEN_FW_EFI_MEM_INFO")]
        MEM_INFO = 3,
        /// The runtime services' version (u32).
        #[doc(alias = "XEN_FW_EFI_RT_VERSION")]
        RT_VERSION = 4,
        /// A PCI device's ROM.
        #[doc(alias = "XEN_FW_EFI_PCI_ROM")]
        PCI_ROM = 5,
        /// Properties of a Mac.
        #[doc(alias = "XEN_FW_EFI_APPLE_PROPERTIES")]
        APPLE_PROPERTIES = 6,
    }
}

/// The array of configuration tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiConfigTables {
    /// Machine address.
    pub addr: u64,
    /// Entries.
    pub nent: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

/// The firmware's vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiVendor {
    /// Out: revision of the firmware.
    pub revision: u32,
    /// In: room for the name, bytes.
    pub bufsz: u32,
    /// In: where to put the name.
    pub name: GuestHandle<u16>,
}

/// What a range of addresses is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiMemory {
    /// In: machine address.
    pub addr: u64,
    /// In and out: bytes, not beyond the region.
    pub size: u64,
    /// Out: EFI's attributes.
    pub attr: u64,
    /// Out: EFI's type.
    pub memory_type: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

flags! {
    /// [`EfiRuntimeCall::misc`](super::EfiRuntimeCall::misc) out of [`GET_TIME`](super::EfiFunction::GET_TIME).
    pub struct EfiGetTimeFlags: u32 {
        /// Setting the time zeroes the nanoseconds.
        #[doc(alias = "XEN_EFI_GET_TIME_SET_CLEARS_NS")]
        SET_CLEARS_NS = 1,
    }
}

flags! {
    /// [`EfiRuntimeCall::misc`](super::EfiRuntimeCall::misc) out of [`GET_WAKEUP_TIME`](super::EfiFunction::GET_WAKEUP_TIME).
    pub struct EfiGetWakeupFlags: u32 {
        /// The alarm is on.
        #[doc(alias = "XEN_EFI_GET_WAKEUP_TIME_ENABLED")]
        ENABLED = 1,
        /// It went off.
        #[doc(alias = "XEN_EFI_GET_WAKEUP_TIME_PENDING")]
        PENDING = 2,
    }
}

flags! {
    /// [`EfiRuntimeCall::misc`](super::EfiRuntimeCall::misc) into [`SET_WAKEUP_TIME`](super::EfiFunction::SET_WAKEUP_TIME).
    pub struct EfiSetWakeupFlags: u32 {
        /// Switch the alarm on.
        #[doc(alias = "XEN_EFI_SET_WAKEUP_TIME_ENABLE")]
        ENABLE = 1,
        /// Leave its time.
        #[doc(alias = "XEN_EFI_SET_WAKEUP_TIME_ENABLE_ONLY")]
        ENABLE_ONLY = 2,
    }
}

flags! {
    /// [`EfiRuntimeCall::misc`](super::EfiRuntimeCall::misc) into
    /// [`QUERY_VARIABLE_INFO`](super::EfiFunction::QUERY_VARIABLE_INFO).
    pub struct EfiVarinfoFlags: u32 {
        /// As it was when boot services ended.
        #[doc(alias = "XEN_EFI_VARINFO_BOOT_SNAPSHOT")]
        BOOT_SNAPSHOT = 1,
    }
}

/// The clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiGetTime {
    /// Out.
    pub time: EfiTime,
    /// Out: counts per second.
    pub resolution: u32,
    /// Out: error in 1e-12.
    pub accuracy: u32,
}

/// A variable to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiVariable {
    /// Its name, ending in a zero.
    pub name: GuestHandle<u16>,
    /// Bytes of data; out of reading: bytes there are.
    pub size: u64,
    /// The data.
    pub data: GuestHandle<u8>,
    /// Whose it is.
    pub vendor_guid: EfiGuid,
}

/// A step through the list of variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiNextVariable {
    /// Room for the name in bytes; out: bytes of the name.
    pub size: u64,
    /// The last name, to be replaced by the next.
    pub name: GuestHandle<u16>,
    /// Likewise.
    pub vendor_guid: EfiGuid,
}

/// Space for variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct EfiVariableInfo {
    /// In: of what attributes.
    pub attr: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out, bytes.
    pub max_store_size: u64,
    /// Out, bytes.
    pub remain_store_size: u64,
    /// Out, bytes.
    pub max_size: u64,
}

// The sizes the headers give.
const _: () = {
    assert!(size_of::<EfiConfigTables>() == 0x10);
    assert!(size_of::<EfiVendor>() == 0x10);
    assert!(size_of::<EfiMemory>() == 0x20);
    assert!(size_of::<EfiGetTime>() == 0x18);
    assert!(size_of::<EfiVariable>() == 0x28);
    assert!(size_of::<EfiNextVariable>() == 0x20);
    assert!(size_of::<EfiVariableInfo>() == 0x20);
};
