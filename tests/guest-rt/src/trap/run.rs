// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running code under test, and the handler that ends it.
// UNSAFETY: the stacks, the code page and the record that the assembly shares with Rust.
#![expect(unsafe_code, reason = "stacks, code page and record shared with assembly")]

use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use super::stubs::{rt_back, rt_done, rt_enter};
use super::{DONE, EVENT, Frame, Trap, WITH_ERROR};
use crate::report::{self, Verdict};
use crate::{abi, event, memory};

const STACK_SIZE: usize = 32 * 1024;

/// A stack of the runtime.
#[repr(C, align(4096))]
struct Stack([u8; STACK_SIZE]);

/// One page of code under test.
#[repr(C, align(4096))]
struct Code([u8; 4096]);

/// Where traps from user mode land.
static mut KERNEL_STACK: Stack = Stack([0; STACK_SIZE]);
/// The stack of code under test.
static mut TEST_STACK: Stack = Stack([0; STACK_SIZE]);
static mut CODE: Code = Code([0; 4096]);
static mut LAST: Option<Trap> = None;

/// The flags with which [`enter`] returns: the upcall mask as its caller had it.
static RETURN_FLAGS: AtomicU64 = AtomicU64::new(2);
static ARMED: AtomicBool = AtomicBool::new(false);
static HOOK: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Address of the page that holds the code under test.
pub fn code_page() -> u64 {
    (&raw const CODE) as u64
}

/// Top of the stack of code under test.
pub fn test_stack_top() -> u64 {
    (&raw const TEST_STACK) as u64 + STACK_SIZE as u64
}

/// Top of the stack that traps from user mode use.
pub fn kernel_stack_top() -> u64 {
    (&raw const KERNEL_STACK) as u64 + STACK_SIZE as u64
}

/// Lets `hook` see every trap first; it returns true to continue at the (perhaps changed) frame.
pub fn set_hook(hook: Option<fn(&mut Frame) -> bool>) {
    HOOK.store(hook.map_or(core::ptr::null_mut(), |f| f as *mut ()), Ordering::SeqCst);
}

/// Where every stub arrives.
pub(super) extern "C" fn rt_trap(frame: &mut Frame) {
    let mask = event::upcall_mask();
    let cr2 = event::cr2();
    let hook = HOOK.load(Ordering::SeqCst);
    if !hook.is_null() && frame.vector != DONE {
        // SAFETY: only set_hook stores here, and it stores functions of this type or null.
        let hook: fn(&mut Frame) -> bool = unsafe { core::mem::transmute(hook) };
        if hook(frame) {
            frame.error = 0;
            return;
        }
    }
    if frame.vector == EVENT {
        event::on_upcall();
        frame.error = 0;
        return;
    }
    if !ARMED.swap(false, Ordering::SeqCst) {
        report::finish(
            Verdict::Error,
            format_args!(
                "unexpected trap {} error {:#x} rip {:#x} cr2 {cr2:#x} rsp {:#x} cs {:#x}",
                frame.vector, frame.error, frame.rip, frame.rsp, frame.cs
            ),
        );
    }
    let has_error = frame.vector < 32 && WITH_ERROR >> frame.vector & 1 == 1;
    let pushed_below_rip = if has_error { 24 } else { 16 };
    let trap = Trap {
        vector: frame.vector,
        error: frame.error,
        cr2,
        offset: frame.rip.wrapping_sub(code_page()) as i64,
        frame_at: (&raw const frame.rip) as u64 - pushed_below_rip,
        mask,
        frame: *frame,
    };
    // SAFETY: tests run on one vCPU, and nothing reads LAST before rt_enter comes back.
    unsafe { LAST = Some(trap) };
    frame.rip = rt_back as *const () as u64;
    frame.cs = 0xe030;
    frame.ss = abi::FLAT_KERNEL_SS;
    frame.rflags = RETURN_FLAGS.load(Ordering::SeqCst);
    frame.error = 0;
}

fn enter(code: &[u8], mut frame: Frame) -> Trap {
    // mov to rip-relative memory would need room: jmp [rip + 0]; .quad rt_done
    let mut bytes = [0xccu8; 4096];
    if code.len() + 14 > bytes.len() {
        report::finish(Verdict::Error, format_args!("code of {} bytes is too long", code.len()));
    }
    bytes[..code.len()].copy_from_slice(code);
    bytes[code.len()..][..6].copy_from_slice(&[0xff, 0x25, 0, 0, 0, 0]);
    bytes[code.len() + 6..][..8].copy_from_slice(&(rt_done as *const () as u64).to_le_bytes());
    if frame.rip == 0 {
        frame.rip = code_page();
    }
    if frame.rsp == 0 {
        frame.rsp = test_stack_top() - 0x1000;
    }
    // SAFETY: the code page is only written here, while no code under test runs.
    unsafe { (&raw mut CODE).write_volatile(Code(bytes)) };
    RETURN_FLAGS.store(if event::upcall_mask() == 0 { 0x202 } else { 0x002 }, Ordering::SeqCst);
    ARMED.store(true, Ordering::SeqCst);
    // SAFETY: rt_enter saves and restores what the C ABI asks for; the trap handler brings control back, and clobbered memory
    // is the runtime's own, or what the test asked for.
    let trap = unsafe {
        rt_enter(&raw const frame);
        (&raw mut LAST).replace(None)
    };
    ARMED.store(false, Ordering::SeqCst);
    trap.unwrap_or_else(|| report::finish(Verdict::Error, format_args!("no trap was recorded")))
}

/// Enters whatever the frame says (its `error` field are the iret flags) with `code` on the code page.
pub fn run_frame(code: &[u8], frame: Frame) -> Trap {
    enter(code, frame)
}

/// Runs code in guest kernel mode with the registers of `regs`; upcalls stay as they are.
pub fn run_regs(code: &[u8], regs: Frame) -> Trap {
    let flags = if event::upcall_mask() == 0 { 0x202 } else { 0x002 };
    let rflags = if regs.rflags == 0 { flags } else { regs.rflags };
    enter(code, Frame { cs: 0xe030, ss: abi::FLAT_KERNEL_SS, rflags, ..regs })
}

/// Runs code in guest kernel mode.
pub fn run(code: &[u8]) -> Trap {
    run_regs(code, Frame::default())
}

/// Runs code in guest user mode; [`memory::setup_user`] must have been called.
pub fn run_user_regs(code: &[u8], regs: Frame) -> Trap {
    memory::setup_user();
    let rflags = if regs.rflags == 0 { 0x202 } else { regs.rflags };
    let cs = if regs.cs == 0 { abi::FLAT_KERNEL_CS } else { regs.cs };
    let ss = if regs.ss == 0 { abi::FLAT_KERNEL_SS } else { regs.ss };
    enter(code, Frame { cs, ss, rflags, ..regs })
}

/// Runs code in guest user mode.
pub fn run_user(code: &[u8]) -> Trap {
    run_user_regs(code, Frame::default())
}
