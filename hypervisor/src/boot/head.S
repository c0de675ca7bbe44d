// SPDX-License-Identifier: MIT OR Apache-2.0
// From the boot loader (32-bit protected mode, paging off) to Rust in long mode on the boot CPU.
// Multiboot 1 section 3.1/3.2, Multiboot 2 section 3.1/3.3, SDM vol. 3A 10.8.5 (entering IA-32e mode).

.set VIRT_OFFSET, 0xffff82d040000000

.section .multiboot, "ax"
.balign 8
mb1_header:
    .long 0x1BADB002
    .long 0x00010003                            // page-aligned modules, memory info, address fields valid
    .long -(0x1BADB002 + 0x00010003)
    .long mb1_header - VIRT_OFFSET              // header_addr
    .long image_start - VIRT_OFFSET             // load_addr
    .long image_data_end - VIRT_OFFSET          // load_end_addr
    .long image_end - VIRT_OFFSET               // bss_end_addr
    .long boot_start - VIRT_OFFSET              // entry_addr

.balign 8
mb2_header:
    .long 0xE85250D6, 0, mb2_end - mb2_header
    .long -(0xE85250D6 + 0 + (mb2_end - mb2_header))
    // Information request (optional): everything that parsing can use.
    .balign 8
1:  .short 1, 1
    .long 2f - 1b
    .long 1, 3, 6, 8, 12, 14, 15, 17
2:  .balign 8
    // Entry address: physical, because the ELF entry is a high virtual address.
    .short 3, 0
    .long 12
    .long boot_start - VIRT_OFFSET
    .balign 8
    // Modules aligned to pages.
    .short 6, 1
    .long 8
    // End tag.
    .short 0, 0
    .long 8
mb2_end:

.section .boot.text, "ax"
.code32
.global boot_start
.type boot_start, @function
boot_start:
    cli
    cld
    mov     %eax, %ebp                          // loader magic
    mov     %ebx, %esi                          // boot information, physical
    // Clear .bss: nothing of it is in the file.
    mov     $(image_data_end - VIRT_OFFSET), %edi
    mov     $(image_end - VIRT_OFFSET), %ecx
    sub     %edi, %ecx
    shr     $2, %ecx
    xor     %eax, %eax
    rep stosl
    // The tables: identity and direct map of the first 4 GiB, the image.
    mov     $(boot_l2 - VIRT_OFFSET), %edi
    mov     $0x183, %eax                        // present, writable, 2 MiB, global bit ignored while PGE is off
    xor     %edx, %edx
    mov     $2048, %ecx
1:  mov     %eax, (%edi)
    mov     %edx, 4(%edi)
    add     $0x200000, %eax
    adc     $0, %edx
    add     $8, %edi
    loop    1b
    mov     $(boot_l2 - VIRT_OFFSET + 3), %eax
    mov     $(boot_l3_low - VIRT_OFFSET), %edi
    mov     $4, %ecx
1:  mov     %eax, (%edi)
    add     $0x1000, %eax
    add     $8, %edi
    loop    1b
    // ffff82d040000000: slot 261, L3 index 0x141 -> the first L2 (physical 0..1 GiB)
    movl    $(boot_l2 - VIRT_OFFSET + 3), boot_l3_image - VIRT_OFFSET + 8 * 0x141
    movl    $(boot_l3_low - VIRT_OFFSET + 3), boot_l4 - VIRT_OFFSET + 8 * 0
    movl    $(boot_l3_low - VIRT_OFFSET + 3), boot_l4 - VIRT_OFFSET + 8 * 262
    movl    $(boot_l3_image - VIRT_OFFSET + 3), boot_l4 - VIRT_OFFSET + 8 * 261

    mov     %cr4, %eax
    or      $0x620, %eax                        // PAE, OSFXSR, OSXMMEXCPT
    mov     %eax, %cr4
    mov     $(boot_l4 - VIRT_OFFSET), %eax
    mov     %eax, %cr3
    mov     $0xC0000080, %ecx
    rdmsr
    or      $0x901, %eax                        // SCE, LME, NXE: every amd64 CPU that runs Linux PV has NX
    wrmsr
    mov     $0x80050033, %eax                   // PG, AM, WP, NE, ET, MP, PE
    mov     %eax, %cr0
    lgdt    boot_gdt_desc - VIRT_OFFSET
    ljmp    $8, $(1f - VIRT_OFFSET)
.code64
1:  movabs  $10f, %rax
    jmp     *%rax
10: xor     %eax, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %fs
    mov     %eax, %gs
    mov     $16, %eax
    mov     %eax, %ss
    // The block is aligned here, not by the linker: a 64 KiB-aligned segment would break the linear image.
    lea     boot_cpu_block + 65535(%rip), %rsp
    and     $-65536, %rsp
    add     $65536, %rsp
    mov     %ebp, %edi
    mov     %esi, %esi
    xor     %ebp, %ebp
    call    xenolith_start
    ud2
.size boot_start, . - boot_start

.balign 8
boot_gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_desc:
    .short 23
    .long boot_gdt - VIRT_OFFSET

.section .bss.page_aligned, "aw", @nobits
.balign 4096
.global boot_l4
boot_l4:        .skip 4096
boot_l3_low:    .skip 4096
boot_l3_image:  .skip 4096
boot_l2:        .skip 4096 * 4

.balign 4096
.global boot_cpu_block
boot_cpu_block: .skip 2 * 65536 - 4096
