// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each CPU has for itself, found from the stack pointer: a 64 KiB block that starts with [`CpuLocal`] and ends with
//! the stack. Everything in `CpuLocal` may be read by other CPUs and is therefore atomic.
// UNSAFETY: turns the stack pointer into a reference to the block it lies in.
#![expect(unsafe_code, reason = "per-CPU data is found from the stack pointer")]

use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crate::config::{CPU_BLOCK_BYTES, MAX_CPUS};
use crate::x86::gdt::Tss;

/// End of each interrupt stack inside the block, for the TSS's IST slots 1 to 4 (NMI, #MC, #DF, #DB).
const IST_ENDS: [usize; 4] = [0x5000, 0x6000, 0x7000, 0x8000];

/// A physical CPU, 0 the boot CPU, dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CpuId(u32);

impl CpuId {
    /// The boot CPU.
    pub(crate) const BOOT: Self = Self(0);

    /// From a dense index below [`MAX_CPUS`].
    pub(crate) fn new(index: u32) -> Self {
        assert!((index as usize) < MAX_CPUS, "CPU number out of range");
        Self(index)
    }

    /// Dense index.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }

    /// Dense index as the ABI carries it.
    pub(crate) fn raw(self) -> u32 {
        self.0
    }
}

/// Data of one CPU.
#[repr(C)]
pub(crate) struct CpuLocal {
    /// End of the running vCPU's register file. First: entry.S reads it at offset 0.
    rsp0: AtomicU64,
    id: AtomicU32,
    /// Local APIC id.
    pub(crate) apic_id: AtomicU32,
    /// Requests other CPUs (or interrupt handlers) raised, bits of `irq::softirq`.
    pub(crate) softirqs: AtomicU32,
    /// TLB clock value of this CPU's last full flush.
    pub(crate) tlb_time: AtomicU32,
    /// A vCPU pointer owned by the scheduler glue (`Arc::into_raw`), null while idle before the first.
    pub(crate) current: AtomicPtr<()>,
    /// Machine address in CR3 now.
    pub(crate) cr3: AtomicU64,
    /// Machine address of the first page-table entry of this CPU's descriptor window (`host_pt::make_window`).
    pub(crate) window: AtomicU64,
    /// Guest GDT frames mapped in this CPU's window.
    pub(crate) gdt_frames: AtomicU32,
    /// Guest LDT pages mapped in this CPU's window, one bit a page.
    pub(crate) ldt_pages: AtomicU32,
    /// Entries of the LDT in LDTR; 0: the null selector (`gdt::set_ldt_length`).
    pub(crate) ldt_entries: AtomicU32,
    /// Interrupts that arrived, for debug keys.
    pub(crate) interrupts: AtomicU64,
    /// NMIs seen.
    pub(crate) nmis: AtomicU64,
    /// Whether it is idle with a vCPU's tables loaded, one of [`kept`].
    pub(crate) kept: AtomicU8,
    /// Sequence of this CPU's flush mailbox: requests posted.
    pub(crate) flush_posted: AtomicUsize,
    /// Sequence answered.
    pub(crate) flush_done: AtomicUsize,
    pub(crate) tss: Tss,
}

static CPUS: [AtomicPtr<CpuLocal>; MAX_CPUS] = [const { AtomicPtr::new(core::ptr::null_mut()) }; MAX_CPUS];
/// One more than the highest number of a CPU that has been set up.
static END: AtomicU32 = AtomicU32::new(0);

/// The CPU this runs on.
#[inline(always)]
pub(crate) fn this() -> &'static CpuLocal {
    let sp: usize;
    // SAFETY: only reads the stack pointer.
    unsafe { core::arch::asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    // SAFETY: every stack the hypervisor runs on lies inside a CPU block that starts with an initialised `CpuLocal`
    // and lives for ever; all its fields are atomics or written only before the CPU is published.
    unsafe { &*((sp & !(CPU_BLOCK_BYTES - 1)) as *const CpuLocal) }
}

/// A CPU that has been set up, by number.
pub(crate) fn get(cpu: CpuId) -> Option<&'static CpuLocal> {
    let pointer = CPUS[cpu.index()].load(Ordering::Acquire);
    // SAFETY: published pointers refer to blocks that live for ever.
    unsafe { pointer.as_ref() }
}

/// All CPUs that have been set up.
pub(crate) fn all() -> impl Iterator<Item = &'static CpuLocal> {
    (0..END.load(Ordering::Acquire)).filter_map(|cpu| get(CpuId(cpu)))
}

impl CpuLocal {
    /// This CPU's number.
    #[inline(always)]
    pub(crate) fn id(&self) -> CpuId {
        CpuId(self.id.load(Ordering::Relaxed))
    }

    /// Top of this CPU's stack.
    pub(crate) fn stack_top(&self) -> u64 {
        (core::ptr::from_ref(self) as usize + CPU_BLOCK_BYTES) as u64
    }

    /// Where the processor saves a guest's frame from now on: the end of a vCPU's register file.
    pub(crate) fn set_entry_stack(&self, end_of_regs: u64) {
        self.rsp0.store(end_of_regs, Ordering::Relaxed);
        self.tss.set_rsp0(end_of_regs);
        super::entry::set_syscall_slot(self.id(), end_of_regs);
    }
}

/// Prepares the zeroed block of a CPU.
///
/// # Safety
/// `block` is a zeroed, 64 KiB-aligned, writable block of that size which lives for ever and that nothing else uses.
pub(crate) unsafe fn install(block: *mut u8, cpu: CpuId, apic_id: u32) -> &'static CpuLocal {
    let local = block.cast::<CpuLocal>();
    // SAFETY: by contract; all-zero is a valid `CpuLocal`.
    let local = unsafe { &*local };
    local.id.store(cpu.raw(), Ordering::Relaxed);
    local.apic_id.store(apic_id, Ordering::Relaxed);
    for (slot, end) in IST_ENDS.iter().enumerate() {
        local.tss.set_ist(slot, block as u64 + *end as u64);
    }
    local.rsp0.store(local.stack_top(), Ordering::Relaxed);
    local.tss.set_rsp0(local.stack_top());
    local
}

/// Makes a CPU known to all others, once it answers interrupts or at least its flush mailbox.
pub(crate) fn publish(local: &CpuLocal) {
    CPUS[local.id().index()].store(core::ptr::from_ref(local).cast_mut(), Ordering::Release);
    END.fetch_max(local.id().raw() + 1, Ordering::AcqRel);
}

/// Makes another CPU's block of memory, which must be aligned to its size; the CPU is not published yet.
pub(crate) fn adopt(block: &'static mut [u8; CPU_BLOCK_BYTES], cpu: CpuId, apic_id: u32) -> &'static CpuLocal {
    assert!(block.as_ptr().addr().is_multiple_of(CPU_BLOCK_BYTES), "misaligned CPU block");
    block.fill(0);
    // SAFETY: zeroed and aligned as seen above, and nobody else's for ever as its type says.
    unsafe { install(block.as_mut_ptr(), cpu, apic_id) }
}

const _: () = assert!(size_of::<CpuLocal>() < 0x4000);

/// What [`CpuLocal::kept`] says.
pub(crate) mod kept {
    /// A vCPU runs there, or none is loaded.
    pub(crate) const NOTHING: u8 = 0;
    /// One is loaded and does not run: what is flushed may be flushed later.
    pub(crate) const LOADED: u8 = 1;
    /// And something is to be flushed before it runs.
    pub(crate) const STALE: u8 = 2;
}

/// Bits of [`CpuLocal::softirqs`]: work for a CPU before it returns to a guest.
pub(crate) mod softirq {
    /// Take expired timers out of the queue, program the hardware timer.
    pub(crate) const TIMER: u32 = 1;
    /// Ask the scheduler what to run.
    pub(crate) const SCHEDULE: u32 = 2;
    /// Serial input has arrived.
    pub(crate) const SERIAL: u32 = 4;
    /// A dying domain may have lost what kept it.
    pub(crate) const ENDS: u32 = 8;
    /// Debug keys are not done.
    pub(crate) const KEYS: u32 = 16;
}
