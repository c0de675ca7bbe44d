// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Page tables (`xen.h`): `mmu_update`, `mmuext_op`, `update_va_mapping`, and where the hypervisor sits in every
//! guest.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::macros::open_enum;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// First address guests must leave to the hypervisor.
pub const HYPERVISOR_VIRT_START: u64 = 0xffff_8000_0000_0000;
/// First address after it which is the guest's again.
pub const HYPERVISOR_VIRT_END: u64 = 0xffff_8800_0000_0000;
/// The machine-to-physical table, readable by guests.
pub const MACH2PHYS_VIRT_START: u64 = 0xffff_8000_0000_0000;
/// Its end.
pub const MACH2PHYS_VIRT_END: u64 = 0xffff_8040_0000_0000;
/// Entries that fit there.
pub const MACH2PHYS_NR_ENTRIES: u64 = 0x8_0000_0000;

/// Bit of a `mmu_update` or `mmuext_op` count which marks a continuation of an interrupted call.
pub const MMU_UPDATE_PREEMPTED: u32 = 1 << 31;

open_enum! {
    /// The low two bits of [`MmuUpdate::ptr`].
    pub struct MmuUpdateCmd: u64 {
        /// Writes an entry, checked.
        #[doc(alias = "MMU_NORMAL_PT_UPDATE")]
        NORMAL_PT_UPDATE = 0,
        /// Sets the machine-to-physical entry of the frame at `ptr`.
        #[doc(alias = "MMU_MACHPHYS_UPDATE")]
        MACHPHYS_UPDATE = 1,
        /// As normal, but keeps the accessed and dirty bits found.
        #[doc(alias = "MMU_PT_UPDATE_PRESERVE_AD")]
        PT_UPDATE_PRESERVE_AD = 2,
        /// As normal; `val` holds a machine frame even if the owner is translated.
        #[doc(alias = "MMU_PT_UPDATE_NO_TRANSLATE")]
        PT_UPDATE_NO_TRANSLATE = 3,
    }
}

/// One update of `mmu_update`.
#[doc(alias = "mmu_update")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MmuUpdate {
    /// Machine address of the entry, with a [`MmuUpdateCmd`] in the low two bits.
    pub ptr: u64,
    /// The new entry, or the new pseudo-physical frame number.
    pub val: u64,
}

impl MmuUpdate {
    /// What to do: the low two bits of [`MmuUpdate::ptr`].
    #[must_use]
    pub const fn cmd(&self) -> MmuUpdateCmd {
        MmuUpdateCmd(self.ptr & 3)
    }

    /// The machine address of the entry (or frame), without the command bits.
    #[must_use]
    pub const fn target(&self) -> u64 {
        self.ptr & !3
    }
}

open_enum! {
    /// Sub-operations of `mmuext_op`.
    pub struct MmuextCmd: u32 {
        /// Validates and pins a page table of level 1.
        #[doc(alias = "MMUEXT_PIN_L1_TABLE")]
        PIN_L1_TABLE = 0,
        /// The same, level 2.
        #[doc(alias = "MMUEXT_PIN_L2_TABLE")]
        PIN_L2_TABLE = 1,
        /// The same, level 3.
        #[doc(alias = "MMUEXT_PIN_L3_TABLE")]
        PIN_L3_TABLE = 2,
        /// The same, level 4.
        #[doc(alias = "MMUEXT_PIN_L4_TABLE")]
        PIN_L4_TABLE = 3,
        /// Undoes a pin.
        #[doc(alias = "MMUEXT_UNPIN_TABLE")]
        UNPIN_TABLE = 4,
        /// Loads the kernel's L4.
        #[doc(alias = "MMUEXT_NEW_BASEPTR")]
        NEW_BASEPTR = 5,
        /// Flushes this CPU's TLB.
        #[doc(alias = "MMUEXT_TLB_FLUSH_LOCAL")]
        TLB_FLUSH_LOCAL = 6,
        /// Flushes one address on this CPU.
        #[doc(alias = "MMUEXT_INVLPG_LOCAL")]
        INVLPG_LOCAL = 7,
        /// Flushes the TLBs of the vCPUs in a bitmap.
        #[doc(alias = "MMUEXT_TLB_FLUSH_MULTI")]
        TLB_FLUSH_MULTI = 8,
        /// Flushes one address for the vCPUs in a bitmap.
        #[doc(alias = "MMUEXT_INVLPG_MULTI")]
        INVLPG_MULTI = 9,
        /// Flushes the TLBs of all vCPUs of the domain.
        #[doc(alias = "MMUEXT_TLB_FLUSH_ALL")]
        TLB_FLUSH_ALL = 10,
        /// Flushes one address for all vCPUs of the domain.
        #[doc(alias = "MMUEXT_INVLPG_ALL")]
        INVLPG_ALL = 11,
        /// Writes back and drops this CPU's caches.
        #[doc(alias = "MMUEXT_FLUSH_CACHE")]
        FLUSH_CACHE = 12,
        /// Sets the LDT.
        #[doc(alias = "MMUEXT_SET_LDT")]
        SET_LDT = 13,
        /// Sets the user mode's L4; 0 for none.
        #[doc(alias = "MMUEXT_NEW_USER_BASEPTR")]
        NEW_USER_BASEPTR = 15,
        /// Zeroes a frame.
        #[doc(alias = "MMUEXT_CLEAR_PAGE")]
        CLEAR_PAGE = 16,
        /// Copies a frame.
        #[doc(alias = "MMUEXT_COPY_PAGE")]
        COPY_PAGE = 17,
        /// Writes back and drops all caches.
        #[doc(alias = "MMUEXT_FLUSH_CACHE_GLOBAL")]
        FLUSH_CACHE_GLOBAL = 18,
        /// Obsolete.
        #[doc(alias = "MMUEXT_MARK_SUPER")]
        MARK_SUPER = 19,
        /// Obsolete.
        #[doc(alias = "MMUEXT_UNMARK_SUPER")]
        UNMARK_SUPER = 20,
    }
}

/// One operation of `mmuext_op`. Each argument is a union in the headers; the operation says which member counts.
#[doc(alias = "mmuext_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MmuextOp {
    /// What to do.
    pub cmd: MmuextCmd,
    /// Padding.
    pub _pad: [u8; 4],
    /// `mfn` (pin, unpin, base pointers, clear, copy) or `linear_addr` (invlpg, LDT).
    pub arg1: u64,
    /// `nr_ents` (LDT, low 32 bits), `vcpumask` handle (multi flushes) or `src_mfn` (copy).
    pub arg2: u64,
}

impl MmuextOp {
    /// `arg1.mfn`.
    #[must_use]
    pub const fn mfn(&self) -> Mfn {
        Mfn::new(self.arg1)
    }

    /// `arg1.linear_addr`.
    #[must_use]
    pub const fn linear_addr(&self) -> u64 {
        self.arg1
    }

    /// `arg2.nr_ents`: the upper half of the union is not looked at.
    #[must_use]
    pub const fn nr_ents(&self) -> u32 {
        self.arg2 as u32
    }

    /// `arg2.vcpumask`: a bitmap with one bit per vCPU of the domain.
    #[must_use]
    pub const fn vcpumask(&self) -> GuestHandle<u8> {
        GuestHandle::new(self.arg2)
    }

    /// `arg2.src_mfn`.
    #[must_use]
    pub const fn src_mfn(&self) -> Mfn {
        Mfn::new(self.arg2)
    }
}

open_enum! {
    /// Which flush `update_va_mapping` does, after `flags & `[`UVMF_FLUSHTYPE_MASK`]. The rest of the word is the
    /// address of a vCPU bitmap, or [`UVMF_LOCAL`] or [`UVMF_ALL`].
    pub struct UvmFlush: u64 {
        /// None.
        #[doc(alias = "UVMF_NONE")]
        NONE = 0,
        /// The whole TLB.
        #[doc(alias = "UVMF_TLB_FLUSH")]
        TLB_FLUSH = 1,
        /// The one address.
        #[doc(alias = "UVMF_INVLPG")]
        INVLPG = 2,
    }
}

/// The bits of the flags word that hold a [`UvmFlush`].
pub const UVMF_FLUSHTYPE_MASK: u64 = 3;
/// Instead of a bitmap: this vCPU only. Equals `UVMF_MULTI`, which asks for a bitmap address.
pub const UVMF_LOCAL: u64 = 0;
/// Instead of a bitmap: all vCPUs.
pub const UVMF_ALL: u64 = 4;

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<MmuUpdate>() == 0x10);
    assert!(size_of::<MmuextOp>() == 0x18);
};
