// SPDX-License-Identifier: MIT OR Apache-2.0
//! console_io (18): the host's console, for control domains.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::console::ConsoleIo;
use hypercalls::errno::Errno;

use crate::console;
use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;

/// Bytes moved at a time.
const CHUNK: usize = 128;
/// Work units for a chunk: a serial port is slow.
const CHUNK_COST: u32 = 64;

/// HYPERVISOR_console_io(cmd, count, buffer). EPERM: not a control domain. ENOSYS: unknown command. EFAULT.
pub(crate) fn console_io(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, count, buffer, ..] = args;
    cx.require_control()?;
    match ConsoleIo::new(cmd as u32) {
        ConsoleIo::WRITE => write(cx, args, count as u32, buffer),
        ConsoleIo::READ => Ok(Outcome::Done(read(count as u32, buffer)?)),
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// Returns 0 when all is written. Preemptible.
fn write(cx: &mut Cx<'_>, args: &Args, count: u32, buffer: u64) -> HypercallResult {
    let mut chunk = [0_u8; CHUNK];
    let mut done = 0;
    while done < count {
        if cx.budget.spend(CHUNK_COST).is_err() {
            let mut rest = *args;
            let [_, left, from, ..] = &mut rest;
            (*left, *from) = (count.wrapping_sub(done).into(), buffer.wrapping_add(done.into()));
            return Ok(Outcome::Preempted(rest));
        }
        let len = (count.wrapping_sub(done) as usize).min(CHUNK);
        let text = chunk.get_mut(..len).ok_or(Errno::EINVAL)?;
        guest_access::read_bytes(buffer.wrapping_add(done.into()), text)?;
        console::write(text);
        done = done.wrapping_add(len as u32);
    }
    Ok(Outcome::DONE)
}

/// Returns how many bytes of input there were.
fn read(count: u32, buffer: u64) -> Result<u64, Errno> {
    let mut chunk = [0_u8; CHUNK];
    let mut done = 0;
    while done < u64::from(count) {
        let room = (u64::from(count).wrapping_sub(done) as usize).min(CHUNK);
        let len = console::read(chunk.get_mut(..room).ok_or(Errno::EINVAL)?);
        if len == 0 {
            break;
        }
        guest_access::write_bytes(buffer.wrapping_add(done), chunk.get(..len).ok_or(Errno::EINVAL)?)?;
        done = done.wrapping_add(len as u64);
    }
    Ok(done)
}
