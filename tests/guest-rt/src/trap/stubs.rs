// SPDX-License-Identifier: MIT OR Apache-2.0
//! The assembly side: a stub per vector and callback, the way into code under test, and the ways back.
// UNSAFETY: entry stubs, and the state they share with Rust.
#![expect(unsafe_code, reason = "entry stubs, and the state they share with Rust")]

use core::arch::global_asm;
use core::sync::atomic::AtomicU64;

use super::run::rt_trap;
use super::{DONE, EVENT, FAILSAFE, Frame, SYSCALL, SYSCALL32, SYSENTER, WITH_ERROR};
use crate::abi;
use crate::report::{self, Verdict};

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
    pub(super) fn rt_enter(frame: *const Frame);
    pub(super) fn rt_done();
    pub(super) fn rt_back();
}

const STACK_SIZE: usize = 32 * 1024;

/// A stack of the runtime.
#[repr(C, align(4096))]
struct Stack([u8; STACK_SIZE]);

// Written by the assembly above only.
static BACK: AtomicU64 = AtomicU64::new(0);
static DONE_RSP: AtomicU64 = AtomicU64::new(0);
static DONE_FLAGS: AtomicU64 = AtomicU64::new(0);
static mut DONE_STACK: Stack = Stack([0; STACK_SIZE]);

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
        _ => report::finish(Verdict::Error, format_args!("no stub for vector {vector:#x}")),
    };
    // SAFETY: the table is constant data made by the assembly above, and index is within its 39 entries.
    unsafe { rt_stubs[index] }
}
