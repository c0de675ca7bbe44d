// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! What domains are and do.

use crate::control::{Control, get_list, handle};
use crate::error::{ControlError, Result};
use hypercalls::domctl::{DomctlCmd, DominfFlags, Getdomaininfo};
use hypercalls::sched::ShutdownReason;
use hypercalls::sysctl::{Getdomaininfolist, SysctlCmd};
use hypercalls::{DomId, Mfn};
use zerocopy::FromZeros;

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainInfo {
    /// Its number.
    pub id: DomId,
    /// It is being destroyed.
    pub dying: bool,
    /// It ended, for this reason.
    pub shutdown: Option<ShutdownReason>,
    /// It is paused.
    pub paused: bool,
    /// All its vCPUs wait.
    pub blocked: bool,
    /// One of its vCPUs is on a CPU.
    pub running: bool,
    /// It is hardware-assisted (HVM or PVH).
    pub hvm: bool,
    /// Frames it has.
    pub pages: u64,
    /// Frames it may have.
    pub max_pages: u64,
    /// Frames claimed for it.
    pub claimed_pages: u64,
    /// Frames shared with others by the hypervisor.
    pub shared_pages: u64,
    /// Its shared-info page.
    pub shared_info: Mfn,
    /// How long all its vCPUs ran.
    pub cpu_time_ns: u64,
    /// vCPUs that are up.
    pub online_vcpus: u32,
    /// vCPUs it has, up or not.
    pub vcpus: u32,
    /// Security label.
    pub ssidref: u32,
    /// Its UUID.
    pub uuid: [u8; 16],
    /// Its CPU pool.
    pub cpupool: u32,
}

impl DomainInfo {
    fn new(raw: &Getdomaininfo) -> Self {
        let has = |flag| raw.flags.contains(flag);
        Self {
            id: raw.domain,
            dying: has(DominfFlags::DYING),
            shutdown: has(DominfFlags::SHUTDOWN).then(|| ShutdownReason::new(raw.flags.shutdown_reason().into())),
            paused: has(DominfFlags::PAUSED),
            blocked: has(DominfFlags::BLOCKED),
            running: has(DominfFlags::RUNNING),
            hvm: has(DominfFlags::HVM_GUEST),
            pages: raw.tot_pages,
            max_pages: raw.max_pages,
            claimed_pages: raw.outstanding_pages,
            shared_pages: raw.shr_pages,
            shared_info: raw.shared_info_frame,
            cpu_time_ns: raw.cpu_time,
            online_vcpus: raw.nr_online_vcpus,
            // `!0` is "none".
            vcpus: raw.max_vcpu_id.wrapping_add(1),
            ssidref: raw.ssidref,
            uuid: raw.handle,
            cpupool: raw.cpupool,
        }
    }
}

/// How many domains are asked for at once.
const AT_ONCE: usize = 256;

impl Control {
    /// One domain, or `None` if there is no such domain.
    ///
    /// # Errors
    /// Not the lack of the domain.
    pub fn domain_info(&self, domain: DomId) -> Result<Option<DomainInfo>> {
        let request = Getdomaininfo::new_zeroed();
        match self.domctl("describe a domain", domain, DomctlCmd::GETDOMAININFO, &request) {
            // The hypervisor answers with the next domain if this one is missing.
            Ok(answer) => {
                let info = DomainInfo::new(&answer.payload());
                Ok((info.id == domain).then_some(info))
            }
            Err(error) if error.is_no_domain() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All domains, ascending.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn domains(&self) -> Result<Vec<DomainInfo>> {
        let operation = "list the domains";
        let mut list = Vec::new();
        let mut first = DomId::DOM0;
        loop {
            let room =
                self.room::<Getdomaininfo>(AT_ONCE).map_err(|error| ControlError::new(operation, None, error))?;
            let mut request = Getdomaininfolist::new_zeroed();
            request.first_domain = first;
            request.max_domains = AT_ONCE as u32;
            request.buffer = handle(&room);
            let answer = self.sysctl(operation, SysctlCmd::GETDOMAININFOLIST, &request)?;
            let count = answer.payload::<Getdomaininfolist>().num_domains as usize;
            list.extend(get_list(&room, count).iter().map(DomainInfo::new));
            match list.last() {
                Some(last) if count >= AT_ONCE => first = DomId::new(last.id.raw().saturating_add(1)),
                _ => return Ok(list),
            }
        }
    }
}
