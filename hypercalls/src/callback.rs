// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Entry points by `callback_op` (`callback.h`).

use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `callback_op` (first argument).
    pub struct CallbackOp: u32 {
        /// Argument [`CallbackRegister`].
        #[doc(alias = "CALLBACKOP_register")]
        REGISTER = 0,
        /// Argument [`CallbackUnregister`].
        #[doc(alias = "CALLBACKOP_unregister")]
        UNREGISTER = 1,
    }
}

open_enum! {
    /// Which entry point.
    pub struct CallbackType: u16 {
        /// Events.
        #[doc(alias = "CALLBACKTYPE_event")]
        EVENT = 0,
        /// A selector could not be loaded.
        #[doc(alias = "CALLBACKTYPE_failsafe")]
        FAILSAFE = 1,
        /// 64-bit `syscall`.
        #[doc(alias = "CALLBACKTYPE_syscall")]
        SYSCALL = 2,
        /// Old number of `SYSENTER`.
        #[doc(alias = "CALLBACKTYPE_sysenter_deprecated")]
        SYSENTER_DEPRECATED = 3,
        /// NMIs.
        #[doc(alias = "CALLBACKTYPE_nmi")]
        NMI = 4,
        /// `sysenter`.
        #[doc(alias = "CALLBACKTYPE_sysenter")]
        SYSENTER = 5,
        /// 32-bit `syscall`.
        #[doc(alias = "CALLBACKTYPE_syscall32")]
        SYSCALL32 = 7,
    }
}

flags! {
    /// [`CallbackRegister::flags`].
    pub struct CallbackFlags: u16 {
        /// Mask events on entry.
        #[doc(alias = "CALLBACKF_mask_events")]
        MASK_EVENTS = 1 << 0,
    }
}

/// Argument of [`CallbackOp::REGISTER`].
#[doc(alias = "callback_register")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CallbackRegister {
    /// Which.
    pub callback_type: CallbackType,
    /// How.
    pub flags: CallbackFlags,
    /// Padding.
    pub _pad: [u8; 4],
    /// Entry point.
    pub address: u64,
}

/// Argument of [`CallbackOp::UNREGISTER`].
#[doc(alias = "callback_unregister")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CallbackUnregister {
    /// Which.
    pub callback_type: CallbackType,
    /// Zero.
    pub _unused: u16,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<CallbackRegister>() == 0x10);
    assert!(size_of::<CallbackUnregister>() == 0x4);
};
