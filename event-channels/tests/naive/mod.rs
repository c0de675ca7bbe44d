// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Event channels as one would explain them: maps, sets and lists, and no thought of speed or memory.

use event_channels::{Status, StatusKind};
use hypercalls::{DomId, Errno, Pirq, Port, VcpuId, Virq};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a raised event leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Quiet,
    Pollers(u32),
    Wake(u32, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unbound(usize),
    Interdomain(usize, u32),
    Pirq(u32),
    Virq(u32),
    Ipi,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    kind: Kind,
    vcpu: u32,
    priority: u32,
}

/// One ABI's memory.
#[derive(Clone, Debug, Default)]
struct Bits {
    pending: BTreeSet<u32>,
    masked: BTreeSet<u32>,
}

#[derive(Debug)]
struct Domain {
    channels: BTreeMap<u32, Channel>,
    vcpus: u32,
    valid: u32,
    two_level: Bits,
    /// (vCPU, word)
    selected: BTreeSet<(u32, u32)>,
    fifo: Option<Fifo>,
    upcall: BTreeSet<u32>,
}

#[derive(Debug, Default)]
struct Fifo {
    pages: usize,
    bits: Bits,
    control: BTreeSet<u32>,
    deferred: BTreeSet<u32>,
    queues: BTreeMap<(u32, u32), VecDeque<u32>>,
}

impl Fifo {
    fn linked(&self, port: u32) -> bool {
        self.queues.values().any(|queue| queue.contains(&port))
    }
}

impl Domain {
    fn new(vcpus: u32) -> Self {
        Self {
            channels: BTreeMap::new(),
            vcpus,
            valid: 64,
            two_level: Bits::default(),
            selected: BTreeSet::new(),
            fifo: None,
            upcall: BTreeSet::new(),
        }
    }

    fn check(&self, port: u32) -> Result<Option<Channel>, Errno> {
        if port < self.valid { Ok(self.channels.get(&port).copied()) } else { Err(Errno::EINVAL) }
    }

    fn free_port(&mut self) -> u32 {
        let fifo = &self.fifo;
        let port = (1..)
            .find(|port| !self.channels.contains_key(port) && !fifo.as_ref().is_some_and(|fifo| fifo.linked(*port)))
            .unwrap();
        self.valid = self.valid.max((port / 64 + 1) * 64);
        port
    }

    fn open(&mut self, kind: Kind, vcpu: u32) -> u32 {
        let port = self.free_port();
        let channel = Channel { kind, vcpu, priority: 7 };
        self.channels.insert(port, channel);
        port
    }

    fn notify(&mut self, vcpu: u32, port: u32, otherwise: Effect) -> Effect {
        if self.upcall.insert(vcpu) { Effect::Wake(vcpu, port) } else { otherwise }
    }

    fn raise(&mut self, port: u32) -> Effect {
        let Some(channel) = self.channels.get(&port).copied() else {
            return Effect::Quiet;
        };
        let Some(fifo) = &mut self.fifo else {
            if !self.two_level.pending.insert(port) {
                return Effect::Quiet;
            }
            return if !self.two_level.masked.contains(&port) && self.selected.insert((channel.vcpu, port / 64)) {
                self.notify(channel.vcpu, port, Effect::Pollers(port))
            } else {
                Effect::Pollers(port)
            };
        };
        if port >= fifo.pages as u32 * 1024 {
            fifo.deferred.insert(port);
            return Effect::Quiet;
        }
        let otherwise = if fifo.bits.pending.insert(port) { Effect::Pollers(port) } else { Effect::Quiet };
        if fifo.bits.masked.contains(&port) || fifo.linked(port) || !fifo.control.contains(&channel.vcpu) {
            return otherwise;
        }
        let queue = fifo.queues.entry((channel.vcpu, channel.priority)).or_default();
        queue.push_back(port);
        // Only an empty queue needs its ready bit, which the guest takes away together with the whole queue.
        if queue.len() == 1 { self.notify(channel.vcpu, port, otherwise) } else { otherwise }
    }

    fn close(&mut self, port: u32) {
        self.channels.remove(&port);
        match &mut self.fifo {
            None => {
                self.two_level.pending.remove(&port);
            }
            Some(fifo) => {
                fifo.bits.pending.remove(&port);
                fifo.deferred.remove(&port);
            }
        }
    }
}

/// All domains.
pub(crate) struct Model {
    domains: Vec<Domain>,
}

fn is_global(virq: u32) -> bool {
    ![0, 1, 7, 13].contains(&virq)
}

impl Model {
    pub(crate) fn new(domains: usize, vcpus: u32) -> Self {
        Self { domains: (0..domains).map(|_| Domain::new(vcpus)).collect() }
    }

    pub(crate) fn is_fifo(&self, dom: usize) -> bool {
        self.domains[dom].fifo.is_some()
    }

    pub(crate) fn pages(&self, dom: usize) -> usize {
        self.domains[dom].fifo.as_ref().map_or(0, |fifo| fifo.pages)
    }

    pub(crate) fn alloc_unbound(&mut self, dom: usize, remote: usize) -> Result<u32, Errno> {
        Ok(self.domains[dom].open(Kind::Unbound(remote), 0))
    }

    pub(crate) fn bind_interdomain(&mut self, dom: usize, remote: usize, port: u32) -> Result<(u32, Effect), Errno> {
        self.domains[dom].free_port();
        match self.domains[remote].check(port)? {
            Some(Channel { kind: Kind::Unbound(wanted), .. }) if wanted == dom => {}
            _ => return Err(Errno::EINVAL),
        }
        let local = self.domains[dom].open(Kind::Interdomain(remote, port), 0);
        self.domains[remote].channels.get_mut(&port).unwrap().kind = Kind::Interdomain(dom, local);
        Ok((local, self.domains[dom].raise(local)))
    }

    fn virq_port(&self, dom: usize, virq: u32, vcpu: u32) -> Option<u32> {
        self.domains[dom]
            .channels
            .iter()
            .find(|(_, it)| it.kind == Kind::Virq(virq) && (is_global(virq) || it.vcpu == vcpu))
            .map(|(port, _)| *port)
    }

    pub(crate) fn bind_virq(&mut self, dom: usize, virq: u32, vcpu: u32) -> Result<u32, Errno> {
        if virq >= 24 || (is_global(virq) && vcpu != 0) {
            return Err(Errno::EINVAL);
        }
        if vcpu >= self.domains[dom].vcpus {
            return Err(Errno::ENOENT);
        }
        if self.virq_port(dom, virq, vcpu).is_some() {
            return Err(Errno::EEXIST);
        }
        Ok(self.domains[dom].open(Kind::Virq(virq), vcpu))
    }

    fn pirq_port(&self, dom: usize, pirq: u32) -> Option<u32> {
        let mut channels = self.domains[dom].channels.iter();
        channels.find(|(_, it)| it.kind == Kind::Pirq(pirq)).map(|(port, _)| *port)
    }

    pub(crate) fn bind_pirq(&mut self, dom: usize, pirq: u32) -> Result<u32, Errno> {
        if pirq >= 16 {
            return Err(Errno::EINVAL);
        }
        if self.pirq_port(dom, pirq).is_some() {
            return Err(Errno::EEXIST);
        }
        Ok(self.domains[dom].open(Kind::Pirq(pirq), 0))
    }

    pub(crate) fn bind_ipi(&mut self, dom: usize, vcpu: u32) -> Result<u32, Errno> {
        if vcpu >= self.domains[dom].vcpus {
            return Err(Errno::ENOENT);
        }
        Ok(self.domains[dom].open(Kind::Ipi, vcpu))
    }

    pub(crate) fn close(&mut self, dom: usize, port: u32) -> Result<Option<u32>, Errno> {
        let channel = self.domains[dom].check(port)?.ok_or(Errno::EINVAL)?;
        if let Kind::Interdomain(remote, end) = channel.kind {
            self.domains[remote].channels.get_mut(&end).unwrap().kind = Kind::Unbound(dom);
        }
        self.domains[dom].close(port);
        Ok(match channel.kind {
            Kind::Pirq(pirq) => Some(pirq),
            _ => None,
        })
    }

    pub(crate) fn send(&mut self, dom: usize, port: u32) -> Result<Effect, Errno> {
        match self.domains[dom].check(port)?.map(|channel| channel.kind) {
            Some(Kind::Interdomain(remote, end)) => Ok(self.domains[remote].raise(end)),
            Some(Kind::Ipi) => Ok(self.domains[dom].raise(port)),
            Some(Kind::Unbound(_)) => Ok(Effect::Quiet),
            _ => Err(Errno::EINVAL),
        }
    }

    pub(crate) fn bind_vcpu(&mut self, dom: usize, port: u32, vcpu: u32) -> Result<Option<u32>, Errno> {
        if vcpu >= self.domains[dom].vcpus {
            return Err(Errno::ENOENT);
        }
        let line = match self.domains[dom].check(port)?.ok_or(Errno::EINVAL)?.kind {
            Kind::Ipi => return Err(Errno::EINVAL),
            Kind::Virq(virq) if !is_global(virq) => return Err(Errno::EINVAL),
            Kind::Pirq(pirq) => Some(pirq),
            _ => None,
        };
        self.domains[dom].channels.get_mut(&port).unwrap().vcpu = vcpu;
        Ok(line)
    }

    /// False if the guest has no memory to write the mask into.
    pub(crate) fn mask(&mut self, dom: usize, port: u32) -> bool {
        match &mut self.domains[dom].fifo {
            None => self.domains[dom].two_level.masked.insert(port),
            Some(fifo) => port < fifo.pages as u32 * 1024 && fifo.bits.masked.insert(port),
        }
    }

    pub(crate) fn unmask(&mut self, dom: usize, port: u32) -> Result<Effect, Errno> {
        let domain = &mut self.domains[dom];
        let Some(channel) = domain.check(port)? else {
            return Ok(Effect::Quiet);
        };
        if let Some(fifo) = &mut domain.fifo {
            if port >= fifo.pages as u32 * 1024 {
                return Ok(Effect::Quiet);
            }
            fifo.bits.masked.remove(&port);
            if fifo.bits.pending.contains(&port) {
                return Ok(domain.raise(port));
            }
        } else if domain.two_level.masked.remove(&port)
            && domain.two_level.pending.contains(&port)
            && domain.selected.insert((channel.vcpu, port / 64))
        {
            return Ok(domain.notify(channel.vcpu, port, Effect::Quiet));
        }
        Ok(Effect::Quiet)
    }

    pub(crate) fn consume(&mut self, dom: usize, vcpu: u32) -> Vec<u32> {
        let domain = &mut self.domains[dom];
        domain.upcall.remove(&vcpu);
        let Some(fifo) = &mut domain.fifo else {
            let bits = &mut domain.two_level;
            let selected = &mut domain.selected;
            let ready: Vec<u32> = bits
                .pending
                .iter()
                .copied()
                .filter(|port| !bits.masked.contains(port) && selected.contains(&(vcpu, port / 64)))
                .collect();
            selected.retain(|(owner, _)| *owner != vcpu);
            ready.iter().for_each(|port| {
                bits.pending.remove(port);
            });
            return ready;
        };
        let mut found = Vec::new();
        for priority in 0..16 {
            for port in fifo.queues.remove(&(vcpu, priority)).unwrap_or_default() {
                if !fifo.bits.masked.contains(&port) && fifo.bits.pending.remove(&port) {
                    found.push(port);
                }
            }
        }
        found
    }

    pub(crate) fn raise_virq(&mut self, dom: usize, virq: u32, vcpu: u32) -> Effect {
        match self.virq_port(dom, virq, vcpu) {
            Some(port) => self.domains[dom].raise(port),
            None => Effect::Quiet,
        }
    }

    pub(crate) fn raise_pirq(&mut self, dom: usize, pirq: u32) -> Option<Effect> {
        let port = self.pirq_port(dom, pirq)?;
        Some(self.domains[dom].raise(port))
    }

    pub(crate) fn init_control(&mut self, dom: usize, vcpu: u32) -> Result<(), Errno> {
        let domain = &mut self.domains[dom];
        if vcpu >= domain.vcpus {
            return Err(Errno::ENOENT);
        }
        let first = Fifo {
            deferred: domain
                .two_level
                .pending
                .iter()
                .copied()
                .filter(|port| domain.channels.contains_key(port))
                .collect(),
            ..Fifo::default()
        };
        if !domain.fifo.get_or_insert(first).control.insert(vcpu) {
            return Err(Errno::EINVAL);
        }
        Ok(())
    }

    pub(crate) fn expand_array(&mut self, dom: usize) -> Result<Vec<Effect>, Errno> {
        let domain = &mut self.domains[dom];
        let Some(fifo) = &mut domain.fifo else {
            return Err(Errno::EOPNOTSUPP);
        };
        fifo.pages += 1;
        let mut deferred = std::mem::take(&mut fifo.deferred);
        let beyond = deferred.split_off(&(fifo.pages as u32 * 1024));
        fifo.deferred = beyond;
        Ok(deferred.into_iter().map(|port| domain.raise(port)).collect())
    }

    pub(crate) fn set_priority(&mut self, dom: usize, port: u32, priority: u32) -> Result<(), Errno> {
        let domain = &mut self.domains[dom];
        let channel = domain.check(port)?;
        if domain.fifo.is_none() {
            return Err(Errno::ENOSYS);
        }
        if channel.is_none() {
            return Err(Errno::EACCES);
        }
        if priority > 15 {
            return Err(Errno::EINVAL);
        }
        domain.channels.get_mut(&port).unwrap().priority = priority;
        Ok(())
    }

    /// Closes everything; true if the domain used the FIFO ABI.
    pub(crate) fn reset(&mut self, dom: usize) -> bool {
        for port in 0..self.domains[dom].valid {
            let _ = self.close(dom, port);
        }
        let domain = &mut self.domains[dom];
        domain.two_level = Bits::default();
        domain.selected.clear();
        domain.upcall.clear();
        domain.fifo.take().is_some()
    }

    pub(crate) fn status(&self, dom: usize, port: u32) -> Result<Status, Errno> {
        let Some(channel) = self.domains[dom].check(port)? else {
            return Ok(Status { vcpu: VcpuId::new(0), kind: StatusKind::Closed });
        };
        let kind = match channel.kind {
            Kind::Unbound(remote) => StatusKind::Unbound(DomId::new(remote as u16)),
            Kind::Interdomain(remote, end) => StatusKind::Interdomain(DomId::new(remote as u16), Port::new(end)),
            Kind::Pirq(pirq) => StatusKind::Pirq(Pirq::new(pirq)),
            Kind::Virq(virq) => StatusKind::Virq(Virq::new(virq)),
            Kind::Ipi => StatusKind::Ipi,
        };
        Ok(Status { vcpu: VcpuId::new(channel.vcpu), kind })
    }

    pub(crate) fn is_port_pending(&self, dom: usize, port: u32) -> Result<bool, Errno> {
        let domain = &self.domains[dom];
        let bits = domain.fifo.as_ref().map_or(&domain.two_level, |fifo| &fifo.bits);
        Ok(domain.check(port)?.is_some() && bits.pending.contains(&port))
    }

    pub(crate) fn pending_upcall(&self, dom: usize, vcpu: u32) -> bool {
        self.domains[dom].upcall.contains(&vcpu)
    }

    pub(crate) fn open_channels(&self, dom: usize) -> u32 {
        self.domains[dom].channels.len() as u32
    }
}
