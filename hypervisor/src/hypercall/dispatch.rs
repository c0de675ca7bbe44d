// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one match from hypercall numbers to handlers, hot ones first.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::number::HypercallNumber;

use crate::hypercall::{
    Args, Cx, Fault, HypercallResult, Outcome, callback_op, console_io, domctl, event_channel_op, grant_table_op, mca,
    memory_op, mmu, multicall, physdev_op, platform_op, pv_state, refused, sched_op, sysctl, vcpu_op, version,
};
use crate::pv::iret;
use crate::x86::context;
use crate::x86::regs::{EXIT_IRET, EXIT_SYSRET};

/// Size of the `syscall` instruction that a preempted call executes again.
const SYSCALL_BYTES: u64 = 2;
const RFLAGS_TF_RF: u64 = 0x1_0100;

/// The guest kernel executed `syscall`: runs the call in its registers. The error crashes the domain.
pub(crate) fn from_registers(cx: &mut Cx<'_>) -> Result<(), &'static str> {
    let regs = cx.state.entry.regs;
    let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
    let result = call(cx, HypercallNumber(regs.rax), &args);
    let regs = &mut cx.state.entry.regs;
    match result {
        Ok(Outcome::Done(value)) => regs.rax = value,
        Ok(Outcome::Registers) => return Ok(()),
        Ok(Outcome::Preempted([rdi, rsi, rdx, r10, r8, r9])) => {
            regs.rip = regs.rip.wrapping_sub(SYSCALL_BYTES);
            (regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9) = (rdi, rsi, rdx, r10, r8, r9);
        }
        Err(Fault::Errno(errno)) => regs.rax = errno.to_ret().cast_unsigned(),
        Err(Fault::Crash(reason)) => return Err(reason),
    }
    // The guest expects rcx and r11 to be lost, so the short way out will do, except for single steps and odd addresses.
    regs.vector =
        if context::is_canonical(regs.rip) && regs.rflags & RFLAGS_TF_RF == 0 { EXIT_SYSRET } else { EXIT_IRET };
    Ok(())
}

/// Runs one call. ENOSYS: there is no such call.
pub(crate) fn call(cx: &mut Cx<'_>, number: HypercallNumber, args: &Args) -> HypercallResult {
    match number {
        HypercallNumber::IRET => iret::iret(cx),
        HypercallNumber::MMU_UPDATE => mmu::mmu_update(cx, args),
        HypercallNumber::MMUEXT_OP => mmu::mmuext_op(cx, args),
        HypercallNumber::UPDATE_VA_MAPPING => mmu::update_va_mapping(cx, args),
        HypercallNumber::MULTICALL => multicall::multicall(cx, args),
        HypercallNumber::EVENT_CHANNEL_OP => event_channel_op::event_channel_op(cx, args),
        HypercallNumber::SCHED_OP => sched_op::sched_op(cx, args),
        HypercallNumber::STACK_SWITCH => pv_state::stack_switch(cx, args),
        HypercallNumber::SET_SEGMENT_BASE => pv_state::set_segment_base(cx, args),
        HypercallNumber::VCPU_OP => vcpu_op::vcpu_op(cx, args),
        HypercallNumber::GRANT_TABLE_OP => grant_table_op::grant_table_op(cx, args),
        HypercallNumber::XEN_VERSION => version::xen_version(cx, args),
        HypercallNumber::FPU_TASKSWITCH => pv_state::fpu_taskswitch(cx, args),
        HypercallNumber::UPDATE_DESCRIPTOR => pv_state::update_descriptor(cx, args),
        HypercallNumber::MEMORY_OP => memory_op::memory_op(cx, args),
        HypercallNumber::PHYSDEV_OP => physdev_op::physdev_op(cx, args),
        HypercallNumber::CONSOLE_IO => console_io::console_io(cx, args),
        HypercallNumber::SET_TRAP_TABLE => pv_state::set_trap_table(cx, args),
        HypercallNumber::SET_GDT => pv_state::set_gdt(cx, args),
        HypercallNumber::SET_CALLBACKS => pv_state::set_callbacks(cx, args),
        HypercallNumber::SCHED_OP_COMPAT => sched_op::sched_op_compat(cx, args),
        HypercallNumber::PLATFORM_OP => platform_op::platform_op(cx, args),
        HypercallNumber::SET_DEBUGREG => pv_state::set_debugreg(cx, args),
        HypercallNumber::GET_DEBUGREG => pv_state::get_debugreg(cx, args),
        HypercallNumber::SET_TIMER_OP => sched_op::set_timer_op(cx, args),
        HypercallNumber::EVENT_CHANNEL_OP_COMPAT => event_channel_op::event_channel_op_compat(cx, args),
        HypercallNumber::PHYSDEV_OP_COMPAT => physdev_op::physdev_op_compat(cx, args),
        HypercallNumber::VM_ASSIST => pv_state::vm_assist(cx, args),
        HypercallNumber::UPDATE_VA_MAPPING_OTHERDOMAIN => mmu::update_va_mapping_otherdomain(cx, args),
        HypercallNumber::NMI_OP => pv_state::nmi_op(cx, args),
        HypercallNumber::CALLBACK_OP => callback_op::callback_op(cx, args),
        HypercallNumber::SYSCTL => sysctl::sysctl(cx, args),
        HypercallNumber::DOMCTL => domctl::domctl(cx, args),
        HypercallNumber::HVM_OP => refused::hvm_op(cx, args),
        HypercallNumber::XENPMU_OP => refused::xenpmu_op(cx, args),
        HypercallNumber::MCA => mca::mca(cx, args),
        _ => Err(Errno::ENOSYS.into()),
    }
}
