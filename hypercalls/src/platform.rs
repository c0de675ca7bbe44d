// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Platform services for the control domain (`platform.h`).

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct DelMemtype {
    /// As given.
    pub handle: u32,
    /// Register.
    pub reg: u32,
}

/// Reads a memory-type range.
#[doc(alias = "xenpf_read_memtype")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct MicrocodeUpdate {
    /// The file.
    pub data: GuestHandle<u8>,
    /// Its length in bytes.
    pub length: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

/// A time as EFI tells it.
#[doc(alias = "xenpf_efi_time")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

flags! {
    /// [`EnterAcpiSleep::flags`].
    pub struct AcpiSleepFlags: u32 {
        /// The values are for the sleep registers of hardware-reduced ACPI.
        #[doc(alias = "XENPF_ACPI_SLEEP_EXTENDED")]
        EXTENDED = 1,
    }
}

/// Sleeping, and powering off.
#[doc(alias = "xenpf_enter_acpi_sleep")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EnterAcpiSleep {
    /// For PM1a control, or the sleep control register.
    pub val_a: u16,
    /// For PM1b control, or the sleep status register.
    pub val_b: u16,
    /// 1 to 5.
    pub sleep_state: u32,
    /// Which registers.
    pub flags: AcpiSleepFlags,
}

/// A frequency change.
#[doc(alias = "xenpf_change_freq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ChangeFreq {
    /// Zero.
    pub flags: u32,
    /// Which CPU.
    pub cpu: u32,
    /// In Hz.
    pub freq: u64,
}

/// Idle times.
#[doc(alias = "xenpf_getidletime")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Getidletime {
    /// In: which CPUs; out: which of them exist.
    pub cpumap_bitmap: GuestHandle<u8>,
    /// In: bits.
    pub cpumap_nr_cpus: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: nanoseconds each.
    pub idletime: GuestHandle<u64>,
    /// Out: system time in nanoseconds.
    pub now: u64,
}

open_enum! {
    /// [`SetProcessorPminfo::info_type`].
    pub struct PmInfoType: u32 {
        /// Idle states ([`ProcessorPower`]).
        #[doc(alias = "XEN_PM_CX")]
        CX = 0,
        /// Frequencies ([`ProcessorPerformance`]).
        #[doc(alias = "XEN_PM_PX")]
        PX = 1,
        /// Throttling.
        #[doc(alias = "XEN_PM_TX")]
        TX = 2,
        /// Capabilities ([`GuestHandle`] of u32).
        #[doc(alias = "XEN_PM_PDC")]
        PDC = 3,
    }
}

/// An ACPI register.
#[doc(alias = "xen_power_register")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PowerRegister {
    /// Address space.
    pub space_id: u32,
    /// Bits.
    pub bit_width: u32,
    /// Bits.
    pub bit_offset: u32,
    /// Code.
    pub access_size: u32,
    /// Address.
    pub address: u64,
}

/// A dependency of an idle state.
#[doc(alias = "xen_processor_csd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessorCsd {
    /// Domain.
    pub domain: u32,
    /// Kind.
    pub coord_type: u32,
    /// CPUs.
    pub num: u32,
}

/// An idle state.
#[doc(alias = "xen_processor_cx")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessorCx {
    /// How to enter it.
    pub reg: PowerRegister,
    /// C-state class.
    pub cx_type: u8,
    /// Padding.
    pub _pad: [u8; 3],
    /// Microseconds.
    pub latency: u32,
    /// Milliwatts.
    pub power: u32,
    /// Dependencies.
    pub dpcnt: u32,
    /// Dependencies.
    pub dp: GuestHandle<ProcessorCsd>,
}

/// A CPU's idle states.
#[doc(alias = "xen_processor_power")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessorPower {
    /// How many.
    pub count: u32,
    /// Bit field.
    pub flags: u32,
    /// The states.
    pub states: GuestHandle<ProcessorCx>,
}

/// A performance control or status register.
#[doc(alias = "xen_pct_register")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PctRegister {
    /// Tag.
    pub descriptor: u8,
    /// Padding.
    pub _pad: [u8; 1],
    /// Bytes.
    pub length: u16,
    /// Address space.
    pub space_id: u8,
    /// Bits.
    pub bit_width: u8,
    /// Bits.
    pub bit_offset: u8,
    /// Zero.
    pub reserved: u8,
    /// Address.
    pub address: u64,
}

/// A frequency.
#[doc(alias = "xen_processor_px")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessorPx {
    /// MHz.
    pub core_frequency: u64,
    /// Milliwatts.
    pub power: u64,
    /// Microseconds.
    pub transition_latency: u64,
    /// Microseconds.
    pub bus_master_latency: u64,
    /// Value for the control register.
    pub control: u64,
    /// Value of the status register.
    pub status: u64,
}

/// Which CPUs change together.
#[doc(alias = "xen_psd_package")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PsdPackage {
    /// ACPI field.
    pub num_entries: u64,
    /// ACPI field.
    pub revision: u64,
    /// ACPI field.
    pub domain: u64,
    /// ACPI field.
    pub coord_type: u64,
    /// ACPI field.
    pub num_processors: u64,
}

/// A CPU's frequencies.
#[doc(alias = "xen_processor_performance")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ProcessorPerformance {
    /// Which parts count.
    pub flags: u32,
    /// Lowest index allowed.
    pub platform_limit: u32,
    /// How to set.
    pub control_register: PctRegister,
    /// How to read.
    pub status_register: PctRegister,
    /// How many.
    pub state_count: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// The frequencies.
    pub states: GuestHandle<ProcessorPx>,
    /// Which CPUs change together.
    pub domain_info: PsdPackage,
    /// How.
    pub shared_type: u32,
    /// Padding.
    pub _pad1: [u8; 4],
}

/// Power-management tables of a CPU.
#[doc(alias = "xenpf_set_processor_pminfo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct SetProcessorPminfo {
    /// ACPI id.
    pub id: u32,
    /// What.
    pub info_type: PmInfoType,
    /// The tables.
    pub u: [u8; 104],
}

payload!(SetProcessorPminfo, u);

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CpuOl {
    /// Which.
    pub cpuid: u32,
}

/// A new CPU.
#[doc(alias = "xenpf_cpu_hotadd")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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

open_enum! {
    /// [`CoreParking::op`].
    pub struct CoreParkingOp: u32 {
        /// Parks.
        #[doc(alias = "XEN_CORE_PARKING_SET")]
        SET = 1,
        /// Tells how many are parked.
        #[doc(alias = "XEN_CORE_PARKING_GET")]
        GET = 2,
    }
}

/// Parking of CPUs.
#[doc(alias = "xenpf_core_parking")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CoreParking {
    /// What.
    pub op: CoreParkingOp,
    /// How many.
    pub idle_nums: u32,
}

/// One access.
#[doc(alias = "xenpf_resource_entry")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
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
    assert!(size_of::<EfiTime>() == 0x10);
    assert!(size_of::<EfiGuid>() == 0x10);
    assert!(size_of::<EfiRuntimeCall>() == 0x38);
    assert!(size_of::<FirmwareInfo>() == 0x28);
    assert!(size_of::<FirmwareDiskInfo>() == 0x10);
    assert!(size_of::<FirmwareMbrSignature>() == 0x8);
    assert!(size_of::<FirmwareVbeddcInfo>() == 0x10);
    assert!(size_of::<EnterAcpiSleep>() == 0xc);
    assert!(size_of::<ChangeFreq>() == 0x10);
    assert!(size_of::<Getidletime>() == 0x20);
    assert!(size_of::<PowerRegister>() == 0x18);
    assert!(size_of::<ProcessorCsd>() == 0xc);
    assert!(size_of::<ProcessorCx>() == 0x30);
    assert!(size_of::<ProcessorPower>() == 0x10);
    assert!(size_of::<PctRegister>() == 0x10);
    assert!(size_of::<ProcessorPx>() == 0x30);
    assert!(size_of::<PsdPackage>() == 0x28);
    assert!(size_of::<ProcessorPerformance>() == 0x68);
    assert!(size_of::<SetProcessorPminfo>() == 0x70);
    assert!(size_of::<PcpuInfo>() == 0x14);
    assert!(size_of::<PcpuVersion>() == 0x20);
    assert!(size_of::<CpuOl>() == 0x4);
    assert!(size_of::<CpuHotadd>() == 0xc);
    assert!(size_of::<MemHotadd>() == 0x18);
    assert!(size_of::<CoreParking>() == 0x8);
    assert!(size_of::<ResourceEntry>() == 0x18);
    assert!(size_of::<ResourceOp>() == 0x10);
    assert!(size_of::<Symdata>() == 0x20);
};
