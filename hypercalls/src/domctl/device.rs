// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Toolstack operations that give devices to a domain.

use crate::frame::{Mfn, Pfn};
use crate::handle::GuestHandle;
use crate::ids::Pirq;
use crate::macros::{open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Lets a domain use an interrupt.
#[doc(alias = "xen_domctl_irq_permission")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct IrqPermission {
    /// The caller's number of it.
    pub pirq: Pirq,
    /// 1 allows, 0 forbids.
    pub allow_access: u8,
    /// Zero.
    pub pad: [u8; 3],
}

/// Lets a domain map device memory.
#[doc(alias = "xen_domctl_iomem_permission")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct IomemPermission {
    /// First frame.
    pub first_mfn: Mfn,
    /// How many.
    pub nr_mfns: u64,
    /// 1 allows, 0 forbids.
    pub allow_access: u8,
    /// Padding.
    pub _pad: [u8; 7],
}

/// Lets a domain use ports.
#[doc(alias = "xen_domctl_ioport_permission")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct IoportPermission {
    /// First port.
    pub first_port: u32,
    /// How many.
    pub nr_ports: u32,
    /// 1 allows, 0 forbids.
    pub allow_access: u8,
    /// Padding.
    pub _pad: [u8; 3],
}

open_enum! {
    /// [`AssignDevice::dev`].
    pub struct DeviceKind: u32 {
        /// [`AssignDevice::u`] starts with segment, bus, device and function (u32).
        #[doc(alias = "XEN_DOMCTL_DEV_PCI")]
        PCI = 0,
        /// Arm.
        #[doc(alias = "XEN_DOMCTL_DEV_DT")]
        DT = 1,
    }
}

/// Gives or takes a device.
#[doc(alias = "xen_domctl_assign_device")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct AssignDevice {
    /// Of what kind.
    pub dev: DeviceKind,
    /// Bit 0: reserved memory is checked less strictly.
    pub flags: u32,
    /// Which.
    pub u: [u8; 16],
}

payload!(AssignDevice, u);

/// Which devices go together.
#[doc(alias = "xen_domctl_get_device_group")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct GetDeviceGroup {
    /// In: one of them.
    pub machine_sbdf: u32,
    /// In: room.
    pub max_sdevs: u32,
    /// Out: how many.
    pub num_sdevs: u32,
    /// Padding.
    pub _pad: [u8; 4],
    /// Out: which.
    pub sdev_array: GuestHandle<u32>,
}

/// Routes an interrupt to an HVM guest.
#[doc(alias = "xen_domctl_bind_pt_irq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct BindPtIrq {
    /// Which.
    pub machine_irq: u32,
    /// 0 PCI, 1 ISA, 2 MSI, 3 MSI translated.
    pub irq_type: u32,
    /// To where.
    pub u: [u8; 16],
}

/// Maps device memory into a translated guest.
#[doc(alias = "xen_domctl_memory_mapping")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct MemoryMapping {
    /// Where.
    pub first_gfn: Pfn,
    /// What.
    pub first_mfn: Mfn,
    /// How many frames.
    pub nr_mfns: u64,
    /// 1 maps, 0 unmaps.
    pub add_mapping: u32,
    /// Zero.
    pub padding: u32,
}

/// Maps ports into an HVM guest.
#[doc(alias = "xen_domctl_ioport_mapping")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct IoportMapping {
    /// Where.
    pub first_gport: u32,
    /// What.
    pub first_mport: u32,
    /// How many.
    pub nr_ports: u32,
    /// 1 maps, 0 unmaps.
    pub add_mapping: u32,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<IrqPermission>() == 0x8);
    assert!(size_of::<IomemPermission>() == 0x18);
    assert!(size_of::<IoportPermission>() == 0xc);
    assert!(size_of::<AssignDevice>() == 0x18);
    assert!(size_of::<GetDeviceGroup>() == 0x18);
    assert!(size_of::<BindPtIrq>() == 0x18);
    assert!(size_of::<MemoryMapping>() == 0x20);
    assert!(size_of::<IoportMapping>() == 0x10);
};
