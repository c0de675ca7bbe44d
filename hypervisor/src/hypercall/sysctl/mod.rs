// SPDX-License-Identifier: MIT OR Apache-2.0
//! sysctl (35): the host, for toolstacks.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cpu;
mod devices;
mod pools;

use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::DomId;
use hypercalls::sysctl::cpu::{CpuLevellingCaps, LevellingCaps};
use hypercalls::sysctl::{
    Availheap, Cputopo, Cputopoinfo, DebugKeys, Getdomaininfolist, INVALID_CORE_ID, INVALID_NODE_ID, INVALID_SOCKET_ID,
    Meminfo, Numainfo, PhysCaps, Physinfo, Readconsole, SYSCTL_INTERFACE_VERSION, Sysctl, SysctlCmd, SysctlSchedId,
};

use crate::budget::{Budget, Preempted};
use crate::domain::{memory, table, toolstack};
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census, cpu_policy};
use crate::latency;
use crate::mm::frame_table;
use crate::mm::guest_access;
use crate::pv::cpuid_view;
use crate::time::system;
use crate::x86::percpu::{self, CpuId};
use crate::x86::topology::Topology;
use crate::{console, keys};
use core::sync::atomic::Ordering;

/// SLIT distance of a node to itself.
const LOCAL_DISTANCE: u32 = 10;
const PAGE_SIZE: u64 = 4096;

/// HYPERVISOR_sysctl(arg), for control domains. EACCES: another interface version. EPERM, EFAULT; ENOSYS: unknown command.
pub(crate) fn sysctl(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, progress, ..] = args;
    let handle = GuestHandle::<Sysctl>::new(arg);
    let mut op = guest_access::read(handle)?;
    if op.interface_version != SYSCTL_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    cx.require_control()?;
    if progress == 0 {
        census::SYSCTL.note(op.cmd.raw(), arg);
    }
    latency::operation(op.cmd.raw());
    match op.cmd {
        SysctlCmd::READCONSOLE => {
            let mut rest = *args;
            let [_, progress, ..] = &mut rest;
            let Ok(answer) = read_console(op.payload(), progress) else { return Ok(Outcome::Preempted(rest)) };
            op.set_payload(&answer?);
        }
        SysctlCmd::PHYSINFO => op.set_payload(&physinfo()),
        SysctlCmd::SCHED_ID => op.set_payload(&SysctlSchedId { sched_id: SchedulerId::CREDIT2 }),
        SysctlCmd::GETDOMAININFOLIST => {
            let answer = domain_list(op.payload())?;
            op.set_payload(&answer);
        }
        SysctlCmd::DEBUG_KEYS => {
            let mut rest = *args;
            let [_, pressed, ..] = &mut rest;
            let Ok(answer) = debug_keys(&op.payload(), pressed) else { return Ok(Outcome::Preempted(rest)) };
            answer?;
        }
        SysctlCmd::CPUPOOL_OP => {
            let mut rest = *args;
            let [_, progress, ..] = &mut rest;
            let Ok(answer) = pools::cpupool_op(cx, op.payload(), progress) else { return Ok(Outcome::Preempted(rest)) };
            op.set_payload(&answer?);
        }
        SysctlCmd::SCHEDULER_OP => {
            let answer = pools::scheduler_op(op.payload())?;
            op.set_payload(&answer);
        }
        SysctlCmd::GET_CPU_POLICY => {
            let answer = cpu_policy::of_system(op.payload())?;
            op.set_payload(&answer);
        }
        // CPUID is not hidden from programs in user mode.
        SysctlCmd::GET_CPU_LEVELLING_CAPS => op.set_payload(&CpuLevellingCaps { caps: LevellingCaps::empty() }),
        SysctlCmd::AVAILHEAP => {
            let answer = available(op.payload());
            op.set_payload(&answer);
        }
        SysctlCmd::CPUTOPOINFO => return counted(handle, op, cpu_topology),
        SysctlCmd::GET_CPU_FEATURESET => return counted(handle, op, cpu::featureset),
        SysctlCmd::PCITOPOINFO => {
            let answer = devices::nodes(op.payload())?;
            op.set_payload(&answer);
        }
        SysctlCmd::NUMAINFO => return counted(handle, op, numa),
        _ => return Err(Errno::ENOSYS.into()),
    }
    guest_access::write(handle, &op)?;
    Ok(Outcome::DONE)
}

/// Operations on arrays: the number of elements there are is told also when there is not enough room (ENOBUFS).
fn counted<T>(handle: GuestHandle<Sysctl>, mut op: Sysctl, fill: fn(&mut T) -> Result<(), Errno>) -> HypercallResult
where
    T: zerocopy::FromBytes + zerocopy::IntoBytes + zerocopy::Immutable,
{
    let mut argument: T = op.payload();
    let result = fill(&mut argument);
    if matches!(result, Ok(()) | Err(Errno::ENOBUFS)) {
        op.set_payload(&argument);
        guest_access::write(handle, &op)?;
    }
    result?;
    Ok(Outcome::DONE)
}

/// Console text from where the caller says, or from what was not cleared.
/// Copies as much of the ring as there is room for. Progress: bytes done, and the ring's position behind them.
fn read_console(request: Readconsole, progress: &mut u64) -> Result<Result<Readconsole, Errno>, Preempted> {
    let mut from = (request.incremental != 0).then_some(request.index);
    let mut done = 0;
    if *progress != 0 {
        (done, from) = ((*progress >> 32) as u32, Some(*progress as u32));
    }
    let mut budget = Budget::new();
    while budget.spend(CHUNK_COST).is_ok() {
        match copy_text(&request, done, from) {
            Err(error) => return Ok(Err(error)),
            Ok((0, end)) => {
                if request.clear != 0 {
                    console::clear_ring(end);
                }
                return Ok(Ok(Readconsole { index: end, count: done, ..request }));
            }
            Ok((count, end)) => (done, from) = (done.saturating_add(count), Some(end)),
        }
    }
    *progress = u64::from(done) << 32 | u64::from(from.unwrap_or_default());
    Err(Preempted)
}

/// Budget of [`copy_text`].
const CHUNK_COST: u32 = 64;

/// Copies a bit of the ring behind what is done; how many bytes, and the position behind them.
fn copy_text(request: &Readconsole, done: u32, from: Option<u32>) -> Result<(u32, u32), Errno> {
    let mut chunk = [0; 256];
    let want = (request.count.saturating_sub(done) as usize).min(chunk.len());
    let (count, end) = console::read_ring(from, chunk.get_mut(..want).ok_or(Errno::EINVAL)?);
    let text = chunk.get(..count).ok_or(Errno::EINVAL)?;
    guest_access::write_bytes(request.buffer.addr().wrapping_add(done.into()), text)?;
    Ok((count as u32, end))
}

fn physinfo() -> Physinfo {
    let words = cpu::words(cpuid_view::host);
    let hw_cap = core::array::from_fn(|index| words.get(index).copied().unwrap_or(0));
    let topology = Topology::read();
    let (mut nr_cpus, mut max_cpu_id) = (0_u32, 0);
    for cpu in percpu::all() {
        nr_cpus = nr_cpus.saturating_add(1);
        max_cpu_id = cpu.id().raw();
    }
    Physinfo {
        threads_per_core: topology.threads_per_core,
        cores_per_socket: topology.cores_per_socket,
        nr_cpus,
        max_cpu_id,
        nr_nodes: 1,
        max_node_id: 0,
        cpu_khz: (system::clock().hz() / 1000) as u32,
        capabilities: PhysCaps::PV | PhysCaps::GNTTAB_V1 | PhysCaps::GNTTAB_V2,
        arch_capabilities: 0,
        pad: 0,
        total_pages: frame_table::total_frames(),
        free_pages: memory::available(),
        scrub_pages: 0,
        outstanding_pages: memory::claimed(),
        max_mfn: frame_table::max_page().saturating_sub(1),
        hw_cap,
    }
}

/// availheap: free memory. All of it is in one node, and there is no reason to prefer low addresses.
fn available(mut request: Availheap) -> Availheap {
    let here = request.node <= 0;
    request.avail_bytes = if here { memory::available().saturating_mul(PAGE_SIZE) } else { 0 };
    request
}

/// As many domains from a number on as there is room for.
fn domain_list(mut request: Getdomaininfolist) -> Result<Getdomaininfolist, Errno> {
    let mut count = 0;
    let mut next = Some(request.first_domain);
    while let Some(domain) = next.filter(|_| count < request.max_domains).and_then(table::find_from) {
        guest_access::write_at(request.buffer, count.into(), &toolstack::info(&domain))?;
        count = count.saturating_add(1);
        next = domain.id.raw().checked_add(1).map(DomId::new);
    }
    request.num_domains = count;
    Ok(request)
}

/// Presses the keys, unless the number of the last one says that they were, and waits until they are done.
fn debug_keys(request: &DebugKeys, pressed: &mut u64) -> Result<Result<(), Errno>, Preempted> {
    if !keys::is_pressed(*pressed) {
        *pressed = 0;
        for index in 0..request.nr_keys {
            match guest_access::read_at(request.keys, index.into()) {
                Ok(key) => *pressed = keys::press(char::from(key)),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    let mut budget = Budget::new();
    while !keys::is_done(*pressed) {
        keys::work(&mut budget)?;
    }
    Ok(Ok(()))
}

fn cpu_topology(request: &mut Cputopoinfo) -> Result<(), Errno> {
    let count = percpu::all().last().map_or(0, |cpu| cpu.id().raw().saturating_add(1));
    let room = core::mem::replace(&mut request.num_cpus, count);
    if request.cputopo.is_null() {
        return Ok(());
    }
    if room < count {
        return Err(Errno::ENOBUFS);
    }
    let topology = Topology::read();
    for index in 0..count {
        let place = match percpu::get(CpuId::new(index)) {
            Some(cpu) => {
                let apic_id = cpu.apic_id.load(Ordering::Relaxed);
                Cputopo { core: topology.core(apic_id), socket: topology.socket(apic_id), node: 0 }
            }
            None => Cputopo { core: INVALID_CORE_ID, socket: INVALID_SOCKET_ID, node: INVALID_NODE_ID },
        };
        guest_access::write_at(request.cputopo, index.into(), &place)?;
    }
    Ok(())
}

/// All memory is one node.
fn numa(request: &mut Numainfo) -> Result<(), Errno> {
    let room = core::mem::replace(&mut request.num_nodes, 1);
    if request.meminfo.is_null() && request.distance.is_null() {
        return Ok(());
    }
    if room < 1 {
        return Err(Errno::ENOBUFS);
    }
    if !request.meminfo.is_null() {
        let memsize = frame_table::max_page().saturating_mul(PAGE_SIZE);
        let memfree = memory::available().saturating_mul(PAGE_SIZE);
        guest_access::write(request.meminfo, &Meminfo { memsize, memfree })?;
    }
    if !request.distance.is_null() {
        guest_access::write(request.distance, &LOCAL_DISTANCE)?;
    }
    Ok(())
}
