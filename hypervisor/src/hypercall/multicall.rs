// SPDX-License-Identifier: MIT OR Apache-2.0
//! multicall (13): a list of hypercalls, each with a result of its own.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::multicall::MulticallEntry;
use hypercalls::number::HypercallNumber;

use crate::hypercall::{Args, Cx, Fault, HypercallResult, Outcome, dispatch};
use crate::mm::guest_access;
use crate::x86::uaccess::{self, Faulted, GuestWords};

/// Offset of the result in an entry.
const RESULT: u64 = 8;
/// Offset of the arguments.
const ARGUMENTS: u64 = 16;
/// Work units for an entry, apart from what a call in it spends: most spend nothing.
const ENTRY_COST: u32 = 8;

/// HYPERVISOR_multicall(list, count): runs all, whatever the results; they are written as 64-bit registers. EFAULT: the list.
/// A multicall inside gets EINVAL. Preemptible, between entries and inside them.
pub(crate) fn multicall(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[list, count, ..] = args;
    let count = u64::from(count as u32);
    let mut list = GuestHandle::<MulticallEntry>::new(list);
    if !uaccess::is_guest_range(list.addr(), count as usize * size_of::<MulticallEntry>()) {
        return Err(Errno::EFAULT.into());
    }
    for index in 0..count {
        // The first one always runs, or a batch could starve.
        if cx.budget.spend(ENTRY_COST).is_err() && index != 0 {
            return Ok(rest(args, list, count.wrapping_sub(index)));
        }
        let (number, entry_args) = read_entry(list.addr()).map_err(|_| Errno::EFAULT)?;
        let &[first, second, ..] = &entry_args;
        let outcome = match dispatch::quick(cx.state, number, [first, second]) {
            Some(value) => Ok(Outcome::Done(value)),
            None if number == HypercallNumber::MULTICALL => Err(Errno::EINVAL.into()),
            None => dispatch::call(cx, number, &entry_args),
        };
        let result = match outcome {
            Ok(Outcome::Done(value)) => value,
            Err(Fault::Errno(errno)) => errno.to_ret().cast_unsigned(),
            Err(crash) => return Err(crash),
            Ok(Outcome::Preempted(continued)) => {
                guest_access::write(GuestHandle::<Args>::new(list.addr().wrapping_add(ARGUMENTS)), &continued)?;
                return Ok(rest(args, list, count.wrapping_sub(index)));
            }
            // After iret the list may be out of sight: other page tables are in use (CVE-2017-8903).
            Ok(Outcome::Registers) if number == HypercallNumber::IRET => return Ok(Outcome::Registers),
            Ok(Outcome::Registers) => 0,
        };
        guest_access::write(GuestHandle::<u64>::new(list.addr().wrapping_add(RESULT)), &result)?;
        list = list.offset(1);
    }
    Ok(Outcome::DONE)
}

/// The number and the arguments of an entry, copied once.
#[inline(always)]
fn read_entry(address: u64) -> Result<(HypercallNumber, Args), Faulted> {
    let (words, op) = GuestWords::<8>::at(address)?.get::<0>();
    let (words, a0) = words.get::<2>();
    let (words, a1) = words.get::<3>();
    let (words, a2) = words.get::<4>();
    let (words, a3) = words.get::<5>();
    let (words, a4) = words.get::<6>();
    let (words, a5) = words.get::<7>();
    words.done()?;
    Ok((HypercallNumber::new(op), [a0, a1, a2, a3, a4, a5]))
}

/// Goes on with `count` entries at `list`.
fn rest(args: &Args, list: GuestHandle<MulticallEntry>, count: u64) -> Outcome {
    let mut rest = *args;
    let [first, left, ..] = &mut rest;
    (*first, *left) = (list.addr(), count);
    Outcome::Preempted(rest)
}
