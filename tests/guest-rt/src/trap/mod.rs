// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trap table, the frames Xen pushes, and running a few bytes of code until they trap.
//!
//! [`run`] and [`run_user`] are the heart of most tests: they copy machine code to a page, enter it by the iret hypercall with
//! chosen registers, and return what ended it: the first trap, or the end of the code (kernel mode only).

mod run;
mod stubs;

pub use run::{
    code_page, kernel_stack_top, run, run_frame, run_regs, run_user, run_user_regs, set_hook, test_stack_top,
};
pub use stubs::stub;

use crate::report::{self, Verdict};
use crate::{abi, hypercall};

/// Vector number given to the `syscall` callback.
pub const SYSCALL: u64 = 0x100;
/// Vector number given to the 32-bit `syscall` callback.
pub const SYSCALL32: u64 = 0x101;
/// Vector number given to the `sysenter` callback.
pub const SYSENTER: u64 = 0x102;
/// Vector number given to the event callback.
pub const EVENT: u64 = 0x103;
/// Vector number given to the failsafe callback.
pub const FAILSAFE: u64 = 0x104;
/// Vector number of a [`Trap`] that means: the code ran to its end.
pub const DONE: u64 = 0x1ff;

/// Registers as the stubs save them: first the general ones, then what Xen pushed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "register names")]
pub struct Frame {
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    /// The value in the frame's rcx slot.
    pub rcx: u64,
    pub rax: u64,
    /// The value in the frame's r11 slot.
    pub r11: u64,
    pub vector: u64,
    /// The error code as pushed, or the flags of an iret.
    pub error: u64,
    pub rip: u64,
    /// The selector in bits 0-15, the saved upcall mask in bits 32-39.
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

/// What ended a piece of code.
#[derive(Clone, Copy, Debug, Default)]
pub struct Trap {
    /// Exception vector, or one of the constants of this module.
    pub vector: u64,
    /// The error code, 0 for vectors without one.
    pub error: u64,
    /// `arch.cr2` of the vcpu_info when the handler started.
    pub cr2: u64,
    /// rip relative to the start of the code.
    pub offset: i64,
    /// Where the frame was pushed: rsp at the handler's first instruction.
    pub frame_at: u64,
    /// The upcall mask when the handler started.
    pub mask: u8,
    /// All registers.
    pub frame: Frame,
}

impl Trap {
    /// The code selector without the saved mask.
    pub fn cs(&self) -> u64 {
        self.frame.cs & 0xffff
    }

    /// The upcall mask saved in the frame.
    pub fn saved_mask(&self) -> u64 {
        self.frame.cs >> 32 & 0xff
    }
}

/// Exceptions that push an error code, as a bit each.
const WITH_ERROR: u32 = 1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;

/// A line of `set_trap_table`: `flags` holds the DPL in bits 0-1 and "mask events" in bit 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct TrapInfo {
    vector: u8,
    flags: u8,
    cs: u16,
    pad: u32,
    address: u64,
}

impl TrapInfo {
    /// A line that sends `vector` to `address`.
    pub fn new(vector: u8, flags: u8, address: u64) -> Self {
        TrapInfo { vector, flags, cs: abi::FLAT_KERNEL_CS as u16, pad: 0, address }
    }
}

/// `set_trap_table` for one vector.
pub fn set_gate(vector: u8, flags: u8, address: u64) -> i64 {
    let mut table = [TrapInfo::new(vector, flags, address), TrapInfo::default()];
    hypercall::call(abi::HC_SET_TRAP_TABLE, [hypercall::addr(&mut table), 0, 0, 0, 0])
}

/// `callback_op(CALLBACKOP_register)`.
pub fn register_callback(kind: u16, flags: u16, address: u64) -> i64 {
    let mut arg = [u64::from(kind) | u64::from(flags) << 16, address];
    hypercall::op(abi::HC_CALLBACK_OP, 0, &mut arg)
}

/// Installs every gate and callback, and the stack for traps from user mode.
pub(crate) fn init() {
    for vector in 0..32u8 {
        // Breakpoint and overflow are open to user mode, as on bare hardware.
        let dpl = if vector == 3 || vector == 4 { 3 } else { 0 };
        expect_ok(set_gate(vector, dpl, stub(u64::from(vector))), "set_trap_table");
    }
    expect_ok(register_callback(0, 0, stub(EVENT)), "event callback");
    expect_ok(register_callback(1, 0, stub(FAILSAFE)), "failsafe callback");
    expect_ok(register_callback(2, 1, stub(SYSCALL)), "syscall callback");
    let stack = hypercall::call(abi::HC_STACK_SWITCH, [abi::FLAT_KERNEL_SS, kernel_stack_top(), 0, 0, 0]);
    expect_ok(stack, "stack_switch");
}

fn expect_ok(result: i64, what: &str) {
    if result != 0 {
        report::finish(Verdict::Failure, format_args!("{what} returned {result}"));
    }
}
