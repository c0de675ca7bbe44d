// SPDX-License-Identifier: MIT OR Apache-2.0
// ioperm and iopl give a process ports: the CMOS clock's seconds are read (a BCD number below 60). The last read comes
// after both were taken back and must kill the process by SIGSEGV. Exit status: the number of the check that failed.
        .intel_syntax noprefix
        .globl  _start
        .text
_start:
        mov     ebx, 1
        mov     r12d, 1
        call    ioperm
        mov     ebx, 2
        call    seconds
        mov     ebx, 3
        xor     r12d, r12d
        call    ioperm
        mov     ebx, 4
        mov     edi, 3
        call    iopl
        mov     ebx, 5
        call    seconds
        mov     ebx, 6
        xor     edi, edi
        call    iopl
        mov     ebx, 7                  // unreachable past this call
        call    seconds
failed:
        mov     edi, ebx
        mov     eax, 60                 // exit
        syscall

ioperm: mov     eax, 173                // ioperm(0x70, 2, r12)
        mov     edi, 0x70
        mov     esi, 2
        mov     edx, r12d
        syscall
        test    rax, rax
        jnz     failed
        ret

iopl:   mov     eax, 172                // iopl(edi)
        syscall
        test    rax, rax
        jnz     failed
        ret

seconds:
        xor     eax, eax
        out     0x70, al
        in      al, 0x71
        cmp     al, 0x59
        ja      failed
        ret
        .section .note.GNU-stack, "", @progbits
