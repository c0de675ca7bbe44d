// SPDX-License-Identifier: MIT OR Apache-2.0
// Every way into the hypervisor and the one way out to a guest.
//
// TSS.RSP0 and the per-CPU syscall slot point at the end of the running vCPU's register file (x86/regs.rs), so the
// processor and these stubs save straight into the vCPU. The word after the file is the CPU's own stack.
// Offsets in it come from x86/regs.rs as `const` operands.

// Registers that a call may change and that an instruction SYSCALL leaves alone.
.macro SAVE_ARGUMENTS
    push    %rdi
    push    %rsi
    push    %rdx
    push    %r8
    push    %r9
    push    %r10
    push    %rax
.endm

.macro RESTORE_ARGUMENTS
    pop     %rax
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdx
    pop     %rsi
    pop     %rdi
.endm

// Registers that the functions we call preserve.
.macro SAVE_PRESERVED
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
.endm

.macro RESTORE_PRESERVED
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
.endm

.macro SAVE_GPRS
    SAVE_ARGUMENTS
    push    %rcx
    push    %r11
    SAVE_PRESERVED
.endm

.macro RESTORE_GPRS
    RESTORE_PRESERVED
    pop     %r11
    pop     %rcx
    RESTORE_ARGUMENTS
.endm

.section .entry.text, "ax"

// One stub a vector, 16 bytes each. Vectors with a hardware error code: SDM vol. 3A table 6-1.
.balign 16
.global entry_vectors
entry_vectors:
.set vec, 0
.rept 256
    .balign 16
    .if !(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21 || vec == 29 || vec == 30)
    push    $0
    .endif
    push    $vec
    .if vec == 14
    jmp     entry_page_fault
    .else
    jmp     entry_common
    .endif
    .set vec, vec + 1
.endr

.balign 16
.type entry_common, @function
entry_common:
    cld
    SAVE_GPRS
    testb   $3, {cs}(%rsp)
    jz      entry_host
entry_guest:
    mov     %rsp, %rdi
    mov     {stack}(%rsp), %rsp
    xor     %ebp, %ebp
    call    xenolith_guest_entry

// rax = register file of the vCPU that runs next.
.global exit_to_guest
exit_to_guest:
    mov     %rax, %rsp
    cmpl    ${sysret}, {vector}(%rsp)
    je      1f
    RESTORE_GPRS
    add     $16, %rsp
.global exit_iretq
exit_iretq:
    iretq
1:  RESTORE_PRESERVED
    add     $16, %rsp
exit_sysret:                                    // rsp = the slot of rax
    mov     {rip} - {rax}(%rsp), %rcx
    mov     {rflags} - {rax}(%rsp), %r11
    RESTORE_ARGUMENTS
    mov     {rsp} - {vector}(%rsp), %rsp
    sysretq
.size entry_common, . - entry_common

// #PF, the one exception that is frequent: most go to the guest, which needs of the registers no more than a call may change. 0: not
// done, handle it like any exception; 1: leave by SYSRET at once; 2: done, but something waits.
.balign 16
.type entry_page_fault, @function
entry_page_fault:
    cld
    SAVE_ARGUMENTS
    push    %rcx
    push    %r11
    testb   $3, {cs} - {r11}(%rsp)
    jz      1f
    mov     %rsp, %rdi
    mov     {stack} - {r11}(%rsp), %rsp
    push    %rdi
    call    xenolith_page_fault
    pop     %rsp
    cmp     ${go_sysret}, %eax
    jb      2f
    lea     {rax} - {r11}(%rsp), %rsp
    je      exit_sysret
    jmp     syscall_rest
2:  SAVE_PRESERVED
    jmp     entry_guest
1:  SAVE_PRESERVED
    jmp     entry_host
.size entry_page_fault, . - entry_page_fault

// A fault or interrupt that came while the hypervisor ran.
entry_host:
    lea     exit_iretq(%rip), %rax
    cmp     %rax, {rip}(%rsp)
    je      entry_bad_iret
    mov     %rsp, %rdi
    call    xenolith_host_trap
    RESTORE_GPRS
    add     $16, %rsp
    iretq

// The guest's own iret frame was refused: the fault belongs to the guest. rsp at the fault was the rip slot of its
// register file; this nested frame stands below it, over registers that are live in the nested copy.
entry_bad_iret:
    mov     %rsp, %rdi
    mov     {rsp}(%rsp), %rsi
    mov     {stack} - {rip}(%rsi), %rsp
    call    xenolith_bad_iret
    jmp     exit_to_guest

// System call entries, one a CPU, because nothing but rip tells which CPU this is. Slot: 0 rsp0, 8 scratch.
.macro SYSCALL_SLOTS name, target, cs
.balign 64
.global \name
\name:
.set cpu, 0
.rept {max_cpus}
    .balign 32
    mov     %rsp, syscall_slots + cpu * 64 + 8(%rip)
    mov     syscall_slots + cpu * 64(%rip), %rsp
    push    $0xe02b
    push    syscall_slots + cpu * 64 + 8(%rip)
    jmp     \target
    .set cpu, cpu + 1
.endr
.endm

SYSCALL_SLOTS entry_syscall, syscall_common
SYSCALL_SLOTS entry_cstar, cstar_common

// The short way: only what a call may change is saved, the rest stays in its registers. The answer of `xenolith_syscall`
// says how to go on; for anything but a plain return the register file is completed first. The slots of rcx and r11 are
// its business: SYSCALL has put rip and rflags there.
.balign 16
syscall_common:
    push    %r11
    push    $0xe033
    push    %rcx
    push    $0
    push    ${syscall_vector}
    SAVE_ARGUMENTS
    mov     %rsp, %rdi
    mov     {stack} - {rax}(%rsp), %rsp
    push    %rdi
    call    xenolith_syscall
    pop     %rsp
    cmp     ${go_sysret}, %eax
    je      exit_sysret
    ja      1f
syscall_rest:                                   // rsp = the slot of rax
    sub     $16, %rsp
    SAVE_PRESERVED
    mov     {stack}(%rsp), %rsp
    xor     %ebp, %ebp
    call    xenolith_leave
    jmp     exit_to_guest
1:  mov     {r11} - {rax}(%rsp), %r11
    mov     {rcx} - {rax}(%rsp), %rcx
    RESTORE_ARGUMENTS
    add     $16, %rsp
    jmp     exit_iretq
.size syscall_common, . - syscall_common

.balign 16
cstar_common:
    push    %r11
    push    $0xe023
    push    %rcx
    push    $0
    push    ${cstar_vector}
    SAVE_GPRS
    jmp     entry_guest

// SYSENTER loads rsp with the address of this CPU's syscall slot and leaves NT, TF and AC as user code had them.
.balign 16
.global entry_sysenter
entry_sysenter:
    mov     (%rsp), %rsp
    push    $0xe02b
    push    $0
    pushfq
    push    $3
    push    $0
    push    $0
    popfq
    push    $0
    push    ${sysenter_vector}
    cld
    SAVE_GPRS
    jmp     entry_guest

// #DB has its own stack: `mov ss` followed by `syscall` delays a data breakpoint to the first instruction of the
// syscall stub, where rsp still is the guest's (CVE-2018-8897). From a guest the frame moves to the register file.
.balign 16
.global entry_debug
entry_debug:
    testb   $3, 8(%rsp)
    jz      1f
    push    %rax
    push    %rbx
    mov     %rsp, %rax
    and     $-65536, %rax
    mov     (%rax), %rax                        // CpuLocal.rsp0
    mov     16(%rsp), %rbx
    mov     %rbx, -40(%rax)
    mov     24(%rsp), %rbx
    mov     %rbx, -32(%rax)
    mov     32(%rsp), %rbx
    mov     %rbx, -24(%rax)
    mov     40(%rsp), %rbx
    mov     %rbx, -16(%rax)
    mov     48(%rsp), %rbx
    mov     %rbx, -8(%rax)
    pop     %rbx
    pop     -48(%rax)
    lea     -48(%rax), %rsp
    pop     %rax
    push    $0
    push    $1
    jmp     entry_common
1:  push    $0
    push    $1
    jmp     entry_ist

.balign 16
.global entry_nmi
entry_nmi:
    push    $0
    push    $2
    jmp     entry_ist

.balign 16
.global entry_double_fault
entry_double_fault:
    push    $8
    jmp     entry_ist

.balign 16
.global entry_machine_check
entry_machine_check:
    push    $0
    push    $18
entry_ist:
    cld
    SAVE_GPRS
    mov     %rsp, %rdi
    call    xenolith_ist_trap
    RESTORE_GPRS
    add     $16, %rsp
    iretq

.section .data, "aw"
.balign 64
.global syscall_slots
syscall_slots:
    .skip   64 * {max_cpus}
