// SPDX-License-Identifier: MIT OR Apache-2.0
//! A guest's debug registers: what it may set (SDM vol. 3B 17.2; breakpoints on the hypervisor are refused, CVE-2023-34327).
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use hypercalls::errno::Errno;

use crate::domain::vcpu::VcpuState;
use crate::x86::{context, instr, uaccess};

const CR4_DE: u64 = 8;
const DR6_ONES: u64 = 0xffff_0ff0;
const DR6_ZEROS: u64 = 0x1000;
const DR7_ONES: u64 = 0x400;
const DR7_ZEROS: u64 = 0xd800;
const DR7_GENERAL_DETECT: u64 = 0x2000;
const ENABLED: u64 = 0xff;

/// Reads register 0 to 7; 4 and 5 are other names of 6 and 7 without CR4.DE (with it, ENODEV). EINVAL.
pub(crate) fn read(state: &VcpuState, register: u64) -> Result<u64, Errno> {
    let index = number(state, register)?;
    let mut value = state.debug.get(index).copied().ok_or(Errno::EINVAL)?;
    if index == 6 && state.debug.get(7).is_some_and(|dr7| dr7 & ENABLED != 0) {
        value |= instr::read_dr6() & !DR6_ONES;
    }
    Ok(value)
}

fn number(state: &VcpuState, register: u64) -> Result<usize, Errno> {
    match register {
        0..=3 | 6 | 7 => Ok(register as usize),
        4 | 5 if state.cr4 & CR4_DE != 0 => Err(Errno::ENODEV),
        4 | 5 => Ok(register as usize | 2),
        _ => Err(Errno::ENODEV),
    }
}

/// Writes a register of the vCPU that runs here. EPERM: an address of ours, GD, I/O breakpoints without DE. EINVAL: high bits.
pub(crate) fn write(state: &mut VcpuState, register: u64, value: u64) -> Result<(), Errno> {
    let index = number(state, register)?;
    let value = check(state, index, value)?;
    let was_active = state.debug[7] & ENABLED != 0;
    if let Some(slot) = state.debug.get_mut(index) {
        *slot = value;
    }
    if state.debug[7] & ENABLED != 0 {
        context::load_debug(&state.debug);
    } else if was_active {
        context::clear_debug();
    }
    Ok(())
}

/// The value as it goes into register `index`.
pub(crate) fn check(state: &VcpuState, index: usize, value: u64) -> Result<u64, Errno> {
    match index {
        0..=3 if uaccess::is_guest_range(value, 8) => Ok(value),
        0..=3 => Err(Errno::EPERM),
        _ if value >> 32 != 0 => Err(Errno::EINVAL),
        6 => Ok(value & !DR6_ZEROS | DR6_ONES),
        _ => {
            if value & DR7_GENERAL_DETECT != 0 {
                return Err(Errno::EPERM);
            }
            let io_breakpoint = (0..4).any(|slot| value >> (16 + 4 * slot) & 3 == 2);
            if io_breakpoint && state.cr4 & CR4_DE == 0 {
                return Err(Errno::EPERM);
            }
            Ok(value & !DR7_ZEROS | DR7_ONES)
        }
    }
}
