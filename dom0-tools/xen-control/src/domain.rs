// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! A domain's life: create, limit, run, stop, destroy.

use crate::control::{Control, handle};
use crate::error::{ControlError, Result};
use hypercalls::domctl::debug::Sendtrigger;
use hypercalls::domctl::{
    AddressSize, ArchDomainconfig, CreateFlags, Createdomain, Domctl, DomctlCmd, EmulationFlags, HypercallInit, MaxMem,
    MaxVcpus, Nodeaffinity, SetVirqHandler, Setdomainhandle, Settimeoffset, TscInfo, XenctlBitmap,
};
use hypercalls::sched::{SchedOp, SchedRemoteShutdown, ShutdownReason};
use hypercalls::{DomId, HypercallNumber, Mfn, VcpuId, Virq};

/// What a new PV domain is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewDomain {
    /// Its number; `None` lets the hypervisor choose.
    pub id: Option<DomId>,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// How many vCPUs it may have.
    pub max_vcpus: u32,
    /// The largest event port it may have.
    pub max_event_port: u32,
    /// Limit of its grant table in frames; `None` is the hypervisor's default.
    pub max_grant_frames: Option<u32>,
    /// Limit of its mappings of other domains' grants in frames; `None` is the hypervisor's default.
    pub max_maptrack_frames: Option<u32>,
    /// The highest grant-table version it may choose: 1 or 2.
    pub max_grant_version: u32,
    /// Whether MSRs unknown to the hypervisor read as zero instead of faulting.
    pub relaxed_msrs: bool,
}

impl NewDomain {
    /// A domain with the limits Xen's toolstack gives when the configuration names none.
    #[must_use]
    pub const fn new(uuid: [u8; 16], max_vcpus: u32) -> Self {
        Self {
            id: None,
            uuid,
            max_vcpus,
            max_event_port: 1023,
            max_grant_frames: None,
            max_maptrack_frames: None,
            max_grant_version: 2,
            relaxed_msrs: false,
        }
    }
}

/// A button of a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A non-maskable interrupt.
    Nmi,
    /// Reset.
    Reset,
    /// INIT.
    Init,
    /// The power button.
    Power,
    /// The sleep button.
    Sleep,
}

/// A limit as the interface has it: negative for "the default".
fn limit(frames: Option<u32>) -> i32 {
    frames.map_or(-1, |frames| i32::try_from(frames).unwrap_or(i32::MAX))
}

impl Control {
    /// Makes a PV domain: no memory, no vCPUs, paused once.
    ///
    /// # Errors
    /// `EEXIST` if the number is taken, `ENOMEM`, `EINVAL` if a limit is out of range.
    pub fn create_domain(&self, new: &NewDomain) -> Result<DomId> {
        let argument = Createdomain {
            ssidref: 0,
            handle: new.uuid,
            flags: CreateFlags::empty(),
            iommu_opts: 0,
            max_vcpus: new.max_vcpus,
            max_evtchn_port: new.max_event_port,
            max_grant_frames: limit(new.max_grant_frames),
            max_maptrack_frames: limit(new.max_maptrack_frames),
            grant_opts: new.max_grant_version,
            vmtrace_size: 0,
            cpupool_id: 0,
            arch: ArchDomainconfig {
                emulation_flags: EmulationFlags::empty(),
                misc_flags: u32::from(new.relaxed_msrs),
            },
        };
        // The number 0 asks the hypervisor to choose.
        let id = new.id.unwrap_or(DomId::DOM0);
        Ok(self.domctl("create a domain", id, DomctlCmd::CREATEDOMAIN, &argument)?.domain)
    }

    /// A `domctl` without an argument of its own.
    fn plain(&self, operation: &'static str, domain: DomId, cmd: DomctlCmd) -> Result<Domctl> {
        self.domctl(operation, domain, cmd, &())
    }

    /// Allocates its vCPUs; done once.
    ///
    /// # Errors
    /// `EINVAL` past the limit it was created with, `ENOMEM`.
    pub fn set_max_vcpus(&self, domain: DomId, max: u32) -> Result<()> {
        self.domctl("allocate vCPUs", domain, DomctlCmd::MAX_VCPUS, &MaxVcpus { max }).map(drop)
    }

    /// Destroys it. Returns when its memory is released, except frames others still map.
    ///
    /// # Errors
    /// `ESRCH` if there is no such domain, `EINVAL` for domain 0.
    pub fn destroy_domain(&self, domain: DomId) -> Result<()> {
        self.plain("destroy a domain", domain, DomctlCmd::DESTROYDOMAIN).map(drop)
    }

    /// Keeps it from running; counted.
    ///
    /// # Errors
    /// `ESRCH` if there is no such domain.
    pub fn pause(&self, domain: DomId) -> Result<()> {
        self.plain("pause a domain", domain, DomctlCmd::PAUSEDOMAIN).map(drop)
    }

    /// Undoes one pause (or the creation's).
    ///
    /// # Errors
    /// `ESRCH` if there is no such domain, `EINVAL` if it is not paused.
    pub fn unpause(&self, domain: DomId) -> Result<()> {
        self.plain("unpause a domain", domain, DomctlCmd::UNPAUSEDOMAIN).map(drop)
    }

    /// Undoes a shutdown for suspend.
    ///
    /// # Errors
    /// `ESRCH`, `EINVAL` if it is not shut down.
    pub fn resume(&self, domain: DomId) -> Result<()> {
        self.plain("resume a domain", domain, DomctlCmd::RESUMEDOMAIN).map(drop)
    }

    /// Ends it at once, as if it had shut itself down.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn shut_down(&self, domain: DomId, reason: ShutdownReason) -> Result<()> {
        let mut argument = SchedRemoteShutdown { domain_id: domain, _pad: [0; 2], reason };
        self.sub_op(HypercallNumber::SCHED_OP, u64::from(SchedOp::REMOTE_SHUTDOWN.raw()), &mut argument)
            .map_err(|error| ControlError::new("shut a domain down", Some(domain), error))
            .map(drop)
    }

    /// Presses a button.
    ///
    /// # Errors
    /// `ENOSYS` for a button PV domains do not have: they have [`Trigger::Nmi`] only.
    pub fn trigger(&self, domain: DomId, trigger: Trigger, vcpu: VcpuId) -> Result<()> {
        let argument = Sendtrigger { trigger: trigger as u32, vcpu };
        self.domctl("press a button of a domain", domain, DomctlCmd::SENDTRIGGER, &argument).map(drop)
    }

    /// Limits its memory, in KiB. May be below what it has: then it can only shrink.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn set_max_memory(&self, domain: DomId, kib: u64) -> Result<()> {
        self.domctl("limit a domain's memory", domain, DomctlCmd::MAX_MEM, &MaxMem { max_memkb: kib }).map(drop)
    }

    /// Sets its UUID.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn set_uuid(&self, domain: DomId, uuid: [u8; 16]) -> Result<()> {
        self.domctl("set a domain's UUID", domain, DomctlCmd::SETDOMAINHANDLE, &Setdomainhandle { handle: uuid })
            .map(drop)
    }

    /// Shifts its wall clock against the host's.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn set_time_offset(&self, domain: DomId, seconds: i64) -> Result<()> {
        let argument = Settimeoffset { time_offset_seconds: seconds };
        self.domctl("set a domain's time", domain, DomctlCmd::SETTIMEOFFSET, &argument).map(drop)
    }

    /// Chooses between 32 and 64 bits; before it has memory.
    ///
    /// # Errors
    /// `EINVAL` for another width, `EACCES` if it has memory already.
    pub fn set_address_size(&self, domain: DomId, bits: u32) -> Result<()> {
        self.domctl("set a domain's address size", domain, DomctlCmd::SET_ADDRESS_SIZE, &AddressSize { size: bits })
            .map(drop)
    }

    /// Its address size in bits.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn address_size(&self, domain: DomId) -> Result<u32> {
        let answer =
            self.domctl("read a domain's address size", domain, DomctlCmd::GET_ADDRESS_SIZE, &AddressSize { size: 0 })?;
        Ok(answer.payload::<AddressSize>().size)
    }

    /// Fills one of its frames with hypercall stubs.
    ///
    /// # Errors
    /// `EACCES` if the frame is not its own or a page table.
    pub fn init_hypercall_page(&self, domain: DomId, frame: Mfn) -> Result<()> {
        self.domctl("fill a hypercall page", domain, DomctlCmd::HYPERCALL_INIT, &HypercallInit { gmfn: frame })
            .map(drop)
    }

    /// Chooses how it sees the time-stamp counter: 0 default, 1 always emulated, 2 native.
    ///
    /// # Errors
    /// `EINVAL`, `EOPNOTSUPP` for an unknown mode.
    pub fn set_tsc_mode(&self, domain: DomId, mode: u32) -> Result<()> {
        let argument = TscInfo { tsc_mode: mode, gtsc_khz: 0, incarnation: 0, pad: 0, elapsed_nsec: 0 };
        self.domctl("set a domain's TSC mode", domain, DomctlCmd::SETTSCINFO, &argument).map(drop)
    }

    /// Chooses the NUMA nodes of its memory.
    ///
    /// # Errors
    /// `EINVAL` if none of them exists.
    pub fn set_node_affinity(&self, domain: DomId, nodes: &crate::CpuMap) -> Result<()> {
        let operation = "set a domain's NUMA nodes";
        let map = self.put(nodes.bytes()).map_err(|error| ControlError::new(operation, Some(domain), error))?;
        let bitmap = XenctlBitmap { bitmap: handle(&map), nr_bits: nodes.bits(), _pad: [0; 4] };
        self.domctl(operation, domain, DomctlCmd::SETNODEAFFINITY, &Nodeaffinity { nodemap: bitmap }).map(drop)
    }

    /// Hands a global virtual interrupt to a domain.
    ///
    /// # Errors
    /// `EINVAL` if it is not global.
    pub fn set_virq_handler(&self, domain: DomId, virq: Virq) -> Result<()> {
        let argument = SetVirqHandler { virq };
        self.domctl("hand over a virtual interrupt", domain, DomctlCmd::SET_VIRQ_HANDLER, &argument).map(drop)
    }
}
