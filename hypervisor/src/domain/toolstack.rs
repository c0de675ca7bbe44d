// SPDX-License-Identifier: MIT OR Apache-2.0
//! What toolstacks see of a domain, and how they stop and start it.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use hypercalls::domctl::{ArchDomainconfig, CreateFlags, DominfFlags, EmulationFlags, Getdomaininfo};
use hypercalls::errno::Errno;
use hypercalls::sched::ShutdownReason;
use zerocopy::FromZeros;

use crate::domain::Domain;
use crate::domain::vcpu::{Vcpu, pause};
use crate::sched::runstate::State;
use crate::time::system::now_ns;
use crate::x86::cpuid;

/// `XEN_INVALID_MAX_VCPU_ID`: no vCPUs yet.
const NO_VCPUS: u32 = !0;
/// The shutdown reason of a domain that was not shut down.
const NO_REASON: u32 = 0xff;

impl Domain {
    /// XEN_DOMCTL_pausedomain: counts.
    pub(crate) fn pause_by_toolstack(&self) {
        {
            let mut life = self.lifecycle.lock();
            life.toolstack_pauses = life.toolstack_pauses.saturating_add(1);
        }
        self.pause();
    }

    /// XEN_DOMCTL_unpausedomain. EINVAL: not paused by a toolstack.
    pub(crate) fn unpause_by_toolstack(&self) -> Result<(), Errno> {
        {
            let mut life = self.lifecycle.lock();
            life.toolstack_pauses = life.toolstack_pauses.checked_sub(1).ok_or(Errno::EINVAL)?;
        }
        self.settings.lock().is_complete = true;
        self.unpause();
        Ok(())
    }
}

/// Is the vCPU up (running, waiting or blocked, as opposed to down)?
pub(crate) fn is_online(vcpu: &Vcpu) -> bool {
    vcpu.pause_flags.load(Ordering::Acquire) & pause::DOWN == 0
}

/// Does it wait for an event?
pub(crate) fn is_blocked(vcpu: &Vcpu) -> bool {
    vcpu.pause_flags.load(Ordering::Acquire) & pause::BLOCKED != 0
}

/// Time it has run, ns.
pub(crate) fn cpu_time_ns(vcpu: &Vcpu) -> u64 {
    let totals = vcpu.runstate.lock().totals(now_ns());
    totals.get(State::Running as usize).copied().unwrap_or(0)
}

/// XEN_DOMCTL_getdomaininfo.
pub(crate) fn info(domain: &Domain) -> Getdomaininfo {
    let mut info = Getdomaininfo::new_zeroed();
    info.domain = domain.id;
    info.flags = DominfFlags::empty();
    vcpu_summary(domain, &mut info);
    {
        let life = domain.lifecycle.lock();
        info.flags.set(DominfFlags::DYING, domain.is_dying());
        info.flags.set(DominfFlags::SHUTDOWN, life.shutdown().is_some());
        info.flags.set(DominfFlags::PAUSED, life.toolstack_pauses != 0);
        info.flags = info.flags.with_shutdown_reason(life.shutdown().map_or(NO_REASON, ShutdownReason::raw) as u8);
    }
    {
        let memory = domain.memory.lock();
        info.tot_pages = memory.tot_pages;
        info.max_pages = memory.max_pages;
        info.outstanding_pages = memory.claimed;
    }
    info.shared_info_frame = domain.shared_info;
    info.flags.set(DominfFlags::XS_DOMAIN, domain.settings.lock().flags.contains(CreateFlags::XS_DOMAIN));
    info.handle = *domain.handle.lock();
    info.cpupool = domain.pool.lock().pool();
    info.gpaddr_bits = cpuid::address_bits() as u8;
    info.arch_config = ArchDomainconfig { emulation_flags: EmulationFlags::empty(), misc_flags: 0 };
    info
}

fn vcpu_summary(domain: &Domain, info: &mut Getdomaininfo) {
    let vcpus = domain.vcpus();
    info.max_vcpu_id = NO_VCPUS;
    let mut all_blocked = true;
    for vcpu in &vcpus {
        info.max_vcpu_id = vcpu.id.raw();
        info.cpu_time = info.cpu_time.saturating_add(cpu_time_ns(vcpu));
        if !is_online(vcpu) {
            continue;
        }
        info.nr_online_vcpus = info.nr_online_vcpus.saturating_add(1);
        all_blocked &= is_blocked(vcpu);
        if vcpu.on_cpu.load(Ordering::Acquire) && !is_blocked(vcpu) {
            info.flags |= DominfFlags::RUNNING;
        }
    }
    info.flags.set(DominfFlags::BLOCKED, info.nr_online_vcpus != 0 && all_blocked);
}
