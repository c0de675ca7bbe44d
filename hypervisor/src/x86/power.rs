// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ways a machine ends: ACPI sleep and reset.
// UNSAFETY: the last resort loads an empty IDT on purpose.
#![expect(unsafe_code, reason = "triple fault")]

use super::{
    instr::{self, TablePointer, inb, inw, outb, outl, outw, pause},
    mmio::Mmio,
};

const SLEEP_TYPE: u16 = 7 << 10;
const SLEEP_ENABLE: u16 = 1 << 13;
const KEYBOARD_COMMAND: u16 = 0x64;
const KEYBOARD_BUSY: u8 = 2;
const KEYBOARD_RESET: u8 = 0xfe;
const RESET_CONTROL: u16 = 0xcf9;

/// How a machine is reset, in the order of attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ResetRegister {
    /// An I/O port.
    Port {
        /// The port.
        port: u16,
        /// What to write.
        value: u8,
    },
    /// A device register.
    Memory {
        /// One byte.
        register: Mmio,
        /// What to write.
        value: u8,
    },
    /// A register in PCI configuration space of bus 0.
    PciConfig {
        /// Device number.
        device: u8,
        /// Function number.
        function: u8,
        /// Offset.
        offset: u8,
        /// What to write.
        value: u8,
    },
}

/// The PM1 control registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Pm1Control {
    /// PM1a control port.
    pub(crate) a: u16,
    /// PM1b control port, if there is one.
    pub(crate) b: Option<u16>,
}

/// Enters a sleep state with the values the control domain computed from AML (`XENPF_enter_acpi_sleep`). Returns if the machine
/// did not go to sleep within a while.
pub(crate) fn enter_sleep(control: Pm1Control, value_a: u16, value_b: u16) {
    let write = |enable: bool| {
        let word = |port: u16, value: u16| sleep_word(inw(port), value, enable);
        outw(control.a, word(control.a, value_a));
        if let Some(b) = control.b {
            outw(b, word(b, value_b));
        }
    };
    instr::wbinvd();
    // Type first, then the same with the enable bit: some chipsets sample the type on the second write only.
    write(false);
    write(true);
    for _ in 0..10_000_000 {
        pause();
    }
}

/// The PM1 control word: the register's other bits stay, the sleep type is the asked one.
const fn sleep_word(old: u16, value: u16, enable: bool) -> u16 {
    let word = (old & !(SLEEP_TYPE | SLEEP_ENABLE)) | (value & SLEEP_TYPE);
    if enable { word | SLEEP_ENABLE } else { word }
}

/// Resets the machine by every known way until one works.
pub(crate) fn reset(register: Option<ResetRegister>) -> ! {
    match register {
        Some(ResetRegister::Port { port, value }) => outb(port, value),
        Some(ResetRegister::Memory { register, value }) => register.write8(0, value),
        Some(ResetRegister::PciConfig { device, function, offset, value }) => {
            let address = u32::from(device & 31) << 11 | u32::from(function & 7) << 8 | u32::from(offset & !3);
            outl(0xcf8, 0x8000_0000 | address);
            outb(0xcfc + u16::from(offset & 3), value);
        }
        None => {}
    }
    delay();
    for _ in 0..10 {
        if inb(KEYBOARD_COMMAND) & KEYBOARD_BUSY == 0 {
            break;
        }
        delay();
    }
    outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
    delay();
    outb(RESET_CONTROL, 0x02);
    outb(RESET_CONTROL, 0x06);
    delay();
    triple_fault()
}

/// A pause of some milliseconds that needs no clock.
fn delay() {
    for _ in 0..20_000 {
        // Port 0x80 takes no data anybody needs, and about a microsecond.
        outb(0x80, 0);
    }
}

fn triple_fault() -> ! {
    let empty = TablePointer { limit: 0, base: 0 };
    // SAFETY: not safe for this CPU's future, which is the point: the next exception resets the machine.
    unsafe { instr::lidt(&empty) };
    loop {
        // SAFETY: with an empty IDT this shuts the CPU down, which chipsets turn into a reset.
        unsafe { core::arch::asm!("int3") };
        pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_words_keep_the_rest() {
        assert_eq!(sleep_word(0x0001, 0x3400, false), 0x1401);
        assert_eq!(sleep_word(0x1c01, 0x0000, true), 0x2001);
    }
}
