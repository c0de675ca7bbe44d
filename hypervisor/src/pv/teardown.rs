// SPDX-License-Identifier: MIT OR Apache-2.0
//! The end of a domain, in steps of bounded work: it stops, lets go of what it has of others, then of what is its own.
//!
//! The order matters. vCPUs first: nothing changes by itself afterwards. Event channels before the pages that their words may
//! lie in. The tables in CR3 and the descriptor tables before the page list, so that each page is left to its last user. The grants
//! it has mapped after the page tables that lead to them: their granters may rely on it. What others use of it is theirs to give
//! back: `domain/end.rs` waits for that.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::sync::atomic::Ordering;

use event_channels::Closer;
use grant_tables::Drain;
use hypercalls::ids::Virq;

use crate::budget::{Budget, Preempted};
use crate::config::LEGACY_MAX_VCPUS;
use crate::domain::lifecycle::Stage;
use crate::domain::memory::{PageRef, free_shared};
use crate::domain::vcpu::{Vcpu, VcpuState, pause};
use crate::domain::{Domain, DomainRef, end, events, grants, units};
use crate::irq;
use crate::mm::page_type::Level;
use crate::pv::promote::{self, MmuError};
use crate::pv::segment;
use crate::x86::fpu::FpuArea;

/// Ports looked at in one step.
const PORTS: u32 = 512;
/// What a vCPU costs that lets go of little.
const VCPU_COST: u32 = 8;
/// What giving a page up costs, in entries of a page table.
const PAGE_COST: u32 = 20;

/// Begins the end of a domain, or goes on with it until the budget is spent. Done: it is dead, and gone unless others still use
/// its pages. Not for the calling domain. Preempted: call again; also while another CPU is at it.
pub(crate) fn destroy(domain: &DomainRef, budget: &mut Budget) -> Result<(), Preempted> {
    {
        let mut stage = domain.stage.try_lock().ok_or(Preempted)?;
        while *stage < Stage::Dead {
            budget.check()?;
            work(domain, *stage, budget)?;
            *stage = stage.next();
            if *stage == Stage::Dead {
                // Under the lock: whoever waits for the end looks at the stage, and sees it only with our use of the page gone.
                free_shared(domain.shared_info);
                events::notify_global_virq(Virq::DOM_EXC);
            }
        }
    }
    if end::finish(domain, budget).is_err() {
        end::look_later();
    }
    Ok(())
}

/// The work of a stage.
fn work(domain: &Domain, stage: Stage, budget: &mut Budget) -> Result<(), Preempted> {
    match stage {
        Stage::Alive => begin(domain),
        Stage::Vcpus => {
            stop(domain)?;
            budget.charge(domain.max_vcpus.saturating_mul(VCPU_COST));
        }
        Stage::Events => return close_events(domain),
        Stage::Contexts => {
            domain.vcpus().iter().try_for_each(|vcpu| let_go(vcpu, budget))?;
            budget.charge(domain.max_vcpus.saturating_mul(VCPU_COST));
        }
        Stage::Pages => return give_up_pages(domain, budget),
        Stage::Mappings => return release_mappings(domain, budget),
        Stage::Remains if domain.memory.lock().tot_pages == 0 => return end::free_vcpus(domain, budget),
        Stage::Remains => {}
        Stage::Dead | Stage::Gone => {}
    }
    Ok(())
}

/// From here on nobody can give it anything, and it runs no more.
fn begin(domain: &Domain) {
    domain.start_dying();
    domain.pause();
    domain.close_memory();
    events::set_dying(domain);
}

/// All vCPUs have left their CPUs, and the scheduler forgets them. Preempted: one has not.
fn stop(domain: &Domain) -> Result<(), Preempted> {
    for vcpu in domain.vcpus() {
        if !units::unregister(&vcpu) {
            return Err(Preempted);
        }
        // Its CPU saves its state a moment after the scheduler has let go of it.
        drop(vcpu.state.try_own().ok_or(Preempted)?);
    }
    Ok(())
}

fn close_events(domain: &Domain) -> Result<(), Preempted> {
    let mut ports = PORTS;
    let unbind = |pirq| irq::guest::unbind(domain, pirq);
    match events::drain(domain, Closer::Xen, &mut ports, unbind) {
        Ok(true) => {}
        Ok(false) => return Err(Preempted),
        // A dying domain opens no channels, so none is left: this would be our bug, and its pages are better lost than reused.
        Err(errno) => log::error!("domain {}: event channels stay open: {errno:?}", domain.id.raw()),
    }
    irq::guest::teardown(domain);
    Ok(())
}

/// Drops the tables that a vCPU had loaded. A toolstack cannot give it new ones: `context::set` refuses for the dying.
fn let_go(vcpu: &Vcpu, budget: &mut Budget) -> Result<(), Preempted> {
    let mut state = vcpu.state.try_own().ok_or(Preempted)?;
    drop_roots(&vcpu.domain, &mut state, budget)?;
    segment::drop_gdt(&mut state);
    segment::drop_ldt(&mut state);
    // Debug keys look at it to the end, so it gets its first place again.
    let slot = if vcpu.id.raw() < LEGACY_MAX_VCPUS { u64::from(vcpu.id.raw()) } else { 0 };
    vcpu.set_info(vcpu.domain.shared_info.to_addr().saturating_add(slot.saturating_mul(64)));
    let page = vcpu.info_page.lock().take();
    drop(page);
    Ok(())
}

/// Makes a vCPU that is on no CPU what it was before it was first initialised: down, with no tables and no registers. Its vcpu_info
/// stays. Preempted: call again.
pub(crate) fn reset(vcpu: &Vcpu, state: &mut VcpuState, budget: &mut Budget) -> Result<(), Preempted> {
    vcpu.pause_flags.fetch_or(pause::DOWN, Ordering::AcqRel);
    vcpu.sleep();
    drop_roots(&vcpu.domain, state, budget)?;
    segment::drop_gdt(state);
    segment::drop_ldt(state);
    vcpu.initialised.store(false, Ordering::Release);
    *state = VcpuState::new(FpuArea::new());
    Ok(())
}

fn drop_roots(domain: &Domain, state: &mut VcpuState, budget: &mut Budget) -> Result<(), Preempted> {
    let VcpuState { kernel_root, user_root, .. } = state;
    for root in [kernel_root, user_root] {
        if let Some(mfn) = *root {
            // A table left half way is found by the same call again.
            domain.lock_mmu().put_table(mfn, Level::L4, budget).map_err(|_| Preempted)?;
            *root = None;
        }
    }
    Ok(())
}

/// Gives back every grant that it has mapped: no page table of it leads there any more.
fn release_mappings(domain: &Domain, budget: &mut Budget) -> Result<(), Preempted> {
    /// Handles looked at for one unit of the budget.
    const HANDLES: u32 = 16;
    let mut cursor = domain.grants_drained.load(Ordering::Relaxed);
    loop {
        budget.spend(1)?;
        let mut handles = HANDLES;
        let step = domain.grants.lock().drain_mapping(&mut cursor, &mut handles);
        domain.grants_drained.store(cursor, Ordering::Relaxed);
        match step {
            Drain::Done => return Ok(()),
            Drain::Preempted => {}
            Drain::Release(_, release) => {
                let access = release.access();
                if access.is_device() {
                    // Not in any page table: the handle held it.
                    promote::put_mapped_page(release.frame(), !access.is_readonly());
                }
                grants::release(release);
            }
        }
    }
}

/// Takes down what is left of its page tables, and ends the allocation of every page. A page is free when the last table, own or
/// foreign, that maps it is gone.
fn give_up_pages(domain: &Domain, budget: &mut Budget) -> Result<(), Preempted> {
    domain.free_leaving(PAGE_COST, budget)?;
    loop {
        budget.spend(PAGE_COST)?;
        let Some(mfn) = domain.memory.lock().first() else { return Ok(()) };
        // None: its last user is about to free it.
        let page = PageRef::get(mfn, domain.id).ok_or(Preempted)?;
        if let Err(MmuError::Preempted) = domain.lock_mmu().finish(mfn, budget) {
            return Err(Preempted);
        }
        domain.give_up_page(page);
    }
}
