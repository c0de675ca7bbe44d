// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Optional behaviour (`xen.h`: `VMASST_*`).

use crate::macros::open_enum;

open_enum! {
    /// First argument of `vm_assist`.
    pub struct VmAssistCmd: u32 {
        /// Switches on.
        #[doc(alias = "VMASST_CMD_enable")]
        ENABLE = 0,
        /// Switches off.
        #[doc(alias = "VMASST_CMD_disable")]
        DISABLE = 1,
    }
}

open_enum! {
    /// Second argument of `vm_assist`.
    pub struct VmAssistType: u32 {
        /// 32-bit only.
        #[doc(alias = "VMASST_TYPE_4gb_segments")]
        SEGMENTS_4GB = 0,
        /// 32-bit only.
        #[doc(alias = "VMASST_TYPE_4gb_segments_notify")]
        SEGMENTS_4GB_NOTIFY = 1,
        /// Writes to page tables are trapped and emulated.
        #[doc(alias = "VMASST_TYPE_writable_pagetables")]
        WRITABLE_PAGETABLES = 2,
        /// 32-bit only.
        #[doc(alias = "VMASST_TYPE_pae_extended_cr3")]
        PAE_EXTENDED_CR3 = 3,
        /// IOPL lives in the flags the guest sees.
        #[doc(alias = "VMASST_TYPE_architectural_iopl")]
        ARCHITECTURAL_IOPL = 4,
        /// [`crate::vcpu::RUNSTATE_UPDATE`] is kept.
        #[doc(alias = "VMASST_TYPE_runstate_update_flag")]
        RUNSTATE_UPDATE_FLAG = 5,
        /// User mode does not see the machine-to-physical table.
        #[doc(alias = "VMASST_TYPE_m2p_strict")]
        M2P_STRICT = 32,
    }
}
