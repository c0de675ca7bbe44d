// SPDX-License-Identifier: MIT OR Apache-2.0
//! All interrupt sources of the machine by vector, and the controllers behind them: carries out what `line.rs` decides.
#![forbid(unsafe_code)]

use alloc::vec::Vec;

use hypercalls::{
    errno::Errno,
    ids::{DomId, Pirq},
};

use super::{
    line::{Line, LineMode, MaskChange},
    msi::{MessageKind, MessageSource},
    vector::VectorAllocator,
};
use crate::{
    domain::pirqs::Source,
    sync::SpinLock,
    x86::{
        ioapic::{IoApic, Redirection},
        msi_regs::Message,
        pci::{PciConfig, PciFunction},
    },
};

/// Which guest listens, under which number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Owner {
    /// The domain.
    pub(crate) domain: DomId,
    /// Its number for the interrupt.
    pub(crate) pirq: Pirq,
}

/// What arrived with a device vector.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fired {
    /// A guest's interrupt.
    Guest(Owner),
    /// Nobody listens; it is silenced as far as the device can be.
    Unclaimed,
    /// No source has this vector.
    Unknown,
}

/// A source in use.
#[derive(Debug)]
struct Interrupt {
    hardware: Hardware,
    line: Line,
    owner: Owner,
    apic_id: u8,
}

#[derive(Clone, Copy, Debug)]
enum Hardware {
    Pin { io_apic: usize, pin: u16, mode: LineMode },
    Message(MessageSource),
}

/// What a GSI is used for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum GsiUse {
    Free,
    /// Programmed for a guest.
    Vector(u8),
    /// The hypervisor's own (timer, serial port).
    Reserved,
}

#[derive(Clone, Copy, Debug)]
struct GsiState {
    mode: LineMode,
    used: GsiUse,
}

/// The machine's interrupt sources. One instance, under the interrupt-line lock.
#[derive(Debug)]
pub(crate) struct Controller {
    vectors: VectorAllocator,
    interrupts: Vec<Option<Interrupt>>,
    io_apics: Vec<IoApic>,
    gsis: Vec<GsiState>,
    pci: &'static SpinLock<PciConfig>,
    /// Where interrupts go until a guest's vCPU is known.
    boot_apic_id: u8,
}

impl Controller {
    /// Takes the IO-APICs over. `mode_of` gives each GSI's trigger mode by the firmware's tables.
    pub(crate) fn new(
        io_apics: Vec<IoApic>,
        mode_of: impl Fn(u32) -> LineMode,
        pci: &'static SpinLock<PciConfig>,
        boot_apic_id: u8,
    ) -> Self {
        let count = io_apics.iter().map(|chip| chip.gsi_base() + u32::from(chip.pins())).max().unwrap_or(16);
        Self {
            vectors: VectorAllocator::new(),
            interrupts: core::iter::repeat_with(|| None).take(256).collect(),
            io_apics,
            gsis: (0..count).map(|gsi| GsiState { mode: mode_of(gsi), used: GsiUse::Free }).collect(),
            pci,
            boot_apic_id,
        }
    }

    /// One past the largest GSI.
    pub(crate) fn gsi_count(&self) -> u32 {
        u32::try_from(self.gsis.len()).unwrap_or(u32::MAX)
    }

    /// Keeps a GSI from guests. With a vector it is opened at once, edge or level as the tables say.
    pub(crate) fn reserve_gsi(&mut self, gsi: u32, vector: Option<u8>) {
        let place = self.locate(gsi);
        let apic_id = self.boot_apic_id;
        let Some(state) = self.gsis.get_mut(gsi as usize) else { return };
        state.used = GsiUse::Reserved;
        let mode = state.mode;
        if let (Some(vector), Some((io_apic, pin))) = (vector, place) {
            self.program_pin(io_apic, pin, mode, vector, apic_id, false);
        }
    }

    /// Sets a GSI's trigger mode (`PHYSDEVOP_setup_gsi`).
    ///
    /// # Errors
    /// EINVAL for a GSI no IO-APIC has, EEXIST for the hypervisor's own and when a guest listens already.
    pub(crate) fn setup_gsi(&mut self, gsi: u32, mode: LineMode) -> Result<(), Errno> {
        self.locate(gsi).ok_or(Errno::EINVAL)?;
        let state = self.gsis.get_mut(gsi as usize).ok_or(Errno::EINVAL)?;
        let vector = match state.used {
            GsiUse::Reserved => return Err(Errno::EEXIST),
            GsiUse::Vector(vector) => vector,
            GsiUse::Free => {
                state.mode = mode;
                return Ok(());
            }
        };
        let interrupt = self.interrupts.get_mut(usize::from(vector)).and_then(Option::as_mut).ok_or(Errno::EINVAL)?;
        if interrupt.line.is_bound() {
            return Err(Errno::EEXIST);
        }
        state.mode = mode;
        interrupt.line.set_level(mode.level);
        if let Hardware::Pin { mode: old, .. } = &mut interrupt.hardware {
            *old = mode;
        }
        self.reprogram(vector);
        Ok(())
    }

    /// Gives a GSI to a guest, masked. Twice for the same owner is no error.
    ///
    /// # Errors
    /// EINVAL for a GSI no IO-APIC has, EBUSY for another domain's, ENOSPC without a free vector. One of the hypervisor's own can
    /// be mapped, as on Xen (Linux maps all ISA lines), and stays silent: it cannot be bound.
    pub(crate) fn acquire_gsi(&mut self, gsi: u32, owner: Owner) -> Result<(), Errno> {
        let (io_apic, pin) = self.locate(gsi).ok_or(Errno::EINVAL)?;
        let state = *self.gsis.get(gsi as usize).ok_or(Errno::EINVAL)?;
        match state.used {
            GsiUse::Reserved => return Ok(()),
            GsiUse::Vector(vector) => {
                let same = self.interrupt(vector).is_some_and(|interrupt| interrupt.owner == owner);
                return if same { Ok(()) } else { Err(Errno::EBUSY) };
            }
            GsiUse::Free => {}
        }
        let vector = self.vectors.allocate().ok_or(Errno::ENOSPC)?;
        let hardware = Hardware::Pin { io_apic, pin, mode: state.mode };
        self.install(vector, hardware, Line::new(state.mode.level), owner);
        self.set_gsi_use(gsi, GsiUse::Vector(vector));
        self.reprogram(vector);
        Ok(())
    }

    /// Gives a device's message to a guest: a vector, told to the device, masked where that is possible.
    ///
    /// # Errors
    /// EBUSY when the message is in use, ENOSPC without a free vector.
    pub(crate) fn acquire_message(
        &mut self,
        source: MessageSource,
        kind: MessageKind,
        owner: Owner,
    ) -> Result<u8, Errno> {
        if self.find_message(source.function, kind).is_some() {
            return Err(Errno::EBUSY);
        }
        let vector = self.vectors.allocate().ok_or(Errno::ENOSPC)?;
        self.install(vector, Hardware::Message(source), Line::new(false), owner);
        self.reprogram(vector);
        self.change_mask(vector, MaskChange::Mask);
        Ok(vector)
    }

    /// Who owns a device's message.
    pub(crate) fn find_message(&self, function: PciFunction, kind: MessageKind) -> Option<Owner> {
        self.interrupts.iter().flatten().find_map(|interrupt| match &interrupt.hardware {
            Hardware::Message(source) if source.is(function, kind) => Some(interrupt.owner),
            _ => None,
        })
    }

    /// Takes a source back from its guest: masked, vector free. The caller is on the way to unmap it.
    pub(crate) fn release(&mut self, source: Source) {
        let Some(vector) = self.vector_of(source) else { return };
        self.change_mask(vector, MaskChange::Mask);
        if let Source::Gsi(gsi) = source {
            self.set_gsi_use(gsi, GsiUse::Free);
        }
        if let Some(interrupt) = self.interrupts.get_mut(usize::from(vector)) {
            *interrupt = None;
        }
        self.vectors.free(vector);
    }

    /// A guest begins to listen, on a CPU; whether it must end each interrupt.
    ///
    /// # Errors
    /// EINVAL when the source was never acquired.
    pub(crate) fn bind(&mut self, source: Source, apic_id: Option<u8>) -> Result<bool, Errno> {
        let vector = self.vector_of(source).ok_or(Errno::EINVAL)?;
        if let Some(apic_id) = apic_id {
            self.set_destination(source, apic_id);
        }
        let interrupt = self.interrupt_mut(vector).ok_or(Errno::EINVAL)?;
        let (change, needs_eoi) = (interrupt.line.bind(), interrupt.line.needs_eoi());
        self.change_mask(vector, change);
        Ok(needs_eoi)
    }

    /// The guest no longer listens.
    pub(crate) fn unbind(&mut self, source: Source) {
        self.step(source, Line::unbind);
    }

    /// The guest has served the interrupt.
    pub(crate) fn end(&mut self, source: Source) {
        self.step(source, Line::end);
    }

    /// Whether the guest must end each interrupt of a source.
    pub(crate) fn needs_eoi(&self, source: Source) -> bool {
        self.vector_of(source).and_then(|vector| self.interrupt(vector)).is_some_and(|found| found.line.needs_eoi())
    }

    /// Sends a source's interrupts to another CPU from now on.
    pub(crate) fn set_destination(&mut self, source: Source, apic_id: u8) {
        let Some(vector) = self.vector_of(source) else { return };
        if let Some(interrupt) = self.interrupt_mut(vector)
            && interrupt.apic_id != apic_id
        {
            interrupt.apic_id = apic_id;
            self.reprogram(vector);
        }
    }

    /// A device vector arrived: masks it if it must wait for the guest. The local APIC is acknowledged by the caller afterwards.
    pub(crate) fn fire(&mut self, vector: u8) -> Fired {
        let Some(interrupt) = self.interrupt_mut(vector) else { return Fired::Unknown };
        let change = interrupt.line.fire();
        let fired = if interrupt.line.is_bound() { Fired::Guest(interrupt.owner) } else { Fired::Unclaimed };
        self.change_mask(vector, change);
        fired
    }

    /// Tells a device all its messages and their mask bits again.
    pub(crate) fn restore_messages(&mut self, function: PciFunction) {
        for vector in super::vector::DEVICES {
            let Some(interrupt) = self.interrupt(vector) else { continue };
            let is_bound = interrupt.line.is_bound();
            if matches!(interrupt.hardware, Hardware::Message(source) if source.function == function) {
                self.reprogram(vector);
                self.change_mask(vector, if is_bound { MaskChange::Unmask } else { MaskChange::Mask });
            }
        }
    }

    /// A register of the IO-APIC at a machine address; `None` when there is no chip.
    pub(crate) fn io_apic_register(&mut self, address: u64, register: u8) -> Option<u32> {
        let chip = self.io_apics.iter_mut().find(|chip| chip.address() == address)?;
        Some(chip.read_raw(register))
    }

    fn step(&mut self, source: Source, decide: impl FnOnce(&mut Line) -> MaskChange) {
        let Some(vector) = self.vector_of(source) else { return };
        let Some(interrupt) = self.interrupt_mut(vector) else { return };
        let change = decide(&mut interrupt.line);
        self.change_mask(vector, change);
    }

    fn install(&mut self, vector: u8, hardware: Hardware, line: Line, owner: Owner) {
        let apic_id = self.boot_apic_id;
        if let Some(slot) = self.interrupts.get_mut(usize::from(vector)) {
            *slot = Some(Interrupt { hardware, line, owner, apic_id });
        }
    }

    /// Writes vector, destination and mode to the hardware; the mask bit follows the line's state.
    fn reprogram(&mut self, vector: u8) {
        let Some(interrupt) = self.interrupt(vector) else { return };
        let (hardware, apic_id) = (interrupt.hardware, interrupt.apic_id);
        let masked = !interrupt.line.is_bound() || interrupt.line.is_in_service();
        match hardware {
            Hardware::Pin { io_apic, pin, mode } => self.program_pin(io_apic, pin, mode, vector, apic_id, masked),
            Hardware::Message(source) => source.write_message(&mut self.pci.lock(), Message::new(apic_id, vector)),
        }
    }

    fn program_pin(&mut self, io_apic: usize, pin: u16, mode: LineMode, vector: u8, apic_id: u8, masked: bool) {
        if let Some(chip) = self.io_apics.get_mut(io_apic) {
            let LineMode { level, active_low } = mode;
            chip.set_entry(pin, Redirection { vector, level, active_low, masked, apic_id });
        }
    }

    fn change_mask(&mut self, vector: u8, change: MaskChange) {
        let masked = match change {
            MaskChange::Keep => return,
            MaskChange::Mask => true,
            MaskChange::Unmask => false,
        };
        match self.interrupt(vector).map(|interrupt| interrupt.hardware) {
            Some(Hardware::Pin { io_apic, pin, .. }) => {
                if let Some(chip) = self.io_apics.get_mut(io_apic) {
                    chip.set_mask(pin, masked);
                }
            }
            Some(Hardware::Message(source)) => source.set_mask(&mut self.pci.lock(), masked),
            None => {}
        }
    }

    fn locate(&self, gsi: u32) -> Option<(usize, u16)> {
        self.io_apics.iter().enumerate().find_map(|(index, chip)| Some((index, chip.pin_of(gsi)?)))
    }

    fn vector_of(&self, source: Source) -> Option<u8> {
        match source {
            Source::Message { vector } => Some(vector),
            Source::Gsi(gsi) => match self.gsis.get(gsi as usize)?.used {
                GsiUse::Vector(vector) => Some(vector),
                GsiUse::Free | GsiUse::Reserved => None,
            },
        }
    }

    fn set_gsi_use(&mut self, gsi: u32, used: GsiUse) {
        if let Some(state) = self.gsis.get_mut(gsi as usize) {
            state.used = used;
        }
    }

    fn interrupt(&self, vector: u8) -> Option<&Interrupt> {
        self.interrupts.get(usize::from(vector))?.as_ref()
    }

    fn interrupt_mut(&mut self, vector: u8) -> Option<&mut Interrupt> {
        self.interrupts.get_mut(usize::from(vector))?.as_mut()
    }
}
