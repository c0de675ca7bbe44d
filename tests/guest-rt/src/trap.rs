// SPDX-License-Identifier: MIT OR Apache-2.0
//! Trap table, the frames Xen pushes, and running a few bytes of code until they trap.
//!
//! [`run`] and [`run_user`] are the heart of most tests: they copy machine code to a page, enter it by the iret hypercall with
//! chosen registers, and return what ended it: the first trap, or the end of the code (kernel mode only).
// UNSAFETY: entry stubs, and the state they share with Rust.
#![expect(
    unsafe_code,
    reason = "entry stubs, and the state they share with Rust"
)]

use core::arch::global_asm;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::report::{self, Verdict};
use crate::{abi, event, hypercall, memory};

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

const WITH_ERROR: u32 =
    1 << 8 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 17 | 1 << 21;

global_asm!(
    r#"
    .macro rt_stub vec
    .balign 16
    .type rt_trap_\vec, @function
rt_trap_\vec:
    pop rcx
    pop r11
    .if ((\vec < 32) && (({with_error} >> \vec) & 1)) == 0
    push 0
    .endif
    push \vec
    jmp rt_common
    .size rt_trap_\vec, . - rt_trap_\vec
    .pushsection .rodata.rt_stubs, "a"
    .quad rt_trap_\vec
    .popsection
    .endm
    .pushsection .rodata.rt_stubs, "a"
    .balign 8
rt_stubs:
    .popsection
    .altmacro
    .set rt_i, 0
    .rept 32
    rt_stub %rt_i
    .set rt_i, rt_i + 1
    .endr
    rt_stub 128
    rt_stub 129
    rt_stub 256
    rt_stub 257
    rt_stub 258
    rt_stub 259
    .noaltmacro
    .balign 16
rt_failsafe:
    pop rcx
    pop r11
    add rsp, 32
    push 0
    push 260
    jmp rt_common
    .pushsection .rodata.rt_stubs, "a"
    .quad rt_failsafe
    .popsection

    .balign 16
    .type rt_common, @function
rt_common:
    push r11
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r12
    push r13
    push r14
    push r15
    mov rdi, rsp
    mov rbp, rsp
    and rsp, -16
    cld
    call {handler}
    mov rsp, rbp
rt_restore:
    pop r15
    pop r14
    pop r13
    pop r12
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    mov [rsp + 16], rcx
    mov eax, {iret}
    syscall
    ud2
    .size rt_common, . - rt_common

    // rt_enter(frame): leaves for the frame; comes back when something traps or the code ends.
    .balign 16
    .globl rt_enter
    .type rt_enter, @function
rt_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rip + {back}], rsp
    mov rsp, rdi
    jmp rt_restore
    .size rt_enter, . - rt_enter

    // Where finished kernel code jumps to: builds, on a stack of its own, a frame as Xen would push it.
    .balign 16
    .globl rt_done
    .type rt_done, @function
rt_done:
    mov [rip + {done_rsp}], rsp
    lea rsp, [rip + {done_stack} + {done_size}]
    pushfq
    pop qword ptr [rip + {done_flags}]
    push 0xe02b
    push qword ptr [rip + {done_rsp}]
    push qword ptr [rip + {done_flags}]
    push 0xe030
    push 0
    push 0
    push {done}
    jmp rt_common
    .size rt_done, . - rt_done

    .globl rt_back
    .type rt_back, @function
rt_back:
    mov rsp, [rip + {back}]
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
    .size rt_back, . - rt_back
    "#,
    with_error = const WITH_ERROR,
    handler = sym rt_trap,
    iret = const abi::HC_IRET,
    back = sym BACK,
    done_rsp = sym DONE_RSP,
    done_flags = sym DONE_FLAGS,
    done_stack = sym DONE_STACK,
    done_size = const STACK_SIZE,
    done = const DONE,
);

unsafe extern "C" {
    /// The stubs' addresses: 32 vectors, 0x80, 0x81, syscall, syscall32, sysenter, event, failsafe.
    static rt_stubs: [u64; 39];
    fn rt_enter(frame: *const Frame);
    fn rt_done();
    fn rt_back();
}

const STACK_SIZE: usize = 32 * 1024;

/// A stack of the runtime.
#[repr(C, align(4096))]
struct Stack([u8; STACK_SIZE]);

/// One page of code under test.
#[repr(C, align(4096))]
struct Code([u8; 4096]);

// Written by the assembly above only.
static BACK: AtomicU64 = AtomicU64::new(0);
static DONE_RSP: AtomicU64 = AtomicU64::new(0);
static DONE_FLAGS: AtomicU64 = AtomicU64::new(0);
static mut DONE_STACK: Stack = Stack([0; STACK_SIZE]);
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

/// The stub for `vector` (an exception, 0x80, 0x81, or one of the constants of this module).
pub fn stub(vector: u64) -> u64 {
    let index = match vector {
        0..32 => vector as usize,
        0x80 => 32,
        0x81 => 33,
        SYSCALL => 34,
        SYSCALL32 => 35,
        SYSENTER => 36,
        EVENT => 37,
        FAILSAFE => 38,
        _ => report::finish(
            Verdict::Error,
            format_args!("no stub for vector {vector:#x}"),
        ),
    };
    // SAFETY: the table is constant data made by the assembly above, and index is within its 39 entries.
    unsafe { rt_stubs[index] }
}

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
        TrapInfo {
            vector,
            flags,
            cs: abi::FLAT_KERNEL_CS as u16,
            pad: 0,
            address,
        }
    }
}

/// `set_trap_table` for one vector.
pub fn set_gate(vector: u8, flags: u8, address: u64) -> i64 {
    let mut table = [TrapInfo::new(vector, flags, address), TrapInfo::default()];
    hypercall::call(
        abi::HC_SET_TRAP_TABLE,
        [hypercall::addr(&mut table), 0, 0, 0, 0],
    )
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
        expect_ok(
            set_gate(vector, dpl, stub(u64::from(vector))),
            "set_trap_table",
        );
    }
    expect_ok(register_callback(0, 0, stub(EVENT)), "event callback");
    expect_ok(register_callback(1, 0, stub(FAILSAFE)), "failsafe callback");
    expect_ok(register_callback(2, 1, stub(SYSCALL)), "syscall callback");
    let stack = hypercall::call(
        abi::HC_STACK_SWITCH,
        [abi::FLAT_KERNEL_SS, kernel_stack_top(), 0, 0, 0],
    );
    expect_ok(stack, "stack_switch");
}

fn expect_ok(result: i64, what: &str) {
    if result != 0 {
        report::finish(Verdict::Failure, format_args!("{what} returned {result}"));
    }
}

/// Lets `hook` see every trap first; it returns true to continue at the (perhaps changed) frame.
pub fn set_hook(hook: Option<fn(&mut Frame) -> bool>) {
    HOOK.store(
        hook.map_or(core::ptr::null_mut(), |f| f as *mut ()),
        Ordering::SeqCst,
    );
}

extern "C" fn rt_trap(frame: &mut Frame) {
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
        report::finish(
            Verdict::Error,
            format_args!("code of {} bytes is too long", code.len()),
        );
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
    let flags = if event::upcall_mask() == 0 {
        0x202
    } else {
        0x002
    };
    let rflags = if regs.rflags == 0 { flags } else { regs.rflags };
    enter(
        code,
        Frame {
            cs: 0xe030,
            ss: abi::FLAT_KERNEL_SS,
            rflags,
            ..regs
        },
    )
}

/// Runs code in guest kernel mode.
pub fn run(code: &[u8]) -> Trap {
    run_regs(code, Frame::default())
}

/// Runs code in guest user mode; [`memory::setup_user`] must have been called.
pub fn run_user_regs(code: &[u8], regs: Frame) -> Trap {
    memory::setup_user();
    let rflags = if regs.rflags == 0 { 0x202 } else { regs.rflags };
    let cs = if regs.cs == 0 {
        abi::FLAT_KERNEL_CS
    } else {
        regs.cs
    };
    let ss = if regs.ss == 0 {
        abi::FLAT_KERNEL_SS
    } else {
        regs.ss
    };
    enter(
        code,
        Frame {
            cs,
            ss,
            rflags,
            ..regs
        },
    )
}

/// Runs code in guest user mode.
pub fn run_user(code: &[u8]) -> Trap {
    run_user_regs(code, Frame::default())
}
