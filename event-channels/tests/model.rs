// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random operations over several domains, against a model made of plain sets and lists.
#![forbid(unsafe_code)]
#![cfg(not(loom))]

mod common;
mod naive;

use common::Shared;
use event_channels::fifo::{MASKED, QUEUES};
use event_channels::sync::Ordering::SeqCst;
use event_channels::{Closed, Closer, Delivery, Drain, EventError, EventTable, Peer, SendEffect};
use hypercalls::{DomId, Errno, Pirq, Port, VcpuId, Virq};
use naive::{Effect, Model};
use proptest::prelude::*;

/// Domains in a run, and vCPUs of each.
const DOMAINS: usize = 3;
const VCPUS: u32 = 2;
/// Ports looked at after each step.
const WATCHED: u32 = 70;

#[derive(Clone, Debug)]
enum Op {
    AllocUnbound { dom: usize, remote: usize },
    BindInterdomain { dom: usize, remote: usize, port: u32 },
    BindVirq { dom: usize, virq: u32, vcpu: u32 },
    BindPirq { dom: usize, pirq: u32 },
    BindIpi { dom: usize, vcpu: u32 },
    Close { dom: usize, port: u32 },
    Send { dom: usize, port: u32 },
    BindVcpu { dom: usize, port: u32, vcpu: u32 },
    Mask { dom: usize, port: u32 },
    Unmask { dom: usize, port: u32 },
    Consume { dom: usize, vcpu: u32 },
    RaiseVirq { dom: usize, virq: u32, vcpu: u32 },
    RaisePirq { dom: usize, pirq: u32 },
    InitControl { dom: usize, vcpu: u32 },
    Expand { dom: usize },
    SetPriority { dom: usize, port: u32, priority: u32 },
    Reset { dom: usize },
}

fn ops() -> impl Strategy<Value = Op> {
    let dom = || 0..DOMAINS;
    let vcpu = || 0..VCPUS + 1;
    let port = || prop_oneof![20 => 0_u32..9, 1 => Just(64_u32), 1 => Just(u32::MAX)];
    let virq = || prop_oneof![Just(0_u32), Just(1), Just(2), Just(16), Just(24)];
    prop_oneof![
        4 => (dom(), dom()).prop_map(|(dom, remote)| Op::AllocUnbound { dom, remote }),
        6 => (dom(), dom(), port())
            .prop_map(|(dom, remote, port)| Op::BindInterdomain { dom, remote, port }),
        2 => (dom(), virq(), vcpu()).prop_map(|(dom, virq, vcpu)| Op::BindVirq { dom, virq, vcpu }),
        1 => (dom(), 14_u32..17).prop_map(|(dom, pirq)| Op::BindPirq { dom, pirq }),
        2 => (dom(), vcpu()).prop_map(|(dom, vcpu)| Op::BindIpi { dom, vcpu }),
        3 => (dom(), port()).prop_map(|(dom, port)| Op::Close { dom, port }),
        9 => (dom(), port()).prop_map(|(dom, port)| Op::Send { dom, port }),
        3 => (dom(), port(), vcpu()).prop_map(|(dom, port, vcpu)| Op::BindVcpu { dom, port, vcpu }),
        3 => (dom(), port()).prop_map(|(dom, port)| Op::Mask { dom, port }),
        4 => (dom(), port()).prop_map(|(dom, port)| Op::Unmask { dom, port }),
        4 => (dom(), 0..VCPUS).prop_map(|(dom, vcpu)| Op::Consume { dom, vcpu }),
        3 => (dom(), virq(), vcpu()).prop_map(|(dom, virq, vcpu)| Op::RaiseVirq { dom, virq, vcpu }),
        1 => (dom(), 14_u32..17).prop_map(|(dom, pirq)| Op::RaisePirq { dom, pirq }),
        2 => (dom(), vcpu()).prop_map(|(dom, vcpu)| Op::InitControl { dom, vcpu }),
        2 => dom().prop_map(|dom| Op::Expand { dom }),
        2 => (dom(), port(), 0_u32..17)
            .prop_map(|(dom, port, priority)| Op::SetPriority { dom, port, priority }),
        1 => dom().prop_map(|dom| Op::Reset { dom }),
    ]
}

/// The tables, with what each guest keeps for itself.
struct Real<'g> {
    shared: &'g [Shared],
    tables: Vec<EventTable<'g>>,
    heads: Vec<[[u32; QUEUES]; VCPUS as usize]>,
}

fn effect(delivery: Delivery) -> Effect {
    match delivery {
        Delivery::Quiet => Effect::Quiet,
        Delivery::Pollers(port) => Effect::Pollers(port.raw()),
        Delivery::Wake(wake) => Effect::Wake(wake.vcpu.raw(), wake.port.raw()),
        Delivery::Xen { .. } => panic!("no hypervisor channels here"),
    }
}

fn errno<T>(result: Result<T, EventError>) -> Result<T, Errno> {
    result.map_err(EventError::errno)
}

impl Real<'_> {
    fn bind_interdomain(&mut self, dom: usize, remote: usize, port: u32) -> Result<(u32, Effect), Errno> {
        let port = Port::new(port);
        let bound = if dom == remote {
            self.tables[dom].bind_interdomain(Peer::Itself, port)
        } else {
            let [here, there] = self.tables.get_disjoint_mut([dom, remote]).unwrap();
            here.bind_interdomain(Peer::Other(there), port)
        };
        errno(bound).map(|(port, delivery)| (port.raw(), effect(delivery)))
    }

    fn close(&mut self, dom: usize, port: Port) -> Result<Option<Pirq>, Errno> {
        match errno(self.tables[dom].close(port, Peer::Itself, Closer::Guest))? {
            Closed::Done(pirq) => Ok(pirq),
            Closed::NeedsPeer(remote) => {
                let remote = usize::from(remote.raw());
                let [here, there] = self.tables.get_disjoint_mut([dom, remote]).unwrap();
                let closed = errno(here.close(port, Peer::Other(there), Closer::Guest))?;
                assert_eq!(closed, Closed::Done(None));
                Ok(None)
            }
        }
    }

    fn send(&mut self, dom: usize, port: u32) -> Result<Effect, Errno> {
        Ok(match errno(self.tables[dom].send(Port::new(port)))? {
            SendEffect::Local(delivery) => effect(delivery),
            SendEffect::Dropped => Effect::Quiet,
            SendEffect::Remote { dom: remote, port: end } => effect(
                self.tables[usize::from(remote.raw())].deliver_from(end, DomId::new(dom as u16), Port::new(port)),
            ),
        })
    }

    fn consume(&mut self, dom: usize, vcpu: u32, fifo: bool) -> Vec<u32> {
        let vcpu = vcpu as usize;
        if fifo {
            self.shared[dom].consume_fifo(vcpu, &mut self.heads[dom][vcpu])
        } else {
            self.shared[dom].consume_two_level(vcpu)
        }
    }

    fn reset(&mut self, dom: usize) -> bool {
        loop {
            match self.tables[dom].drain(Closer::Guest, &mut 5) {
                Drain::Close(port) => {
                    self.close(dom, port).unwrap();
                }
                Drain::More => {}
                Drain::Done => break,
            }
        }
        let was_fifo = self.tables[dom].finish_drain().unwrap();
        // The guest starts over with clean memory.
        let shared = &self.shared[dom];
        shared.pending.iter().chain(shared.mask.iter()).for_each(|word| word.store(0, SeqCst));
        for vcpu in &shared.vcpus {
            vcpu.upcall_pending.store(0, SeqCst);
            vcpu.pending_sel.store(0, SeqCst);
            vcpu.control.iter().for_each(|word| word.store(0, SeqCst));
        }
        shared.pages.iter().flat_map(|page| page.iter()).for_each(|word| word.store(0, SeqCst));
        self.heads[dom] = Default::default();
        was_fifo
    }
}

fn step(real: &mut Real<'_>, model: &mut Model, op: &Op) {
    match *op {
        Op::AllocUnbound { dom, remote } => {
            let got = errno(real.tables[dom].alloc_unbound(DomId::new(remote as u16)));
            assert_eq!(got.map(Port::raw), model.alloc_unbound(dom, remote));
        }
        Op::BindInterdomain { dom, remote, port } => {
            let got = real.bind_interdomain(dom, remote, port);
            assert_eq!(got, model.bind_interdomain(dom, remote, port));
        }
        Op::BindVirq { dom, virq, vcpu } => {
            let got = errno(real.tables[dom].bind_virq(Virq::new(virq), VcpuId::new(vcpu)));
            assert_eq!(got.map(Port::raw), model.bind_virq(dom, virq, vcpu));
        }
        Op::BindPirq { dom, pirq } => {
            let got = errno(real.tables[dom].bind_pirq(Pirq::new(pirq)));
            assert_eq!(got.map(Port::raw), model.bind_pirq(dom, pirq));
        }
        Op::BindIpi { dom, vcpu } => {
            let got = errno(real.tables[dom].bind_ipi(VcpuId::new(vcpu)));
            assert_eq!(got.map(Port::raw), model.bind_ipi(dom, vcpu));
        }
        Op::Close { dom, port } => {
            let got = real.close(dom, Port::new(port));
            assert_eq!(got.map(|pirq| pirq.map(Pirq::raw)), model.close(dom, port));
        }
        Op::Send { dom, port } => assert_eq!(real.send(dom, port), model.send(dom, port)),
        Op::BindVcpu { dom, port, vcpu } => {
            let got = errno(real.tables[dom].bind_vcpu(Port::new(port), VcpuId::new(vcpu)));
            assert_eq!(got.map(|pirq| pirq.map(Pirq::raw)), model.bind_vcpu(dom, port, vcpu));
        }
        Op::Mask { dom, port } => {
            if port < WATCHED && model.mask(dom, port) {
                if model.is_fifo(dom) {
                    real.shared[dom].word(port).fetch_or(MASKED, SeqCst);
                } else {
                    let bit = 1 << (port % 64);
                    real.shared[dom].mask[port as usize / 64].fetch_or(bit, SeqCst);
                }
            }
        }
        Op::Unmask { dom, port } => {
            let got = errno(real.tables[dom].unmask(Port::new(port)));
            assert_eq!(got.map(effect), model.unmask(dom, port));
        }
        Op::Consume { dom, vcpu } => {
            let got = real.consume(dom, vcpu, model.is_fifo(dom));
            assert_eq!(got, model.consume(dom, vcpu));
        }
        Op::RaiseVirq { dom, virq, vcpu } => {
            let got = real.tables[dom].raise_virq(VcpuId::new(vcpu), Virq::new(virq));
            assert_eq!(effect(got), model.raise_virq(dom, virq, vcpu));
        }
        Op::RaisePirq { dom, pirq } => {
            let got = real.tables[dom].raise_pirq(Pirq::new(pirq));
            assert_eq!(got.map(effect), model.raise_pirq(dom, pirq));
        }
        Op::InitControl { dom, vcpu } => {
            let shared = real.shared;
            let block = &shared[dom].vcpus[vcpu.min(VCPUS - 1) as usize].control;
            let got = errno(real.tables[dom].init_control(VcpuId::new(vcpu), 0, block));
            assert_eq!(got, model.init_control(dom, vcpu));
        }
        Op::Expand { dom } => {
            let shared = real.shared;
            let pages = model.pages(dom);
            let Some(page) = shared[dom].pages.get(pages) else {
                return;
            };
            let mut effects = Vec::new();
            let got = errno(real.tables[dom].expand_array(page, |it| effects.push(effect(it))));
            assert_eq!(got.map(|()| effects), model.expand_array(dom));
        }
        Op::SetPriority { dom, port, priority } => {
            let got = errno(real.tables[dom].set_priority(Port::new(port), priority));
            assert_eq!(got, model.set_priority(dom, port, priority));
        }
        Op::Reset { dom } => assert_eq!(real.reset(dom), model.reset(dom)),
    }
}

fn compare(real: &Real<'_>, model: &Model) {
    for dom in 0..DOMAINS {
        let table = &real.tables[dom];
        for raw in 0..WATCHED {
            let port = Port::new(raw);
            assert_eq!(errno(table.status(port)), model.status(dom, raw), "status of {dom}:{raw}");
            assert_eq!(errno(table.is_port_pending(port)), model.is_port_pending(dom, raw), "pending of {dom}:{raw}");
        }
        for vcpu in 0..VCPUS {
            assert_eq!(table.pending_upcall(VcpuId::new(vcpu)), model.pending_upcall(dom, vcpu));
        }
        assert_eq!(table.open_channels(), model.open_channels(dom));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn behaves_as_the_naive_model(ops in prop::collection::vec(ops(), 1..120)) {
        let shared: Vec<Shared> = (0..DOMAINS).map(|_| Shared::new(VCPUS, 2)).collect();
        let tables = shared.iter().enumerate().map(|(dom, it)| it.table(dom as u16)).collect();
        let mut real = Real { shared: &shared, tables, heads: vec![Default::default(); DOMAINS] };
        let mut model = Model::new(DOMAINS, VCPUS);
        for op in &ops {
            step(&mut real, &mut model, op);
            compare(&real, &model);
        }
    }
}
