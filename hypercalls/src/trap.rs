// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Exceptions, callbacks and segments (`arch-x86/xen.h`, `xen-x86_64.h`): how control enters and leaves a PV kernel.

use crate::macros::{flags, open_enum};
use zerocopy::{FromBytes, Immutable, IntoBytes};

flags! {
    /// [`TrapInfo::flags`].
    pub struct TrapFlags: u8 {
        /// The lowest privilege that may raise the vector by `int n`.
        DPL_MASK = 3,
        /// Mask events on entry (an interrupt gate).
        MASK_EVENTS = 4,
    }
}

/// One entry of the trap table. A list of them ends at `address == 0`.
#[doc(alias = "trap_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct TrapInfo {
    /// Exception or interrupt vector.
    pub vector: u8,
    /// Privilege and event masking.
    pub flags: TrapFlags,
    /// Code selector; recorded, but 64-bit kernels always run on [`FLAT_KERNEL_CS`].
    pub cs: u16,
    /// Padding.
    pub _pad: [u8; 4],
    /// Entry point.
    pub address: u64,
}

/// What `iret` takes from the guest's stack, lowest address first.
#[doc(alias = "iret_context")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct IretContext {
    /// Loaded into `rax`.
    pub rax: u64,
    /// Loaded into `r11`, unless the return is by `sysret`.
    pub r11: u64,
    /// Loaded into `rcx`, unless the return is by `sysret`.
    pub rcx: u64,
    /// [`crate::vcpu::ContextFlags::IN_SYSCALL`] or 0.
    pub flags: u64,
    /// Where to.
    pub rip: u64,
    /// RPL 3 means user mode.
    pub cs: u64,
    /// IF becomes the inverse of the upcall mask.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u64,
}

/// What a handler finds on its stack when the vector has no error code, lowest address first. With an error code,
/// that comes between `r11` and `rip`: [`BounceFrameWithError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BounceFrame {
    /// Interrupted `rcx`, because entry may be by `sysret`.
    pub rcx: u64,
    /// Interrupted `r11`.
    pub r11: u64,
    /// Where the guest was, or the next instruction.
    pub rip: u64,
    /// Selector in bits 0-15 (RPL 0 from kernel mode), the saved upcall mask in bits 32-39.
    pub cs: u64,
    /// Flags with IF replaced by the inverse of the upcall mask.
    pub rflags: u64,
    /// Interrupted stack pointer.
    pub rsp: u64,
    /// Interrupted stack selector.
    pub ss: u64,
}

/// As [`BounceFrame`], for vectors with an error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct BounceFrameWithError {
    /// Interrupted `rcx`.
    pub rcx: u64,
    /// Interrupted `r11`.
    pub r11: u64,
    /// The CPU's error code, with the user bit as the guest sees its modes.
    pub error_code: u64,
    /// Where the guest was.
    pub rip: u64,
    /// Selector and saved upcall mask, as in [`BounceFrame::cs`].
    pub cs: u64,
    /// Flags, as in [`BounceFrame::rflags`].
    pub rflags: u64,
    /// Interrupted stack pointer.
    pub rsp: u64,
    /// Interrupted stack selector.
    pub ss: u64,
}

/// What the failsafe callback finds on its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct FailsafeFrame {
    /// Interrupted `rcx`.
    pub rcx: u64,
    /// Interrupted `r11`.
    pub r11: u64,
    /// Selector that should have been loaded.
    pub ds: u64,
    /// Selector that should have been loaded.
    pub es: u64,
    /// Selector that should have been loaded.
    pub fs: u64,
    /// Selector that should have been loaded.
    pub gs: u64,
    /// Where the guest was.
    pub rip: u64,
    /// Selector and saved upcall mask, as in [`BounceFrame::cs`].
    pub cs: u64,
    /// Flags, as in [`BounceFrame::rflags`].
    pub rflags: u64,
    /// Interrupted stack pointer.
    pub rsp: u64,
    /// Interrupted stack selector.
    pub ss: u64,
}

open_enum! {
    /// Which base or selector `set_segment_base` sets.
    pub struct SegmentBase: u32 {
        /// FS base.
        #[doc(alias = "SEGBASE_FS")]
        FS = 0,
        /// GS base of user mode.
        #[doc(alias = "SEGBASE_GS_USER")]
        GS_USER = 1,
        /// GS base of kernel mode.
        #[doc(alias = "SEGBASE_GS_KERNEL")]
        GS_KERNEL = 2,
        /// GS selector of user mode.
        #[doc(alias = "SEGBASE_GS_USER_SEL")]
        GS_USER_SEL = 3,
    }
}

/// Flat 32-bit code.
pub const FLAT_RING3_CS32: u16 = 0xe023;
/// 64-bit code.
pub const FLAT_RING3_CS64: u16 = 0xe033;
/// Flat data.
pub const FLAT_RING3_DS32: u16 = 0xe02b;
/// Null.
pub const FLAT_RING3_DS64: u16 = 0;
/// Flat stack.
pub const FLAT_RING3_SS64: u16 = 0xe02b;
/// What a 64-bit PV kernel runs on.
pub const FLAT_KERNEL_CS: u16 = 0xe033;
/// Its data selector.
pub const FLAT_KERNEL_DS: u16 = 0;
/// Its stack selector.
pub const FLAT_KERNEL_SS: u16 = 0xe02b;
/// Default of 64-bit user code.
pub const FLAT_USER_CS: u16 = 0xe033;
/// Default of user stacks.
pub const FLAT_USER_SS: u16 = 0xe02b;

/// GDT pages from here on are the hypervisor's.
pub const FIRST_RESERVED_GDT_PAGE: u32 = 14;
/// The same in bytes.
pub const FIRST_RESERVED_GDT_BYTE: u32 = 0xe000;
/// The same in descriptors; `set_gdt` takes at most so many.
pub const FIRST_RESERVED_GDT_ENTRY: u32 = 0x1c00;

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<TrapInfo>() == 0x10);
    assert!(size_of::<IretContext>() == 0x48);
    assert!(size_of::<BounceFrame>() == 0x38);
    assert!(size_of::<BounceFrameWithError>() == 0x40);
    assert!(size_of::<FailsafeFrame>() == 0x58);
};
