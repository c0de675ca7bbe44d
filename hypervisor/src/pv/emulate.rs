// SPDX-License-Identifier: MIT OR Apache-2.0
//! Carries out privileged instructions that a guest kernel executes at CPL 3.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use hypercalls::frame::Mfn;
use hypercalls::handle::GuestHandle;
use hypercalls::vm_assist::VmAssistType;

use crate::budget::Budget;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::mm::guest_access;
use crate::pv::call::Cx;
use crate::pv::decode::{self, CodeMode, FORCED_CPUID, Insn, Port};
use crate::pv::msr_policy::{self, Register};
use crate::pv::{cpuid_view, debug_regs, io, ro_fault, switch, traps};
use crate::time;
use crate::x86::pci::Width;
use crate::x86::{context, cpu, fpu, instr, uaccess};

/// What stopped an emulation.
enum Stop {
    /// The instruction is not allowed: the #GP goes to the guest.
    Refused,
    /// Its memory operand faulted: a page fault goes to the guest instead.
    PageFault(u64, u64),
}

type Emulated = Result<(), Stop>;

/// Flags that a guest kernel may not change by CR0 writes, as it reads them: PG AM WP NE ET MP PE.
const GUEST_CR0: u64 = 0x8005_0033;
const CR0_TS: u64 = 8;
/// What the guest reads besides its own bits: PAE MCE OSFXSR OSXMMEXCPT.
const GUEST_CR4: u64 = 0x660;
const CR4_OSXSAVE: u64 = 1 << 18;
const CR4_FSGSBASE: u64 = 1 << 16;

/// `ud2; "xen"; cpuid`: true if that was it.
pub(crate) fn forced_cpuid(vcpu: &Vcpu, state: &mut VcpuState) -> bool {
    let rip = state.entry.regs.rip;
    // A word is quickly read, and its last byte may lie behind the end of what is mapped.
    let code = guest_access::read(GuestHandle::<[u8; 8]>::new(rip)).or_else(|_| {
        let mut code = [0; 8];
        let bytes = code.get_mut(..FORCED_CPUID.len()).unwrap_or(&mut []);
        guest_access::read_bytes(rip, bytes).map(|()| code)
    });
    if !code.is_ok_and(|code| decode::is_forced_cpuid(&code)) {
        return false;
    }
    cpuid(vcpu, state);
    state.entry.regs.rip = rip.wrapping_add(FORCED_CPUID.len() as u64);
    true
}

fn cpuid(vcpu: &Vcpu, state: &mut VcpuState) {
    let regs = &mut state.entry.regs;
    let leaf = cpuid_view::guest(&vcpu.domain, regs.rax as u32, regs.rcx as u32);
    regs.rax = leaf.eax.into();
    regs.rbx = leaf.ebx.into();
    regs.rcx = leaf.ecx.into();
    regs.rdx = leaf.edx.into();
}

/// Emulates the instruction that raised #GP(0). `false`: the fault is the guest's.
pub(crate) fn privileged(vcpu: &Arc<Vcpu>, state: &mut VcpuState) -> bool {
    let regs = &state.entry.regs;
    // Compatibility-mode user code is the only 32-bit code there is.
    let mode = if is_long_code(regs.cs as u16) { CodeMode::Long } else { CodeMode::Compat32 };
    let mut code = [0_u8; 15];
    let fetched = ro_fault::fetch(regs.rip, &mut code);
    let Some((insn, len)) = code.get(..fetched).and_then(|code| decode::decode(code, mode)) else { return false };
    let result = match insn {
        Insn::In { port, size } => port_in(vcpu, state, port, size),
        Insn::Out { port, size } => port_out(vcpu, state, port, size),
        Insn::Ins { size, rep, .. } => match string_in(vcpu, state, size, rep) {
            Ok(true) => return true,
            Ok(false) => Ok(()),
            Err(stop) => Err(stop),
        },
        Insn::Outs { size, rep, segment, .. } => match string_out(vcpu, state, size, rep, segment) {
            Ok(true) => return true,
            Ok(false) => Ok(()),
            Err(stop) => Err(stop),
        },
        Insn::Cli | Insn::Sti => allow(may_do_io(vcpu, state)),
        Insn::Cpuid => {
            cpuid(vcpu, state);
            Ok(())
        }
        Insn::Rdtsc => rdtsc(state),
        Insn::Rdtscp => rdtsc(state).map(|()| state.entry.regs.rcx = state.tsc_aux.into()),
        _ if !state.kernel_mode => Err(Stop::Refused),
        _ => kernel_only(vcpu, state, insn),
    };
    match result {
        Ok(()) => state.entry.regs.rip = state.entry.regs.rip.wrapping_add(len.into()),
        Err(Stop::Refused) => return false,
        Err(Stop::PageFault(address, error_code)) => traps::inject_page_fault(vcpu, state, address, error_code),
    }
    true
}

/// 32-bit code runs on the flat 32-bit selector or a selector of the guest's tables with L clear.
fn is_long_code(cs: u16) -> bool {
    cs == crate::x86::gdt::FLAT_RING3_CS64 || (cs != crate::x86::gdt::FLAT_RING3_CS32 && context::is_long_code(cs))
}

fn allow(condition: bool) -> Emulated {
    if condition { Ok(()) } else { Err(Stop::Refused) }
}

/// May the present mode touch ports and the interrupt flag, by its virtual IOPL? The guest kernel counts as ring 1, or as ring 0 if
/// the IOPL is in the flags it sees.
fn may_do_io(vcpu: &Vcpu, state: &VcpuState) -> bool {
    let ring = match state.kernel_mode {
        true if vcpu.domain.assists(VmAssistType::ARCHITECTURAL_IOPL.raw()) => 0,
        true => 1,
        false => 3,
    };
    state.iopl >= ring
}

fn kernel_only(vcpu: &Arc<Vcpu>, state: &mut VcpuState, insn: Insn) -> Emulated {
    match insn {
        Insn::Clts => {
            state.task_switched = false;
            cpu::set_task_switched(false);
            Ok(())
        }
        Insn::Wbinvd => {
            if vcpu.domain.has_hardware.load(Ordering::Relaxed) {
                instr::wbinvd();
            }
            Ok(())
        }
        Insn::ReadCr { cr, reg } => read_cr(vcpu, state, cr, reg),
        Insn::WriteCr { cr, reg } => write_cr(vcpu, state, cr, reg),
        Insn::ReadDr { dr, reg } => {
            let value = debug_regs::read(state, dr.into()).map_err(|_| Stop::Refused)?;
            *state.entry.regs.gpr_mut(reg) = value;
            Ok(())
        }
        Insn::WriteDr { dr, reg } => {
            let value = state.entry.regs.gpr(reg);
            debug_regs::write(state, dr.into(), value).map_err(|_| Stop::Refused)
        }
        Insn::Rdmsr => rdmsr(vcpu, state),
        Insn::Wrmsr => wrmsr(vcpu, state),
        Insn::Xsetbv => xsetbv(state),
        _ => Err(Stop::Refused),
    }
}

fn read_cr(vcpu: &Vcpu, state: &mut VcpuState, cr: u8, reg: u8) -> Emulated {
    let value = match cr {
        0 => GUEST_CR0 | if state.task_switched { CR0_TS } else { 0 },
        2 => vcpu.info().cr2().load(Ordering::Relaxed),
        3 => state.kernel_root.map_or(0, Mfn::to_addr),
        4 => GUEST_CR4 | state.cr4,
        _ => return Err(Stop::Refused),
    };
    *state.entry.regs.gpr_mut(reg) = value;
    Ok(())
}

fn write_cr(vcpu: &Arc<Vcpu>, state: &mut VcpuState, cr: u8, reg: u8) -> Emulated {
    let value = state.entry.regs.gpr(reg);
    match cr {
        0 => {
            allow((value ^ GUEST_CR0) & !CR0_TS == 0)?;
            state.task_switched = value & CR0_TS != 0;
            cpu::set_task_switched(state.task_switched);
            Ok(())
        }
        2 => {
            vcpu.info().cr2().store(value, Ordering::Relaxed);
            Ok(())
        }
        3 => {
            let mut cx = Cx { vcpu, state, budget: Budget::unlimited() };
            switch::new_base(&mut cx, Mfn::from_addr(value)).map_err(|_| Stop::Refused)
        }
        4 => {
            let fsgsbase = if cpu::has_fsgsbase() { CR4_FSGSBASE } else { 0 };
            let osxsave = if fpu::supported_xcr0() != 0 { CR4_OSXSAVE } else { 0 };
            state.cr4 = value & (cpu::CR4_GUEST | fsgsbase | osxsave);
            cpu::set_guest_cr4(state.cr4);
            Ok(())
        }
        _ => Err(Stop::Refused),
    }
}

fn rdtsc(state: &mut VcpuState) -> Emulated {
    // With TSD set only the kernel may, and it gets here because the hardware bit knows one ring 3 only.
    allow(state.kernel_mode)?;
    let tsc = instr::rdtsc();
    state.entry.regs.rax = tsc & 0xffff_ffff;
    state.entry.regs.rdx = tsc >> 32;
    Ok(())
}

fn msr_context(vcpu: &Vcpu) -> msr_policy::Context {
    msr_policy::Context { is_boot_vcpu: vcpu.id.raw() == 0, is_amd: !cpu::is_intel() }
}

fn rdmsr(vcpu: &Vcpu, state: &mut VcpuState) -> Emulated {
    let index = state.entry.regs.rcx as u32;
    let value = match msr_policy::read(index, &msr_context(vcpu)) {
        msr_policy::Read::Value(value) => value,
        msr_policy::Read::Register(Register::FsBase) => context::fs_base(),
        msr_policy::Read::Register(Register::GsBase) => context::gs_base(),
        msr_policy::Read::Register(Register::KernelGsBase) => context::other_gs_base(),
        msr_policy::Read::Register(Register::TscAux) => state.tsc_aux.into(),
        msr_policy::Read::Register(Register::Tsc) => instr::rdtsc(),
        msr_policy::Read::Host => uaccess::read_msr(index).map_err(|_| Stop::Refused)?,
        msr_policy::Read::Fault => return Err(Stop::Refused),
    };
    state.entry.regs.rax = value & 0xffff_ffff;
    state.entry.regs.rdx = value >> 32;
    Ok(())
}

fn wrmsr(vcpu: &Vcpu, state: &mut VcpuState) -> Emulated {
    let regs = &state.entry.regs;
    let value = regs.rax & 0xffff_ffff | regs.rdx << 32;
    match msr_policy::write(regs.rcx as u32, value, &msr_context(vcpu)) {
        msr_policy::Write::Ignore => {}
        msr_policy::Write::Register(Register::FsBase, base) => context::set_fs_base(base),
        msr_policy::Write::Register(Register::GsBase, base) => context::set_gs_base(base),
        msr_policy::Write::Register(Register::KernelGsBase, base) => context::set_other_gs_base(base),
        msr_policy::Write::Register(Register::TscAux, value) => {
            state.tsc_aux = value as u32;
            context::set_tsc_aux(state.tsc_aux);
        }
        msr_policy::Write::Register(Register::Tsc, _) | msr_policy::Write::Fault => return Err(Stop::Refused),
        msr_policy::Write::HypercallPage(mfn) => {
            crate::pv::hypercall_page::fill(&vcpu.domain, Mfn::new(mfn)).map_err(|_| Stop::Refused)?;
        }
    }
    Ok(())
}

fn xsetbv(state: &mut VcpuState) -> Emulated {
    let regs = &state.entry.regs;
    let value = regs.rax & 0xffff_ffff | regs.rdx << 32;
    allow(regs.rcx as u32 == 0 && fpu::is_valid_xcr0(value))?;
    fpu::set_xcr0(&mut state.fpu, value);
    Ok(())
}

// ---- ports ----

fn width(size: u8) -> Width {
    match size {
        1 => Width::Byte,
        2 => Width::Word,
        _ => Width::Dword,
    }
}

/// The access, if the virtual IOPL or the I/O bitmap lets the present mode make it.
fn access(vcpu: &Vcpu, state: &VcpuState, port: u16, size: u8) -> Result<io::Access, Stop> {
    if !may_do_io(vcpu, state) && !bitmap_allows(state, port, size) {
        return Err(Stop::Refused);
    }
    Ok(io::Access { port, width: width(size) })
}

/// PHYSDEVOP_set_iobitmap: a clear bit allows its port.
fn bitmap_allows(state: &VcpuState, port: u16, size: u8) -> bool {
    let last = u32::from(port).wrapping_add(u32::from(size)).wrapping_sub(1);
    if state.io_bitmap == 0 || last >= state.io_bitmap_ports {
        return false;
    }
    (u32::from(port)..=last).all(|port| {
        let byte: GuestHandle<u8> = GuestHandle::new(state.io_bitmap.wrapping_add(u64::from(port / 8)));
        guest_access::read(byte).is_ok_and(|bits| bits >> (port % 8) & 1 == 0)
    })
}

fn read_port(vcpu: &Vcpu, access: io::Access) -> u32 {
    let decision = decide(vcpu, access);
    io::read(decision, access, &mut vcpu.domain.io.lock(), time::system::now_ns())
}

fn write_port(vcpu: &Vcpu, access: io::Access, value: u32) {
    let decision = decide(vcpu, access);
    io::write(decision, access, value, &mut vcpu.domain.io.lock(), time::system::now_ns());
}

fn decide(vcpu: &Vcpu, access: io::Access) -> io::Decision {
    let domain = &vcpu.domain;
    io::decide(access, domain.is_control, |first, last| {
        domain.rights.lock().ports.contains_range(first.into(), last.into())
    })
}

fn port_number(state: &VcpuState, port: Port) -> u16 {
    match port {
        Port::Imm(port) => port.into(),
        Port::Dx => state.entry.regs.rdx as u16,
    }
}

fn port_in(vcpu: &Vcpu, state: &mut VcpuState, port: Port, size: u8) -> Emulated {
    let access = access(vcpu, state, port_number(state, port), size)?;
    let value = u64::from(read_port(vcpu, access));
    let rax = &mut state.entry.regs.rax;
    *rax = match size {
        1 => *rax & !0xff | value & 0xff,
        2 => *rax & !0xffff | value & 0xffff,
        _ => value,
    };
    Ok(())
}

fn port_out(vcpu: &Vcpu, state: &mut VcpuState, port: Port, size: u8) -> Emulated {
    let access = access(vcpu, state, port_number(state, port), size)?;
    write_port(vcpu, access, state.entry.regs.rax as u32);
    Ok(())
}

const RFLAGS_DF: u64 = 1 << 10;

/// Moves a string pointer by one element.
fn step(pointer: &mut u64, size: u8, rflags: u64) {
    let size = u64::from(size);
    *pointer = if rflags & RFLAGS_DF != 0 { pointer.wrapping_sub(size) } else { pointer.wrapping_add(size) };
}

/// One element of INS; `true`: there are more, the instruction is executed again.
fn string_in(vcpu: &Vcpu, state: &mut VcpuState, size: u8, rep: bool) -> Result<bool, Stop> {
    if rep && state.entry.regs.rcx == 0 {
        return Ok(false);
    }
    let access = access(vcpu, state, state.entry.regs.rdx as u16, size)?;
    let target = state.entry.regs.rdi;
    let mut bytes = [0_u8; 4];
    let element = bytes.get_mut(..usize::from(size)).ok_or(Stop::Refused)?;
    // Is the memory there, before the device loses a byte?
    uaccess::copy_from_guest(element, target).map_err(|_| Stop::PageFault(target, write_error(state)))?;
    let value = read_port(vcpu, access).to_le_bytes();
    let element = value.get(..usize::from(size)).ok_or(Stop::Refused)?;
    uaccess::copy_to_guest(target, element).map_err(|_| Stop::PageFault(target, write_error(state)))?;
    let regs = &mut state.entry.regs;
    step(&mut regs.rdi, size, regs.rflags);
    Ok(more(state, rep))
}

/// One element of OUTS.
fn string_out(vcpu: &Vcpu, state: &mut VcpuState, size: u8, rep: bool, segment: decode::Segment) -> Result<bool, Stop> {
    if rep && state.entry.regs.rcx == 0 {
        return Ok(false);
    }
    let access = access(vcpu, state, state.entry.regs.rdx as u16, size)?;
    let base = match segment {
        decode::Segment::Fs => context::fs_base(),
        decode::Segment::Gs => context::gs_base(),
        _ => 0,
    };
    let source = state.entry.regs.rsi.wrapping_add(base);
    let mut bytes = [0_u8; 4];
    let element = bytes.get_mut(..usize::from(size)).ok_or(Stop::Refused)?;
    uaccess::copy_from_guest(element, source).map_err(|_| Stop::PageFault(source, read_error(state)))?;
    write_port(vcpu, access, u32::from_le_bytes(bytes));
    let regs = &mut state.entry.regs;
    step(&mut regs.rsi, size, regs.rflags);
    Ok(more(state, rep))
}

fn more(state: &mut VcpuState, rep: bool) -> bool {
    if !rep {
        return false;
    }
    let rcx = &mut state.entry.regs.rcx;
    *rcx = rcx.wrapping_sub(1);
    *rcx != 0
}

fn read_error(state: &VcpuState) -> u64 {
    if state.kernel_mode { 0 } else { 4 }
}

fn write_error(state: &VcpuState) -> u64 {
    read_error(state) | 2
}
