// SPDX-License-Identifier: MIT OR Apache-2.0
// modify_ldt: a data segment of our own is read through, moved, and read through again, with switches in between.
// Exit status: 0, or the number of the check that failed.
        .intel_syntax noprefix
        .globl  _start
        .text
_start:
        mov     r12d, 2000              // rounds
again:
        lea     rax, [rip + first]
        mov     [rip + descriptor + 4], eax
        call    install
        mov     ebx, 2
        mov     ecx, fs:[0]
        cmp     ecx, 0x11111111
        jne     failed
        mov     eax, 24                 // sched_yield
        syscall
        mov     ebx, 3
        mov     ecx, fs:[0]             // still the same after a switch
        cmp     ecx, 0x11111111
        jne     failed
        lea     rax, [rip + second]
        mov     [rip + descriptor + 4], eax
        call    install
        mov     ebx, 4
        mov     ecx, fs:[0]
        cmp     ecx, 0x22222222
        jne     failed
        dec     r12d
        jnz     again
        xor     ebx, ebx
failed:
        mov     edi, ebx
        mov     eax, 60                 // exit
        syscall

// Writes entry 0 and loads fs with it.
install:
        mov     ebx, 1
        mov     eax, 154                // modify_ldt
        mov     edi, 0x11               // write, new form
        lea     rsi, [rip + descriptor]
        mov     edx, 16
        syscall
        test    rax, rax
        jnz     failed
        mov     eax, 7                  // entry 0, LDT, RPL 3
        mov     fs, eax
        ret

        .data
first:  .long   0x11111111
second: .long   0x22222222
        .balign 8
descriptor:                             // struct user_desc (asm/ldt.h)
        .long   0, 0, 0xfffff
        .long   0x51                    // 32-bit, limit in pages, usable
        .section .note.GNU-stack, "", @progbits
