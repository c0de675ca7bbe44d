// SPDX-License-Identifier: MIT OR Apache-2.0
// A 32-bit program: system calls by int 0x80 and by the vDSO's own way (syscall or sysenter) agree, 2000 times.
// Exit status: 0, or the number of the check that failed.
        .intel_syntax noprefix
        .code32
        .globl  _start
        .text
_start:
        mov     esi, esp                // argc, argv, 0, environment, 0, auxiliary vector
        lodsd
        lea     esi, [esi + 4*eax + 4]
1:      lodsd
        test    eax, eax
        jnz     1b
2:      lodsd                           // type
        mov     edx, eax
        lodsd                           // value
        mov     ebx, 1
        test    edx, edx
        jz      failed                  // no AT_SYSINFO
        cmp     edx, 32                 // AT_SYSINFO: __kernel_vsyscall
        jne     2b
        mov     ebp, eax
        mov     edi, 2000
again:
        mov     eax, 20                 // getpid
        int     0x80
        mov     esi, eax
        mov     ebx, 2
        test    eax, eax
        jle     failed
        mov     eax, 20
        call    ebp
        mov     ebx, 3
        cmp     eax, esi
        jne     failed
        mov     eax, 158                // sched_yield
        call    ebp
        mov     ebx, 4
        test    eax, eax
        jnz     failed
        dec     edi
        jnz     again
        xor     ebx, ebx
failed: mov     eax, 1                  // exit
        int     0x80
        .section .note.GNU-stack, "", @progbits
