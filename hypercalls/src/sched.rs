// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Scheduling (`sched.h`).

use crate::handle::GuestHandle;
use crate::ids::{DomId, Port};
use crate::macros::open_enum;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `sched_op` (first argument).
    pub struct SchedOp: u32 {
        /// Lets others run.
        #[doc(alias = "SCHEDOP_yield")]
        YIELD = 0,
        /// Unmasks events and sleeps until one comes.
        #[doc(alias = "SCHEDOP_block")]
        BLOCK = 1,
        /// Ends the domain. Argument [`SchedShutdown`].
        #[doc(alias = "SCHEDOP_shutdown")]
        SHUTDOWN = 2,
        /// Sleeps until one of some ports is pending. Argument [`SchedPoll`].
        #[doc(alias = "SCHEDOP_poll")]
        POLL = 3,
        /// Ends another domain. Argument [`SchedRemoteShutdown`].
        #[doc(alias = "SCHEDOP_remote_shutdown")]
        REMOTE_SHUTDOWN = 4,
        /// Records a reason, without ending the domain. Argument [`SchedShutdown`].
        #[doc(alias = "SCHEDOP_shutdown_code")]
        SHUTDOWN_CODE = 5,
        /// Arms, re-arms or disarms a watchdog. Argument [`SchedWatchdog`].
        #[doc(alias = "SCHEDOP_watchdog")]
        WATCHDOG = 6,
        /// Pins the vCPU to a CPU for a while. Argument [`SchedPinOverride`].
        #[doc(alias = "SCHEDOP_pin_override")]
        PIN_OVERRIDE = 7,
    }
}

open_enum! {
    /// Why a domain ended. 8 bits reach the toolstack.
    pub struct ShutdownReason: u32 {
        /// It is done.
        #[doc(alias = "SHUTDOWN_poweroff")]
        POWEROFF = 0,
        /// It wants to start again.
        #[doc(alias = "SHUTDOWN_reboot")]
        REBOOT = 1,
        /// It wants to be saved.
        #[doc(alias = "SHUTDOWN_suspend")]
        SUSPEND = 2,
        /// It failed.
        #[doc(alias = "SHUTDOWN_crash")]
        CRASH = 3,
        /// Its watchdog fired.
        #[doc(alias = "SHUTDOWN_watchdog")]
        WATCHDOG = 4,
        /// It wants to start again with its memory kept.
        #[doc(alias = "SHUTDOWN_soft_reset")]
        SOFT_RESET = 5,
    }
}

impl ShutdownReason {
    /// The largest reason that means something.
    #[doc(alias = "SHUTDOWN_MAX")]
    pub const MAX: Self = Self::SOFT_RESET;
}

/// Argument of [`SchedOp::SHUTDOWN`] and [`SchedOp::SHUTDOWN_CODE`].
#[doc(alias = "sched_shutdown")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedShutdown {
    /// Why.
    pub reason: ShutdownReason,
}

/// Argument of [`SchedOp::POLL`].
#[doc(alias = "sched_poll")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedPoll {
    /// Ports to wait for.
    pub ports: GuestHandle<Port>,
    /// How many.
    pub nr_ports: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// System time in nanoseconds, 0 for none.
    pub timeout: u64,
}

/// Argument of [`SchedOp::REMOTE_SHUTDOWN`].
#[doc(alias = "sched_remote_shutdown")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedRemoteShutdown {
    /// Which domain.
    pub domain_id: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// Why.
    pub reason: ShutdownReason,
}

/// Argument of [`SchedOp::WATCHDOG`].
#[doc(alias = "sched_watchdog")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedWatchdog {
    /// Which watchdog; 0 asks for a new one.
    pub id: u32,
    /// In seconds; 0 disarms.
    pub timeout: u32,
}

/// Argument of [`SchedOp::PIN_OVERRIDE`].
#[doc(alias = "sched_pin_override")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct SchedPinOverride {
    /// Which CPU; negative undoes.
    pub pcpu: i32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<SchedShutdown>() == 0x4);
    assert!(size_of::<SchedPoll>() == 0x18);
    assert!(size_of::<SchedRemoteShutdown>() == 0x8);
    assert!(size_of::<SchedWatchdog>() == 0x8);
    assert!(size_of::<SchedPinOverride>() == 0x4);
};
