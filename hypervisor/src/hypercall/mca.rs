// SPDX-License-Identifier: MIT OR Apache-2.0
//! mca (48). Machine checks are fatal here, so there is never a record to fetch; the CPUs are described as Xen does, because
//! Linux's xen_mcelog driver asks for them first.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::mca::{MC_NODATA, MCA_INTERFACE_VERSION, Mc, McFetch, McLogicalCpu, McPhyscpuinfo, McaCmd};
use zerocopy::FromZeros;

use crate::hypercall::{Args, Cx, HypercallResult, Outcome};
use crate::mm::guest_access;
use crate::x86::instr;
use crate::x86::percpu::{self, CpuLocal};
use crate::x86::topology::Topology;

/// HYPERVISOR_mca(arg). EPERM: not a control domain; EFAULT; EACCES: another interface version; EINVAL: unknown command;
/// ENOSYS: an injection, which only Xen's debugging needs.
pub(crate) fn mca(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, ..] = args;
    cx.require_control()?;
    let handle = GuestHandle::<Mc>::new(arg);
    let mut request = guest_access::read(handle)?;
    if request.interface_version != MCA_INTERFACE_VERSION {
        return Err(Errno::EACCES.into());
    }
    match request.cmd {
        McaCmd::FETCH => {
            let fetch: McFetch = request.payload();
            request.set_payload(&McFetch { flags: MC_NODATA, ..fetch });
        }
        McaCmd::PHYSCPUINFO => {
            let wanted: McPhyscpuinfo = request.payload();
            request.set_payload(&describe(wanted)?);
        }
        command if command.name().is_some() => return Err(Errno::ENOSYS.into()),
        _ => return Err(Errno::EINVAL.into()),
    }
    guest_access::write(handle, &request)?;
    Ok(Outcome::DONE)
}

/// Fills as many elements as there is room for, and says how many CPUs there are. EFAULT.
fn describe(wanted: McPhyscpuinfo) -> Result<McPhyscpuinfo, Errno> {
    let count = percpu::all().count() as u32;
    if wanted.info.is_null() {
        return Ok(McPhyscpuinfo { ncpus: count, ..wanted });
    }
    let topology = Topology::read();
    for (index, cpu) in (0..u64::from(wanted.ncpus)).zip(percpu::all()) {
        guest_access::write_at(wanted.info, index, &logical_cpu(cpu, &topology))?;
    }
    Ok(McPhyscpuinfo { ncpus: wanted.ncpus.min(count), ..wanted })
}

/// CPUID is this CPU's: PV machines are made of equal ones.
fn logical_cpu(cpu: &CpuLocal, topology: &Topology) -> McLogicalCpu {
    let (basic, features) = (instr::cpuid(0, 0), instr::cpuid(1, 0));
    let apic_id = cpu.apic_id.load(Ordering::Relaxed);
    let mut info = McLogicalCpu::new_zeroed();
    info.mc_cpunr = cpu.id().raw();
    info.mc_chipid = topology.socket(apic_id);
    info.mc_coreid = topology.core(apic_id) as u16;
    info.mc_apicid = apic_id;
    info.mc_ncores = topology.cores_per_socket;
    info.mc_ncores_active = topology.cores_per_socket;
    info.mc_nthreads = topology.threads_per_core;
    info.mc_cpuid_level = basic.eax as i32;
    info.mc_family = (features.eax >> 8 & 0xf).wrapping_add(features.eax >> 20 & 0xff);
    info.mc_model = features.eax >> 4 & 0xf | features.eax >> 12 & 0xf0;
    info.mc_step = features.eax & 0xf;
    let vendor = [basic.ebx, basic.edx, basic.ecx].map(u32::to_le_bytes);
    for (slot, byte) in info.mc_vendorid.iter_mut().zip(vendor.as_flattened()) {
        *slot = *byte;
    }
    info
}
