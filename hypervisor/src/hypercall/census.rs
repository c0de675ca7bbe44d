// SPDX-License-Identifier: MIT OR Apache-2.0
//! What programs in dom0 ask of the hypervisor: a count for each operation that toolstacks use. Debug key `p` prints them, so that the
//! table of tools in `hypercalls/README.md` is measured.
//!
//! A program's calls come through Linux's privcmd like the kernel's own; what tells them apart is that its buffers are in the lower half
//! of the address space. A call without a buffer is not counted, one that is continued counts each time.
#![forbid(unsafe_code)]

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use hypercalls::domctl::DomctlCmd;
use hypercalls::event_channel::EventChannelOp;
use hypercalls::grant_table::GrantTableOp;
use hypercalls::hvm_op::HvmOp;
use hypercalls::hypfs::HypfsOp;
use hypercalls::memory::MemoryOp;
use hypercalls::mmu::MmuextCmd;
use hypercalls::number::HypercallNumber;
use hypercalls::physdev::PhysdevOp;
use hypercalls::platform::PlatformOp;
use hypercalls::sched::SchedOp;
use hypercalls::sysctl::SysctlCmd;
use hypercalls::version::VersionOp;

use crate::console::line;

/// More than any family has operations; the last count is of those beyond.
const OPERATIONS: usize = 96;
const LOWER_HALF_END: u64 = 1 << 47;

/// A hypercall and its operations.
pub(crate) struct Family {
    call: &'static str,
    name: fn(u32) -> Option<&'static str>,
    counts: [AtomicU32; OPERATIONS],
}

impl Family {
    const fn new(call: &'static str, name: fn(u32) -> Option<&'static str>) -> Self {
        Self { call, name, counts: [const { AtomicU32::new(0) }; OPERATIONS] }
    }

    /// Somebody asked for operation `op`, with an argument at `buffer`.
    #[inline]
    pub(crate) fn note(&self, op: u32, buffer: u64) {
        if buffer != 0 && buffer < LOWER_HALF_END {
            self.count(op);
        }
    }

    /// A program asked for operation `op`.
    #[cold]
    pub(crate) fn count(&self, op: u32) {
        if let Some(count) = self.counts.get(op as usize).or(self.counts.last()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A line for each operation that was asked for.
    fn lines(&self) -> impl Iterator<Item = Line> {
        self.counts.iter().enumerate().filter_map(|(op, count)| {
            let count = count.load(Ordering::Relaxed);
            (count != 0).then(|| Line { call: self.call, op, name: (self.name)(op as u32), count })
        })
    }
}

struct Line {
    call: &'static str,
    op: usize,
    name: Option<&'static str>,
    count: u32,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.call)?;
        match self.name {
            Some(name) => name.chars().try_for_each(|c| write!(f, "{}", c.to_ascii_lowercase()))?,
            None => write!(f, "{}", self.op)?,
        }
        write!(f, ": {}", self.count)
    }
}

pub(crate) static DOMCTL: Family = Family::new("domctl", |op| match DomctlCmd(op) {
    DomctlCmd::SET_LLC_COLORS => Some("set_llc_colors"),
    op => op.name(),
});
pub(crate) static EVENT_CHANNEL_OP: Family = Family::new("event_channel_op", |op| EventChannelOp(op).name());
pub(crate) static GRANT_TABLE_OP: Family = Family::new("grant_table_op", |op| GrantTableOp(op).name());
pub(crate) static HVM_OP: Family = Family::new("hvm_op", |op| HvmOp(op).name());
pub(crate) static HYPFS_OP: Family = Family::new("hypfs_op", |op| HypfsOp(op).name());
pub(crate) static MEMORY_OP: Family = Family::new("memory_op", |op| MemoryOp(op.into()).name());
pub(crate) static MMU_UPDATE: Family = Family::new("mmu_update", |_| Some("of another domain"));
pub(crate) static MMUEXT_OP: Family = Family::new("mmuext_op", |op| MmuextCmd(op).name());
pub(crate) static PHYSDEV_OP: Family = Family::new("physdev_op", |op| PhysdevOp(op).name());
pub(crate) static PLATFORM_OP: Family = Family::new("platform_op", |op| PlatformOp(op).name());
pub(crate) static SCHED_OP: Family = Family::new("sched_op", |op| SchedOp(op).name());
pub(crate) static SYSCTL: Family = Family::new("sysctl", |op| SysctlCmd(op).name());
pub(crate) static XEN_VERSION: Family = Family::new("xen_version", |op| match VersionOp(op) {
    VersionOp::EXTRAVERSION2 => Some("extraversion2"),
    VersionOp::CAPABILITIES2 => Some("capabilities2"),
    VersionOp::CHANGESET2 => Some("changeset2"),
    VersionOp::COMMANDLINE2 => Some("commandline2"),
    op => op.name(),
});
/// Calls that are not there, by their number.
pub(crate) static ABSENT: Family = Family::new("absent", |number| match HypercallNumber(number.into()) {
    HypercallNumber::XSM_OP => Some("xsm_op"),
    _ => None,
});

static FAMILIES: [&Family; 14] = [
    &DOMCTL,
    &EVENT_CHANNEL_OP,
    &GRANT_TABLE_OP,
    &HVM_OP,
    &HYPFS_OP,
    &MEMORY_OP,
    &MMU_UPDATE,
    &MMUEXT_OP,
    &PHYSDEV_OP,
    &PLATFORM_OP,
    &SCHED_OP,
    &SYSCTL,
    &XEN_VERSION,
    &ABSENT,
];

/// Prints a line of debug key `p`; `false`: there is none of that number.
pub(crate) fn print(number: usize) -> bool {
    let text = FAMILIES.iter().flat_map(|family| family.lines()).nth(number);
    text.inspect(|text| line(format_args!("  {text}"))).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn programs_are_counted_by_operation_and_kernels_are_not() {
        let family = Family::new("sysctl", |op| SysctlCmd(op).name());
        for (op, buffer) in
            [(3, 0x7fff_1000), (3, 4096), (3, 0xffff_8880_0000_0000), (6, 0), (77, 8), (5000, 8), (!0, 8)]
        {
            family.note(op, buffer);
        }
        let lines: Vec<_> = family.lines().map(|line| line.to_string()).collect();
        assert_eq!(lines, ["sysctl physinfo: 2", "sysctl 77: 1", "sysctl 95: 2"]);
    }

    #[test]
    fn every_operation_that_has_a_name_has_a_count_of_its_own() {
        assert!(DomctlCmd::NAMED.iter().all(|(_, op)| op.raw() < 95 || op.raw() >= 1000), "but gdbsx's");
        assert!(SysctlCmd::NAMED.iter().all(|(_, op)| op.raw() < 95));
        assert!(PlatformOp::NAMED.iter().all(|(_, op)| op.raw() < 95));
        assert!(MemoryOp::NAMED.iter().all(|(_, op)| op.raw() < 95));
    }
}
