// SPDX-License-Identifier: MIT OR Apache-2.0
//! A domain's physical interrupts as its hypercalls see them: locks the domain's table, acts, and keeps the guest's EOI map true.
#![forbid(unsafe_code)]

use core::sync::atomic::Ordering;

use hypercalls::{errno::Errno, frame::Mfn, ids::Pirq};

use crate::{
    domain::{Domain, events, memory::WritableRef, table},
    irq::{self, controller::Owner},
    x86::percpu::{self, CpuId},
};

/// Where interrupts for a vCPU on a CPU are sent: its APIC id, if a message or IO-APIC entry has room for it.
pub(crate) fn destination(cpu: CpuId) -> Option<u8> {
    let apic_id = percpu::get(cpu)?.apic_id.load(Ordering::Relaxed);
    u8::try_from(apic_id).ok().filter(|&id| id != 0xff)
}

/// Opens a pirq for the event channel just bound to it (`EVTCHNOP_bind_pirq`), to be delivered on a CPU.
///
/// # Errors
/// EINVAL when the pirq is not mapped, EEXIST when it is bound already.
pub(crate) fn bind(domain: &Domain, pirq: Pirq, cpu: CpuId) -> Result<(), Errno> {
    let needs_eoi = irq::bind(&mut domain.pirqs.lock(), pirq, destination(cpu))?;
    if let Some(map) = domain.pirq_eoi_map.lock().as_ref() {
        note(map, pirq, needs_eoi);
    }
    Ok(())
}

/// Closes a pirq whose event channel is gone.
pub(crate) fn unbind(domain: &Domain, pirq: Pirq) {
    irq::unbind(&mut domain.pirqs.lock(), pirq);
}

/// The guest has served an interrupt (`PHYSDEVOP_eoi`), or nobody was there to serve it.
///
/// # Errors
/// EINVAL for a number the domain cannot have.
pub(crate) fn end(domain: &Domain, pirq: Pirq) -> Result<(), Errno> {
    let table = domain.pirqs.lock();
    if !table.is_valid(pirq) {
        return Err(Errno::EINVAL);
    }
    irq::end(&table, pirq);
    Ok(())
}

/// A guest's line or message fired. If the guest has not bound it, nobody will end it: that is done here.
pub(crate) fn interrupt(owner: Owner) {
    let Some(domain) = table::find(owner.domain) else { return };
    if !events::notify_pirq(&domain, owner.pirq) {
        // Fails for a number the domain cannot have, which no owner has.
        let _ = end(&domain, owner.pirq);
    }
}

/// Its vCPU moved: deliver there from now on (`EVTCHNOP_bind_vcpu`).
pub(crate) fn set_destination(domain: &Domain, pirq: Pirq, cpu: CpuId) {
    if let Some(apic_id) = destination(cpu) {
        irq::set_destination(&domain.pirqs.lock(), pirq, apic_id);
    }
}

/// Registers the page in which the guest looks up whether a pirq needs `PHYSDEVOP_eoi` (`PHYSDEVOP_pirq_eoi_gmfn_v2`).
///
/// # Errors
/// EINVAL when the frame is not an ordinary page of the domain, EBUSY the second time.
pub(crate) fn register_eoi_map(domain: &Domain, mfn: Mfn) -> Result<(), Errno> {
    let map = WritableRef::get(mfn, domain.id).ok_or(Errno::EINVAL)?;
    let table = domain.pirqs.lock();
    let mut slot = domain.pirq_eoi_map.lock();
    if slot.is_some() {
        return Err(Errno::EBUSY);
    }
    for pirq in (0..table.count()).map(Pirq::new).filter(|&pirq| table.is_bound(pirq)) {
        note(&map, pirq, irq::needs_eoi(&table, pirq));
    }
    *slot = Some(map);
    Ok(())
}

/// Lets go of all a dying domain's interrupts and of its EOI map.
pub(crate) fn teardown(domain: &Domain) {
    irq::unmap_all(&mut domain.pirqs.lock());
    *domain.pirq_eoi_map.lock() = None;
}

fn note(map: &WritableRef, pirq: Pirq, needs_eoi: bool) {
    // A page has room for 32768 pirqs, more than any machine's interrupts.
    let Some(word) = map.words().get(pirq.raw() as usize / 64) else { return };
    let bit = 1 << (pirq.raw() % 64);
    if needs_eoi {
        word.fetch_or(bit, Ordering::Relaxed);
    } else {
        word.fetch_and(!bit, Ordering::Relaxed);
    }
}
