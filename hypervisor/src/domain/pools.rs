// SPDX-License-Identifier: MIT OR Apache-2.0
//! CPU pools: which CPUs the vCPUs of which domains run on. Every CPU is in one pool or free, and then runs nothing; every domain is in
//! one pool. At boot there is one, number 0, with all CPUs; dom0 stays in it.
#![forbid(unsafe_code)]

use alloc::collections::BTreeMap;

use hypercalls::errno::Errno;
use hypercalls::ids::DomId;

use crate::budget::{Budget, Preempted};
use crate::domain::{Domain, creation, table};
use crate::sched;
use crate::sched::affinity::CpuMask;
use crate::sync::{Rank, SpinLock};
use crate::x86::percpu;

/// The pool that is always there.
pub(crate) const POOL0: u32 = 0;
/// More than one a CPU is of no use; bounds what a toolstack can make.
const MAX_POOLS: usize = 128;
/// The limit on preemptions that a new pool has, microseconds.
const RATELIMIT_US: u32 = sched::policy::RATELIMIT_US;

/// One pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Its number.
    pub(crate) id: u32,
    /// Its CPUs.
    pub(crate) cpus: CpuMask,
    /// How many domains are in it.
    pub(crate) domains: u32,
    /// How long a unit runs at least on its CPUs before one that woke up may take the CPU, microseconds.
    pub(crate) ratelimit_us: u32,
}

/// All pools, and the CPUs that are in none.
#[derive(Debug, Default)]
struct Pools {
    pools: BTreeMap<u32, Pool>,
    free: CpuMask,
}

static POOLS: SpinLock<Pools> = SpinLock::new(Rank::CpuPools, Pools { pools: BTreeMap::new(), free: CpuMask::EMPTY });

impl Pools {
    fn pool(&mut self, id: u32) -> Result<&mut Pool, Errno> {
        self.pools.get_mut(&id).ok_or(Errno::ENOENT)
    }

    fn create(&mut self, id: Option<u32>) -> Result<u32, Errno> {
        let id = match id {
            Some(id) if self.pools.contains_key(&id) => return Err(Errno::EEXIST),
            Some(id) => id,
            None => {
                self.pools.last_key_value().map_or(Some(POOL0), |(last, _)| last.checked_add(1)).ok_or(Errno::EEXIST)?
            }
        };
        if self.pools.len() >= MAX_POOLS {
            return Err(Errno::ENOSPC);
        }
        self.pools.insert(id, Pool { id, cpus: CpuMask::EMPTY, domains: 0, ratelimit_us: RATELIMIT_US });
        Ok(id)
    }

    fn destroy(&mut self, id: u32) -> Result<(), Errno> {
        let pool = self.pool(id)?;
        if id == POOL0 || pool.domains != 0 || !pool.cpus.is_empty() {
            return Err(Errno::EBUSY);
        }
        self.pools.remove(&id);
        Ok(())
    }

    fn add_cpu(&mut self, id: u32, cpu: Option<u32>) -> Result<(u32, Pool), Errno> {
        let free = self.free;
        let pool = self.pool(id)?;
        let cpu = cpu.or_else(|| free.first()).filter(|cpu| free.has(*cpu)).ok_or(Errno::ENODEV)?;
        pool.cpus = pool.cpus.or(CpuMask::only(cpu));
        let pool = *pool;
        self.free = free.without(CpuMask::only(cpu));
        Ok((cpu, pool))
    }

    fn remove_cpu(&mut self, id: u32, cpu: Option<u32>) -> Result<(), Errno> {
        let pool = self.pool(id)?;
        let cpu = cpu.or_else(|| pool.cpus.iter().last()).ok_or(Errno::EINVAL)?;
        if !pool.cpus.has(cpu) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if pool.cpus.len() == 1 && pool.domains != 0 {
            return Err(if id == POOL0 { Errno::EINVAL } else { Errno::EBUSY });
        }
        pool.cpus = pool.cpus.without(CpuMask::only(cpu));
        self.free = self.free.or(CpuMask::only(cpu));
        Ok(())
    }

    fn join(&mut self, id: u32) -> Result<(), JoinError> {
        let pool = self.pools.get_mut(&id).ok_or(JoinError::NoPool)?;
        if pool.cpus.is_empty() {
            return Err(JoinError::NoCpu);
        }
        pool.domains = pool.domains.saturating_add(1);
        Ok(())
    }

    fn leave(&mut self, id: u32) {
        if let Some(pool) = self.pools.get_mut(&id) {
            pool.domains = pool.domains.saturating_sub(1);
        }
    }
}

/// Why a domain cannot be in a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// There is no such pool.
    NoPool,
    /// It has no CPU.
    NoCpu,
}

/// A domain's place in a pool, which is not destroyed and keeps a CPU while there is one.
#[derive(Debug)]
pub(crate) struct Membership(u32);

impl Membership {
    /// Takes a place.
    pub(crate) fn new(pool: u32) -> Result<Self, JoinError> {
        POOLS.lock().join(pool).map(|()| Self(pool))
    }

    /// In which pool.
    pub(crate) fn pool(&self) -> u32 {
        self.0
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        POOLS.lock().leave(self.0);
    }
}

/// Makes the first pool, of all CPUs. Once, at boot.
pub(crate) fn init() {
    let cpus = percpu::all().fold(CpuMask::EMPTY, |all, cpu| all.or(CpuMask::only(cpu.id().raw())));
    let pool = Pool { id: POOL0, cpus, domains: 0, ratelimit_us: RATELIMIT_US };
    POOLS.lock().pools.insert(POOL0, pool);
}

/// A pool without CPUs. EEXIST: the number is taken. ENOSPC: there are too many. ENOMEM.
pub(crate) fn create(id: Option<u32>) -> Result<u32, Errno> {
    if !creation::is_room_for(0) {
        return Err(Errno::ENOMEM);
    }
    POOLS.lock().create(id)
}

/// ENOENT. EBUSY: it has CPUs or domains, or is the first.
pub(crate) fn destroy(id: u32) -> Result<(), Errno> {
    POOLS.lock().destroy(id)
}

/// The first pool with at least this number.
pub(crate) fn find_from(id: u32) -> Option<Pool> {
    POOLS.lock().pools.range(id..).next().map(|(_, pool)| *pool)
}

/// The pool with this number.
pub(crate) fn find(id: u32) -> Option<Pool> {
    POOLS.lock().pools.get(&id).copied()
}

/// CPUs in no pool.
pub(crate) fn free() -> CpuMask {
    POOLS.lock().free
}

/// Gives a pool a free CPU, `None`: any; its domains are to be told by [`tell`]. ENOENT: no such pool. ENODEV: the CPU is not free.
pub(crate) fn add_cpu(id: u32, cpu: Option<u32>) -> Result<(), Errno> {
    let (cpu, pool) = POOLS.lock().add_cpu(id, cpu)?;
    sched::set_ratelimit_us(CpuMask::only(cpu), pool.ratelimit_us);
    Ok(())
}

/// Takes a CPU from a pool, `None`: the last; it is free then, and domains are to be told by [`tell`]. ENOENT: no such pool.
/// EADDRNOTAVAIL: the CPU is not in it. EINVAL, EBUSY: it is the only one that domains there have.
pub(crate) fn remove_cpu(id: u32, cpu: Option<u32>) -> Result<(), Errno> {
    POOLS.lock().remove_cpu(id, cpu)
}

/// Tells the domains of a pool, from the number `next` on, that it has other CPUs now. `Preempted`: go on at what `next` is then.
pub(crate) fn tell(pool: u32, next: &mut DomId, budget: &mut Budget) -> Result<(), Preempted> {
    while let Some(domain) = table::find_from(*next) {
        *next = domain.id;
        if domain.pool.lock().pool() == pool {
            // An affinity is about as much work as so many page-table entries.
            budget.spend(domain.max_vcpus.saturating_mul(16))?;
            settle(&domain);
        }
        *next = DomId::new(domain.id.raw().saturating_add(1));
    }
    Ok(())
}

/// Limits the rate of preemptions on a pool's CPUs. ESRCH: no such pool.
pub(crate) fn set_ratelimit_us(id: u32, us: u32) -> Result<(), Errno> {
    let cpus = {
        let mut pools = POOLS.lock();
        let pool = pools.pool(id).map_err(|_| Errno::ESRCH)?;
        pool.ratelimit_us = us;
        pool.cpus
    };
    sched::set_ratelimit_us(cpus, us);
    Ok(())
}

/// Moves a domain to another pool, where its vCPUs run everywhere. ENOENT: there is none with CPUs.
pub(crate) fn move_domain(domain: &Domain, id: u32) -> Result<(), Errno> {
    if domain.pool.lock().pool() == id {
        return Ok(());
    }
    let place = Membership::new(id).map_err(|_| Errno::ENOENT)?;
    let left = core::mem::replace(&mut *domain.pool.lock(), place);
    drop(left);
    for vcpu in domain.vcpus() {
        vcpu.set_affinity(Some(!0), Some(!0));
    }
    Ok(())
}

/// Tells the vCPUs of a domain which CPUs its pool has now. Those that want others run on all.
fn settle(domain: &Domain) {
    let cpus = cpus_of(domain).bits();
    for vcpu in domain.vcpus() {
        let wants = vcpu.hard_affinity.load(core::sync::atomic::Ordering::Acquire);
        vcpu.set_affinity((wants & cpus == 0).then_some(!0), None);
    }
}

/// The CPUs that a domain's vCPUs may run on.
pub(crate) fn cpus_of(domain: &Domain) -> CpuMask {
    let id = domain.pool.lock().pool();
    find(id).map_or(CpuMask::EMPTY, |pool| pool.cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools() -> Pools {
        let mut pools = Pools::default();
        let cpus = CpuMask::from_bits(0b111);
        pools.pools.insert(POOL0, Pool { id: POOL0, cpus, domains: 1, ratelimit_us: RATELIMIT_US });
        pools
    }

    #[test]
    fn every_cpu_is_in_one_pool_or_free() {
        let mut pools = pools();
        assert_eq!(pools.create(None), Ok(1));
        assert_eq!(pools.create(Some(1)), Err(Errno::EEXIST));
        assert_eq!(pools.add_cpu(1, None), Err(Errno::ENODEV));
        assert_eq!(pools.add_cpu(7, None), Err(Errno::ENOENT));
        assert_eq!(pools.remove_cpu(0, None), Ok(()));
        assert_eq!(pools.remove_cpu(0, Some(2)), Err(Errno::EADDRNOTAVAIL));
        assert_eq!(pools.free, CpuMask::only(2));
        assert_eq!(pools.add_cpu(1, Some(1)), Err(Errno::ENODEV));
        assert_eq!(pools.add_cpu(1, Some(2)).map(|(cpu, _)| cpu), Ok(2));
        assert_eq!(pools.remove_cpu(0, Some(0)), Ok(()));
        assert_eq!(pools.remove_cpu(0, Some(1)), Err(Errno::EINVAL), "dom0 would have none");
        let all = pools.pools.values().fold(pools.free, |all, pool| {
            assert!(all.and(pool.cpus).is_empty());
            all.or(pool.cpus)
        });
        assert_eq!(all, CpuMask::from_bits(0b111));
    }

    #[test]
    fn a_pool_in_use_stays_and_keeps_a_cpu() {
        let mut pools = pools();
        assert_eq!(pools.destroy(POOL0), Err(Errno::EBUSY));
        assert_eq!(pools.create(Some(5)), Ok(5));
        assert_eq!((pools.join(5), pools.join(6)), (Err(JoinError::NoCpu), Err(JoinError::NoPool)));
        assert_eq!(pools.remove_cpu(0, Some(1)), Ok(()));
        assert_eq!(pools.add_cpu(5, None).map(|(cpu, _)| cpu), Ok(1));
        assert_eq!(pools.join(5), Ok(()));
        assert_eq!(pools.remove_cpu(5, None), Err(Errno::EBUSY));
        assert_eq!(pools.destroy(5), Err(Errno::EBUSY));
        pools.leave(5);
        assert_eq!(pools.destroy(5), Err(Errno::EBUSY), "it has a CPU");
        assert_eq!(pools.remove_cpu(5, None), Ok(()));
        assert_eq!(pools.remove_cpu(5, None), Err(Errno::EINVAL));
        assert_eq!((pools.destroy(5), pools.destroy(5)), (Ok(()), Err(Errno::ENOENT)));
    }

    #[test]
    fn there_is_an_end_of_pools() {
        let mut pools = pools();
        assert_eq!(pools.create(Some(u32::MAX)), Ok(u32::MAX));
        assert_eq!(pools.create(None), Err(Errno::EEXIST));
        for id in 1..MAX_POOLS as u32 - 1 {
            assert_eq!(pools.create(Some(id)), Ok(id));
        }
        assert_eq!(pools.create(Some(1000)), Err(Errno::ENOSPC));
    }
}
