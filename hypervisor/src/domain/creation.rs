// SPDX-License-Identifier: MIT OR Apache-2.0
//! How a domain begins: its shared page, its place in the table, its vCPUs.
#![forbid(unsafe_code)]

use alloc::sync::Arc;

use hypercalls::domctl::CreateFlags;
use hypercalls::errno::Errno;
use hypercalls::ids::{DomId, VcpuId};

use crate::budget::{Budget, Preempted};
use crate::config::LEGACY_MAX_VCPUS;
use crate::domain::memory::{alloc_shared, free_unseen};
use crate::domain::pools::{self, JoinError, Membership};
use crate::domain::vcpu::Vcpu;
use crate::domain::{Domain, DomainRef, NewDomain, shared_info, table, units};
use crate::mm::frame_table;
use crate::sched;
use crate::time::system::now_ns;
use crate::x86::fpu::FpuArea;

/// Frames that must be free for each vCPU: its state, its registers, and its part of tables that grow with it.
const FRAMES_PER_VCPU: u64 = 8;

/// And for the rest of a domain.
const FRAMES_PER_DOMAIN: u64 = 64;
/// Work units for a vCPU that is made.
const VCPU: u32 = 128;

/// What is asked for.
pub(crate) struct Request {
    /// Number.
    pub(crate) id: DomId,
    /// UUID.
    pub(crate) handle: [u8; 16],
    /// May it control others?
    pub(crate) is_control: bool,
    /// What kind of domain.
    pub(crate) flags: CreateFlags,
    /// vCPU limit.
    pub(crate) max_vcpus: u32,
    /// The highest event port it may use.
    pub(crate) max_event_port: u32,
    /// How large its grant tables may grow.
    pub(crate) grant_limits: grant_tables::Limits,
    /// The CPU pool it begins in.
    pub(crate) pool: u32,
}

/// Makes an empty domain, paused once, and makes it known. EEXIST: the number is taken. ESRCH: no such CPU pool. ENODEV: the pool has no
/// CPU. ENOMEM.
pub(crate) fn new_domain(request: &Request) -> Result<DomainRef, Errno> {
    let pool = Membership::new(request.pool).map_err(|error| match error {
        JoinError::NoPool => Errno::ESRCH,
        JoinError::NoCpu => Errno::ENODEV,
    })?;
    if !is_room_for(u64::from(request.max_vcpus)) {
        return Err(Errno::ENOMEM);
    }
    let shared_info = alloc_shared(request.id).ok_or(Errno::ENOMEM)?;
    let domain = Domain::new(NewDomain {
        id: request.id,
        handle: request.handle,
        is_control: request.is_control,
        flags: request.flags,
        max_vcpus: request.max_vcpus,
        max_event_port: request.max_event_port,
        shared_info,
        grant_limits: request.grant_limits,
        pool,
    });
    let domain = match domain {
        Ok(domain) => Arc::new(domain),
        Err(errno) => {
            free_unseen(shared_info);
            return Err(errno);
        }
    };
    shared_info::mask_upcalls(&domain);
    shared_info::update_wallclock(&domain);
    table::insert(&domain)?;
    Ok(domain)
}

/// Gives a domain all the vCPUs it may have, as far as it does not have them. ENOMEM. Preempted: call again.
pub(crate) fn add_vcpus(domain: &DomainRef, budget: &mut Budget) -> Result<Result<(), Errno>, Preempted> {
    for id in 0..domain.max_vcpus {
        if domain.vcpu(VcpuId::new(id)).is_some() {
            continue;
        }
        budget.spend(VCPU)?;
        if !is_room_for(1) {
            return Ok(Err(Errno::ENOMEM));
        }
        let weight = domain.settings.lock().weight.into();
        let unit = sched::add_unit(units::take_number(), &domain.sched_group, weight, pools::cpus_of(domain));
        let vcpu = Arc::new(Vcpu::new(domain, VcpuId::new(id), unit, FpuArea::new(), now_ns()));
        domain.add_vcpu(vcpu.clone());
        // The pool may have changed while nobody knew of the vCPU.
        vcpu.update_affinity();
        units::register(&vcpu);
        if id < LEGACY_MAX_VCPUS {
            shared_info::write_time_info(&vcpu);
        }
    }
    Ok(Ok(()))
}

/// Is there memory for so many vCPUs, and for small things besides? The heap cannot refuse, so nothing is begun that might not end.
pub(crate) fn is_room_for(vcpus: u64) -> bool {
    frame_table::free_frames() > vcpus.saturating_mul(FRAMES_PER_VCPU).saturating_add(FRAMES_PER_DOMAIN)
}
