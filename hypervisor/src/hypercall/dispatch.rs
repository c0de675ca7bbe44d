// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one match from hypercall numbers to handlers, hot ones first.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;

use hypercalls::errno::Errno;
use hypercalls::number::HypercallNumber;

use crate::budget::Budget;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::hypercall::{
    Args, Cx, Fault, HypercallResult, Outcome, callback_op, census, console_io, domctl, event_channel_op,
    grant_table_op, hypfs_op, mca, memory_op, mmu, multicall, physdev_op, platform_op, pv_state, refused, sched_op,
    sysctl, vcpu_op, version,
};
use crate::pv::iret;
use crate::x86::regs::{EXIT_IRET, EXIT_SYSRET, GO_IRET, GO_LEAVE, GO_SYSRET, GuestRegs};

/// Size of the `syscall` instruction that a preempted call executes again.
const SYSCALL_BYTES: u64 = 2;
const RFLAGS_TF_RF: u64 = 0x1_0100;
/// Behind a `syscall` rip is canonical but in one case: the instruction was the last of the lower half.
const LOWER_HALF_END: u64 = 1 << 47;

/// The shortest calls, which only touch a register or two: the result. They may be made before anything is known about the caller but
/// that it is a guest kernel.
#[inline(always)]
pub(crate) fn quick(state: &mut VcpuState, number: HypercallNumber, [first, second]: [u64; 2]) -> Option<u64> {
    // The most frequent of all by one comparison: guests ask for the version to be given their events.
    if number.raw() ^ HypercallNumber::XEN_VERSION.raw() | u64::from(first as u32) == 0 {
        return Some(version::VERSION);
    }
    if number == HypercallNumber::STACK_SWITCH {
        pv_state::set_kernel_stack(state, first, second);
        return Some(0);
    }
    None
}

/// The guest kernel executed `syscall`: runs the call in its registers if it is a [`quick`] one. Has it?
#[inline(always)]
pub(crate) fn at_once(state: &mut VcpuState) -> bool {
    let regs = &state.entry.regs;
    let Some(result) = quick(state, HypercallNumber(regs.rax), [regs.rdi, regs.rsi]) else { return false };
    state.entry.regs.rax = result;
    true
}

/// May a call leave by SYSRET? rcx and r11 are the caller's loss, so it may, except for single steps and odd addresses.
#[inline(always)]
pub(crate) fn may_sysret(regs: &GuestRegs) -> bool {
    regs.rflags & RFLAGS_TF_RF == 0 && regs.rip != LOWER_HALF_END
}

/// A hot call of few arguments: its result.
#[inline(always)]
pub(crate) fn hot(vcpu: &Vcpu, state: &mut VcpuState) -> Option<Result<u64, Errno>> {
    let regs = &state.entry.regs;
    let (first, second) = (regs.rdi, regs.rsi);
    match HypercallNumber(regs.rax) {
        HypercallNumber::EVENT_CHANNEL_OP => event_channel_op::hot(vcpu, first, second).map(|done| done.map(|()| 0)),
        HypercallNumber::SET_TIMER_OP => {
            sched_op::set_timer(vcpu, first);
            Some(Ok(0))
        }
        HypercallNumber::SET_SEGMENT_BASE => Some(pv_state::set_base(first, second).map(|()| 0)),
        _ => None,
    }
}

/// The guest kernel executed `syscall` for a [`hot`] call. How to leave.
#[inline(always)]
pub(crate) fn hot_from_registers(vcpu: &Vcpu, state: &mut VcpuState) -> Option<u32> {
    let result = hot(vcpu, state)?;
    let regs = &mut state.entry.regs;
    regs.rax = result.unwrap_or_else(|errno| errno.to_ret().cast_unsigned());
    Some(way_back(regs))
}

/// The same for any other call. `GO_LEAVE` if it cannot leave at once.
#[inline(always)]
pub(crate) fn from_registers(vcpu: &Arc<Vcpu>, state: &mut VcpuState) -> u32 {
    let args = arguments(state);
    let number = HypercallNumber(state.entry.regs.rax);
    let result = call(&mut Cx { vcpu, state, budget: Budget::new() }, number, &args);
    let regs = &mut state.entry.regs;
    match result {
        Ok(Outcome::Done(value)) => regs.rax = value,
        Err(Fault::Errno(errno)) => regs.rax = errno.to_ret().cast_unsigned(),
        other => return unusual(state, other),
    }
    way_back(regs)
}

#[inline(always)]
fn arguments(state: &VcpuState) -> Args {
    let regs = &state.entry.regs;
    [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9]
}

/// What is left of the ends of a call. How to leave.
#[cold]
fn unusual(state: &mut VcpuState, result: HypercallResult) -> u32 {
    let regs = &mut state.entry.regs;
    match result {
        Ok(Outcome::Done(value)) => regs.rax = value,
        // The last entry of a multicall was an iret.
        Ok(Outcome::Registers) => return if regs.vector == EXIT_SYSRET { GO_SYSRET } else { GO_IRET },
        Ok(Outcome::Preempted([rdi, rsi, rdx, r10, r8, r9])) => {
            regs.rip = regs.rip.wrapping_sub(SYSCALL_BYTES);
            (regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9) = (rdi, rsi, rdx, r10, r8, r9);
        }
        Err(Fault::Errno(errno)) => regs.rax = errno.to_ret().cast_unsigned(),
        Err(Fault::Crash(reason)) => {
            state.crash = Some(reason);
            return GO_LEAVE;
        }
    }
    way_back(regs)
}

/// How to leave after a call.
#[inline(always)]
pub(crate) fn way_back(regs: &mut GuestRegs) -> u32 {
    if may_sysret(regs) {
        return GO_SYSRET;
    }
    regs.vector = EXIT_IRET;
    (regs.rcx, regs.r11) = (regs.rip, regs.rflags);
    GO_IRET
}

/// Runs one call. ENOSYS: there is no such call.
pub(crate) fn call(cx: &mut Cx<'_>, number: HypercallNumber, args: &Args) -> HypercallResult {
    match number {
        HypercallNumber::IRET => iret::iret(cx.vcpu, cx.state).map(|()| Outcome::Registers).map_err(Fault::Crash),
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
        HypercallNumber::HYPFS_OP => hypfs_op::hypfs_op(cx, args),
        HypercallNumber::MCA => mca::mca(cx, args),
        _ => {
            // One of the first arguments is the buffer, if there is one; the others are numbers.
            let buffer = args.iter().take(3).find(|&&arg| arg >= 4096);
            census::ABSENT.note(number.raw() as u32, buffer.copied().unwrap_or(0));
            Err(Errno::ENOSYS.into())
        }
    }
}
