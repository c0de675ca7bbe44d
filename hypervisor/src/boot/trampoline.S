// SPDX-License-Identifier: MIT OR Apache-2.0
// The way of an application processor from its SIPI to Rust. The first part is copied to a page below 1 MiB and finds
// itself by CS; it goes from real mode straight into long mode on the boot page tables (SDM vol. 3A 10.8.5), which map
// that page at its own address. The second part runs in the image and changes to the tables the hypervisor really uses.

.set VIRT_OFFSET, 0xffff82d040000000

.section .rodata.trampoline, "a"
.balign 16
.global trampoline_start
trampoline_start:
.code16
    cli
    cld
    mov     %cs, %ax
    mov     %ax, %ds
    movzwl  %ax, %ebx
    shl     $4, %ebx                            // where this page is
    lea     (trampoline_gdt - trampoline_start)(%ebx), %eax
    mov     %eax, trampoline_gdt_base - trampoline_start
    lea     (trampoline_long - trampoline_start)(%ebx), %eax
    mov     %eax, trampoline_target - trampoline_start
    lgdtl   trampoline_gdt_desc - trampoline_start

    mov     %cr4, %eax
    or      $0x620, %eax                        // PAE, OSFXSR, OSXMMEXCPT
    mov     %eax, %cr4
    mov     $(boot_l4 - VIRT_OFFSET), %eax
    mov     %eax, %cr3
    mov     $0xC0000080, %ecx
    rdmsr
    or      $0x901, %eax                        // SCE, LME, NXE
    wrmsr
    mov     $0x80050033, %eax                   // PG, AM, WP, NE, ET, MP, PE; caches on
    mov     %eax, %cr0
    ljmpl   *(trampoline_target - trampoline_start)
.code64
trampoline_long:
    xor     %eax, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %fs
    mov     %eax, %gs
    mov     $16, %eax
    mov     %eax, %ss
    movabs  $ap_long, %rax
    jmp     *%rax

.balign 8
trampoline_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
trampoline_gdt_desc:
    .short 23
trampoline_gdt_base:
    .long 0
trampoline_target:
    .long 0
    .short 8
.global trampoline_end
trampoline_end:

.section .text.ap_long, "ax"
.global ap_long
.type ap_long, @function
ap_long:
    mov     AP_CR3(%rip), %rax
    mov     AP_STACK(%rip), %rsp
    mov     AP_INDEX(%rip), %rdi
    mov     %rax, %cr3
    xor     %ebp, %ebp
    movq    $1, AP_TAKEN(%rip)                  // the boot CPU may fill the mailbox for the next one
    call    ap_entry
    ud2
.size ap_long, . - ap_long
.text
