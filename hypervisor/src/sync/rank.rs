// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lock order, and its only statement: a lock is taken only while holding locks of lower ranks (listed earlier).
//! Two locks of one rank: the lower `DomId` first.
#![forbid(unsafe_code)]

/// Outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Debug keys that were pressed: held while some of one is printed.
    DebugKeys,
    /// The end of a domain: held while a step of it is done.
    DomainEnd,
    /// A domain's life: pause counts, shutdown, teardown.
    DomainLifecycle,
    /// A domain's page tables: promotion, demotion, entry updates.
    Mmu,
    /// A grant table.
    GrantTable,
    /// A domain's physical interrupts.
    Pirq,
    /// Mapped MSI-X tables.
    MsixTables,
    /// A domain's event channels.
    EventChannel,
    /// Which domains exist. Nothing but the heap is used under it, so that a page can look for its owner under most locks.
    DomainTable,
    /// A domain's list of pages.
    PageList,
    /// CPU pools, and which one a domain is in.
    CpuPools,
    /// The kernel heap.
    Heap,
    /// The hypervisor's own page tables.
    HostTables,
    /// Free frames.
    FrameAllocator,
    /// Run queues.
    RunQueue,
    /// A CPU's timers.
    TimerQueue,
    /// Interrupt lines and controllers.
    InterruptLine,
    /// EFI runtime services.
    Firmware,
    /// PCI configuration space, CMOS and other index/data ports.
    PortPair,
    /// Console ring and devices.
    Console,
}
