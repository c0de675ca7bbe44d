// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ELF notes, the first instructions, and the order of setting up.
// UNSAFETY: assembly entry, and the symbol that names the test.
#![expect(unsafe_code, reason = "assembly entry, and the symbol that names the test")]

use core::arch::global_asm;
use core::panic::PanicInfo;

use crate::report::{self, Verdict};
use crate::{event, memory, trap};

global_asm!(
    r#"
    .macro xen_note type, val:vararg
    xen_note_in .note.Xen, \type, \val
    .endm
    .macro xen_note_in section, type, val:vararg
    .pushsection \section, "a", @note
    .balign 4
    .long 4, 2f-1f, \type
    .asciz "Xen"
1:  \val
2:  .balign 4
    .popsection
    .endm
    xen_note 6, .asciz "xenolith-test"      // GUEST_OS
    xen_note 5, .asciz "xen-3.0"            // XEN_VERSION
    xen_note 8, .asciz "generic"            // LOADER
    xen_note 9, .asciz "yes"                // PAE_MODE
    xen_note 3, .quad 0xffffffff80000000    // VIRT_BASE
    xen_note 4, .quad 0                     // PADDR_OFFSET
    xen_note 1, .quad _start                // ENTRY
    xen_note_in .note.Xen.p2m, 15, .quad 0x8000000000   // INIT_P2M; a small domU leaves it out
    xen_note 16, .long 1                    // MOD_START_PFN
    xen_note 17, .long 0x801                // SUPPORTED_FEATURES: writable_page_tables, dom0
    .section .text.start, "ax"
    .globl _start
    .type _start, @function
_start:
    cld
    mov rdi, rsi
    lea rsp, [rip + {stack} + {stack_size}]
    xor ebp, ebp
    call {main}
    ud2
    .size _start, . - _start
    .text
    "#,
    stack = sym STACK,
    stack_size = const STACK_SIZE,
    main = sym rt_main,
);

const STACK_SIZE: usize = 64 * 1024;

/// The boot vCPU's kernel stack.
#[repr(C, align(4096))]
struct Stack([u8; STACK_SIZE]);

static mut STACK: Stack = Stack([0; STACK_SIZE]);

unsafe extern "Rust" {
    /// The test, defined by [`guest_main!`](crate::guest_main).
    safe fn guest_entry();
}

extern "C" fn rt_main(start_info: u64) -> ! {
    memory::init(start_info);
    trap::init();
    event::init();
    guest_entry();
    report::finish(Verdict::Success, format_args!("all checks held"));
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    report::finish(Verdict::Error, format_args!("{info}"));
}
