// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Sleep, idle states and frequencies.

use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CoreParking {
    /// What.
    pub op: CoreParkingOp,
    /// How many.
    pub idle_nums: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
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
    assert!(size_of::<CoreParking>() == 0x8);
};
