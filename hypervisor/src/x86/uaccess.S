// SPDX-License-Identifier: MIT OR Apache-2.0
// Copies that may fault. A fault inside resumes at the label given in the fixup table (entry.rs searches it).
// All: rdi = destination, rsi = source, rdx = length; returns rax = 0, or 1 after a fault. Bytes copied before a fault stay.

.section .entry.text, "ax"
.balign 16
.global uaccess_copy
.type uaccess_copy, @function
uaccess_copy:
    mov     %rdx, %rcx
    shr     $3, %rcx
    cmp     $8, %rcx
    ja      2f
    test    %rcx, %rcx
    jz      3f
1:  mov     (%rsi), %rax
5:  mov     %rax, (%rdi)
    add     $8, %rsi
    add     $8, %rdi
    dec     %rcx
    jnz     1b
3:  and     $7, %edx
    jz      4f
    mov     %edx, %ecx
6:  rep movsb
4:  xor     %eax, %eax
    ret
2:  rep movsq
    jmp     3b
9:  mov     $1, %eax
    ret
.size uaccess_copy, . - uaccess_copy
.pushsection .fixup_table, "a"
    .quad 1b, 9b
    .quad 5b, 9b
    .quad 6b, 9b
    .quad 2b, 9b
.popsection

// rdmsr with fixup: edi = index, rsi = where the value goes.
.balign 16
.global try_rdmsr
.type try_rdmsr, @function
try_rdmsr:
    mov     %edi, %ecx
1:  rdmsr
    shl     $32, %rdx
    or      %rdx, %rax
    mov     %rax, (%rsi)
    xor     %eax, %eax
    ret
9:  mov     $1, %eax
    ret
.size try_rdmsr, . - try_rdmsr
.pushsection .fixup_table, "a"
    .quad 1b, 9b
.popsection

// Loads a data segment register: edi = selector, esi = 0 ds, 1 es, 2 fs, 3 gs.
.balign 16
.global try_load_segment
.type try_load_segment, @function
try_load_segment:
    cmp     $1, %esi
    jb      1f
    je      2f
    cmp     $3, %esi
    jb      3f
4:  mov     %edi, %gs
    xor     %eax, %eax
    ret
1:  mov     %edi, %ds
    xor     %eax, %eax
    ret
2:  mov     %edi, %es
    xor     %eax, %eax
    ret
3:  mov     %edi, %fs
    xor     %eax, %eax
    ret
9:  mov     $1, %eax
    ret
.size try_load_segment, . - try_load_segment
.pushsection .fixup_table, "a"
    .quad 1b, 9b
    .quad 2b, 9b
    .quad 3b, 9b
    .quad 4b, 9b
.popsection

// XRSTOR / FXRSTOR with fixup: rdi = area, rsi = component mask (0: fxrstor).
.balign 16
.global try_restore_fpu
.type try_restore_fpu, @function
try_restore_fpu:
    test    %rsi, %rsi
    jz      2f
    mov     %esi, %eax
    mov     %rsi, %rdx
    shr     $32, %rdx
1:  xrstor64 (%rdi)
    xor     %eax, %eax
    ret
2:  fxrstor64 (%rdi)
    xor     %eax, %eax
    ret
9:  mov     $1, %eax
    ret
.size try_restore_fpu, . - try_restore_fpu
.pushsection .fixup_table, "a"
    .quad 1b, 9b
    .quad 2b, 9b
.popsection
