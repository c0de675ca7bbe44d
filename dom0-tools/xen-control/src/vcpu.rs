// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! vCPUs: state, place, share.

use crate::control::{Control, get, handle};
use crate::cpu_map::CpuMap;
use crate::error::{ControlError, Result};
use hypercalls::domctl::vcpu::{
    AffinityFlags, Getvcpuinfo, SchedCredit, SchedulerCmd, SchedulerOp, Vcpuaffinity, Vcpucontext,
};
use hypercalls::domctl::{DomctlCmd, XenctlBitmap};
use hypercalls::vcpu::VcpuGuestContext;
use hypercalls::{DomId, GuestHandle, VcpuId};
use zerocopy::FromZeros;

/// What a vCPU does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuInfo {
    /// It is up.
    pub online: bool,
    /// It waits.
    pub blocked: bool,
    /// It is on a CPU.
    pub running: bool,
    /// How long it ran.
    pub cpu_time_ns: u64,
    /// The CPU it is or was on.
    pub cpu: u32,
}

/// Where a vCPU runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Where it may run.
    pub hard: CpuMap,
    /// Where it should run.
    pub soft: CpuMap,
}

/// A domain's share of the CPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Relative to others, 1 to 65535; 256 is usual.
    pub weight: u16,
    /// Limit in percent of one CPU, 0 for none.
    pub cap: u16,
}

impl Control {
    /// One vCPU.
    ///
    /// # Errors
    /// `ESRCH` if there is no such domain or vCPU.
    pub fn vcpu_info(&self, domain: DomId, vcpu: VcpuId) -> Result<VcpuInfo> {
        let mut request = Getvcpuinfo::new_zeroed();
        request.vcpu = vcpu;
        let answer = self.domctl("describe a vCPU", domain, DomctlCmd::GETVCPUINFO, &request)?;
        let info = answer.payload::<Getvcpuinfo>();
        Ok(VcpuInfo {
            online: info.online != 0,
            blocked: info.blocked != 0,
            running: info.running != 0,
            cpu_time_ns: info.cpu_time,
            cpu: info.cpu,
        })
    }

    /// Sets a vCPU's whole state. Vectors, tables and the base pointer are checked by the hypervisor.
    ///
    /// # Errors
    /// `EINVAL`, `EBUSY` and others if the hypervisor refuses the state.
    pub fn set_vcpu_context(&self, domain: DomId, vcpu: VcpuId, context: &VcpuGuestContext) -> Result<()> {
        let operation = "set a vCPU's state";
        let buffer = self.put(context).map_err(|error| ControlError::new(operation, Some(domain), error))?;
        let argument = Vcpucontext { vcpu, _pad: [0; 4], ctxt: handle(&buffer) };
        self.domctl(operation, domain, DomctlCmd::SETVCPUCONTEXT, &argument).map(drop)
    }

    /// A vCPU's whole state.
    ///
    /// # Errors
    /// `ESRCH`, `ENODATA` if it was never set.
    pub fn vcpu_context(&self, domain: DomId, vcpu: VcpuId) -> Result<Box<VcpuGuestContext>> {
        let operation = "read a vCPU's state";
        let buffer =
            self.room::<VcpuGuestContext>(1).map_err(|error| ControlError::new(operation, Some(domain), error))?;
        let argument = Vcpucontext { vcpu, _pad: [0; 4], ctxt: handle(&buffer) };
        self.domctl(operation, domain, DomctlCmd::GETVCPUCONTEXT, &argument)?;
        Ok(Box::new(get(&buffer)))
    }

    /// Where a vCPU runs.
    ///
    /// # Errors
    /// `ESRCH`.
    pub fn affinity(&self, domain: DomId, vcpu: VcpuId) -> Result<Affinity> {
        let operation = "read a vCPU's affinity";
        let failed = |error| ControlError::new(operation, Some(domain), error);
        let bytes = (self.host()?.max_cpu as usize / 8) + 1;
        let (hard, soft) = (self.room::<u8>(bytes).map_err(failed)?, self.room::<u8>(bytes).map_err(failed)?);
        let bitmap = |bitmap| XenctlBitmap { bitmap, nr_bits: bytes as u32 * 8, _pad: [0; 4] };
        let argument = Vcpuaffinity {
            vcpu,
            flags: AffinityFlags::HARD | AffinityFlags::SOFT,
            cpumap_hard: bitmap(handle(&hard)),
            cpumap_soft: bitmap(handle(&soft)),
        };
        self.domctl(operation, domain, DomctlCmd::GETVCPUAFFINITY, &argument)?;
        Ok(Affinity { hard: CpuMap::from_bytes(hard.as_bytes()), soft: CpuMap::from_bytes(soft.as_bytes()) })
    }

    /// Chooses where a vCPU may run and should run; `None` leaves that as it is.
    ///
    /// # Errors
    /// `EINVAL` if no CPU of a map is there.
    pub fn set_affinity(
        &self,
        domain: DomId,
        vcpu: VcpuId,
        hard: Option<&CpuMap>,
        soft: Option<&CpuMap>,
    ) -> Result<()> {
        self.choose_affinity(domain, vcpu, hard, soft, AffinityFlags::empty())
    }

    /// The same, and first undoes a temporary pin by the domain itself.
    ///
    /// # Errors
    /// As [`Control::set_affinity`].
    pub fn force_affinity(
        &self,
        domain: DomId,
        vcpu: VcpuId,
        hard: Option<&CpuMap>,
        soft: Option<&CpuMap>,
    ) -> Result<()> {
        self.choose_affinity(domain, vcpu, hard, soft, AffinityFlags::FORCE)
    }

    fn choose_affinity(
        &self,
        domain: DomId,
        vcpu: VcpuId,
        hard: Option<&CpuMap>,
        soft: Option<&CpuMap>,
        mut flags: AffinityFlags,
    ) -> Result<()> {
        let operation = "set a vCPU's affinity";
        let failed = |error| ControlError::new(operation, Some(domain), error);
        let hard = hard.map(|map| self.put(map.bytes())).transpose().map_err(failed)?;
        let soft = soft.map(|map| self.put(map.bytes())).transpose().map_err(failed)?;
        flags.set(AffinityFlags::HARD, hard.is_some());
        flags.set(AffinityFlags::SOFT, soft.is_some());
        let bitmap = |buffer: &Option<xen_sys::HypercallBuffer>| XenctlBitmap {
            bitmap: buffer.as_ref().map_or(GuestHandle::NULL, handle),
            nr_bits: buffer.as_ref().map_or(0, |buffer| buffer.as_bytes().len() as u32 * 8),
            _pad: [0; 4],
        };
        let argument = Vcpuaffinity { vcpu, flags, cpumap_hard: bitmap(&hard), cpumap_soft: bitmap(&soft) };
        self.domctl(operation, domain, DomctlCmd::SETVCPUAFFINITY, &argument).map(drop)
    }

    /// A domain's share of the CPUs.
    ///
    /// # Errors
    /// `EINVAL` if the scheduler has no shares.
    pub fn share(&self, domain: DomId) -> Result<Share> {
        let answer = self.scheduler_op("read a domain's share", domain, SchedulerCmd::GETINFO, None)?;
        Ok(Share { weight: answer.weight, cap: answer.cap })
    }

    /// Sets it.
    ///
    /// # Errors
    /// `EINVAL` if a value is out of range or the scheduler has no shares.
    pub fn set_share(&self, domain: DomId, share: Share) -> Result<()> {
        self.scheduler_op("set a domain's share", domain, SchedulerCmd::PUTINFO, Some(share)).map(drop)
    }

    fn scheduler_op(
        &self,
        operation: &'static str,
        domain: DomId,
        cmd: SchedulerCmd,
        share: Option<Share>,
    ) -> Result<SchedCredit> {
        let mut argument = SchedulerOp::new_zeroed();
        // Credit and credit2 have the same parameters.
        argument.sched_id = self.scheduler()?;
        argument.cmd = cmd;
        if let Some(Share { weight, cap }) = share {
            argument.set_payload(&SchedCredit { weight, cap });
        }
        let answer = self.domctl(operation, domain, DomctlCmd::SCHEDULER_OP, &argument)?;
        Ok(answer.payload::<SchedulerOp>().payload())
    }
}
