// SPDX-License-Identifier: MIT OR Apache-2.0
//! Single steps, a hardware breakpoint on an instruction and one on a variable, in a child that is traced.
#![forbid(unsafe_code)]

use anyhow::{Context, Result, bail};
use nix::sys::ptrace::{self, AddressType};
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// `offsetof(struct user, u_debugreg)` on x86-64 (sys/user.h).
const DEBUG_REGISTERS: usize = 848;
/// DR7: breakpoint 0 on, for this task, when the instruction at its address is executed.
const ON_EXECUTE: i64 = 0x1;
/// DR7: breakpoint 0 on, for this task, when any of eight bytes at its address is written.
const ON_WRITE: i64 = 0x9_0001;

static WATCHED: AtomicU64 = AtomicU64::new(0);

fn main() -> Result<()> {
    if std::env::args().nth(1).as_deref() == Some("child") { child() } else { parent() }
}

/// Says where its variable and its function are, then uses both for ever.
fn child() -> Result<()> {
    println!("{} {}", std::ptr::from_ref(&WATCHED) as usize, marker as fn(u64) as usize);
    std::io::stdout().flush()?;
    ptrace::traceme()?;
    raise(Signal::SIGSTOP)?;
    for number in 0.. {
        marker(black_box(number));
    }
    Ok(())
}

#[inline(never)]
fn marker(number: u64) {
    WATCHED.store(black_box(number), Ordering::SeqCst);
}

fn parent() -> Result<()> {
    let end = dom0_programs::deadline()?;
    let mut child = Command::new(std::env::current_exe()?).arg("child").stdout(Stdio::piped()).spawn()?;
    let done = trace(&mut child, end);
    child.kill()?;
    let (steps, stops) = done?;
    println!("ok ptrace: {steps} steps, {stops} hardware breakpoints");
    Ok(())
}

fn trace(child: &mut Child, end: Instant) -> Result<(u64, u64)> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("the child's output")?).read_line(&mut line)?;
    let (variable, function) = line.trim().split_once(' ').context("no addresses")?;
    let (variable, function): (usize, usize) = (variable.parse()?, function.parse()?);
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let WaitStatus::Stopped(_, Signal::SIGSTOP) = waitpid(pid, None)? else { bail!("the child did not stop") };
    let (mut steps, mut stops) = (0, 0);
    while Instant::now() < end {
        steps += single_steps(pid, 200)?;
        stops += breakpoints(pid, function, ON_EXECUTE, 20, Some(u64::try_from(function)?))?;
        stops += breakpoints(pid, variable, ON_WRITE, 20, None)?;
    }
    Ok((steps, stops))
}

fn single_steps(pid: Pid, count: u64) -> Result<u64> {
    for _ in 0..count {
        let before = ptrace::getregs(pid)?.rip;
        ptrace::step(pid, None)?;
        trapped(pid)?;
        let after = ptrace::getregs(pid)?.rip;
        if before == after {
            bail!("a step from {before:#x} went nowhere");
        }
    }
    Ok(count)
}

/// Lets the child run into breakpoint 0 `count` times.
fn breakpoints(pid: Pid, address: usize, control: i64, count: u64, rip: Option<u64>) -> Result<u64> {
    set_debug_register(pid, 7, 0)?;
    set_debug_register(pid, 0, i64::try_from(address)?)?;
    set_debug_register(pid, 7, control)?;
    for _ in 0..count {
        set_debug_register(pid, 6, 0)?;
        ptrace::cont(pid, None)?;
        trapped(pid)?;
        let status = ptrace::read_user(pid, debug_register(6))?;
        if status & 1 == 0 {
            bail!("DR6 is {status:#x} after breakpoint 0");
        }
        let at = ptrace::getregs(pid)?.rip;
        if rip.is_some_and(|rip| rip != at) {
            bail!("the breakpoint at {rip:x?} stopped the child at {at:#x}");
        }
    }
    set_debug_register(pid, 7, 0)?;
    Ok(count)
}

fn debug_register(number: usize) -> AddressType {
    (DEBUG_REGISTERS + 8 * number) as AddressType
}

fn set_debug_register(pid: Pid, number: usize, value: i64) -> Result<()> {
    ptrace::write_user(pid, debug_register(number), value).with_context(|| format!("DR{number} = {value:#x}"))
}

fn trapped(pid: Pid) -> Result<()> {
    match waitpid(pid, None)? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => Ok(()),
        other => bail!("the child is {other:?}, not stopped by a trap"),
    }
}
