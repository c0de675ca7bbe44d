// SPDX-License-Identifier: MIT OR Apache-2.0
//! Interrupts: what a vector means, the lines and messages behind them, and what guests own of these.
#![forbid(unsafe_code)]

pub(crate) mod controller;
pub(crate) mod guest;
pub(crate) mod line;
pub(crate) mod msi;
pub(crate) mod vector;

use hypercalls::{
    errno::Errno,
    ids::{DomId, Pirq},
};

use self::{
    controller::{Controller, Fired, Owner},
    line::LineMode,
    msi::{MessageKind, MessageSource},
};
use crate::{
    domain::pirqs::{PirqTable, Source},
    sync::{Rank, SpinLock},
    x86::{
        apic,
        pci::{PciConfig, PciFunction},
    },
};

/// PCI configuration space and its ports.
pub(crate) static PCI: SpinLock<PciConfig> = SpinLock::new(Rank::PortPair, PciConfig::new());
static CONTROLLER: SpinLock<Option<Controller>> = SpinLock::new(Rank::InterruptLine, None);

/// What an interrupt asks the CPU to do next; the controllers have been served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Run expired timers.
    Timer,
    /// Look at the flush mailbox.
    Flush,
    /// Look at softirqs and pending events.
    Kick,
    /// Take the serial port's input.
    Serial,
    /// Raise a guest's pirq. If it turns out not to be bound, end it with [`end`].
    Guest(Owner),
    /// Nothing: spurious, or already dealt with.
    Nothing,
}

/// Takes the controllers over. Boot CPU, once, before interrupts are opened.
pub(crate) fn init(controller: Controller) {
    *CONTROLLER.lock() = Some(controller);
}

/// Serves the interrupt controllers for a vector and says what it means. Called with interrupts off, before anything else.
pub(crate) fn handle(vector: u8) -> Action {
    let action = match vector {
        vector::APIC_SPURIOUS => return Action::Nothing,
        vector::TIMER => Action::Timer,
        vector::FLUSH_IPI => Action::Flush,
        vector::KICK_IPI => Action::Kick,
        vector::SERIAL => Action::Serial,
        vector::APIC_ERROR => {
            log::warn!("local APIC {:#x}: error status {:#x}", apic::id(), apic::take_errors());
            Action::Nothing
        }
        vector if vector::PIC_SPURIOUS.contains(&vector) && !apic::is_in_service(vector) => {
            log::warn!("stray 8259 interrupt, vector {vector:#x}");
            return Action::Nothing;
        }
        vector => handle_device(vector),
    };
    apic::eoi();
    action
}

fn handle_device(vector: u8) -> Action {
    let fired = CONTROLLER.lock().as_mut().map(|controller| controller.fire(vector));
    match fired {
        Some(Fired::Guest(owner)) => Action::Guest(owner),
        Some(Fired::Unclaimed) => Action::Nothing,
        Some(Fired::Unknown) | None => {
            log::warn!("interrupt on vector {vector:#x}, which no device has");
            Action::Nothing
        }
    }
}

/// Number of GSIs; 16 before [`init`].
pub(crate) fn gsi_count() -> u32 {
    CONTROLLER.lock().as_ref().map_or(16, Controller::gsi_count)
}

/// Keeps a GSI for the hypervisor, with its vector if it wants the interrupt.
pub(crate) fn reserve_gsi(gsi: u32, vector: Option<u8>) {
    if let Some(controller) = CONTROLLER.lock().as_mut() {
        controller.reserve_gsi(gsi, vector);
    }
}

/// `PHYSDEVOP_setup_gsi`; errors as [`Controller::setup_gsi`].
pub(crate) fn setup_gsi(gsi: u32, mode: LineMode) -> Result<(), Errno> {
    with(|controller| controller.setup_gsi(gsi, mode))
}

/// Maps a GSI for a domain (`MAP_PIRQ_TYPE_GSI`).
///
/// # Errors
/// As [`PirqTable::choose`] and [`Controller::acquire_gsi`].
pub(crate) fn map_gsi(table: &mut PirqTable, domain: DomId, gsi: u32, wanted: Option<Pirq>) -> Result<Pirq, Errno> {
    let source = Source::Gsi(gsi);
    let pirq = table.choose(Some(source), wanted)?;
    with(|controller| controller.acquire_gsi(gsi, Owner { domain, pirq }))?;
    table.map(pirq, source);
    Ok(pirq)
}

/// Maps a device's message for a domain (`MAP_PIRQ_TYPE_MSI*`).
///
/// # Errors
/// As [`PirqTable::choose`], [`MessageSource::find`] and [`Controller::acquire_message`].
pub(crate) fn map_message(
    table: &mut PirqTable,
    domain: DomId,
    function: PciFunction,
    kind: MessageKind,
    wanted: Option<Pirq>,
) -> Result<Pirq, Errno> {
    let pirq = table.choose(None, wanted)?;
    // Before the controller's lock: finding the registers may map them.
    let source = MessageSource::find(&PCI, function, kind)?;
    let vector = with(|controller| controller.acquire_message(source, kind, Owner { domain, pirq }))?;
    table.map(pirq, Source::Message { vector });
    Ok(pirq)
}

/// Undoes a mapping and silences what was behind it. An event channel that is still bound falls silent.
///
/// # Errors
/// EINVAL when the number is not mapped.
pub(crate) fn unmap(table: &mut PirqTable, pirq: Pirq) -> Result<(), Errno> {
    let source = table.unmap(pirq)?;
    with(|controller| {
        controller.release(source);
        Ok(())
    })
}

/// Silences everything a dying domain had.
pub(crate) fn unmap_all(table: &mut PirqTable) {
    if let Some(controller) = CONTROLLER.lock().as_mut() {
        table.drain().for_each(|source| controller.release(source));
    }
}

/// Opens a pirq for an event channel that was just bound, on a CPU. Whether the guest must end each interrupt.
///
/// # Errors
/// EINVAL when it is not mapped, EEXIST when it is bound already.
pub(crate) fn bind(table: &mut PirqTable, pirq: Pirq, apic_id: Option<u8>) -> Result<bool, Errno> {
    let source = table.set_bound(pirq, true)?;
    with(|controller| controller.bind(source, apic_id))
}

/// Closes a pirq whose event channel is gone; nothing happens if it is not mapped.
pub(crate) fn unbind(table: &mut PirqTable, pirq: Pirq) {
    if let Ok(source) = table.set_bound(pirq, false)
        && let Some(controller) = CONTROLLER.lock().as_mut()
    {
        controller.unbind(source);
    }
}

/// `PHYSDEVOP_eoi`: the guest has served the interrupt.
pub(crate) fn end(table: &PirqTable, pirq: Pirq) {
    if let (Some(source), Some(controller)) = (table.source(pirq), CONTROLLER.lock().as_mut()) {
        controller.end(source);
    }
}

/// Whether a guest must end each interrupt of a pirq.
pub(crate) fn needs_eoi(table: &PirqTable, pirq: Pirq) -> bool {
    let source = table.source(pirq);
    source.zip(CONTROLLER.lock().as_ref()).is_some_and(|(source, controller)| controller.needs_eoi(source))
}

/// Sends a pirq's interrupts to the CPU where its vCPU runs.
pub(crate) fn set_destination(table: &PirqTable, pirq: Pirq, apic_id: u8) {
    if let (Some(source), Some(controller)) = (table.source(pirq), CONTROLLER.lock().as_mut()) {
        controller.set_destination(source, apic_id);
    }
}

/// A register of the IO-APIC at a machine address, for `PHYSDEVOP_apic_read`.
pub(crate) fn io_apic_register(address: u64, register: u8) -> Option<u32> {
    CONTROLLER.lock().as_mut()?.io_apic_register(address, register)
}

/// Tells a device all its messages again, after it was reset (`PHYSDEVOP_restore_msi`).
pub(crate) fn restore_messages(function: PciFunction) {
    if let Some(controller) = CONTROLLER.lock().as_mut() {
        controller.restore_messages(function);
    }
}

/// EINVAL before the controllers are taken over: there is nothing to map then.
fn with<T>(act: impl FnOnce(&mut Controller) -> Result<T, Errno>) -> Result<T, Errno> {
    CONTROLLER.lock().as_mut().map_or(Err(Errno::EINVAL), act)
}
