// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! CPU pools: which CPUs run the vCPUs of which domains.

use crate::control::{Control, handle};
use crate::cpu_map::CpuMap;
use crate::error::{ControlError, Result};
use hypercalls::domctl::XenctlBitmap;
use hypercalls::errno::Errno;
use hypercalls::sysctl::{CPUPOOL_PAR_ANY, CpupoolCmd, CpupoolOp, SysctlCmd};
use hypercalls::{DomId, GuestHandle};
use zerocopy::FromZeros;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuPool {
    /// Its number; 0 is always there.
    pub id: u32,
    /// How many domains are in it.
    pub domains: u32,
    /// Its CPUs.
    pub cpus: CpuMap,
}

impl Control {
    /// All pools, by number.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn cpu_pools(&self) -> Result<Vec<CpuPool>> {
        let mut pools = Vec::new();
        let mut next = Some(0);
        while let Some(id) = next {
            let mut request = pool_request(CpupoolCmd::INFO, id);
            match self.with_map("list the CPU pools", &mut request) {
                Ok(cpus) => pools.push(CpuPool { id: request.cpupool_id, domains: request.n_dom, cpus }),
                Err(error) if error.errno() == Some(Errno::ENOENT) => break,
                Err(error) => return Err(error),
            }
            next = request.cpupool_id.checked_add(1);
        }
        Ok(pools)
    }

    /// CPUs in no pool.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn free_cpus(&self) -> Result<CpuMap> {
        self.with_map("ask for free CPUs", &mut pool_request(CpupoolCmd::FREEINFO, 0))
    }

    /// Makes a pool without CPUs; its number.
    ///
    /// # Errors
    /// `ENOSPC` if there are too many.
    pub fn create_cpu_pool(&self) -> Result<u32> {
        let mut request = pool_request(CpupoolCmd::CREATE, CPUPOOL_PAR_ANY);
        request.sched_id = self.scheduler()?;
        let answer = self.sysctl("make a CPU pool", SysctlCmd::CPUPOOL_OP, &request)?;
        Ok(answer.payload::<CpupoolOp>().cpupool_id)
    }

    /// Removes a pool.
    ///
    /// # Errors
    /// `EBUSY` if it has CPUs or domains, or is number 0. `ENOENT`.
    pub fn destroy_cpu_pool(&self, pool: u32) -> Result<()> {
        let request = pool_request(CpupoolCmd::DESTROY, pool);
        self.sysctl("remove a CPU pool", SysctlCmd::CPUPOOL_OP, &request).map(drop)
    }

    /// Gives a pool a free CPU.
    ///
    /// # Errors
    /// `ENODEV` if it is not free. `ENOENT`, `EINVAL`: no such pool or CPU.
    pub fn add_cpu(&self, pool: u32, cpu: u32) -> Result<()> {
        let request = CpupoolOp { cpu, ..pool_request(CpupoolCmd::ADDCPU, pool) };
        self.sysctl("add a CPU to a pool", SysctlCmd::CPUPOOL_OP, &request).map(drop)
    }

    /// Takes a CPU from a pool.
    ///
    /// # Errors
    /// `EADDRNOTAVAIL` if it is not in the pool, `EBUSY` or `EINVAL` if domains there have no other. `ENOENT`, `EINVAL`: no such pool or CPU.
    pub fn remove_cpu(&self, pool: u32, cpu: u32) -> Result<()> {
        let request = CpupoolOp { cpu, ..pool_request(CpupoolCmd::RMCPU, pool) };
        self.sysctl("take a CPU from a pool", SysctlCmd::CPUPOOL_OP, &request).map(drop)
    }

    /// Moves a domain to a pool, where its vCPUs run on every CPU.
    ///
    /// # Errors
    /// `ENOENT` if there is no such pool, or it has no CPU. `ESRCH`. `EPERM` if it is the caller.
    pub fn move_to_cpu_pool(&self, domain: DomId, pool: u32) -> Result<()> {
        let request = CpupoolOp { domid: domain.raw().into(), ..pool_request(CpupoolCmd::MOVEDOMAIN, pool) };
        self.sysctl("move a domain to a CPU pool", SysctlCmd::CPUPOOL_OP, &request).map(drop)
    }

    /// A request whose answer has a set of CPUs.
    fn with_map(&self, operation: &'static str, request: &mut CpupoolOp) -> Result<CpuMap> {
        let bytes = (self.host()?.max_cpu as usize / 8) + 1;
        let map = self.room::<u8>(bytes).map_err(|error| ControlError::new(operation, None, error))?;
        request.cpumap = XenctlBitmap { bitmap: handle(&map), nr_bits: bytes as u32 * 8, _pad: [0; 4] };
        *request = self.sysctl(operation, SysctlCmd::CPUPOOL_OP, request)?.payload::<CpupoolOp>();
        Ok(CpuMap::from_bytes(map.as_bytes()))
    }
}

fn pool_request(op: CpupoolCmd, cpupool_id: u32) -> CpupoolOp {
    let cpumap = XenctlBitmap { bitmap: GuestHandle::NULL, nr_bits: 0, _pad: [0; 4] };
    CpupoolOp { op, cpupool_id, cpumap, ..CpupoolOp::new_zeroed() }
}
