// SPDX-License-Identifier: MIT OR Apache-2.0
//! physdev_op (33): interrupts, port rights and PCI notices.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use core::mem::offset_of;

use hypercalls::errno::Errno;
use hypercalls::handle::GuestHandle;
use hypercalls::ids::Pirq;
use hypercalls::physdev::{
    IrqStatus, MapPirqType, PhysdevApic, PhysdevEoi, PhysdevGetFreePirq, PhysdevIrq, PhysdevIrqStatusQuery,
    PhysdevManagePci, PhysdevManagePciExt, PhysdevMapPirq, PhysdevOp, PhysdevOpCompat, PhysdevPciDevice,
    PhysdevPciDeviceAdd, PhysdevPirqEoiGmfn, PhysdevSetIobitmap, PhysdevSetIopl, PhysdevSetupGsi, PhysdevUnmapPirq,
};

use crate::domain::Domain;
use crate::hypercall::{Args, Cx, HypercallResult, Outcome, census};
use crate::irq::line::LineMode;
use crate::irq::msi::MessageKind;
use crate::irq::{self, guest};
use crate::mm::guest_access;
use crate::x86::pci::{self, PciFunction};

/// Ports an I/O bitmap can cover.
const MAX_PORTS: u32 = 0x1_0000;
/// Vectors one multi-message MSI can ask for.
const MAX_MULTI: i32 = 32;

/// physdev_op (33). ENOSYS for what Xen has no answer to either, or for devices of its own that do not exist here (debug port).
pub(crate) fn physdev_op(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[cmd, arg, ..] = args;
    census::PHYSDEV_OP.note(cmd as u32, arg);
    match PhysdevOp::new(cmd as u32) {
        PhysdevOp::EOI => {
            let op: PhysdevEoi = guest_access::read(GuestHandle::new(arg))?;
            guest::end(cx.domain(), op.irq)?;
        }
        PhysdevOp::SET_IOPL => set_iopl(cx, arg)?,
        PhysdevOp::SET_IOBITMAP => set_iobitmap(cx, arg)?,
        PhysdevOp::IRQ_STATUS_QUERY => irq_status_query(cx, arg)?,
        PhysdevOp::PIRQ_EOI_GMFN_V2 => {
            let op: PhysdevPirqEoiGmfn = guest_access::read(GuestHandle::new(arg))?;
            guest::register_eoi_map(cx.domain(), op.gmfn)?;
        }
        PhysdevOp::MAP_PIRQ => map_pirq(cx, arg)?,
        PhysdevOp::UNMAP_PIRQ => unmap_pirq(cx, arg)?,
        PhysdevOp::GET_FREE_PIRQ => get_free_pirq(cx, arg)?,
        PhysdevOp::APIC_READ => apic_read(cx, arg)?,
        PhysdevOp::ALLOC_IRQ_VECTOR => alloc_irq_vector(cx, arg)?,
        PhysdevOp::SETUP_GSI => setup_gsi(cx, arg)?,
        op => pci_notice(cx, op, arg)?,
    }
    Ok(Outcome::DONE)
}

/// physdev_op_compat (19): the command stands in the structure, its arguments follow. ENOSYS for commands younger than this form.
pub(crate) fn physdev_op_compat(cx: &mut Cx<'_>, args: &Args) -> HypercallResult {
    let &[arg, ..] = args;
    let cmd: u32 = guest_access::read(GuestHandle::new(arg))?;
    match PhysdevOp::new(cmd) {
        PhysdevOp::IRQ_STATUS_QUERY
        | PhysdevOp::SET_IOPL
        | PhysdevOp::SET_IOBITMAP
        | PhysdevOp::APIC_READ
        | PhysdevOp::ALLOC_IRQ_VECTOR => {
            let inner = arg.checked_add(offset_of!(PhysdevOpCompat, u) as u64).ok_or(Errno::EFAULT)?;
            physdev_op(cx, &[cmd.into(), inner, 0, 0, 0, 0])
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

/// PHYSDEVOP_set_iopl. Anyone, for the calling vCPU. EINVAL above 3.
fn set_iopl(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let op: PhysdevSetIopl = guest_access::read(GuestHandle::new(arg))?;
    cx.state.iopl = u8::try_from(op.iopl).ok().filter(|&iopl| iopl <= 3).ok_or(Errno::EINVAL)?;
    Ok(())
}

/// PHYSDEVOP_set_iobitmap. Anyone, for the calling vCPU; the bitmap is read when a port is accessed. EINVAL above 65536 ports.
fn set_iobitmap(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let op: PhysdevSetIobitmap = guest_access::read(GuestHandle::new(arg))?;
    if op.nr_ports > MAX_PORTS {
        return Err(Errno::EINVAL);
    }
    cx.state.io_bitmap = op.bitmap.addr();
    cx.state.io_bitmap_ports = op.nr_ports;
    Ok(())
}

/// PHYSDEVOP_irq_status_query. Anyone. As Xen does, says "needs EOI" of every pirq: who looks the EOI map up instead is told exactly.
fn irq_status_query(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let handle: GuestHandle<PhysdevIrqStatusQuery> = GuestHandle::new(arg);
    let mut op = guest_access::read(handle)?;
    if !cx.domain().pirqs.lock().is_valid(op.irq) {
        return Err(Errno::EINVAL);
    }
    op.flags = IrqStatus::NEEDS_EOI;
    guest_access::write(handle, &op)
}

/// PHYSDEVOP_map_pirq. For the caller by anyone with the right to the line; messages, and other domains, by a control domain.
/// EPERM without the right, EINVAL for what does not exist, EBUSY for what is in use, EOPNOTSUPP for several vectors of one MSI.
fn map_pirq(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let handle: GuestHandle<PhysdevMapPirq> = GuestHandle::new(arg);
    let mut op = guest_access::read(handle)?;
    let domain = cx.target_domain(op.domid)?;
    let wanted = u32::try_from(op.pirq).ok().map(Pirq::new);
    let pirq = match op.map_type {
        MapPirqType::GSI => {
            let gsi = u32::try_from(op.index).map_err(|_| Errno::EINVAL)?;
            if !may_use_gsi(cx.domain(), gsi) {
                return Err(Errno::EPERM);
            }
            irq::map_gsi(&mut domain.pirqs.lock(), domain.id, gsi, wanted)?
        }
        MapPirqType::MSI | MapPirqType::MSI_SEG | MapPirqType::MULTI_MSI => {
            cx.require_control()?;
            let (function, kind) = message_of(&op)?;
            irq::map_message(&mut domain.pirqs.lock(), domain.id, function, kind, wanted)?
        }
        _ => return Err(Errno::EINVAL),
    };
    op.pirq = i32::try_from(pirq.raw()).map_err(|_| Errno::ENOSPC)?;
    if op.map_type == MapPirqType::MULTI_MSI {
        op.entry_nr = 1;
    }
    guest_access::write(handle, &op)
}

/// Beyond the hypervisor's own GSIs, which `irq` keeps for itself, a control domain may use all.
fn may_use_gsi(domain: &Domain, gsi: u32) -> bool {
    domain.rights.lock().irqs.contains(gsi.into())
}

/// Which message a request means.
fn message_of(op: &PhysdevMapPirq) -> Result<(PciFunction, MessageKind), Errno> {
    if op.index >= 0 && op.map_type != MapPirqType::MULTI_MSI {
        // Naming a vector by number died with interrupt lines that were vectors.
        return Err(Errno::EINVAL);
    }
    if op.map_type == MapPirqType::MULTI_MSI {
        match op.entry_nr {
            1 => {}
            2..=MAX_MULTI => return Err(Errno::EOPNOTSUPP),
            _ => return Err(Errno::EINVAL),
        }
    }
    let [bus, _, segment_low, segment_high] = op.bus.to_le_bytes();
    let segment = match op.map_type {
        MapPirqType::MSI => 0,
        _ => u16::from_le_bytes([segment_low, segment_high]),
    };
    let [devfn, ..] = op.devfn.to_le_bytes();
    let kind = if op.table_base == 0 || op.map_type == MapPirqType::MULTI_MSI {
        MessageKind::Msi
    } else {
        let entry = u16::try_from(op.entry_nr).map_err(|_| Errno::EINVAL)?;
        MessageKind::MsiX { entry, table_base: op.table_base }
    };
    Ok((PciFunction { segment, bus, devfn }, kind))
}

/// PHYSDEVOP_unmap_pirq. The caller's own, or by a control domain. EINVAL when not mapped. An event channel still bound to it stays,
/// but nothing arrives there any more.
fn unmap_pirq(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let op: PhysdevUnmapPirq = guest_access::read(GuestHandle::new(arg))?;
    let domain = cx.target_domain(op.domid)?;
    let pirq = u32::try_from(op.pirq).map(Pirq::new).map_err(|_| Errno::EINVAL)?;
    irq::unmap(&mut domain.pirqs.lock(), pirq)
}

/// PHYSDEVOP_get_free_pirq. Anyone. ENOSPC.
fn get_free_pirq(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let handle: GuestHandle<PhysdevGetFreePirq> = GuestHandle::new(arg);
    let mut op = guest_access::read(handle)?;
    op.pirq = cx.domain().pirqs.lock().promise()?;
    guest_access::write(handle, &op)
}

/// PHYSDEVOP_apic_read. Control domain. EINVAL when there is no such chip.
fn apic_read(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let handle: GuestHandle<PhysdevApic> = GuestHandle::new(arg);
    cx.require_control()?;
    let mut op = guest_access::read(handle)?;
    let register = u8::try_from(op.reg).map_err(|_| Errno::EINVAL)?;
    op.value = irq::io_apic_register(op.apic_physbase, register).ok_or(Errno::EINVAL)?;
    guest_access::write(handle, &op)
}

/// PHYSDEVOP_alloc_irq_vector. Control domain. Vectors are the hypervisor's: the answer only says that the line exists. EINVAL.
fn alloc_irq_vector(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    let handle: GuestHandle<PhysdevIrq> = GuestHandle::new(arg);
    cx.require_control()?;
    let mut op = guest_access::read(handle)?;
    if op.irq >= irq::gsi_count() {
        return Err(Errno::EINVAL);
    }
    op.vector = op.irq;
    guest_access::write(handle, &op)
}

/// PHYSDEVOP_setup_gsi. Control domain. EINVAL for a line that does not exist, EPERM for the hypervisor's own, EEXIST when in use.
fn setup_gsi(cx: &mut Cx<'_>, arg: u64) -> Result<(), Errno> {
    cx.require_control()?;
    let op: PhysdevSetupGsi = guest_access::read(GuestHandle::new(arg))?;
    let gsi = u32::try_from(op.gsi).map_err(|_| Errno::EINVAL)?;
    irq::setup_gsi(gsi, LineMode { level: op.triggering != 0, active_low: op.polarity != 0 })
}

/// What the control domain reports about PCI devices. They are looked at when an interrupt is mapped, so most of it needs no memory.
/// EPERM for others, ENODEV for a device that does not answer, ENOSYS for unknown operations.
fn pci_notice(cx: &mut Cx<'_>, op: PhysdevOp, arg: u64) -> Result<(), Errno> {
    match op {
        PhysdevOp::PCI_DEVICE_ADD => {
            cx.require_control()?;
            let op: PhysdevPciDeviceAdd = guest_access::read(GuestHandle::new(arg))?;
            check_present(PciFunction { segment: op.seg, bus: op.bus, devfn: op.devfn })
        }
        PhysdevOp::MANAGE_PCI_ADD => {
            cx.require_control()?;
            let op: PhysdevManagePci = guest_access::read(GuestHandle::new(arg))?;
            check_present(PciFunction { segment: 0, bus: op.bus, devfn: op.devfn })
        }
        PhysdevOp::MANAGE_PCI_ADD_EXT => {
            cx.require_control()?;
            let op: PhysdevManagePciExt = guest_access::read(GuestHandle::new(arg))?;
            check_present(PciFunction { segment: 0, bus: op.bus, devfn: op.devfn })
        }
        PhysdevOp::RESTORE_MSI => {
            cx.require_control()?;
            let op: PhysdevManagePci = guest_access::read(GuestHandle::new(arg))?;
            irq::restore_messages(PciFunction { segment: 0, bus: op.bus, devfn: op.devfn });
            Ok(())
        }
        PhysdevOp::RESTORE_MSI_EXT => {
            cx.require_control()?;
            let op: PhysdevPciDevice = guest_access::read(GuestHandle::new(arg))?;
            irq::restore_messages(PciFunction { segment: op.seg, bus: op.bus, devfn: op.devfn });
            Ok(())
        }
        // Nothing is kept per device or region, so there is nothing to add or to forget.
        PhysdevOp::PCI_DEVICE_REMOVE
        | PhysdevOp::MANAGE_PCI_REMOVE
        | PhysdevOp::PREPARE_MSIX
        | PhysdevOp::RELEASE_MSIX
        | PhysdevOp::PCI_MMCFG_RESERVED => cx.require_control(),
        _ => Err(Errno::ENOSYS),
    }
}

fn check_present(function: PciFunction) -> Result<(), Errno> {
    // Segments beyond the first are reached by MMCFG only, which the hypervisor may not have mapped: believe the caller.
    if function.segment != 0 || pci::is_present(&mut irq::PCI.lock().function(function)) {
        Ok(())
    } else {
        Err(Errno::ENODEV)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hypercalls::ids::DomId;

    fn request(map_type: MapPirqType) -> PhysdevMapPirq {
        PhysdevMapPirq {
            domid: DomId::SELF,
            _pad: [0; 2],
            map_type,
            index: -1,
            pirq: -1,
            bus: 0x0002_0003,
            devfn: 0x28,
            entry_nr: 0,
            _pad1: [0; 4],
            table_base: 0,
        }
    }

    #[test]
    fn messages_are_named() {
        let function = PciFunction { segment: 2, bus: 3, devfn: 0x28 };
        let seg = request(MapPirqType::MSI_SEG);
        assert_eq!(message_of(&seg), Ok((function, MessageKind::Msi)));
        let old = request(MapPirqType::MSI);
        assert_eq!(message_of(&old), Ok((PciFunction { segment: 0, ..function }, MessageKind::Msi)));
        let msix = PhysdevMapPirq { entry_nr: 5, table_base: 0xfebf_0000, ..seg };
        let kind = MessageKind::MsiX { entry: 5, table_base: 0xfebf_0000 };
        assert_eq!(message_of(&msix), Ok((function, kind)));
        assert_eq!(message_of(&PhysdevMapPirq { entry_nr: -1, ..msix }), Err(Errno::EINVAL));
        assert_eq!(message_of(&PhysdevMapPirq { index: 0, ..seg }), Err(Errno::EINVAL));
    }

    #[test]
    fn several_vectors_need_remapping() {
        let multi = request(MapPirqType::MULTI_MSI);
        assert_eq!(message_of(&PhysdevMapPirq { entry_nr: 2, ..multi }), Err(Errno::EOPNOTSUPP));
        assert_eq!(message_of(&multi), Err(Errno::EINVAL));
        assert!(message_of(&PhysdevMapPirq { entry_nr: 1, ..multi }).is_ok());
    }
}
