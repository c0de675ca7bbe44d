// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is printed of a vCPU: when it brings its domain down, and when a debug key asks. Guest memory is read by walking the
//! guest's tables, so nothing here can fault, and everything is bounded.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::fmt;
use core::sync::atomic::Ordering;

use hypercalls::frame::Mfn;

use crate::config;
use crate::console::line;
use crate::domain::vcpu::{Vcpu, VcpuState};
use crate::mm::layout::HYPERVISOR_END;
use crate::mm::m2p;
use crate::pv::walk;
use crate::x86::{context, percpu};

const PAGE_FAULT: u64 = 14;
/// CR0 as guests see it: protected mode with paging, caches on, numeric errors native.
const GUEST_CR0: u64 = 0x8005_0033;
const CR0_TS: u64 = 8;
/// Lines of the stack, four words each.
const STACK_LINES: u64 = 20;
/// Words searched for return addresses, and how many of these are printed.
const SEARCHED_WORDS: u64 = 512;
const RETURN_ADDRESSES: usize = 32;
/// Code bytes before and from the instruction pointer on.
const CODE_BEFORE: u64 = 16;
const CODE_AFTER: usize = 20;

/// Reports a vCPU whose domain ends because of what it did.
pub(crate) fn print(vcpu: &Vcpu, state: &VcpuState, reason: &str) {
    let regs = &state.entry.regs;
    let cpu = percpu::this().id().raw();
    let (domain, id) = (vcpu.domain.id.raw(), vcpu.id.raw());
    line(format_args!(
        "d{domain}v{id} {reason}: last entry by vector {:#x}, error code {:04x}",
        regs.vector, regs.error_code
    ));
    line(format_args!("Domain {domain} (vcpu#{id}) crashed on cpu#{cpu}:"));
    registers(vcpu, state);
    let Some(root) = root(state) else {
        return line(format_args!("It has no page tables yet"));
    };
    code(root, regs.rip);
    let cr2 = vcpu.info().cr2().load(Ordering::Relaxed);
    if cr2 != 0 || regs.vector == PAGE_FAULT {
        page_walk(root, cr2);
    }
    if walk::page(root, regs.rip).is_none() {
        page_walk(root, regs.rip);
    }
    stack(root, regs.rsp);
}

/// The tables of its present mode.
fn root(state: &VcpuState) -> Option<Mfn> {
    if state.kernel_mode { state.kernel_root } else { state.user_root }
}

/// Selectors ds, es, fs, gs; bases of fs, gs, and gs of the other mode.
fn segments(vcpu: &Vcpu, state: &VcpuState) -> ([u16; 4], [u64; 3]) {
    let cpu = percpu::this();
    let is_loaded = core::ptr::eq(cpu.current.load(Ordering::Relaxed).cast_const().cast::<Vcpu>(), vcpu)
        && vcpu.on_cpu.load(Ordering::Relaxed);
    let (own, other) = if state.kernel_mode {
        (state.gs_base_kernel, state.gs_base_user)
    } else {
        (state.gs_base_user, state.gs_base_kernel)
    };
    if is_loaded {
        (context::selectors(), [context::fs_base(), context::gs_base(), context::other_gs_base()])
    } else {
        (state.selectors, [state.fs_base, own, other])
    }
}

/// Prints the registers of a vCPU whose state the caller owns.
pub(crate) fn registers(vcpu: &Vcpu, state: &VcpuState) {
    let regs = &state.entry.regs;
    let ([ds, es, fs, gs], [fs_base, gs_base, gs_other]) = segments(vcpu, state);
    let mode = if state.kernel_mode { "" } else { " user mode" };
    line(format_args!("----[ Xenolith {}  Xen 4.17{}  x86_64 ]----", env!("CARGO_PKG_VERSION"), config::EXTRA_VERSION));
    line(format_args!("CPU:    {}", vcpu.cpu.load(Ordering::Relaxed)));
    line(format_args!("RIP:    {:04x}:[<{}>]", regs.cs & 0xffff, Word(regs.rip)));
    line(format_args!(
        "RFLAGS: {}   CONTEXT: pv guest{mode} (d{}v{})",
        Word(regs.rflags),
        vcpu.domain.id.raw(),
        vcpu.id.raw()
    ));
    three([("rax", regs.rax), ("rbx", regs.rbx), ("rcx", regs.rcx)]);
    three([("rdx", regs.rdx), ("rsi", regs.rsi), ("rdi", regs.rdi)]);
    three([("rbp", regs.rbp), ("rsp", regs.rsp), ("r8 ", regs.r8)]);
    three([("r9 ", regs.r9), ("r10", regs.r10), ("r11", regs.r11)]);
    three([("r12", regs.r12), ("r13", regs.r13), ("r14", regs.r14)]);
    line(format_args!("r15: {}", Word(regs.r15)));
    let cr0 = GUEST_CR0 | if state.task_switched { CR0_TS } else { 0 };
    line(format_args!("cr0: {}   cr4: {}", Word(cr0), Word(state.cr4)));
    line(format_args!(
        "cr3: {}   cr2: {}",
        Word(root(state).map_or(0, Mfn::to_addr)),
        Word(vcpu.info().cr2().load(Ordering::Relaxed))
    ));
    three([("fsb", fs_base), ("gsb", gs_base), ("gss", gs_other)]);
    line(format_args!(
        "ds: {ds:04x}   es: {es:04x}   fs: {fs:04x}   gs: {gs:04x}   ss: {:04x}   cs: {:04x}",
        regs.ss & 0xffff,
        regs.cs & 0xffff
    ));
}

fn three([a, b, c]: [(&str, u64); 3]) {
    line(format_args!("{}: {}   {}: {}   {}: {}", a.0, Word(a.1), b.0, Word(b.1), c.0, Word(c.1)));
}

/// A word as sixteen hexadecimal digits, in one piece: `{:016x}` hands over zeros one by one, and most registers are small.
struct Word(u64);

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 16];
        for (digit, shift) in digits.iter_mut().rev().zip((0..u64::BITS).step_by(4)) {
            let value = (self.0 >> shift & 15) as u8;
            *digit = value + if value < 10 { b'0' } else { b'a' - 10 };
        }
        f.write_str(core::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

/// Bytes as two hexadecimal digits each.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02x}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

fn code(root: Mfn, rip: u64) {
    let mut after = [0; CODE_AFTER];
    let length = walk::read(root, rip, &mut after);
    let Some((first, rest)) = after.get(..length).and_then(<[u8]>::split_first) else {
        return line(format_args!("Guest code around <{}> is not mapped", Word(rip)));
    };
    let mut before = [0; CODE_BEFORE as usize];
    let start = rip.wrapping_sub(CODE_BEFORE);
    let head = if walk::read(root, start, &mut before) == before.len() { &before[..] } else { &[] };
    line(format_args!("Guest code around <{}>:", Word(rip)));
    line(format_args!(" {} <{first:02x}> {}", Hex(head), Hex(rest)));
}

fn page_walk(root: Mfn, address: u64) {
    line(format_args!("Pagetable walk from {}:", Word(address)));
    for step in walk::steps(root, address) {
        let pfn = m2p::get(step.target()).filter(|_| step.is_present()).map_or(u64::MAX, |pfn| pfn.raw());
        line(format_args!(" L{}[0x{:03x}] = {} {}", step.level, step.index, Word(step.entry), Word(pfn)));
    }
}

fn stack(root: Mfn, rsp: u64) {
    line(format_args!("Guest stack trace from rsp={}:", Word(rsp)));
    let words = |from: u64, count: u64| {
        (from..from + count).map_while(move |index| walk::read_word(root, rsp.checked_add(index * 8)?))
    };
    let mut printed = 0;
    for start in 0..STACK_LINES {
        let mut four = [0_u64; 4];
        let count = words(4 * start, 4).zip(&mut four).map(|(word, slot)| *slot = word).count();
        let [a, b, c, d] = four.map(Word);
        match count {
            0 => break,
            1 => line(format_args!("   {a}")),
            2 => line(format_args!("   {a} {b}")),
            3 => line(format_args!("   {a} {b} {c}")),
            _ => line(format_args!("   {a} {b} {c} {d}")),
        }
        printed += count;
    }
    if printed == 0 {
        return line(format_args!("   (not mapped)"));
    }
    line(format_args!("Words on it that may be return addresses:"));
    let is_code =
        |word: &u64| *word >= HYPERVISOR_END && walk::page(root, *word).is_some_and(|(_, executable)| executable);
    for word in words(0, SEARCHED_WORDS).filter(is_code).take(RETURN_ADDRESSES) {
        line(format_args!("   [<{}>]", Word(word)));
    }
}
