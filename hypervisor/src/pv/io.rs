// SPDX-License-Identifier: MIT OR Apache-2.0
//! Port accesses of guests, after the (virtual) IOPL check: real, emulated, or answered with nothing.
//!
//! Emulated are the index/data pairs that several parties share (PCI configuration, CMOS) and the PIT's channel 2. A port a domain
//! has no right to reads as ones, and writes to it vanish.
#![forbid(unsafe_code)]

use crate::{
    domain::{ports::PortState, vpit},
    irq,
    sync::{Rank, SpinLock},
    x86::{
        instr::{inb, inl, inw, outb, outl, outw},
        pci::{self, Width},
        rtc,
    },
};

/// Held while the CMOS index and data ports are used together.
static CMOS: SpinLock<()> = SpinLock::new(Rank::PortPair, ());

const PCI_ENABLE: u32 = 1 << 31;
/// Bit 7 of the CMOS index masks NMI: not a guest's business.
const CMOS_INDEX: u8 = 0x7f;

/// One access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Access {
    /// First port.
    pub(crate) port: u16,
    /// How many ports from there.
    pub(crate) width: Width,
}

/// Who serves an access.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Decision {
    /// The ports themselves.
    Hardware,
    /// The domain's virtual PIT.
    Vpit,
    /// The domain's PCI address latch.
    PciAddress,
    /// PCI configuration space at the latched address.
    PciData,
    /// The domain's CMOS index latch.
    CmosIndex,
    /// The CMOS register at the latched index.
    CmosData,
    /// Nobody.
    Nothing,
}

/// Decides an access. `is_allowed(first, last)` says whether the domain has the right to all ports of a range; `owns_hardware`
/// whether it may use PCI configuration space and the CMOS clock.
pub(crate) fn decide(access: Access, owns_hardware: bool, is_allowed: impl FnOnce(u16, u16) -> bool) -> Decision {
    let Access { port, width } = access;
    let Some(last) = port.checked_add(width.bytes() - 1) else { return Decision::Nothing };
    match (port, width) {
        (vpit::CHANNEL2 | vpit::COMMAND | vpit::SPEAKER, Width::Byte) => Decision::Vpit,
        (pci::ADDRESS_PORT, Width::Dword) => Decision::PciAddress,
        (0xcfc..=0xcff, _) if owns_hardware && last <= 0xcff => Decision::PciData,
        (rtc::INDEX_PORT, Width::Byte) if owns_hardware => Decision::CmosIndex,
        (rtc::DATA_PORT, Width::Byte) if owns_hardware => Decision::CmosData,
        // Wider accesses must not reach the emulated ports behind the emulation's back.
        _ if touches_emulated(port, last) => Decision::Nothing,
        _ if is_allowed(port, last) => Decision::Hardware,
        _ => Decision::Nothing,
    }
}

fn touches_emulated(first: u16, last: u16) -> bool {
    let emulated = [0x40..=0x43, 0x61..=0x61, 0x70..=0x71, 0xcfc..=0xcff];
    emulated.iter().any(|ports| first <= *ports.end() && last >= *ports.start())
}

/// Carries out a read. Bits above the width are zero.
pub(crate) fn read(decision: Decision, access: Access, state: &mut PortState, now_ns: u64) -> u32 {
    let Access { port, width } = access;
    match decision {
        Decision::Hardware => match width {
            Width::Byte => u32::from(inb(port)),
            Width::Word => u32::from(inw(port)),
            Width::Dword => inl(port),
        },
        Decision::Vpit => u32::from(state.vpit.read(port, now_ns)),
        Decision::PciAddress => state.pci_address,
        Decision::PciData if state.pci_address & PCI_ENABLE != 0 => {
            irq::PCI.lock().read_ports(state.pci_address, port & 3, width)
        }
        Decision::CmosIndex => u32::from(state.cmos_index),
        Decision::CmosData => {
            let _pair = CMOS.lock();
            u32::from(rtc::read_register(state.cmos_index))
        }
        Decision::PciData | Decision::Nothing => width.ones(),
    }
}

/// Carries out a write of the low bits of a value.
pub(crate) fn write(decision: Decision, access: Access, value: u32, state: &mut PortState, now_ns: u64) {
    let Access { port, width } = access;
    let [byte, second, ..] = value.to_le_bytes();
    match decision {
        Decision::Hardware => match width {
            Width::Byte => outb(port, byte),
            Width::Word => outw(port, u16::from_le_bytes([byte, second])),
            Width::Dword => outl(port, value),
        },
        Decision::Vpit => state.vpit.write(port, byte, now_ns),
        Decision::PciAddress => state.pci_address = value,
        Decision::PciData if state.pci_address & PCI_ENABLE != 0 => {
            irq::PCI.lock().write_ports(state.pci_address, port & 3, width, value);
        }
        Decision::CmosIndex => state.cmos_index = byte & CMOS_INDEX,
        Decision::CmosData => {
            let _pair = CMOS.lock();
            rtc::write_register(state.cmos_index, byte);
        }
        Decision::PciData | Decision::Nothing => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(port: u16, width: Width, owns_hardware: bool) -> Decision {
        decide(Access { port, width }, owns_hardware, |first, last| owns_hardware && !(first <= 0x21 && last >= 0x20))
    }

    #[test]
    fn the_control_domain() {
        assert_eq!(of(0x60, Width::Byte, true), Decision::Hardware);
        assert_eq!(of(0x20, Width::Byte, true), Decision::Nothing);
        assert_eq!(of(0x1f, Width::Word, true), Decision::Nothing);
        assert_eq!(of(0xcf8, Width::Dword, true), Decision::PciAddress);
        assert_eq!(of(0xcf9, Width::Byte, true), Decision::Hardware);
        assert_eq!(of(0xcfe, Width::Word, true), Decision::PciData);
        assert_eq!(of(0xcff, Width::Word, true), Decision::Nothing);
        assert_eq!(of(0xcfa, Width::Dword, true), Decision::Nothing);
        assert_eq!(of(0x70, Width::Byte, true), Decision::CmosIndex);
        assert_eq!(of(0x71, Width::Byte, true), Decision::CmosData);
        assert_eq!(of(0x6e, Width::Dword, true), Decision::Nothing);
        assert_eq!(of(0x61, Width::Byte, true), Decision::Vpit);
        assert_eq!(of(0xffff, Width::Byte, true), Decision::Hardware);
        assert_eq!(of(0xffff, Width::Word, true), Decision::Nothing);
    }

    #[test]
    fn a_guest_without_hardware() {
        assert_eq!(of(0x61, Width::Byte, false), Decision::Vpit);
        assert_eq!(of(0x43, Width::Byte, false), Decision::Vpit);
        assert_eq!(of(0xcfc, Width::Dword, false), Decision::Nothing);
        assert_eq!(of(0x71, Width::Byte, false), Decision::Nothing);
        assert_eq!(of(0x3f8, Width::Byte, false), Decision::Nothing);
    }

    #[test]
    fn latches_and_nothing() {
        let mut state = PortState::default();
        let address = Access { port: 0xcf8, width: Width::Dword };
        write(Decision::PciAddress, address, 0x0000_1234, &mut state, 0);
        assert_eq!(read(Decision::PciAddress, address, &mut state, 0), 0x1234);
        // Without the enable bit no configuration cycle is made.
        let data = Access { port: 0xcfc, width: Width::Word };
        assert_eq!(read(Decision::PciData, data, &mut state, 0), 0xffff);
        write(Decision::CmosIndex, Access { port: 0x70, width: Width::Byte }, 0x8f, &mut state, 0);
        assert_eq!(read(Decision::CmosIndex, Access { port: 0x70, width: Width::Byte }, &mut state, 0), 0x0f);
        assert_eq!(read(Decision::Nothing, Access { port: 0x20, width: Width::Byte }, &mut state, 0), 0xff);
    }
}
