// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Small numbers that name things: domains, vCPUs, event ports, grants, interrupts.

use crate::macros::{number, open_enum};

open_enum! {
    /// A domain, or one of the reserved names below (`domid_t`).
    #[doc(alias = "domid_t")]
    pub struct DomId: u16 {
        /// The first domain, which runs the toolstack and the drivers.
        DOM0 = 0,
        /// The caller itself. Also the first reserved number.
        #[doc(alias = "DOMID_SELF")]
        SELF = 0x7ff0,
        /// Owner of memory-mapped I/O: lets the control domain map device frames.
        #[doc(alias = "DOMID_IO")]
        IO = 0x7ff1,
        /// Owner of the hypervisor's own shared memory (trace buffers, M2P).
        #[doc(alias = "DOMID_XEN")]
        XEN = 0x7ff2,
        /// Owner of memory-shared pages.
        #[doc(alias = "DOMID_COW")]
        COW = 0x7ff3,
        /// Nobody.
        #[doc(alias = "DOMID_INVALID")]
        INVALID = 0x7ff4,
        /// The idle domain.
        #[doc(alias = "DOMID_IDLE")]
        IDLE = 0x7fff,
    }
}

impl DomId {
    /// The first number that names no real domain.
    #[doc(alias = "DOMID_FIRST_RESERVED")]
    pub const FIRST_RESERVED: Self = Self(0x7ff0);
    /// The bits a domain number may use.
    #[doc(alias = "DOMID_MASK")]
    pub const MASK: u16 = 0x7fff;

    /// Whether the number is below the reserved ones, so that a domain could have it.
    #[must_use]
    pub const fn is_ordinary(self) -> bool {
        self.0 < Self::FIRST_RESERVED.0
    }
}

number! {
    /// A vCPU of some domain, from 0.
    pub struct VcpuId: u32
}
number! {
    /// An event channel as one domain numbers it (`evtchn_port_t`); 0 is never a valid port.
    #[doc(alias = "evtchn_port_t")]
    pub struct Port: u32
}
number! {
    /// An index into the granting domain's grant table (`grant_ref_t`).
    #[doc(alias = "grant_ref_t")]
    pub struct GrantRef: u32
}
number! {
    /// A mapping of a foreign grant, as the mapping domain knows it (`grant_handle_t`).
    #[doc(alias = "grant_handle_t")]
    pub struct GrantHandle: u32
}
number! {
    /// A physical interrupt as one domain numbers it.
    pub struct Pirq: u32
}

impl GrantRef {
    /// Reserved by the domain builder for the console page.
    #[doc(alias = "GNTTAB_RESERVED_CONSOLE")]
    pub const CONSOLE: Self = Self(0);
    /// Reserved by the domain builder for the xenstore page.
    #[doc(alias = "GNTTAB_RESERVED_XENSTORE")]
    pub const XENSTORE: Self = Self(1);
    /// How many references, from 0, guests leave to the builder.
    #[doc(alias = "GNTTAB_NR_RESERVED_ENTRIES")]
    pub const RESERVED_ENTRIES: u32 = 8;
}

open_enum! {
    /// A virtual interrupt (`VIRQ_*`). "Global" ones have one taker in the whole system, by default the control domain.
    pub struct Virq: u32 {
        /// Per vCPU: its timer expired.
        #[doc(alias = "VIRQ_TIMER")]
        TIMER = 0,
        /// Per vCPU: asks the guest to dump its state.
        #[doc(alias = "VIRQ_DEBUG")]
        DEBUG = 1,
        /// Global: there is input on the emergency console.
        #[doc(alias = "VIRQ_CONSOLE")]
        CONSOLE = 2,
        /// Global: a domain shut down, crashed or died.
        #[doc(alias = "VIRQ_DOM_EXC")]
        DOM_EXC = 3,
        /// Global: the trace buffer has records.
        #[doc(alias = "VIRQ_TBUF")]
        TBUF = 4,
        /// Global: a domain paused for debugging.
        #[doc(alias = "VIRQ_DEBUGGER")]
        DEBUGGER = 6,
        /// Per vCPU: profiling samples.
        #[doc(alias = "VIRQ_XENOPROF")]
        XENOPROF = 7,
        /// Global: the console ring has text.
        #[doc(alias = "VIRQ_CON_RING")]
        CON_RING = 8,
        /// Global: a physical CPU came or went.
        #[doc(alias = "VIRQ_PCPU_STATE")]
        PCPU_STATE = 9,
        /// Global: a memory event.
        #[doc(alias = "VIRQ_MEM_EVENT")]
        MEM_EVENT = 10,
        /// Global: an argo message.
        #[doc(alias = "VIRQ_ARGO")]
        ARGO = 11,
        /// Global: memory ran low.
        #[doc(alias = "VIRQ_ENOMEM")]
        ENOMEM = 12,
        /// Per vCPU: a performance-counter interrupt.
        #[doc(alias = "VIRQ_XENPMU")]
        XENPMU = 13,
        /// Global: a machine check was logged.
        #[doc(alias = "VIRQ_MCA")]
        #[doc(alias = "VIRQ_ARCH_0")]
        MCA = 16,
        /// The first architecture-specific one after [`Virq::MCA`].
        #[doc(alias = "VIRQ_ARCH_1")]
        ARCH_1 = 17,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_2")]
        ARCH_2 = 18,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_3")]
        ARCH_3 = 19,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_4")]
        ARCH_4 = 20,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_5")]
        ARCH_5 = 21,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_6")]
        ARCH_6 = 22,
        /// Architecture-specific, unused.
        #[doc(alias = "VIRQ_ARCH_7")]
        ARCH_7 = 23,
    }
}

impl Virq {
    /// One past the last virtual interrupt.
    #[doc(alias = "NR_VIRQS")]
    pub const COUNT: u32 = 24;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_small_numbers_are_ordinary_domains() {
        assert!(DomId::new(0x7fef).is_ordinary());
        assert!(!DomId::SELF.is_ordinary());
        assert!(!DomId::new(0xffff).is_ordinary());
    }
}
