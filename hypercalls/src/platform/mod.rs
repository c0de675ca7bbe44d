// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Platform services for the control domain (`platform.h`).

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

mod efi;
mod firmware;
mod power;

pub use efi::{
    EfiConfigTables, EfiGetTime, EfiGetTimeFlags, EfiGetWakeupFlags, EfiInfoIndex, EfiMemory, EfiNextVariable,
    EfiSetWakeupFlags, EfiVariable, EfiVariableInfo, EfiVarinfoFlags, EfiVendor,
};
pub use firmware::{
    EfiFunction, EfiGuid, EfiRuntimeCall, EfiTime, FirmwareDiskInfo, FirmwareInfo, FirmwareInfoType,
    FirmwareMbrSignature, FirmwareVbeddcInfo,
};
pub use power::{
    AcpiSleepFlags, ChangeFreq, CoreParking, CoreParkingOp, EnterAcpiSleep, Getidletime, PctRegister, PmInfoType,
    PowerRegister, ProcessorCsd, ProcessorCx, ProcessorPerformance, ProcessorPower, ProcessorPx, PsdPackage,
    SetProcessorPminfo,
};

/// What [`PlatformOpArg::interface_version`] must be.
#[doc(alias = "XENPF_INTERFACE_VERSION")]
pub const PLATFORM_INTERFACE_VERSION: u32 = 0x0300_0001;

open_enum! {
    /// [`PlatformOpArg::cmd`]; in brackets what [`PlatformOpArg::u`] holds.
    pub struct PlatformOp: u32 {
        /// Sets the wall clock ([`Settime32`]).
        #[doc(alias = "XENPF_settime32")]
        SETTIME32 = 17,
        /// Adds a memory-type range ([`Memtype`]).
        #[doc(alias = "XENPF_add_memtype")]
        ADD_MEMTYPE = 31,
        /// Removes one ([`DelMemtype`]).
        #[doc(alias = "XENPF_del_memtype")]
        DEL_MEMTYPE = 32,
        /// Reads one ([`ReadMemtype`]).
        #[doc(alias = "XENPF_read_memtype")]
        READ_MEMTYPE = 33,
        /// Loads microcode ([`MicrocodeUpdate`]).
        #[doc(alias = "XENPF_microcode_update")]
        MICROCODE_UPDATE = 35,
        /// Announces a quirk (u32).
        #[doc(alias = "XENPF_platform_quirk")]
        PLATFORM_QUIRK = 39,
        /// Identifies a CPU ([`PcpuVersion`]).
        #[doc(alias = "XENPF_get_cpu_version")]
        GET_CPU_VERSION = 48,
        /// Calls EFI ([`EfiRuntimeCall`]).
        #[doc(alias = "XENPF_efi_runtime_call")]
        EFI_RUNTIME_CALL = 49,
        /// Asks what the firmware said ([`FirmwareInfo`]).
        #[doc(alias = "XENPF_firmware_info")]
        FIRMWARE_INFO = 50,
        /// Sleeps or powers off ([`EnterAcpiSleep`]).
        #[doc(alias = "XENPF_enter_acpi_sleep")]
        ENTER_ACPI_SLEEP = 51,
        /// Tells a CPU's new frequency ([`ChangeFreq`]).
        #[doc(alias = "XENPF_change_freq")]
        CHANGE_FREQ = 52,
        /// Tells CPUs' idle times ([`Getidletime`]).
        #[doc(alias = "XENPF_getidletime")]
        GETIDLETIME = 53,
        /// Uploads power-management tables ([`SetProcessorPminfo`]).
        #[doc(alias = "XENPF_set_processor_pminfo")]
        SET_PROCESSOR_PMINFO = 54,
        /// Describes a CPU ([`PcpuInfo`]).
        #[doc(alias = "XENPF_get_cpuinfo")]
        GET_CPUINFO = 55,
        /// Takes a CPU online ([`CpuOl`]).
        #[doc(alias = "XENPF_cpu_online")]
        CPU_ONLINE = 56,
        /// Takes it offline ([`CpuOl`]).
        #[doc(alias = "XENPF_cpu_offline")]
        CPU_OFFLINE = 57,
        /// Announces a new CPU ([`CpuHotadd`]).
        #[doc(alias = "XENPF_cpu_hotadd")]
        CPU_HOTADD = 58,
        /// Announces new memory ([`MemHotadd`]).
        #[doc(alias = "XENPF_mem_hotadd")]
        MEM_HOTADD = 59,
        /// Parks CPUs ([`CoreParking`]).
        #[doc(alias = "XENPF_core_parking")]
        CORE_PARKING = 60,
        /// Reads and writes listed MSRs ([`ResourceOp`]).
        #[doc(alias = "XENPF_resource_op")]
        RESOURCE_OP = 61,
        /// Sets the wall clock ([`Settime64`]).
        #[doc(alias = "XENPF_settime64")]
        SETTIME64 = 62,
        /// Reads the hypervisor's symbol table ([`Symdata`]).
        #[doc(alias = "XENPF_get_symbol")]
        GET_SYMBOL = 63,
    }
}

/// Argument of `platform_op`.
#[doc(alias = "xen_platform_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct PlatformOpArg {
    /// What to do.
    pub cmd: PlatformOp,
    /// [`PLATFORM_INTERFACE_VERSION`].
    pub interface_version: u32,
    /// The operation's own argument.
    pub u: [u8; 128],
}

payload!(PlatformOpArg, u);

/// The wall clock with 32-bit seconds.
#[doc(alias = "xenpf_settime32")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Settime32 {
    /// Since 1970.
    pub secs: u32,
    /// Nanoseconds.
    pub nsecs: u32,
    /// System time in nanoseconds when that was right.
    pub system_time: u64,
}

/// The wall clock.
#[doc(alias = "xenpf_settime64")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Settime64 {
    /// Since 1970.
    pub secs: u64,
    /// Nanoseconds.
    pub nsecs: u32,
    /// Zero.
    pub mbz: u32,
    /// System time in nanoseconds when that was right.
    pub system_time: u64,
}

/// A memory-type range.
#[doc(alias = "xenpf_add_memtype")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Memtype {
    /// First frame.
    pub mfn: Mfn,
    /// Frames.
    pub nr_mfns: u64,
    /// Type.
    pub memtype: u32,
    /// Out.
    pub handle: u32,
    /// Out: register.
    pub reg: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

/// Names a memory-type range.
#[doc(alias = "xenpf_del_memtype")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct DelMemtype {
    /// As given.
    pub handle: u32,
    /// Register.
    pub reg: u32,
}

/// Reads a memory-type range.
#[doc(alias = "xenpf_read_memtype")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ReadMemtype {
    /// In: register.
    pub reg: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: first frame.
    pub mfn: Mfn,
    /// Out: frames.
    pub nr_mfns: u64,
    /// Out: type.
    pub memtype: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Microcode to load.
#[doc(alias = "xenpf_microcode_update")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MicrocodeUpdate {
    /// The file.
    pub data: GuestHandle<u8>,
    /// Its length in bytes.
    pub length: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

flags! {
    /// [`PcpuInfo::flags`].
    pub struct PcpuFlags: u32 {
        /// In use.
        #[doc(alias = "XEN_PCPU_FLAGS_ONLINE")]
        ONLINE = 1,
        /// Does not exist.
        #[doc(alias = "XEN_PCPU_FLAGS_INVALID")]
        INVALID = 2,
    }
}

/// A CPU.
#[doc(alias = "xenpf_pcpuinfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PcpuInfo {
    /// In: which.
    pub xen_cpuid: u32,
    /// Out: the largest number there is.
    pub max_present: u32,
    /// Out.
    pub flags: PcpuFlags,
    /// Out.
    pub apic_id: u32,
    /// Out.
    pub acpi_id: u32,
}

/// A CPU's identification.
#[doc(alias = "xenpf_pcpu_version")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PcpuVersion {
    /// In: which.
    pub xen_cpuid: u32,
    /// Out: the largest number there is.
    pub max_present: u32,
    /// Out.
    pub vendor_id: [u8; 12],
    /// Out.
    pub family: u32,
    /// Out.
    pub model: u32,
    /// Out.
    pub stepping: u32,
}

/// Names a CPU.
#[doc(alias = "xenpf_cpu_ol")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuOl {
    /// Which.
    pub cpuid: u32,
}

/// A new CPU.
#[doc(alias = "xenpf_cpu_hotadd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuHotadd {
    /// Its id.
    pub apic_id: u32,
    /// Its id.
    pub acpi_id: u32,
    /// Proximity domain.
    pub pxm: u32,
}

/// New memory.
#[doc(alias = "xenpf_mem_hotadd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemHotadd {
    /// First frame.
    pub spfn: u64,
    /// One past the last.
    pub epfn: u64,
    /// Proximity domain.
    pub pxm: u32,
    /// Zero.
    pub flags: u32,
}

/// One access.
#[doc(alias = "xenpf_resource_entry")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ResourceEntry {
    /// In: 0 read, 1 write; out: an error, negative.
    pub cmd: u32,
    /// Zero.
    pub rsvd: u32,
    /// MSR number.
    pub idx: u64,
    /// In or out.
    pub val: u64,
}

/// Accesses on one CPU.
#[doc(alias = "xenpf_resource_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct ResourceOp {
    /// How many.
    pub nr_entries: u32,
    /// Where.
    pub cpu: u32,
    /// Which.
    pub entries: GuestHandle<ResourceEntry>,
}

/// A symbol.
#[doc(alias = "xenpf_symdata")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Symdata {
    /// In: room; out: length.
    pub namelen: u32,
    /// In: which; out: the next.
    pub symnum: u32,
    /// Out.
    pub name: GuestHandle<u8>,
    /// Out.
    pub address: u64,
    /// Out: as `nm` tells it.
    pub symbol_type: u8,
    /// Padding.
    pub _pad: [u8; 7],
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<PlatformOpArg>() == 0x88);
    assert!(size_of::<Settime32>() == 0x10);
    assert!(size_of::<Settime64>() == 0x18);
    assert!(size_of::<Memtype>() == 0x20);
    assert!(size_of::<DelMemtype>() == 0x8);
    assert!(size_of::<ReadMemtype>() == 0x20);
    assert!(size_of::<MicrocodeUpdate>() == 0x10);
    assert!(size_of::<PcpuInfo>() == 0x14);
    assert!(size_of::<PcpuVersion>() == 0x20);
    assert!(size_of::<CpuOl>() == 0x4);
    assert!(size_of::<CpuHotadd>() == 0xc);
    assert!(size_of::<MemHotadd>() == 0x18);
    assert!(size_of::<ResourceEntry>() == 0x18);
    assert!(size_of::<ResourceOp>() == 0x10);
    assert!(size_of::<Symdata>() == 0x20);
};
