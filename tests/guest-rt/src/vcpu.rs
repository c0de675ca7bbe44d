// SPDX-License-Identifier: MIT OR Apache-2.0
//! Secondary vCPUs.
// UNSAFETY: the first instructions of a vCPU, and the function it is handed.
#![expect(unsafe_code, reason = "the first instructions of a vCPU, and the function it is handed")]

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::memory::{self, Page};
use crate::{abi, hypercall, trap};

global_asm!(
    r#"
    .balign 16
    .globl rt_ap
    .type rt_ap, @function
rt_ap:
    cld
    xor ebp, ebp
    call {main}
    ud2
    .size rt_ap, . - rt_ap
    .balign 16
    .globl rt_ap_event
    .type rt_ap_event, @function
rt_ap_event:
    pop rcx
    pop r11
    // Secondary vCPUs run with upcalls masked: an upcall here is a failure.
    ud2
    .size rt_ap_event, . - rt_ap_event
    "#,
    main = sym rt_ap_main,
);

unsafe extern "C" {
    fn rt_ap();
    fn rt_ap_event();
}

static MAIN: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

extern "C" fn rt_ap_main(id: u64) -> ! {
    let main = MAIN.load(Ordering::SeqCst);
    // SAFETY: context() stored a function of this type before the vCPU could start.
    let main: fn(u64) = unsafe { core::mem::transmute(main) };
    main(id);
    loop {
        hypercall::vcpu_op0(abi::VCPUOP_DOWN, id);
    }
}

/// Does vCPU `id` exist?
pub fn exists(id: u64) -> bool {
    hypercall::vcpu_op0(abi::VCPUOP_IS_UP, id) >= 0
}

/// Offsets in vcpu_guest_context.
pub mod context {
    /// `flags`
    pub const FLAGS: u64 = 0x200;
    /// `user_regs`
    pub const REGS: u64 = 0x208;
    /// `trap_ctxt`
    pub const TRAPS: u64 = 0x2d0;
    /// `ldt_base`
    pub const LDT_BASE: u64 = 0x12d0;
    /// `gdt_ents`
    pub const GDT_ENTS: u64 = 0x1360;
    /// `kernel_ss`, then `kernel_sp`
    pub const KERNEL_SS: u64 = 0x1368;
    /// `ctrlreg`
    pub const CTRLREG: u64 = 0x1378;
    /// `event_callback_eip`, `failsafe_callback_eip`, `syscall_callback_eip`
    pub const CALLBACKS: u64 = 0x13f8;
    /// `fs_base`, `gs_base_kernel`, `gs_base_user`
    pub const FS_BASE: u64 = 0x1418;
}

/// A guest context that runs `main` on vCPU `id` with events masked; two pages.
pub fn context(id: u64, main: fn(u64)) -> Page {
    MAIN.store(main as *mut (), Ordering::SeqCst);
    let stack = memory::alloc_many(4);
    let top = stack.va + 4 * memory::PAGE;
    let ctx = memory::alloc_many(2);
    let set = |offset, value| memory::write64(ctx.va + offset, value);
    set(context::FLAGS, 4);
    let regs = context::REGS;
    set(regs + 0x70, id);
    set(regs + 0x80, rt_ap as *const () as u64);
    set(regs + 0x88, abi::FLAT_KERNEL_CS);
    set(regs + 0x90, 0x2);
    set(regs + 0x98, top - 64);
    set(regs + 0xa0, abi::FLAT_KERNEL_SS);
    set(context::KERNEL_SS, abi::FLAT_KERNEL_SS);
    set(context::KERNEL_SS + 8, top - 64);
    set(context::CTRLREG + 24, memory::table_of(memory::VIRT_BASE, 4).maddr());
    for vector in 0..32u64 {
        let at = context::TRAPS + vector * 16;
        set(at, vector | abi::FLAT_KERNEL_CS << 16);
        set(at + 8, trap::stub(vector));
    }
    set(context::CALLBACKS, rt_ap_event as *const () as u64);
    set(context::CALLBACKS + 8, trap::stub(trap::FAILSAFE));
    set(context::CALLBACKS + 16, trap::stub(trap::SYSCALL));
    ctx
}

/// `VCPUOP_initialise` with the context at `ctx`.
pub fn initialise(id: u64, ctx: Page) -> i64 {
    hypercall::call(abi::HC_VCPU_OP, [abi::VCPUOP_INITIALISE, id, ctx.va, 0, 0])
}

/// Initialises and starts vCPU `id` with `main`; preparing, so a refusal is an *error*.
pub fn start(id: u64, main: fn(u64)) {
    memory::must(initialise(id, context(id, main)), "VCPUOP_initialise");
    memory::must(hypercall::vcpu_op0(abi::VCPUOP_UP, id), "VCPUOP_up");
}

/// Sets the low half of every xmm register, the x87 control word and MXCSR of this vCPU.
pub fn fill_fpu(value: u64, control: u16, mxcsr: u32) {
    let (control, mxcsr) = (&raw const control, &raw const mxcsr);
    // SAFETY: the runtime is compiled without floating point, so no one else uses these registers; the pointers are to locals.
    unsafe {
        asm!(
            "fldcw [{control}]",
            "ldmxcsr [{mxcsr}]",
            "movq xmm0, {value}",
            "movq xmm1, {value}",
            "movq xmm7, {value}",
            "movq xmm8, {value}",
            "movq xmm15, {value}",
            control = in(reg) control,
            mxcsr = in(reg) mxcsr,
            value = in(reg) value,
        );
    }
}

/// What [`fill_fpu`] set: xmm0, xmm1, xmm7, xmm8, xmm15, then the control word and MXCSR.
pub fn read_fpu() -> ([u64; 5], u16, u32) {
    let mut xmm = [0u64; 5];
    let (mut control, mut mxcsr) = (0u16, 0u32);
    // SAFETY: stores to locals through pointers to them.
    unsafe {
        asm!(
            "movq [{xmm}], xmm0",
            "movq [{xmm} + 8], xmm1",
            "movq [{xmm} + 16], xmm7",
            "movq [{xmm} + 24], xmm8",
            "movq [{xmm} + 32], xmm15",
            "fnstcw [{control}]",
            "stmxcsr [{mxcsr}]",
            xmm = in(reg) &raw mut xmm,
            control = in(reg) &raw mut control,
            mxcsr = in(reg) &raw mut mxcsr,
        );
    }
    (xmm, control, mxcsr)
}
