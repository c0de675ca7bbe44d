// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The part of `hvm_op` (`hvm/hvm_op.h`, `hvm/params.h`) which PV tools and backends touch: parameters.

use crate::ids::DomId;
use crate::macros::open_enum;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `hvm_op` (first argument).
    pub struct HvmOp: u32 {
        /// Argument [`HvmParam`].
        #[doc(alias = "HVMOP_set_param")]
        SET_PARAM = 0,
        /// Argument [`HvmParam`].
        #[doc(alias = "HVMOP_get_param")]
        GET_PARAM = 1,
        /// HVM only.
        #[doc(alias = "HVMOP_flush_tlbs")]
        FLUSH_TLBS = 5,
        /// HVM only; `ENOSYS` since long.
        #[doc(alias = "HVMOP_pagetable_dying")]
        PAGETABLE_DYING = 9,
        /// Argument: u64, out: nanoseconds.
        #[doc(alias = "HVMOP_get_time")]
        GET_TIME = 10,
        /// Adds a trace record.
        #[doc(alias = "HVMOP_xentrace")]
        XENTRACE = 11,
        /// HVM only.
        #[doc(alias = "HVMOP_get_mem_type")]
        GET_MEM_TYPE = 15,
        /// HVM only.
        #[doc(alias = "HVMOP_set_evtchn_upcall_vector")]
        SET_EVTCHN_UPCALL_VECTOR = 23,
        /// Introspection.
        #[doc(alias = "HVMOP_guest_request_vm_event")]
        GUEST_REQUEST_VM_EVENT = 24,
        /// HVM only.
        #[doc(alias = "HVMOP_altp2m")]
        ALTP2M = 25,
    }
}

open_enum! {
    /// [`HvmParam::index`].
    pub struct HvmParamIndex: u32 {
        /// How events are delivered.
        #[doc(alias = "HVM_PARAM_CALLBACK_IRQ")]
        CALLBACK_IRQ = 0,
        /// The xenstore page.
        #[doc(alias = "HVM_PARAM_STORE_PFN")]
        STORE_PFN = 1,
        /// The xenstore port.
        #[doc(alias = "HVM_PARAM_STORE_EVTCHN")]
        STORE_EVTCHN = 2,
        /// The console page.
        #[doc(alias = "HVM_PARAM_CONSOLE_PFN")]
        CONSOLE_PFN = 17,
        /// The console port.
        #[doc(alias = "HVM_PARAM_CONSOLE_EVTCHN")]
        CONSOLE_EVTCHN = 18,
    }
}

/// Argument of [`HvmOp::SET_PARAM`] and [`HvmOp::GET_PARAM`].
#[doc(alias = "xen_hvm_param")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct HvmParam {
    /// In: whose.
    pub domid: DomId,
    /// Zero.
    pub pad: u16,
    /// In: which.
    pub index: HvmParamIndex,
    /// In or out.
    pub value: u64,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<HvmParam>() == 0x10);
};
