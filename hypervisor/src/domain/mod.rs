// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest is: its memory, its vCPUs, its event channels, grants and rights, and who locks what.
#![forbid(unsafe_code)]

pub(crate) mod creation;
pub(crate) mod end;
pub(crate) mod events;
pub(crate) mod firmware;
pub(crate) mod grants;
pub(crate) mod host;
pub(crate) mod lifecycle;
pub(crate) mod memory;
pub(crate) mod pirqs;
pub(crate) mod pools;
pub(crate) mod ports;
pub(crate) mod rangeset;
pub(crate) mod settings;
pub(crate) mod shared_info;
pub(crate) mod shutdown;
pub(crate) mod table;
pub(crate) mod timers;
pub(crate) mod toolstack;
pub(crate) mod units;
pub(crate) mod vcpu;
pub(crate) mod vpit;
pub(crate) mod watchdog;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use grant_tables::GrantTable;
use hypercalls::domctl::{CpuidLeaf, CreateFlags};
use hypercalls::errno::Errno;
use hypercalls::frame::Mfn;
use hypercalls::ids::{DomId, VcpuId};

use crate::config::MAX_PIRQS;
use crate::domain::events::{Events, Pollers};
use crate::domain::lifecycle::{Lifecycle, Stage};
use crate::domain::memory::{Memory, WritableRef};
use crate::domain::pirqs::PirqTable;
use crate::domain::pools::Membership;
use crate::domain::ports::PortState;
use crate::domain::rangeset::RangeSet;
use crate::domain::settings::Settings;
use crate::domain::vcpu::Vcpu;
use crate::domain::watchdog::Watchdogs;
use crate::sched;
use crate::sync::{Rank, SpinLock};

/// Proof that its holder changes page tables of a domain alone: the value under [`Domain::mmu`].
#[derive(Debug, Default)]
pub(crate) struct MmuState {
    _private: (),
}

/// What the hardware lets a domain touch.
#[derive(Debug, Default)]
pub(crate) struct Rights {
    /// I/O ports.
    pub(crate) ports: RangeSet,
    /// Machine frames that are not memory.
    pub(crate) iomem: RangeSet,
    /// Interrupts (pirqs).
    pub(crate) irqs: RangeSet,
}

/// A domain. Lives as long as references to it do; its memory goes in preemptible steps before (`pv/teardown.rs`).
pub(crate) struct Domain {
    /// Number.
    pub(crate) id: DomId,
    /// UUID that the toolstack chose.
    pub(crate) handle: SpinLock<[u8; 16]>,
    /// What the toolstack chose for it.
    pub(crate) settings: SpinLock<Settings>,
    /// Features of the CPU that it may see at most; none named: all that it can have.
    pub(crate) cpuid: SpinLock<Vec<CpuidLeaf>>,
    /// May call the privileged hypercalls and own hardware.
    pub(crate) is_control: bool,
    /// vCPU ids are below this.
    pub(crate) max_vcpus: u32,
    vcpus: SpinLock<Vec<Arc<Vcpu>>>,
    /// What its vCPUs may have of the CPUs together.
    pub(crate) sched_group: Arc<sched::Group>,
    /// The pool whose CPUs they run on.
    pub(crate) pool: SpinLock<Membership>,
    /// The shared_info page.
    pub(crate) shared_info: Mfn,
    /// Held for every promotion, demotion and change of a live page table of this domain.
    pub(crate) mmu: SpinLock<MmuState>,
    /// Pages owned.
    pub(crate) memory: SpinLock<Memory>,
    /// Hardware rights.
    pub(crate) rights: SpinLock<Rights>,
    /// Any hardware right at all: allows cache attributes in its mappings.
    pub(crate) has_hardware: AtomicBool,
    /// CPUs that have (or lazily keep) this domain's tables loaded, bit per CPU.
    pub(crate) dirty_cpus: AtomicU64,
    /// Reasons why no vCPU of it runs; 0 = may run.
    pub(crate) pause_count: AtomicU32,
    /// State of its life.
    pub(crate) lifecycle: SpinLock<Lifecycle>,
    /// Its end has begun; never cleared.
    dying: AtomicBool,
    /// How far its end has come; held by the CPU that works on it.
    pub(crate) stage: SpinLock<Stage>,
    /// Who may use its pages, and what it uses of others'.
    pub(crate) grants: SpinLock<GrantTable<'static>>,
    /// The handle at which the release of a dying domain's mappings goes on.
    pub(crate) grants_drained: AtomicU32,
    /// Its physical interrupts; no numbers unless it is given some.
    pub(crate) pirqs: SpinLock<PirqTable>,
    /// The page where it looks up which pirqs need an end of interrupt (`PHYSDEVOP_pirq_eoi_gmfn_v2`).
    pub(crate) pirq_eoi_map: SpinLock<Option<WritableRef>>,
    /// Its event channels.
    pub(crate) events: SpinLock<Events>,
    /// vCPUs in SCHEDOP_poll.
    pub(crate) pollers: Pollers,
    /// SCHEDOP_watchdog.
    pub(crate) watchdogs: SpinLock<Watchdogs>,
    /// `VMASST_TYPE_*` bits that are on.
    pub(crate) vm_assist: AtomicU64,
    /// Latches of emulated ports.
    pub(crate) io: SpinLock<PortState>,
    /// Reported by `XENMEM_memory_map` once the toolstack set it.
    pub(crate) memory_map: SpinLock<Vec<hypercalls::memory::E820Entry>>,
}

/// Shared ownership of a domain.
pub(crate) type DomainRef = Arc<Domain>;

/// Everything needed to make a domain.
pub(crate) struct NewDomain {
    /// Number.
    pub(crate) id: DomId,
    /// UUID.
    pub(crate) handle: [u8; 16],
    /// Control domain?
    pub(crate) is_control: bool,
    /// What kind of domain.
    pub(crate) flags: CreateFlags,
    /// vCPU limit.
    pub(crate) max_vcpus: u32,
    /// The highest event port it may use (`max_evtchn_port`); `u32::MAX`: what the ABI has.
    pub(crate) max_event_port: u32,
    /// A zeroed frame, already given to the domain as shared memory.
    pub(crate) shared_info: Mfn,
    /// How large its grant tables may grow.
    pub(crate) grant_limits: grant_tables::Limits,
    /// Its place in a CPU pool.
    pub(crate) pool: Membership,
}

impl Domain {
    /// An empty domain, paused once. ENOMEM.
    pub(crate) fn new(new: NewDomain) -> Result<Self, Errno> {
        // Others can have no device: there is no IOMMU to keep one in bounds.
        let pirqs = if new.is_control { MAX_PIRQS } else { 0 };
        let events = Events::new(new.id, new.max_vcpus, new.max_event_port, pirqs, new.shared_info)?;
        let grants = grants::new_table(new.id, new.grant_limits);
        // Its shared_info page is one, too.
        let memory = Memory::new(1 + grants.all_frames().count() as u64);
        Ok(Self {
            id: new.id,
            handle: SpinLock::new(Rank::DomainLifecycle, new.handle),
            settings: SpinLock::new(Rank::DomainLifecycle, Settings::new(new.flags)),
            cpuid: SpinLock::new(Rank::DomainLifecycle, Vec::new()),
            is_control: new.is_control,
            max_vcpus: new.max_vcpus,
            vcpus: SpinLock::new(Rank::DomainLifecycle, Vec::new()),
            sched_group: Arc::new(sched::Group::new()),
            pool: SpinLock::new(Rank::CpuPools, new.pool),
            shared_info: new.shared_info,
            mmu: SpinLock::new(Rank::Mmu, MmuState::default()),
            memory: SpinLock::new(Rank::PageList, memory),
            rights: SpinLock::new(Rank::DomainLifecycle, Rights::default()),
            has_hardware: AtomicBool::new(new.is_control),
            dirty_cpus: AtomicU64::new(0),
            pause_count: AtomicU32::new(1),
            lifecycle: SpinLock::new(Rank::DomainLifecycle, Lifecycle::default()),
            dying: AtomicBool::new(false),
            stage: SpinLock::new(Rank::DomainEnd, Stage::Alive),
            grants: SpinLock::new(Rank::GrantTable, grants),
            grants_drained: AtomicU32::new(0),
            pirqs: SpinLock::new(Rank::Pirq, PirqTable::default()),
            pirq_eoi_map: SpinLock::new(Rank::Pirq, None),
            events: SpinLock::new(Rank::EventChannel, events),
            pollers: Pollers::default(),
            watchdogs: SpinLock::new(Rank::DomainLifecycle, Watchdogs::default()),
            vm_assist: AtomicU64::new(0),
            io: SpinLock::new(Rank::DomainLifecycle, PortState::default()),
            memory_map: SpinLock::new(Rank::DomainLifecycle, Vec::new()),
        })
    }

    /// Adds the next vCPU, which is below `max_vcpus`; events reach it from now on.
    pub(crate) fn add_vcpu(&self, vcpu: Arc<Vcpu>) {
        // Fails only for a number that `max_vcpus` rules out.
        if let Err(errno) = events::register_vcpu(&vcpu) {
            log::error!("{:?}: vCPU {:?} without event channels: {errno:?}", self.id, vcpu.id);
        }
        self.vcpus.lock().push(vcpu);
    }

    /// A vCPU by number.
    pub(crate) fn vcpu(&self, id: VcpuId) -> Option<Arc<Vcpu>> {
        self.vcpus.lock().get(id.raw() as usize).cloned()
    }

    /// All vCPUs; a snapshot.
    pub(crate) fn vcpus(&self) -> Vec<Arc<Vcpu>> {
        self.vcpus.lock().clone()
    }

    /// What a function makes of all vCPUs, without a snapshot: it runs under their lock and must be short.
    pub(crate) fn vcpus_with<R>(&self, look: impl FnOnce(&[Arc<Vcpu>]) -> R) -> R {
        look(&self.vcpus.lock())
    }

    /// Lets go of the last of the vCPUs; at the domain's end.
    pub(crate) fn take_vcpu(&self) -> Option<Arc<Vcpu>> {
        self.vcpus.lock().pop()
    }

    /// Marks the beginning of its end; `false`: it had begun.
    pub(crate) fn start_dying(&self) -> bool {
        !self.dying.swap(true, Ordering::AcqRel)
    }

    /// One more reason for none of its vCPUs to run.
    pub(crate) fn pause(&self) {
        self.pause_count.fetch_add(1, Ordering::AcqRel);
        for vcpu in self.vcpus() {
            vcpu.sleep();
        }
    }

    /// One reason less.
    pub(crate) fn unpause(&self) {
        if self.pause_count.fetch_sub(1, Ordering::AcqRel) == 1 {
            for vcpu in self.vcpus() {
                vcpu.wake();
            }
        }
    }

    /// Is an assist (`VMASST_TYPE_*` bit) on?
    pub(crate) fn assists(&self, bit: u32) -> bool {
        self.vm_assist.load(Ordering::Relaxed) >> bit & 1 != 0
    }

    /// CPUs whose TLBs may know this domain's tables.
    pub(crate) fn dirty_cpus(&self) -> u64 {
        self.dirty_cpus.load(Ordering::Acquire)
    }
}

impl Drop for Domain {
    /// The pages that nobody else has any more, or ever had.
    fn drop(&mut self) {
        // Of a domain that was in the table `end` has retired the grant table: this is one that nobody has seen.
        let unseen = self.grants.lock().all_frames().collect::<Vec<_>>();
        unseen.into_iter().for_each(memory::free_unseen);
        memory::free_unseen(self.shared_info);
    }
}
