// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which CPUs share a core or a socket, by their APIC ids (SDM vol. 3A 9.9.3; CPUID leaves 1 and 0xb).
#![forbid(unsafe_code)]

use crate::x86::instr;

/// How an APIC id divides into socket, core and thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Topology {
    /// Bits of the thread number.
    thread_bits: u32,
    /// Bits of core and thread number.
    package_bits: u32,
    /// Threads in a core.
    pub(crate) threads_per_core: u32,
    /// Cores in a socket.
    pub(crate) cores_per_socket: u32,
}

/// The words of CPUID that tell it.
struct Leaves {
    /// EBX and EDX of leaf 1.
    one: (u32, u32),
    /// EAX and EBX of leaf 0xb, subleaves 0 and 1; zero if there is no such leaf.
    extended: [(u32, u32); 2],
}

impl Topology {
    /// Of this machine.
    pub(crate) fn read() -> Self {
        let leaf = instr::cpuid(1, 0);
        let extended = |subleaf| {
            if instr::cpuid(0, 0).eax < 0xb {
                return (0, 0);
            }
            let leaf = instr::cpuid(0xb, subleaf);
            (leaf.eax & 0x1f, leaf.ebx & 0xffff)
        };
        Self::new(&Leaves { one: (leaf.ebx, leaf.edx), extended: [extended(0), extended(1)] })
    }

    fn new(leaves: &Leaves) -> Self {
        let [(thread_bits, threads), (package_bits, logical)] = leaves.extended;
        if threads != 0 && logical != 0 {
            let cores_per_socket = (logical / threads).max(1);
            return Self { thread_bits, package_bits, threads_per_core: threads, cores_per_socket };
        }
        const HTT: u32 = 1 << 28;
        let (ebx, edx) = leaves.one;
        let logical = if edx & HTT != 0 { (ebx >> 16 & 0xff).max(1) } else { 1 };
        let package_bits = logical.next_power_of_two().trailing_zeros();
        Self { thread_bits: 0, package_bits, threads_per_core: 1, cores_per_socket: logical }
    }

    /// Number of a CPU's socket.
    pub(crate) fn socket(&self, apic_id: u32) -> u32 {
        apic_id.checked_shr(self.package_bits).unwrap_or(0)
    }

    /// Number of a CPU's core within its socket.
    pub(crate) fn core(&self, apic_id: u32) -> u32 {
        let in_socket = apic_id & 1_u32.checked_shl(self.package_bits).unwrap_or(0).wrapping_sub(1);
        in_socket.checked_shr(self.thread_bits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sockets_of_four_cores_with_two_threads() {
        let topology = Topology::new(&Leaves { one: (0, 0), extended: [(1, 2), (3, 8)] });
        assert_eq!((topology.threads_per_core, topology.cores_per_socket), (2, 4));
        assert_eq!((topology.socket(13), topology.core(13)), (1, 2));
    }

    #[test]
    fn old_leaf_counts_logical_cpus() {
        let topology = Topology::new(&Leaves { one: (4 << 16, 1 << 28), extended: [(0, 0); 2] });
        assert_eq!((topology.threads_per_core, topology.cores_per_socket), (1, 4));
        assert_eq!((topology.socket(5), topology.core(5)), (1, 1));
        let single = Topology::new(&Leaves { one: (4 << 16, 0), extended: [(0, 0); 2] });
        assert_eq!((single.cores_per_socket, single.socket(3), single.core(3)), (1, 3, 0));
    }
}
