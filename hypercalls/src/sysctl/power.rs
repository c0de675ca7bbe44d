// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Power management by the toolstack.

use crate::handle::GuestHandle;
use crate::macros::{open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A frequency and its use.
#[doc(alias = "pm_px_val")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PmPxVal {
    /// MHz.
    pub freq: u64,
    /// Nanoseconds.
    pub residency: u64,
    /// Times entered.
    pub count: u64,
}

/// Frequencies of a CPU.
#[doc(alias = "pm_px_stat")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PmPxStat {
    /// How many.
    pub total: u8,
    /// How many are allowed.
    pub usable: u8,
    /// The one before.
    pub last: u8,
    /// The one in use.
    pub cur: u8,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: a square of transitions.
    pub trans_pt: GuestHandle<u64>,
    /// Out: each.
    pub pt: GuestHandle<PmPxVal>,
}

/// Idle states of a CPU.
#[doc(alias = "pm_cx_stat")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PmCxStat {
    /// In: room; out: how many.
    pub nr: u32,
    /// The last used.
    pub last: u32,
    /// Nanoseconds.
    pub idle_time: u64,
    /// Out: times entered.
    pub triggers: GuestHandle<u64>,
    /// Out: nanoseconds in each.
    pub residencies: GuestHandle<u64>,
    /// In: room; out: package counters.
    pub nr_pc: u32,
    /// In: room; out: core counters.
    pub nr_cc: u32,
    /// Out.
    pub pc: GuestHandle<u64>,
    /// Out.
    pub cc: GuestHandle<u64>,
}

open_enum! {
    /// [`GetPmstat::stat_type`].
    pub struct PmstatType: u32 {
        /// Number of frequencies.
        #[doc(alias = "PMSTAT_get_max_px")]
        GET_MAX_PX = 0x11,
        /// Their use.
        #[doc(alias = "PMSTAT_get_pxstat")]
        GET_PXSTAT = 0x12,
        /// Forgets it.
        #[doc(alias = "PMSTAT_reset_pxstat")]
        RESET_PXSTAT = 0x13,
        /// Number of idle states.
        #[doc(alias = "PMSTAT_get_max_cx")]
        GET_MAX_CX = 0x21,
        /// Their use.
        #[doc(alias = "PMSTAT_get_cxstat")]
        GET_CXSTAT = 0x22,
        /// Forgets it.
        #[doc(alias = "PMSTAT_reset_cxstat")]
        RESET_CXSTAT = 0x23,
    }
}

/// Power statistics.
#[doc(alias = "xen_sysctl_get_pmstat")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct GetPmstat {
    /// What.
    pub stat_type: PmstatType,
    /// Of which CPU.
    pub cpuid: u32,
    /// [`PmPxStat`] or [`PmCxStat`].
    pub u: [u8; 56],
}

payload!(GetPmstat, u);

open_enum! {
    /// [`CpuHotplug::op`].
    pub struct CpuHotplugOp: u32 {
        /// On.
        #[doc(alias = "XEN_SYSCTL_CPU_HOTPLUG_ONLINE")]
        ONLINE = 0,
        /// Off.
        #[doc(alias = "XEN_SYSCTL_CPU_HOTPLUG_OFFLINE")]
        OFFLINE = 1,
        /// All sibling threads on.
        #[doc(alias = "XEN_SYSCTL_CPU_HOTPLUG_SMT_ENABLE")]
        SMT_ENABLE = 2,
        /// All sibling threads off.
        #[doc(alias = "XEN_SYSCTL_CPU_HOTPLUG_SMT_DISABLE")]
        SMT_DISABLE = 3,
    }
}

/// CPUs on and off.
#[doc(alias = "xen_sysctl_cpu_hotplug")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuHotplug {
    /// Which.
    pub cpu: u32,
    /// What.
    pub op: CpuHotplugOp,
}

/// Sets one parameter.
#[doc(alias = "xen_set_cpufreq_para")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetCpufreqPara {
    /// 1 highest, 2 lowest, 3 fixed frequency, 4 sampling rate, 5 threshold.
    pub ctrl_type: u32,
    /// Its value.
    pub ctrl_value: u32,
}

/// Sets the governor.
#[doc(alias = "xen_set_cpufreq_gov")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SetCpufreqGov {
    /// NUL-terminated.
    pub scaling_governor: [u8; 16],
}

/// Describes frequency scaling of a CPU.
#[doc(alias = "xen_get_cpufreq_para")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GetCpufreqPara {
    /// In: room; out: CPUs that change together.
    pub cpu_num: u32,
    /// In: room; out: frequencies.
    pub freq_num: u32,
    /// In: room; out: governors.
    pub gov_num: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out.
    pub affected_cpus: GuestHandle<u32>,
    /// Out.
    pub scaling_available_frequencies: GuestHandle<u32>,
    /// Out: 16 bytes each.
    pub scaling_available_governors: GuestHandle<u8>,
    /// Out.
    pub scaling_driver: [u8; 16],
    /// Out: kHz.
    pub cpuinfo_cur_freq: u32,
    /// Out: kHz.
    pub cpuinfo_max_freq: u32,
    /// Out: kHz.
    pub cpuinfo_min_freq: u32,
    /// Out: kHz.
    pub scaling_cur_freq: u32,
    /// Out.
    pub scaling_governor: [u8; 16],
    /// Out: kHz.
    pub scaling_max_freq: u32,
    /// Out: kHz.
    pub scaling_min_freq: u32,
    /// Out: the governor's own parameters.
    pub u: [u8; 16],
    /// Out.
    pub turbo_enabled: i32,
    /// Padding.
    pub _pad1: [u8; 4],
}

open_enum! {
    /// [`PmOp::cmd`].
    pub struct PmCmd: u32 {
        /// Describes frequency scaling ([`GetCpufreqPara`]).
        GET_CPUFREQ_PARA = 0x11,
        /// Sets the governor ([`SetCpufreqGov`]).
        SET_CPUFREQ_GOV = 0x12,
        /// Sets a parameter ([`SetCpufreqPara`]).
        SET_CPUFREQ_PARA = 0x13,
        /// Reads the average frequency (u64).
        GET_CPUFREQ_AVGFREQ = 0x14,
        /// Spreads over cores or fills them (u32).
        #[doc(alias = "XEN_SYSCTL_pm_op_set_sched_opt_smt")]
        SET_SCHED_OPT_SMT = 0x21,
        /// Reads the deepest idle state (u32).
        #[doc(alias = "XEN_SYSCTL_pm_op_get_max_cstate")]
        GET_MAX_CSTATE = 0x22,
        /// Sets it (u32).
        #[doc(alias = "XEN_SYSCTL_pm_op_set_max_cstate")]
        SET_MAX_CSTATE = 0x23,
        /// Obsolete.
        #[doc(alias = "XEN_SYSCTL_pm_op_set_vcpu_migration_delay")]
        SET_VCPU_MIGRATION_DELAY = 0x24,
        /// Obsolete.
        #[doc(alias = "XEN_SYSCTL_pm_op_get_vcpu_migration_delay")]
        GET_VCPU_MIGRATION_DELAY = 0x25,
        /// Turbo on.
        #[doc(alias = "XEN_SYSCTL_pm_op_enable_turbo")]
        ENABLE_TURBO = 0x26,
        /// Turbo off.
        #[doc(alias = "XEN_SYSCTL_pm_op_disable_turbo")]
        DISABLE_TURBO = 0x27,
    }
}

/// Power management of a CPU.
#[doc(alias = "xen_sysctl_pm_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct PmOp {
    /// What.
    pub cmd: PmCmd,
    /// Which CPU.
    pub cpuid: u32,
    /// The operation's own argument.
    pub u: [u8; 120],
}

payload!(PmOp, u);

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<PmPxVal>() == 0x18);
    assert!(size_of::<PmPxStat>() == 0x18);
    assert!(size_of::<PmCxStat>() == 0x38);
    assert!(size_of::<GetPmstat>() == 0x40);
    assert!(size_of::<CpuHotplug>() == 0x8);
    assert!(size_of::<SetCpufreqPara>() == 0x8);
    assert!(size_of::<SetCpufreqGov>() == 0x10);
    assert!(size_of::<GetCpufreqPara>() == 0x78);
    assert!(size_of::<PmOp>() == 0x80);
};
