// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! vCPUs (`vcpu.h`, `arch-x86/xen.h`): life cycle, timers, shared areas and the register context.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::macros::{flags, open_enum};
use crate::shared_info::VcpuTimeInfo;
use crate::trap::TrapInfo;
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `vcpu_op` (first argument; the second is the vCPU).
    pub struct VcpuOp: u32 {
        /// Gives a vCPU its first state. Argument [`VcpuGuestContext`].
        #[doc(alias = "VCPUOP_initialise")]
        INITIALISE = 0,
        /// Starts it.
        #[doc(alias = "VCPUOP_up")]
        UP = 1,
        /// Stops it.
        #[doc(alias = "VCPUOP_down")]
        DOWN = 2,
        /// Returns 1 if it runs, else 0.
        #[doc(alias = "VCPUOP_is_up")]
        IS_UP = 3,
        /// Where its time went. Argument [`VcpuRunstateInfo`].
        #[doc(alias = "VCPUOP_get_runstate_info")]
        GET_RUNSTATE_INFO = 4,
        /// Keeps a copy of that up to date. Argument [`VcpuRegisterRunstateMemoryArea`].
        #[doc(alias = "VCPUOP_register_runstate_memory_area")]
        REGISTER_RUNSTATE_MEMORY_AREA = 5,
        /// Starts the periodic timer. Argument [`VcpuSetPeriodicTimer`].
        #[doc(alias = "VCPUOP_set_periodic_timer")]
        SET_PERIODIC_TIMER = 6,
        /// Stops it.
        #[doc(alias = "VCPUOP_stop_periodic_timer")]
        STOP_PERIODIC_TIMER = 7,
        /// Arms the one-shot timer. Argument [`VcpuSetSingleshotTimer`].
        #[doc(alias = "VCPUOP_set_singleshot_timer")]
        SET_SINGLESHOT_TIMER = 8,
        /// Disarms it.
        #[doc(alias = "VCPUOP_stop_singleshot_timer")]
        STOP_SINGLESHOT_TIMER = 9,
        /// Moves the vCPU's `vcpu_info`. Argument [`VcpuRegisterVcpuInfo`].
        #[doc(alias = "VCPUOP_register_vcpu_info")]
        REGISTER_VCPU_INFO = 10,
        /// Sends it an NMI.
        #[doc(alias = "VCPUOP_send_nmi")]
        SEND_NMI = 11,
        /// Which physical CPU it is pinned to. Argument [`VcpuGetPhysid`].
        #[doc(alias = "VCPUOP_get_physid")]
        GET_PHYSID = 12,
        /// Keeps a copy of its clock up to date. Argument [`VcpuRegisterTimeMemoryArea`].
        #[doc(alias = "VCPUOP_register_vcpu_time_memory_area")]
        REGISTER_VCPU_TIME_MEMORY_AREA = 13,
    }
}

open_enum! {
    /// What a vCPU is doing.
    pub struct Runstate: i32 {
        /// On a CPU.
        #[doc(alias = "RUNSTATE_running")]
        RUNNING = 0,
        /// Waiting for a CPU.
        #[doc(alias = "RUNSTATE_runnable")]
        RUNNABLE = 1,
        /// Waiting for an event.
        #[doc(alias = "RUNSTATE_blocked")]
        BLOCKED = 2,
        /// Down, paused or crashed.
        #[doc(alias = "RUNSTATE_offline")]
        OFFLINE = 3,
    }
}

/// How long a vCPU was in which state.
#[doc(alias = "vcpu_runstate_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuRunstateInfo {
    /// Since `state_entry_time`.
    pub state: Runstate,
    /// Padding.
    pub _pad: [u8; 4],
    /// System time in nanoseconds; bit [`RUNSTATE_UPDATE`] is set while the area changes.
    pub state_entry_time: u64,
    /// Nanoseconds in each [`Runstate`].
    pub time: [u64; 4],
}

/// Bit of [`VcpuRunstateInfo::state_entry_time`]: an update is in progress.
#[doc(alias = "XEN_RUNSTATE_UPDATE")]
pub const RUNSTATE_UPDATE: u64 = 1 << 63;

/// Argument of [`VcpuOp::REGISTER_RUNSTATE_MEMORY_AREA`].
#[doc(alias = "vcpu_register_runstate_memory_area")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuRegisterRunstateMemoryArea {
    /// Where to keep the copy; null for nowhere.
    pub addr: GuestHandle<VcpuRunstateInfo>,
}

/// Argument of [`VcpuOp::SET_PERIODIC_TIMER`].
#[doc(alias = "vcpu_set_periodic_timer")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuSetPeriodicTimer {
    /// Period in nanoseconds.
    pub period_ns: u64,
}

flags! {
    /// [`VcpuSetSingleshotTimer::flags`].
    pub struct SingleshotFlags: u32 {
        /// Fail with `ETIME` if the time is past.
        #[doc(alias = "VCPU_SSHOTTMR_future")]
        FUTURE = 1 << 0,
    }
}

/// Argument of [`VcpuOp::SET_SINGLESHOT_TIMER`].
#[doc(alias = "vcpu_set_singleshot_timer")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuSetSingleshotTimer {
    /// System time in nanoseconds.
    pub timeout_abs_ns: u64,
    /// What to do about a past time.
    pub flags: SingleshotFlags,
    /// Padding.
    pub _pad: [u8; 4],
}

/// Argument of [`VcpuOp::REGISTER_VCPU_INFO`].
#[doc(alias = "vcpu_register_vcpu_info")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuRegisterVcpuInfo {
    /// The frame.
    pub mfn: Mfn,
    /// Where in it, in bytes.
    pub offset: u32,
    /// Zero.
    pub rsvd: u32,
}

/// Argument of [`VcpuOp::GET_PHYSID`].
#[doc(alias = "vcpu_get_physid")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuGetPhysid {
    /// Out: APIC id in the low half, ACPI id in the high half.
    pub phys_id: u64,
}

/// Argument of [`VcpuOp::REGISTER_VCPU_TIME_MEMORY_AREA`].
#[doc(alias = "vcpu_register_time_memory_area")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuRegisterTimeMemoryArea {
    /// Where to keep the copy; null for nowhere.
    pub addr: GuestHandle<VcpuTimeInfo>,
}

/// A register set, in the order of the headers.
#[doc(alias = "cpu_user_regs")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CpuUserRegs {
    /// Register.
    pub r15: u64,
    /// Register.
    pub r14: u64,
    /// Register.
    pub r13: u64,
    /// Register.
    pub r12: u64,
    /// Register.
    pub rbp: u64,
    /// Register.
    pub rbx: u64,
    /// Register.
    pub r11: u64,
    /// Register.
    pub r10: u64,
    /// Register.
    pub r9: u64,
    /// Register.
    pub r8: u64,
    /// Register.
    pub rax: u64,
    /// Register.
    pub rcx: u64,
    /// Register.
    pub rdx: u64,
    /// Register.
    pub rsi: u64,
    /// Register.
    pub rdi: u64,
    /// Private to the hypervisor.
    pub error_code: u32,
    /// Private to the hypervisor.
    pub entry_vector: u32,
    /// Instruction pointer.
    pub rip: u64,
    /// Code selector.
    pub cs: u16,
    /// Padding.
    pub _pad0: [u16; 1],
    /// The upcall mask at entry.
    pub saved_upcall_mask: u8,
    /// Padding.
    pub _pad1: [u8; 3],
    /// Flags.
    pub rflags: u64,
    /// Stack pointer.
    pub rsp: u64,
    /// Stack selector.
    pub ss: u16,
    /// Padding.
    pub _pad2: [u16; 3],
    /// Data selector.
    pub es: u16,
    /// Padding.
    pub _pad3: [u16; 3],
    /// Data selector.
    pub ds: u16,
    /// Padding.
    pub _pad4: [u16; 3],
    /// Data selector.
    pub fs: u16,
    /// Padding.
    pub _pad5: [u16; 3],
    /// Data selector.
    pub gs: u16,
    /// Padding.
    pub _pad6: [u16; 3],
}

flags! {
    /// [`VcpuGuestContext::flags`]. [`ContextFlags::IN_SYSCALL`] is also used in
    /// [`crate::trap::IretContext::flags`].
    pub struct ContextFlags: u64 {
        /// `fpu_ctxt` counts.
        #[doc(alias = "VGCF_i387_valid")]
        I387_VALID = 1 << 0,
        /// The vCPU is in kernel mode.
        #[doc(alias = "VGCF_in_kernel")]
        IN_KERNEL = 1 << 2,
        /// The failsafe callback masks events.
        #[doc(alias = "VGCF_failsafe_disables_events")]
        FAILSAFE_DISABLES_EVENTS = 1 << 3,
        /// The syscall callback masks events.
        #[doc(alias = "VGCF_syscall_disables_events")]
        SYSCALL_DISABLES_EVENTS = 1 << 4,
        /// The vCPU is up.
        #[doc(alias = "VGCF_online")]
        ONLINE = 1 << 5,
        /// Return by `sysret`.
        #[doc(alias = "VGCF_in_syscall")]
        IN_SYSCALL = 1 << 8,
    }
}

/// The whole state of a vCPU, as the guest gives it for a new one and the toolstack reads and writes it.
#[doc(alias = "vcpu_guest_context")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct VcpuGuestContext {
    /// FXSAVE image.
    pub fpu_ctxt: [u8; 512],
    /// Mode and options.
    pub flags: ContextFlags,
    /// Registers.
    pub user_regs: CpuUserRegs,
    /// Trap table, in order of vectors.
    pub trap_ctxt: [TrapInfo; 256],
    /// Virtual address of the LDT.
    pub ldt_base: u64,
    /// Its entries.
    pub ldt_ents: u64,
    /// Machine frames of the GDT.
    pub gdt_frames: [u64; 16],
    /// Its entries.
    pub gdt_ents: u64,
    /// Kernel stack selector.
    pub kernel_ss: u64,
    /// Kernel stack pointer.
    pub kernel_sp: u64,
    /// Control registers by number; 1 holds the user L4 in the form of CR3, with bit 0 set if there is one.
    pub ctrlreg: [u64; 8],
    /// Debug registers.
    pub debugreg: [u64; 8],
    /// Event entry point.
    pub event_callback_eip: u64,
    /// Failsafe entry point.
    pub failsafe_callback_eip: u64,
    /// Syscall entry point.
    pub syscall_callback_eip: u64,
    /// Bits of the assists that are on.
    pub vm_assist: u64,
    /// FS base.
    pub fs_base: u64,
    /// GS base of kernel mode.
    pub gs_base_kernel: u64,
    /// GS base of user mode.
    pub gs_base_user: u64,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<VcpuRunstateInfo>() == 0x30);
    assert!(size_of::<VcpuRegisterRunstateMemoryArea>() == 0x8);
    assert!(size_of::<VcpuSetPeriodicTimer>() == 0x8);
    assert!(size_of::<VcpuSetSingleshotTimer>() == 0x10);
    assert!(size_of::<VcpuRegisterVcpuInfo>() == 0x10);
    assert!(size_of::<VcpuGetPhysid>() == 0x8);
    assert!(size_of::<VcpuRegisterTimeMemoryArea>() == 0x8);
    assert!(size_of::<CpuUserRegs>() == 0xc8);
    assert!(size_of::<VcpuGuestContext>() == 0x1430);
};
