// SPDX-License-Identifier: MIT OR Apache-2.0
//! The functions that assembly calls: from the boot loader, from guests, from faults of our own. And the way back.
//!
//! While a vCPU is loaded on a CPU, `CpuLocal.current` holds a counted reference to it and the CPU owns its state; both are
//! given up together. Everything that happens in between is safe code in `run.rs` and `pv/`.
// UNSAFETY: exported symbols; turns the running vCPU's pointer and register files into references.
#![expect(unsafe_code, reason = "called by assembly")]

use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;

use hypercalls::number::HypercallNumber;

use crate::domain::end;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::hypercall::dispatch;
use crate::irq;
use crate::keys;
use crate::latency;
use crate::mm::flush;
use crate::pv::{crash, iret, segment, traps};
use crate::run::{self, Next};
use crate::time;
use crate::x86::percpu::{self, CpuLocal, softirq};
use crate::x86::regs::{EXIT_IRET, EXIT_SYSRET, GO_IRET, GO_LEAVE, GO_SYSRET, GuestRegs, VECTOR_SYSCALL};
use crate::x86::{instr, ipi, uaccess};

const PAGE_FAULT: u64 = 14;

/// From head.S: loader magic and boot information.
#[unsafe(no_mangle)]
extern "C" fn xenolith_start(magic: u32, info: u32) -> ! {
    crate::boot::start(magic, info.into())
}

/// From trampoline.S: another CPU, on its own stack.
#[unsafe(no_mangle)]
extern "C" fn ap_entry(cpu_index: u64) -> ! {
    crate::boot::start_secondary(cpu_index as u32)
}

/// The vCPU loaded on this CPU, with its state.
fn current(cpu: &CpuLocal) -> Option<(ManuallyDrop<Arc<Vcpu>>, &'static mut VcpuState)> {
    let pointer = cpu.current.load(Ordering::Relaxed).cast::<Vcpu>().cast_const();
    if pointer.is_null() {
        return None;
    }
    // SAFETY: `adopt` stored the pointer of a counted reference, which `give_up` takes back; we do not drop it.
    let vcpu = ManuallyDrop::new(unsafe { Arc::from_raw(pointer) });
    // SAFETY: this CPU owns the state since `adopt`; callers hold no other reference across a call of this.
    let state = unsafe { &mut *vcpu.state.as_ptr() };
    Some((vcpu, state))
}

/// As [`current`], without asking whether there is one.
///
/// # Safety
/// A guest came to the hypervisor, and nothing has been switched since; the caller holds no other reference to the state.
#[inline(always)]
unsafe fn loaded(cpu: &CpuLocal) -> (&'static Vcpu, &'static mut VcpuState) {
    let pointer = cpu.current.load(Ordering::Relaxed).cast::<Vcpu>().cast_const();
    // SAFETY: guests run only while a vCPU is loaded; its reference and its state are this CPU's since `adopt`.
    unsafe { (&*pointer, &mut *(*pointer).state.as_ptr()) }
}

/// Takes ownership of a vCPU for this CPU, waiting for the CPU that still has it.
fn adopt(cpu: &CpuLocal, vcpu: Arc<Vcpu>) {
    loop {
        if let Some(guard) = vcpu.state.try_own() {
            core::mem::forget(guard);
            break;
        }
        crate::sync::relax();
    }
    cpu.current.store(Arc::into_raw(vcpu).cast_mut().cast(), Ordering::Relaxed);
}

/// Gives up the vCPU of this CPU, whose state has been saved.
fn give_up(cpu: &CpuLocal) {
    let pointer = cpu.current.swap(core::ptr::null_mut(), Ordering::Relaxed).cast::<Vcpu>().cast_const();
    if !pointer.is_null() {
        // SAFETY: the reference that `adopt` turned into a pointer.
        let vcpu = unsafe { Arc::from_raw(pointer) };
        // SAFETY: this CPU owned the state since `adopt` and uses it no more.
        unsafe { vcpu.state.release() };
    }
}

/// A guest entered: exception, interrupt or system call. Returns the register file to leave with.
#[unsafe(no_mangle)]
extern "C" fn xenolith_guest_entry(_regs: *mut GuestRegs) -> *mut GuestRegs {
    let cpu = percpu::this();
    if let Some((vcpu, state)) = current(cpu) {
        latency::begin(cpu, [state.entry.regs.vector, 0]);
        match handle(cpu, &vcpu, state) {
            Ok(()) if !run::is_asked(cpu) && run::deliver(&vcpu, state) => {
                latency::end(cpu);
                return &raw mut state.entry.regs;
            }
            Ok(()) => {}
            Err(reason) => crash::domain(&vcpu, state, reason),
        }
    }
    leave(cpu)
}

/// 64-bit code of a guest executed SYSCALL: a hypercall of its kernel, or a system call of its user mode. Of the general registers only
/// those are in the register file that functions may change. Says how to leave (`GO_*`).
///
/// A leaf for the shortest calls; all others go on in a function of their own, so that only those pay for what they need.
#[unsafe(no_mangle)]
extern "C" fn xenolith_syscall(_regs: *mut GuestRegs) -> u32 {
    let cpu = percpu::this();
    // SAFETY: a guest came here.
    let (vcpu, state) = unsafe { loaded(cpu) };
    latency::begin(cpu, [latency::CALL.saturating_add(state.entry.regs.rax), state.entry.regs.rdi]);
    if !state.kernel_mode {
        return user_call(cpu);
    }
    if dispatch::at_once(state) {
        let is_plain = dispatch::may_sysret(&state.entry.regs) && run::nothing_came(cpu, vcpu);
        return if is_plain { go_back(cpu, GO_SYSRET) } else { stay(state) };
    }
    if state.entry.regs.rax == HypercallNumber::IRET.raw() { iret_call(cpu) } else { hypercall(cpu) }
}

/// The guest goes on at once, in the way `go`.
#[inline(always)]
fn go_back(cpu: &CpuLocal, go: u32) -> u32 {
    latency::end(cpu);
    go
}

/// A hypercall of more than a few instructions.
#[inline(never)]
fn hypercall(cpu: &CpuLocal) -> u32 {
    // SAFETY: a guest came here.
    let (vcpu, state) = unsafe { loaded(cpu) };
    let Some(go) = dispatch::hot_from_registers(vcpu, state) else { return any_hypercall(cpu) };
    if run::nothing_came(cpu, vcpu) { go_back(cpu, go) } else { stay(state) }
}

/// A hypercall that is not among the hot ones.
#[inline(never)]
fn any_hypercall(cpu: &CpuLocal) -> u32 {
    let Some((vcpu, state)) = current(cpu) else { return GO_LEAVE };
    let go = dispatch::from_registers(&vcpu, state);
    if go != GO_LEAVE && run::nothing_waits(cpu, &vcpu) { go_back(cpu, go) } else { stay(state) }
}

/// The iret hypercall.
#[inline(never)]
fn iret_call(cpu: &CpuLocal) -> u32 {
    // SAFETY: a guest came here.
    let (vcpu, state) = unsafe { loaded(cpu) };
    if let Err(reason) = iret::iret(vcpu, state) {
        state.crash = Some(reason);
        return stay(state);
    }
    let go = if state.entry.regs.vector == EXIT_SYSRET { GO_SYSRET } else { GO_IRET };
    if run::nothing_came(cpu, vcpu) { go_back(cpu, go) } else { stay(state) }
}

/// SYSCALL in guest user mode.
#[inline(never)]
fn user_call(cpu: &CpuLocal) -> u32 {
    // SAFETY: a guest came here.
    let (vcpu, state) = unsafe { loaded(cpu) };
    match traps::user_call(vcpu, state) {
        Some(Ok(())) if run::nothing_came(cpu, vcpu) => return go_back(cpu, GO_SYSRET),
        Some(Ok(())) => {}
        Some(Err(reason)) => state.crash = Some(reason),
        None => {
            // No callback: an exception waits instead, and there is no error that could come of it.
            let _ = traps::system_call(vcpu, state);
        }
    }
    GO_LEAVE
}

/// A page fault of a guest, with those registers in the register file that functions may change. 0: nothing was done, it is to be handled
/// like other exceptions. [`GO_SYSRET`]: on to the guest's handler. 2: done, but something waits.
#[unsafe(no_mangle)]
extern "C" fn xenolith_page_fault(_from_r11: *mut u64) -> u32 {
    const DONE: u32 = 2;
    let cpu = percpu::this();
    // SAFETY: a guest came here.
    let (vcpu, state) = unsafe { loaded(cpu) };
    latency::begin(cpu, [PAGE_FAULT, 0]);
    match traps::quick_page_fault(vcpu, state) {
        None => 0,
        Some(Ok(())) if run::nothing_came(cpu, vcpu) => go_back(cpu, GO_SYSRET),
        Some(Ok(())) => DONE,
        Some(Err(reason)) => {
            state.crash = Some(reason);
            DONE
        }
    }
}

/// The way back is the long one: it finds in the register file how to leave, and rcx and r11 as SYSRET would have left them.
#[cold]
fn stay(state: &mut VcpuState) -> u32 {
    let regs = &mut state.entry.regs;
    if regs.vector == VECTOR_SYSCALL {
        regs.vector = if dispatch::may_sysret(regs) { EXIT_SYSRET } else { EXIT_IRET };
        (regs.rcx, regs.r11) = (regs.rip, regs.rflags);
    } else if regs.vector == EXIT_SYSRET {
        (regs.rcx, regs.r11) = (regs.rip, regs.rflags);
    }
    GO_LEAVE
}

/// Behind a system call that did not go the short way, with all registers in the register file.
#[unsafe(no_mangle)]
extern "C" fn xenolith_leave() -> *mut GuestRegs {
    let cpu = percpu::this();
    if let Some((vcpu, state)) = current(cpu)
        && let Some(reason) = state.crash.take()
    {
        crash::domain(&vcpu, state, reason);
    }
    leave(cpu)
}

/// The guest's own frame was refused by the final IRETQ: `nested` holds its general registers, vector and error code.
///
/// # Safety
/// Called by entry.S only: `nested` is the nested frame in the running vCPU's entry area.
#[unsafe(no_mangle)]
unsafe extern "C" fn xenolith_bad_iret(nested: *const GuestRegs) -> *mut GuestRegs {
    let cpu = percpu::this();
    // SAFETY: by contract; copied before the state, in which it lies, is borrowed.
    let nested = unsafe { *nested };
    if let Some((_, state)) = current(cpu) {
        let frame = state.entry.regs;
        state.entry.regs =
            GuestRegs { rip: frame.rip, cs: frame.cs, rflags: frame.rflags, rsp: frame.rsp, ss: frame.ss, ..nested };
        traps::bad_iret(state, nested.vector as u8, nested.error_code as u32);
    }
    leave(cpu)
}

fn handle(cpu: &CpuLocal, vcpu: &Arc<Vcpu>, state: &mut VcpuState) -> Result<(), &'static str> {
    match state.entry.regs.vector {
        0..=31 => traps::exception(vcpu, state),
        0x80 => {
            traps::int80(state);
            Ok(())
        }
        vector @ 32..=255 => {
            interrupt(cpu, vector as u8);
            Ok(())
        }
        _ => traps::system_call(vcpu, state).map(drop),
    }
}

/// An interrupt: serves the controllers, does or defers the rest.
fn interrupt(cpu: &CpuLocal, vector: u8) {
    cpu.interrupts.fetch_add(1, Ordering::Relaxed);
    match irq::handle(vector) {
        irq::Action::Timer => {
            time::system::fired(cpu.id());
            ipi::raise(cpu, softirq::TIMER);
        }
        irq::Action::Flush => flush::poll(),
        irq::Action::Kick => {
            end::interrupted();
            keys::interrupted(cpu);
        }
        irq::Action::Nothing => {}
        irq::Action::Serial => ipi::raise(cpu, softirq::SERIAL),
        irq::Action::Guest(owner) => irq::guest::interrupt(owner),
    }
}

/// Everything between the end of a call and the next guest instruction. Returns the register file to leave with.
fn leave(cpu: &'static CpuLocal) -> *mut GuestRegs {
    loop {
        let reschedule = run::is_asked(cpu) && run::softirqs(cpu);
        let loaded = current(cpu);
        let next = match loaded {
            // Whoever has something for an idle CPU says so.
            Some(_) if !reschedule && flush::is_kept(cpu) => Next::Keep,
            Some((vcpu, state)) => {
                if !reschedule && vcpu.is_runnable() {
                    Next::Same
                } else {
                    run::choose(cpu, Some((&vcpu, state)))
                }
            }
            None => run::choose(cpu, None),
        };
        match next {
            Next::Same => {}
            Next::Load(vcpu) => {
                give_up(cpu);
                adopt(cpu, vcpu);
                if let Some((vcpu, state)) = current(cpu) {
                    run::put_on(cpu, &vcpu, state);
                }
            }
            Next::Keep => {
                run::idle(cpu);
                continue;
            }
            Next::Idle => {
                give_up(cpu);
                run::idle(cpu);
                continue;
            }
        }
        if let Some((vcpu, state)) = current(cpu)
            && run::deliver(&vcpu, state)
            && vcpu.is_runnable()
            && cpu.softirqs.load(Ordering::Acquire) == 0
        {
            latency::end(cpu);
            return &raw mut state.entry.regs;
        }
    }
}

/// Starts running vCPUs on this CPU; boot is over.
pub(crate) fn run_guests(cpu: &'static CpuLocal) -> ! {
    let regs = leave(cpu);
    #[cfg(target_os = "none")]
    // SAFETY: the register file belongs to the vCPU that is loaded on this CPU; the code at the label expects it in rax.
    unsafe {
        core::arch::asm!("jmp exit_to_guest", in("rax") regs, options(noreturn))
    }
    #[cfg(not(target_os = "none"))]
    unreachable!("no guests on the host: {regs:p}")
}

/// A fault or interrupt while the hypervisor ran.
///
/// # Safety
/// Called by entry.S only: `frame` is the saved frame on this CPU's stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn xenolith_host_trap(frame: *mut GuestRegs) {
    // SAFETY: by contract; nothing else refers to the frame.
    let frame = unsafe { &mut *frame };
    let cpu = percpu::this();
    if (32..256).contains(&frame.vector) {
        // Interrupts are open only while idle.
        latency::begin(cpu, [frame.vector, 0]);
        interrupt(cpu, frame.vector as u8);
        latency::end(cpu);
        return;
    }
    if frame.vector == PAGE_FAULT
        && let Some(offset) = segment::ldt_offset(instr::read_cr2())
        && let Some((vcpu, state)) = current(cpu)
        && segment::ldt_fault(&vcpu.domain, state, offset)
    {
        return;
    }
    if let Some(resume) = uaccess::fixup(frame.rip) {
        frame.rip = resume;
        return;
    }
    panic!(
        "unexpected vector {} (error {:#x}, cr2 {:#x}) in the hypervisor: {frame:#x?}",
        frame.vector,
        frame.error_code,
        instr::read_cr2()
    );
}

/// NMI, machine check, double fault, and #DB that hit the hypervisor; on an interrupt stack.
///
/// # Safety
/// Called by entry.S only: `frame` is the saved frame on the interrupt stack.
#[unsafe(no_mangle)]
unsafe extern "C" fn xenolith_ist_trap(frame: *mut GuestRegs) {
    // SAFETY: by contract; nothing else refers to the frame.
    let frame = unsafe { &mut *frame };
    match frame.vector {
        // A guest's breakpoint on its own memory, hit by our access to it: not ours, and gone.
        1 => instr::write_dr6(0xffff_0ff0),
        2 if crate::ending::is_stopping() => loop {
            instr::cli_hlt();
        },
        2 => {
            percpu::this().nmis.fetch_add(1, Ordering::Relaxed);
        }
        vector => panic!("vector {vector} (error {:#x}): {frame:#x?}", frame.error_code),
    }
}
