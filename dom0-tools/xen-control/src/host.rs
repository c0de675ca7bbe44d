// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! The host: memory, CPUs, the hypervisor's console and debug keys.

use crate::control::{Control, get_list, handle};
use crate::error::{ControlError, Result};
use hypercalls::domctl::vcpu::SchedulerId;
use hypercalls::sysctl::{
    Cputopo, Cputopoinfo, Credit2Schedule, DebugKeys, Getcpuinfo, INVALID_CORE_ID, Meminfo, Numainfo, PhysCaps,
    Physinfo, Readconsole, SysctlCmd, SysctlCpuinfo, SysctlSchedId, SysctlSchedulerOp,
};
use zerocopy::FromZeros;

/// The host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInfo {
    /// Threads per core.
    pub threads_per_core: u32,
    /// Cores per socket.
    pub cores_per_socket: u32,
    /// CPUs in use.
    pub cpus: u32,
    /// The largest CPU number.
    pub max_cpu: u32,
    /// NUMA nodes in use.
    pub nodes: u32,
    /// The largest node number.
    pub max_node: u32,
    /// Clock of the CPUs.
    pub cpu_khz: u32,
    /// What guests can be given.
    pub capabilities: PhysCaps,
    /// Frames of RAM.
    pub total_pages: u64,
    /// Frames free.
    pub free_pages: u64,
    /// Free frames still to be cleared; part of `free_pages`.
    pub scrub_pages: u64,
    /// Frames claimed for domains.
    pub claimed_pages: u64,
    /// The last frame.
    pub max_frame: u64,
    /// CPUID feature words: leaf 1 `edx`, `ecx`; 8000_0001 `edx`, `ecx`; d.1 `eax`; 7.0 `ebx`, `ecx`; 8000_0007 `edx`.
    pub cpu_features: [u32; 8],
}

/// Where a CPU is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuPlace {
    /// Its number.
    pub cpu: u32,
    /// Core in the socket.
    pub core: u32,
    /// Socket.
    pub socket: u32,
    /// NUMA node.
    pub node: u32,
}

/// A NUMA node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its memory in bytes.
    pub size: u64,
    /// Bytes free.
    pub free: u64,
    /// Distance to each node; 10 is itself.
    pub distances: Vec<u32>,
}

/// A piece of the hypervisor's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleText {
    /// The text; mostly UTF-8.
    pub bytes: Vec<u8>,
    /// Where to go on.
    pub next: u32,
}

impl Control {
    /// The host.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn host(&self) -> Result<HostInfo> {
        let answer = self.sysctl("describe the host", SysctlCmd::PHYSINFO, &Physinfo::new_zeroed())?;
        let raw = answer.payload::<Physinfo>();
        Ok(HostInfo {
            threads_per_core: raw.threads_per_core,
            cores_per_socket: raw.cores_per_socket,
            cpus: raw.nr_cpus,
            max_cpu: raw.max_cpu_id,
            nodes: raw.nr_nodes,
            max_node: raw.max_node_id,
            cpu_khz: raw.cpu_khz,
            capabilities: raw.capabilities,
            total_pages: raw.total_pages,
            free_pages: raw.free_pages,
            scrub_pages: raw.scrub_pages,
            claimed_pages: raw.outstanding_pages,
            max_frame: raw.max_mfn,
            cpu_features: raw.hw_cap,
        })
    }

    /// The scheduler in use.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn scheduler(&self) -> Result<SchedulerId> {
        let answer = self.sysctl("ask for the scheduler", SysctlCmd::SCHED_ID, &SysctlSchedId::new_zeroed())?;
        Ok(answer.payload::<SysctlSchedId>().sched_id)
    }

    /// How long a vCPU runs at least on a pool's CPUs before another may take the CPU, in microseconds; 0: no limit.
    ///
    /// # Errors
    /// `EINVAL` if the scheduler is not credit2. `ESRCH`: no such pool.
    pub fn ratelimit_us(&self, pool: u32) -> Result<u32> {
        self.scheduler_parameters("read the scheduler's parameters", pool, None)
    }

    /// Sets it.
    ///
    /// # Errors
    /// `EINVAL` if it is not 0 and not from 100 to 500000, or the scheduler is not credit2. `ESRCH`: no such pool.
    pub fn set_ratelimit_us(&self, pool: u32, ratelimit_us: u32) -> Result<()> {
        self.scheduler_parameters("set the scheduler's parameters", pool, Some(ratelimit_us)).map(drop)
    }

    fn scheduler_parameters(&self, operation: &'static str, pool: u32, ratelimit_us: Option<u32>) -> Result<u32> {
        let mut request = SysctlSchedulerOp::new_zeroed();
        request.cpupool_id = pool;
        request.sched_id = SchedulerId::CREDIT2;
        // 0 sets, 1 reads.
        request.cmd = u32::from(ratelimit_us.is_none());
        if let Some(ratelimit_us) = ratelimit_us {
            request.set_payload(&Credit2Schedule { ratelimit_us });
        }
        let answer = self.sysctl(operation, SysctlCmd::SCHEDULER_OP, &request)?.payload::<SysctlSchedulerOp>();
        Ok(answer.payload::<Credit2Schedule>().ratelimit_us)
    }

    /// The hypervisor's log: all that is kept, or with `from` what came since [`ConsoleText::next`]. At most `room`
    /// bytes; fewer come only at the end.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn read_console(&self, from: Option<u32>, room: usize) -> Result<ConsoleText> {
        let operation = "read the hypervisor's log";
        let buffer = self.room::<u8>(room).map_err(|error| ControlError::new(operation, None, error))?;
        let mut request = Readconsole::new_zeroed();
        request.incremental = u8::from(from.is_some());
        request.index = from.unwrap_or_default();
        request.buffer = handle(&buffer);
        request.count = u32::try_from(buffer.as_bytes().len()).unwrap_or(u32::MAX);
        let answer = self.sysctl(operation, SysctlCmd::READCONSOLE, &request)?.payload::<Readconsole>();
        let bytes = buffer.as_bytes().get(..answer.count as usize).unwrap_or(buffer.as_bytes()).to_vec();
        Ok(ConsoleText { bytes, next: answer.index })
    }

    /// Forgets the hypervisor's log up to `up_to`, a [`ConsoleText::next`]: what came since stays.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn clear_console(&self, up_to: u32) -> Result<()> {
        let operation = "empty the hypervisor's log";
        let buffer = self.room::<u8>(1).map_err(|error| ControlError::new(operation, None, error))?;
        let mut request = Readconsole::new_zeroed();
        // It forgets what it has just read, and all before: so read nothing, from there on.
        request.clear = 1;
        request.incremental = 1;
        request.index = up_to;
        request.buffer = handle(&buffer);
        self.sysctl(operation, SysctlCmd::READCONSOLE, &request).map(drop)
    }

    /// Presses debug keys: the answers appear in the log.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn debug_keys(&self, keys: &str) -> Result<()> {
        let operation = "press debug keys";
        let buffer = self.put(keys.as_bytes()).map_err(|error| ControlError::new(operation, None, error))?;
        let mut request = DebugKeys::new_zeroed();
        request.keys = handle(&buffer);
        request.nr_keys = u32::try_from(keys.len()).unwrap_or(u32::MAX);
        self.sysctl(operation, SysctlCmd::DEBUG_KEYS, &request).map(drop)
    }

    /// Where the CPUs are.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn cpu_places(&self) -> Result<Vec<CpuPlace>> {
        let operation = "ask for the CPUs' places";
        let count = self.host()?.max_cpu as usize + 1;
        let buffer = self.room::<Cputopo>(count).map_err(|error| ControlError::new(operation, None, error))?;
        let request = Cputopoinfo { num_cpus: count as u32, _pad: [0; 4], cputopo: handle(&buffer) };
        let answer = self.sysctl(operation, SysctlCmd::CPUTOPOINFO, &request)?.payload::<Cputopoinfo>();
        let list = get_list::<Cputopo>(&buffer, answer.num_cpus as usize);
        let places = (0..).zip(list).filter(|(_, place)| place.core != INVALID_CORE_ID);
        Ok(places
            .map(|(cpu, place)| CpuPlace { cpu, core: place.core, socket: place.socket, node: place.node })
            .collect())
    }

    /// How long each CPU was idle, in nanoseconds.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn cpu_idle_ns(&self) -> Result<Vec<u64>> {
        let operation = "ask for the CPUs' idle times";
        let count = self.host()?.max_cpu as usize + 1;
        let buffer = self.room::<SysctlCpuinfo>(count).map_err(|error| ControlError::new(operation, None, error))?;
        let mut request = Getcpuinfo::new_zeroed();
        request.max_cpus = count as u32;
        request.info = handle(&buffer);
        let answer = self.sysctl(operation, SysctlCmd::GETCPUINFO, &request)?.payload::<Getcpuinfo>();
        Ok(get_list::<SysctlCpuinfo>(&buffer, answer.nr_cpus as usize).iter().map(|cpu| cpu.idletime).collect())
    }

    /// The NUMA nodes.
    ///
    /// # Errors
    /// What the hypervisor answers.
    pub fn nodes(&self) -> Result<Vec<Node>> {
        let operation = "ask for the NUMA nodes";
        let failed = |error| ControlError::new(operation, None, error);
        let count = self.host()?.max_node as usize + 1;
        let memory = self.room::<Meminfo>(count).map_err(failed)?;
        let distances = self.room::<u32>(count * count).map_err(failed)?;
        let request =
            Numainfo { num_nodes: count as u32, _pad: [0; 4], meminfo: handle(&memory), distance: handle(&distances) };
        let answer = self.sysctl(operation, SysctlCmd::NUMAINFO, &request)?.payload::<Numainfo>();
        let found = (answer.num_nodes as usize).min(count);
        let distances = get_list::<u32>(&distances, found * found);
        let rows = distances.chunks(found.max(1));
        let nodes = get_list::<Meminfo>(&memory, found).into_iter().zip(rows);
        Ok(nodes.map(|(info, row)| Node { size: info.memsize, free: info.memfree, distances: row.to_vec() }).collect())
    }
}
