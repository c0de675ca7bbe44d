// SPDX-License-Identifier: MIT OR Apache-2.0
//! A virtual CPU: what any CPU may look at ([`Vcpu`]) and what only the CPU that runs it touches ([`VcpuState`]).
#![forbid(unsafe_code)]

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use hypercalls::frame::Mfn;
use hypercalls::ids::VcpuId;
use hypercalls::trap::{TrapFlags, TrapInfo};

use crate::config::LEGACY_MAX_VCPUS;
use crate::domain::memory::WritableRef;
use crate::domain::pools;
use crate::domain::{Domain, units};
use crate::mm::map;
use crate::sched::Unit;
use crate::sched::affinity::CpuMask;
use crate::sched::runstate::Runstate;
use crate::sync::{Owned, Rank, SpinLock};
use crate::time::system::now_ns;
use crate::x86::fpu::FpuArea;
use crate::x86::ipi;
use crate::x86::percpu::{self, CpuId};
use crate::x86::regs::EntryArea;

/// Bits of [`Vcpu::pause_flags`]: each is a reason not to run.
pub(crate) mod pause {
    /// Never brought up, or taken down (VCPUOP_down).
    pub(crate) const DOWN: u32 = 1;
    /// Waits for an event (SCHEDOP_block, SCHEDOP_poll).
    pub(crate) const BLOCKED: u32 = 2;
    /// It waits by SCHEDOP_poll; set along with BLOCKED, not a reason of its own.
    pub(crate) const POLLING: u32 = 4;
}

/// Bits of [`Vcpu::pending`]: looked at before every return to the guest.
pub(crate) mod pending {
    /// Deliver an NMI.
    pub(crate) const NMI: u32 = 1;
    /// Write the runstate area (deferred while in user mode).
    pub(crate) const RUNSTATE: u32 = 2;
    /// Write the time areas.
    pub(crate) const TIME: u32 = 4;
    /// Print the registers (debug keys).
    pub(crate) const PRINT: u32 = 8;
}

/// A virtual CPU.
pub(crate) struct Vcpu {
    /// Number within its domain.
    pub(crate) id: VcpuId,
    /// Its domain.
    pub(crate) domain: Arc<Domain>,
    /// Its number for timers and the scheduler (`domain/units.rs`).
    pub(crate) unit: u32,
    /// What the scheduler knows of it.
    pub(crate) sched: Arc<Unit>,
    /// The CPU it is on, or last was on.
    pub(crate) cpu: AtomicU32,
    /// It runs on that CPU now.
    pub(crate) on_cpu: AtomicBool,
    /// Reasons not to run, bits of [`pause`].
    pub(crate) pause_flags: AtomicU32,
    /// Times paused by the toolstack (VCPU granularity).
    pub(crate) pause_count: AtomicU32,
    /// Work before the next return to the guest, bits of [`pending`].
    pub(crate) pending: AtomicU32,
    /// VCPUOP_initialise was done.
    pub(crate) initialised: AtomicBool,
    /// What SCHEDOP_poll waits for: `events::SEVERAL_PORTS`, or the port.
    pub(crate) poll_port: AtomicU32,
    /// Machine address of its vcpu_info.
    info_addr: AtomicU64,
    /// The page that VCPUOP_register_vcpu_info gave.
    pub(crate) info_page: SpinLock<Option<WritableRef>>,
    /// Accounting for vcpu_runstate_info.
    pub(crate) runstate: SpinLock<Runstate>,
    /// Periodic timer: period in ns, 0 if none.
    pub(crate) timer_period: AtomicU64,
    /// Guest address of the runstate area, 0 if none.
    pub(crate) runstate_area: AtomicU64,
    /// Guest address of the second vcpu_time_info, 0 if none.
    pub(crate) time_area: AtomicU64,
    /// CPUs it may run on, bit per CPU.
    pub(crate) hard_affinity: AtomicU64,
    /// SCHEDOP_pin_override: one more than the CPU it is bound to meanwhile; 0 for none.
    pub(crate) pin_override: AtomicU32,
    /// CPUs it prefers.
    pub(crate) soft_affinity: AtomicU64,
    /// Registers and everything else that only its CPU touches.
    pub(crate) state: Owned<VcpuState>,
}

/// A registered entry point of the guest kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Callback {
    /// Where; 0 = none.
    pub(crate) address: u64,
    /// Mask events on entry.
    pub(crate) mask_events: bool,
}

/// An exception waiting to be delivered to the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingTrap {
    /// Vector.
    pub(crate) vector: u8,
    /// Error code, for vectors that push one.
    pub(crate) error_code: Option<u32>,
}

/// State of a vCPU that belongs to the CPU which runs it.
pub(crate) struct VcpuState {
    /// Register file; entry code saves here. Its address is RSP0 while the vCPU runs.
    pub(crate) entry: EntryArea,
    /// Guest kernel mode (else guest user mode); both are CPL 3.
    pub(crate) kernel_mode: bool,
    /// CR3 of kernel mode; holds a type reference. `None` before initialisation.
    pub(crate) kernel_root: Option<Mfn>,
    /// CR3 of user mode; holds a type reference.
    pub(crate) user_root: Option<Mfn>,
    /// Exception handlers by vector.
    pub(crate) traps: Box<[TrapInfo; 256]>,
    /// Events.
    pub(crate) event_callback: Callback,
    /// Failed segment loads.
    pub(crate) failsafe_callback: Callback,
    /// SYSCALL from 64-bit user mode.
    pub(crate) syscall_callback: Callback,
    /// SYSCALL from 32-bit user mode.
    pub(crate) syscall32_callback: Callback,
    /// SYSENTER.
    pub(crate) sysenter_callback: Callback,
    /// Stack for entries from user mode.
    pub(crate) kernel_sp: u64,
    /// Its selector.
    pub(crate) kernel_ss: u16,
    /// Data segment selectors while it does not run: ds, es, fs, gs.
    pub(crate) selectors: [u16; 4],
    /// FS base while it does not run.
    pub(crate) fs_base: u64,
    /// GS base of guest kernel mode while it does not run.
    pub(crate) gs_base_kernel: u64,
    /// GS base of guest user mode while it does not run.
    pub(crate) gs_base_user: u64,
    /// Debug registers 0 to 3, 6 and 7 at their own index.
    pub(crate) debug: [u64; 8],
    /// CR0.TS as the guest set it.
    pub(crate) task_switched: bool,
    /// CR4 bits that the guest chose among those it may.
    pub(crate) cr4: u64,
    /// GDT frames (typed descriptor pages) and how many entries.
    pub(crate) gdt_frames: [Option<Mfn>; 14],
    /// Entries in the guest's GDT.
    pub(crate) gdt_entries: u32,
    /// LDT: linear address and number of entries.
    pub(crate) ldt_base: u64,
    /// Entries in the LDT.
    pub(crate) ldt_entries: u32,
    /// LDT pages found so far (typed descriptor pages).
    pub(crate) ldt_frames: [Option<Mfn>; 16],
    /// XSAVE image and XCR0.
    pub(crate) fpu: FpuArea,
    /// Virtual IOPL.
    pub(crate) iopl: u8,
    /// I/O permission bitmap: guest address and number of ports.
    pub(crate) io_bitmap: u64,
    /// Ports the bitmap covers.
    pub(crate) io_bitmap_ports: u32,
    /// TSC_AUX.
    pub(crate) tsc_aux: u32,
    /// An NMI is being handled: no further one until iret.
    pub(crate) nmi_masked: bool,
    /// Exception to deliver before anything else.
    pub(crate) trap: Option<PendingTrap>,
    /// The system call that is being handled crashes the domain: why. Done once all registers are in the register file.
    pub(crate) crash: Option<&'static str>,
}

/// Words of a vcpu_info that hypervisor and guest share.
#[derive(Clone, Copy)]
pub(crate) struct VcpuInfo {
    mfn: Mfn,
    offset: usize,
}

impl VcpuInfo {
    /// At a machine address, 64 bytes inside one page.
    pub(crate) fn at(address: u64) -> Self {
        Self { mfn: Mfn::from_addr(address), offset: (address & 0xfff) as usize }
    }

    fn byte(self, index: usize) -> &'static core::sync::atomic::AtomicU8 {
        &map::bytes(self.mfn)[(self.offset + index) & 0xfff]
    }

    /// The 64-bit word at byte `index`.
    pub(crate) fn word(self, index: usize) -> &'static AtomicU64 {
        &map::words(self.mfn)[((self.offset + index) & 0xfff) / 8]
    }

    /// evtchn_upcall_pending.
    #[inline]
    pub(crate) fn upcall_pending(self) -> &'static core::sync::atomic::AtomicU8 {
        self.byte(0)
    }

    /// evtchn_upcall_mask.
    #[inline]
    pub(crate) fn upcall_mask(self) -> &'static core::sync::atomic::AtomicU8 {
        self.byte(1)
    }

    /// evtchn_pending_sel.
    pub(crate) fn pending_sel(self) -> &'static AtomicU64 {
        self.word(8)
    }

    /// arch.cr2.
    pub(crate) fn cr2(self) -> &'static AtomicU64 {
        self.word(16)
    }
}

impl Vcpu {
    /// A vCPU that is down, with its vcpu_info in the shared info page if it has a slot there.
    pub(crate) fn new(domain: &Arc<Domain>, id: VcpuId, unit: Arc<Unit>, fpu: FpuArea, now_ns: u64) -> Self {
        let slot = if id.raw() < LEGACY_MAX_VCPUS { u64::from(id.raw()) } else { 0 };
        Self {
            id,
            domain: domain.clone(),
            unit: unit.number(),
            sched: unit,
            cpu: AtomicU32::new(0),
            on_cpu: AtomicBool::new(false),
            pause_flags: AtomicU32::new(pause::DOWN),
            pause_count: AtomicU32::new(0),
            pending: AtomicU32::new(pending::TIME),
            initialised: AtomicBool::new(false),
            poll_port: AtomicU32::new(0),
            info_addr: AtomicU64::new(domain.shared_info.to_addr() + slot * 64),
            info_page: SpinLock::new(Rank::PageList, None),
            runstate: SpinLock::new(Rank::RunQueue, Runstate::new(now_ns)),
            timer_period: AtomicU64::new(0),
            runstate_area: AtomicU64::new(0),
            time_area: AtomicU64::new(0),
            hard_affinity: AtomicU64::new(!0),
            pin_override: AtomicU32::new(0),
            soft_affinity: AtomicU64::new(!0),
            state: Owned::new(VcpuState::new(fpu)),
        }
    }

    /// Its vcpu_info now.
    #[inline]
    pub(crate) fn info(&self) -> VcpuInfo {
        VcpuInfo::at(self.info_addr.load(Ordering::Acquire))
    }

    /// Its evtchn_upcall_mask.
    #[inline(always)]
    pub(crate) fn upcall_mask(&self) -> &'static core::sync::atomic::AtomicU8 {
        map::byte(self.info_addr.load(Ordering::Acquire).wrapping_add(1))
    }

    /// Its arch.cr2.
    #[inline(always)]
    pub(crate) fn cr2(&self) -> &'static AtomicU64 {
        map::word(self.info_addr.load(Ordering::Acquire).wrapping_add(16))
    }

    /// Has it a vcpu_info of its own (not the shared dummy of vCPUs beyond the legacy 32)?
    pub(crate) fn has_info(&self) -> bool {
        self.id.raw() < LEGACY_MAX_VCPUS || self.info_page.lock().is_some()
    }

    /// Moves its vcpu_info; the caller has copied the contents.
    pub(crate) fn set_info(&self, address: u64) {
        self.info_addr.store(address, Ordering::Release);
    }

    /// May it run, as far as flags and pause counts go?
    pub(crate) fn is_runnable(&self) -> bool {
        self.pause_flags.load(Ordering::Acquire) & (pause::DOWN | pause::BLOCKED) == 0 && !self.is_paused()
    }

    /// Has somebody paused it, or its domain?
    fn is_paused(&self) -> bool {
        self.pause_count.load(Ordering::Acquire) != 0 || self.domain.pause_count.load(Ordering::Acquire) != 0
    }

    /// Does it wait for an event and for nothing else?
    pub(crate) fn waits_for_event(&self) -> bool {
        self.is_blocked() && !self.is_paused()
    }

    /// Does it wait for an event (and is not down)?
    pub(crate) fn is_blocked(&self) -> bool {
        self.pause_flags.load(Ordering::Acquire) & (pause::DOWN | pause::BLOCKED) == pause::BLOCKED
    }

    /// Is it in SCHEDOP_poll?
    pub(crate) fn is_polling(&self) -> bool {
        self.pause_flags.load(Ordering::Acquire) & pause::POLLING != 0
    }

    /// Ends SCHEDOP_block or SCHEDOP_poll, if it is in one; tells the scheduler if it may run now.
    pub(crate) fn unblock(&self) {
        // Before the flags: afterwards it may be polling again.
        if self.is_polling() {
            self.domain.pollers.remove(self.id);
        }
        let before = self.pause_flags.fetch_and(!(pause::BLOCKED | pause::POLLING), Ordering::AcqRel);
        if before & pause::BLOCKED != 0 {
            self.wake();
        }
    }

    /// The time of SCHEDOP_poll is up, if it is in one; a timer left over from an earlier one means nothing.
    pub(crate) fn end_poll(&self) {
        if self.is_polling() {
            self.unblock();
        }
    }

    /// Something waits for it: wakes it, or interrupts the CPU it runs on so that it looks.
    pub(crate) fn kick(&self) {
        self.unblock();
        self.interrupt();
    }

    /// Interrupts the CPU it runs on, if that is another one, so that it looks what waits.
    pub(crate) fn interrupt(&self) {
        let cpu = self.cpu.load(Ordering::Acquire);
        if self.on_cpu.load(Ordering::Acquire)
            && cpu != percpu::this().id().raw()
            && let Some(cpu) = percpu::get(CpuId::new(cpu))
        {
            ipi::kick(cpu);
        }
    }

    /// Tells the scheduler, after one reason not to run has gone, if none is left.
    pub(crate) fn wake(&self) {
        if self.is_runnable() {
            self.runstate.lock().wake(now_ns());
            crate::sched::wake(&self.sched);
        }
    }

    /// Asks the CPU that has it to look at its pause flags, after a reason not to run has come.
    pub(crate) fn sleep(&self) {
        crate::sched::block(&self.sched);
        if self.is_runnable() {
            crate::sched::wake(&self.sched);
        }
    }

    /// Changes where it may run and would like to, of which `None` stays.
    pub(crate) fn set_affinity(&self, hard: Option<u64>, soft: Option<u64>) {
        for (field, value) in [(&self.hard_affinity, hard), (&self.soft_affinity, soft)] {
            if let Some(value) = value {
                field.store(value, Ordering::Release);
            }
        }
        self.update_affinity();
    }

    /// Tells the scheduler where it may run and would like to, after something about that has changed.
    pub(crate) fn update_affinity(&self) {
        let cpus = pools::cpus_of(&self.domain);
        let wanted = match self.pin_override.load(Ordering::Acquire).checked_sub(1) {
            Some(cpu) => CpuMask::only(cpu),
            None => CpuMask::from_bits(self.hard_affinity.load(Ordering::Acquire)),
        };
        let both = wanted.and(cpus);
        let hard = if both.is_empty() { cpus } else { both };
        let soft = CpuMask::from_bits(self.soft_affinity.load(Ordering::Acquire));
        crate::sched::set_affinity(&self.sched, hard, soft);
    }

    /// Accounts a change of its run state.
    pub(crate) fn set_runstate(&self, state: crate::sched::runstate::State, now: u64) {
        self.runstate.lock().change(state, now);
    }

    /// Is an event upcall due: pending and not masked?
    #[inline]
    pub(crate) fn event_due(&self) -> bool {
        // One look at both bytes: evtchn_upcall_pending below, evtchn_upcall_mask above.
        let both = map::half_word(self.info_addr.load(Ordering::Acquire)).load(Ordering::Acquire);
        (1..=0xff).contains(&both)
    }
}

const NO_TRAP: TrapInfo = TrapInfo { vector: 0, flags: TrapFlags::empty(), cs: 0, _pad: [0; 4], address: 0 };

impl Drop for Vcpu {
    fn drop(&mut self) {
        if crate::sched::retire_unit(&self.sched) {
            units::free_number(self.unit);
        } else {
            // The CPU still knows it by its number, which nobody else may have.
            log::error!("d{}v{} is gone, but still on a CPU", self.domain.id.raw(), self.id.raw());
        }
    }
}

impl VcpuState {
    /// State of a vCPU that was never initialised.
    pub(crate) fn new(fpu: FpuArea) -> Self {
        Self {
            entry: EntryArea::default(),
            kernel_mode: true,
            kernel_root: None,
            user_root: None,
            traps: Box::new([NO_TRAP; 256]),
            event_callback: Callback::default(),
            failsafe_callback: Callback::default(),
            syscall_callback: Callback::default(),
            syscall32_callback: Callback::default(),
            sysenter_callback: Callback::default(),
            kernel_sp: 0,
            kernel_ss: 0,
            selectors: [0; 4],
            fs_base: 0,
            gs_base_kernel: 0,
            gs_base_user: 0,
            debug: [0, 0, 0, 0, 0, 0, 0xffff_0ff0, 0x400],
            task_switched: false,
            cr4: 0,
            gdt_frames: [None; 14],
            gdt_entries: 0,
            ldt_base: 0,
            ldt_entries: 0,
            ldt_frames: [None; 16],
            fpu,
            iopl: 0,
            io_bitmap: 0,
            io_bitmap_ports: 0,
            tsc_aux: 0,
            nmi_masked: false,
            trap: None,
            crash: None,
        }
    }

    /// Queues an exception for the guest.
    pub(crate) fn inject(&mut self, vector: u8, error_code: Option<u32>) {
        self.trap = Some(PendingTrap { vector, error_code });
    }
}
