// SPDX-License-Identifier: MIT OR Apache-2.0
#![forbid(unsafe_code)]
//! Physical devices (`physdev.h`): interrupts, ports, PCI.

use crate::frame::Mfn;
use crate::handle::GuestHandle;
use crate::ids::{DomId, Pirq};
use crate::macros::{flags, open_enum, payload};
use zerocopy::{FromBytes, Immutable, IntoBytes};

open_enum! {
    /// Sub-operations of `physdev_op` (first argument).
    pub struct PhysdevOp: u32 {
        /// Obsolete: `EOI` without argument.
        #[doc(alias = "PHYSDEVOP_IRQ_UNMASK_NOTIFY")]
        IRQ_UNMASK_NOTIFY = 4,
        /// What an interrupt needs. Argument [`PhysdevIrqStatusQuery`].
        #[doc(alias = "PHYSDEVOP_irq_status_query")]
        IRQ_STATUS_QUERY = 5,
        /// Sets the virtual I/O privilege level. Argument [`PhysdevSetIopl`].
        #[doc(alias = "PHYSDEVOP_set_iopl")]
        SET_IOPL = 6,
        /// Sets the port bitmap of user mode. Argument [`PhysdevSetIobitmap`].
        #[doc(alias = "PHYSDEVOP_set_iobitmap")]
        SET_IOBITMAP = 7,
        /// Reads an I/O APIC register. Argument [`PhysdevApic`].
        #[doc(alias = "PHYSDEVOP_apic_read")]
        APIC_READ = 8,
        /// Writes one. Argument [`PhysdevApic`].
        #[doc(alias = "PHYSDEVOP_apic_write")]
        APIC_WRITE = 9,
        /// Obsolete. Argument [`PhysdevIrq`].
        #[doc(alias = "PHYSDEVOP_alloc_irq_vector")]
        ALLOC_IRQ_VECTOR = 10,
        /// Obsolete. Argument [`PhysdevIrq`].
        #[doc(alias = "PHYSDEVOP_free_irq_vector")]
        FREE_IRQ_VECTOR = 11,
        /// The interrupt has been handled. Argument [`PhysdevEoi`].
        #[doc(alias = "PHYSDEVOP_eoi")]
        EOI = 12,
        /// Gives an interrupt a pirq number. Argument [`PhysdevMapPirq`].
        #[doc(alias = "PHYSDEVOP_map_pirq")]
        MAP_PIRQ = 13,
        /// Takes it away. Argument [`PhysdevUnmapPirq`].
        #[doc(alias = "PHYSDEVOP_unmap_pirq")]
        UNMAP_PIRQ = 14,
        /// Announces a device. Argument [`PhysdevManagePci`].
        #[doc(alias = "PHYSDEVOP_manage_pci_add")]
        MANAGE_PCI_ADD = 15,
        /// Announces its removal. Argument [`PhysdevManagePci`].
        #[doc(alias = "PHYSDEVOP_manage_pci_remove")]
        MANAGE_PCI_REMOVE = 16,
        /// Shares a page of "needs EOI" bits; a set bit also means unmask. Argument [`PhysdevPirqEoiGmfn`].
        #[doc(alias = "PHYSDEVOP_pirq_eoi_gmfn_v1")]
        PIRQ_EOI_GMFN_V1 = 17,
        /// Programs a device's MSI again after sleep. Argument [`PhysdevManagePci`].
        #[doc(alias = "PHYSDEVOP_restore_msi")]
        RESTORE_MSI = 19,
        /// Announces a device. Argument [`PhysdevManagePciExt`].
        #[doc(alias = "PHYSDEVOP_manage_pci_add_ext")]
        MANAGE_PCI_ADD_EXT = 20,
        /// Sets trigger and polarity. Argument [`PhysdevSetupGsi`].
        #[doc(alias = "PHYSDEVOP_setup_gsi")]
        SETUP_GSI = 21,
        /// Reserves a pirq number. Argument [`PhysdevGetFreePirq`].
        #[doc(alias = "PHYSDEVOP_get_free_pirq")]
        GET_FREE_PIRQ = 23,
        /// Announces a PCI configuration window. Argument [`PhysdevPciMmcfgReserved`].
        #[doc(alias = "PHYSDEVOP_pci_mmcfg_reserved")]
        PCI_MMCFG_RESERVED = 24,
        /// Announces a device. Argument [`PhysdevPciDeviceAdd`].
        #[doc(alias = "PHYSDEVOP_pci_device_add")]
        PCI_DEVICE_ADD = 25,
        /// Announces its removal. Argument [`PhysdevPciDevice`].
        #[doc(alias = "PHYSDEVOP_pci_device_remove")]
        PCI_DEVICE_REMOVE = 26,
        /// As `RESTORE_MSI`. Argument [`PhysdevPciDevice`].
        #[doc(alias = "PHYSDEVOP_restore_msi_ext")]
        RESTORE_MSI_EXT = 27,
        /// Shares a page of "needs EOI" bits. Argument [`PhysdevPirqEoiGmfn`].
        #[doc(alias = "PHYSDEVOP_pirq_eoi_gmfn_v2")]
        PIRQ_EOI_GMFN_V2 = 28,
        /// Before and after a reset of the USB debug port. Argument [`PhysdevDbgpOp`].
        #[doc(alias = "PHYSDEVOP_dbgp_op")]
        DBGP_OP = 29,
        /// Before a device goes to another domain. Argument [`PhysdevPciDevice`].
        #[doc(alias = "PHYSDEVOP_prepare_msix")]
        PREPARE_MSIX = 30,
        /// Undoes that. Argument [`PhysdevPciDevice`].
        #[doc(alias = "PHYSDEVOP_release_msix")]
        RELEASE_MSIX = 31,
    }
}

/// Argument of [`PhysdevOp::EOI`].
#[doc(alias = "physdev_eoi")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevEoi {
    /// Which.
    pub irq: Pirq,
}

/// Argument of [`PhysdevOp::PIRQ_EOI_GMFN_V1`] and [`PhysdevOp::PIRQ_EOI_GMFN_V2`].
#[doc(alias = "physdev_pirq_eoi_gmfn")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevPirqEoiGmfn {
    /// The page.
    pub gmfn: Mfn,
}

flags! {
    /// [`PhysdevIrqStatusQuery::flags`].
    pub struct IrqStatus: u32 {
        /// [`PhysdevOp::EOI`] is needed after each.
        #[doc(alias = "XENIRQSTAT_needs_eoi")]
        NEEDS_EOI = 1 << 0,
        /// Others use the line.
        #[doc(alias = "XENIRQSTAT_shared")]
        SHARED = 1 << 1,
    }
}

/// Argument of [`PhysdevOp::IRQ_STATUS_QUERY`].
#[doc(alias = "physdev_irq_status_query")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevIrqStatusQuery {
    /// In: which.
    pub irq: Pirq,
    /// Out.
    pub flags: IrqStatus,
}

/// Argument of [`PhysdevOp::SET_IOPL`].
#[doc(alias = "physdev_set_iopl")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevSetIopl {
    /// 0 to 3; 1 and above lets the kernel use ports.
    pub iopl: u32,
}

/// Argument of [`PhysdevOp::SET_IOBITMAP`].
#[doc(alias = "physdev_set_iobitmap")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevSetIobitmap {
    /// A clear bit allows a port.
    pub bitmap: GuestHandle<u8>,
    /// Bits.
    pub nr_ports: u32,
    /// Padding.
    pub _pad: [u8; 4],
}

/// Argument of [`PhysdevOp::APIC_READ`] and [`PhysdevOp::APIC_WRITE`].
#[doc(alias = "physdev_apic")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevApic {
    /// Machine address of the I/O APIC.
    pub apic_physbase: u64,
    /// Register index.
    pub reg: u32,
    /// In or out.
    pub value: u32,
}

/// Argument of [`PhysdevOp::ALLOC_IRQ_VECTOR`].
#[doc(alias = "physdev_irq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevIrq {
    /// In.
    pub irq: u32,
    /// Out.
    pub vector: u32,
}

open_enum! {
    /// [`PhysdevMapPirq::map_type`].
    pub struct MapPirqType: i32 {
        /// MSI or MSI-X of a device in segment 0.
        #[doc(alias = "MAP_PIRQ_TYPE_MSI")]
        MSI = 0,
        /// An I/O APIC line.
        #[doc(alias = "MAP_PIRQ_TYPE_GSI")]
        GSI = 1,
        /// Nothing.
        #[doc(alias = "MAP_PIRQ_TYPE_UNKNOWN")]
        UNKNOWN = 2,
        /// As `MSI`; bits 16-31 of the bus are the segment.
        #[doc(alias = "MAP_PIRQ_TYPE_MSI_SEG")]
        MSI_SEG = 3,
        /// Several MSI vectors; `entry_nr` is their number.
        #[doc(alias = "MAP_PIRQ_TYPE_MULTI_MSI")]
        MULTI_MSI = 4,
    }
}

/// Argument of [`PhysdevOp::MAP_PIRQ`].
#[doc(alias = "physdev_map_pirq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevMapPirq {
    /// In: for whom.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// In: what.
    pub map_type: MapPirqType,
    /// In: the GSI, or -1.
    pub index: i32,
    /// In: the number wanted, or -1; out: the number given.
    pub pirq: i32,
    /// In: bus, and segment.
    pub bus: i32,
    /// In: device and function.
    pub devfn: i32,
    /// In: MSI-X entry, or number of MSI vectors (also out).
    pub entry_nr: i32,
    /// Padding.
    pub _pad1: [u8; 4],
    /// In: machine address of the MSI-X table, 0 for MSI.
    pub table_base: u64,
}

/// Argument of [`PhysdevOp::UNMAP_PIRQ`].
#[doc(alias = "physdev_unmap_pirq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevUnmapPirq {
    /// Whose.
    pub domid: DomId,
    /// Padding.
    pub _pad: [u8; 2],
    /// Which.
    pub pirq: i32,
}

/// Names a PCI device in segment 0.
#[doc(alias = "physdev_manage_pci")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevManagePci {
    /// Bus.
    pub bus: u8,
    /// Device and function.
    pub devfn: u8,
}

/// Argument of [`PhysdevOp::MANAGE_PCI_ADD_EXT`].
#[doc(alias = "physdev_manage_pci_ext")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevManagePciExt {
    /// Bus.
    pub bus: u8,
    /// Device and function.
    pub devfn: u8,
    /// Padding.
    pub _pad: [u8; 2],
    /// Not function 0 of its slot, by extended routing.
    pub is_extfn: u32,
    /// A virtual function.
    pub is_virtfn: u32,
    /// Its physical function.
    pub physfn: PhysdevManagePci,
    /// Padding.
    pub _pad1: [u8; 2],
}

/// The one argument of the older `physdev_op` (hypercall 19).
#[doc(alias = "physdev_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C, align(8))]
pub struct PhysdevOpCompat {
    /// Which operation.
    pub cmd: PhysdevOp,
    /// Padding.
    pub _pad: [u8; 4],
    /// The operation's own argument.
    pub u: [u8; 16],
}

payload!(PhysdevOpCompat, u);

/// Argument of [`PhysdevOp::SETUP_GSI`].
#[doc(alias = "physdev_setup_gsi")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevSetupGsi {
    /// Which line.
    pub gsi: i32,
    /// 0 edge, 1 level.
    pub triggering: u8,
    /// 0 active high, 1 active low.
    pub polarity: u8,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Argument of [`PhysdevOp::GET_FREE_PIRQ`].
#[doc(alias = "physdev_get_free_pirq")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevGetFreePirq {
    /// In: for what.
    pub map_type: MapPirqType,
    /// Out.
    pub pirq: Pirq,
}

flags! {
    /// [`PhysdevPciMmcfgReserved::flags`].
    pub struct MmcfgFlags: u32 {
        /// The firmware reserves the window.
        #[doc(alias = "XEN_PCI_MMCFG_RESERVED")]
        RESERVED = 1,
    }
}

/// Argument of [`PhysdevOp::PCI_MMCFG_RESERVED`].
#[doc(alias = "physdev_pci_mmcfg_reserved")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevPciMmcfgReserved {
    /// Machine address of the window.
    pub address: u64,
    /// PCI segment.
    pub segment: u16,
    /// First bus.
    pub start_bus: u8,
    /// Last bus.
    pub end_bus: u8,
    /// Whether the firmware agrees.
    pub flags: MmcfgFlags,
}

flags! {
    /// [`PhysdevPciDeviceAdd::flags`].
    pub struct PciDeviceFlags: u32 {
        /// By extended routing.
        #[doc(alias = "XEN_PCI_DEV_EXTFN")]
        EXTFN = 1,
        /// A virtual function; `physfn` counts.
        #[doc(alias = "XEN_PCI_DEV_VIRTFN")]
        VIRTFN = 2,
        /// A proximity domain (u32) follows the struct.
        #[doc(alias = "XEN_PCI_DEV_PXM")]
        PXM = 4,
    }
}

/// Argument of [`PhysdevOp::PCI_DEVICE_ADD`].
#[doc(alias = "physdev_pci_device_add")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevPciDeviceAdd {
    /// Segment.
    pub seg: u16,
    /// Bus.
    pub bus: u8,
    /// Device and function.
    pub devfn: u8,
    /// What follows.
    pub flags: PciDeviceFlags,
    /// The physical function.
    pub physfn: PhysdevManagePci,
    /// Padding.
    pub _pad: [u8; 2],
}

/// Names a PCI device.
#[doc(alias = "physdev_pci_device")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevPciDevice {
    /// Segment.
    pub seg: u16,
    /// Bus.
    pub bus: u8,
    /// Device and function.
    pub devfn: u8,
}

open_enum! {
    /// [`PhysdevDbgpOp::op`].
    pub struct DbgpOp: u8 {
        /// A reset follows.
        #[doc(alias = "PHYSDEVOP_DBGP_RESET_PREPARE")]
        RESET_PREPARE = 1,
        /// It is over.
        #[doc(alias = "PHYSDEVOP_DBGP_RESET_DONE")]
        RESET_DONE = 2,
    }
}

/// Argument of [`PhysdevOp::DBGP_OP`].
#[doc(alias = "physdev_dbgp_op")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct PhysdevDbgpOp {
    /// Which.
    pub op: DbgpOp,
    /// 1 if `pci` counts.
    pub bus: u8,
    /// The controller.
    pub pci: PhysdevPciDevice,
}

// The sizes the headers give; every offset is checked by tests/layout.
const _: () = {
    assert!(size_of::<PhysdevEoi>() == 0x4);
    assert!(size_of::<PhysdevPirqEoiGmfn>() == 0x8);
    assert!(size_of::<PhysdevIrqStatusQuery>() == 0x8);
    assert!(size_of::<PhysdevSetIopl>() == 0x4);
    assert!(size_of::<PhysdevSetIobitmap>() == 0x10);
    assert!(size_of::<PhysdevApic>() == 0x10);
    assert!(size_of::<PhysdevIrq>() == 0x8);
    assert!(size_of::<PhysdevMapPirq>() == 0x28);
    assert!(size_of::<PhysdevUnmapPirq>() == 0x8);
    assert!(size_of::<PhysdevManagePci>() == 0x2);
    assert!(size_of::<PhysdevManagePciExt>() == 0x10);
    assert!(size_of::<PhysdevOpCompat>() == 0x18);
    assert!(size_of::<PhysdevSetupGsi>() == 0x8);
    assert!(size_of::<PhysdevGetFreePirq>() == 0x8);
    assert!(size_of::<PhysdevPciMmcfgReserved>() == 0x10);
    assert!(size_of::<PhysdevPciDeviceAdd>() == 0xc);
    assert!(size_of::<PhysdevPciDevice>() == 0x4);
    assert!(size_of::<PhysdevDbgpOp>() == 0x6);
};
