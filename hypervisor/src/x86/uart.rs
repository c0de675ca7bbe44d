// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 16550 serial port: setup, polled output, and input by interrupt or polling.
#![forbid(unsafe_code)]

use super::instr;

const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
/// Written; read, it is the identification of interrupts.
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
const SCRATCH: u16 = 7;

const IER_RECEIVED: u8 = 1;
const FCR_ENABLE_CLEAR_TRIGGER14: u8 = 0xc7;
/// Both bits: the FIFOs are on, and work (those of the 16550 did not).
const IIR_FIFOS: u8 = 0xc0;
/// Bytes that a FIFO holds.
const FIFO_BYTES: u8 = 16;
const LCR_DIVISOR_LATCH: u8 = 0x80;
const MCR_DTR_RTS_OUT2: u8 = 0x0b;
const LSR_DATA_READY: u8 = 1;
const LSR_TRANSMIT_EMPTY: u8 = 0x20;
/// A transmitter that does not drain within this many polls is stuck (no clock, unplugged flow control); output is dropped then.
const TRANSMIT_POLLS: u32 = 200_000;

/// Parity of a serial frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Parity {
    /// No parity bit.
    None,
    /// Odd.
    Odd,
    /// Even.
    Even,
    /// Always one.
    Mark,
    /// Always zero.
    Space,
}

/// What `com1=` or `com2=` says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ComConfig {
    /// Bits per second; `None` keeps what the firmware set (`auto`).
    pub(crate) baud: Option<u32>,
    /// The chip's clock divided by 16.
    pub(crate) base_baud: u32,
    /// Data bits, 5 to 8.
    pub(crate) data_bits: u8,
    /// Parity.
    pub(crate) parity: Parity,
    /// Stop bits, 1 or 2.
    pub(crate) stop_bits: u8,
    /// First I/O port.
    pub(crate) io_base: u16,
    /// ISA interrupt line; 0 means polled.
    pub(crate) irq: u8,
}

impl ComConfig {
    /// The traditional settings of COM1 (`index` 0) and COM2 (`index` 1), at 115200 baud.
    pub(crate) const fn default_for(index: usize) -> Self {
        let (io_base, irq) = if index == 0 { (0x3f8, 4) } else { (0x2f8, 3) };
        Self { baud: Some(115_200), base_baud: 115_200, data_bits: 8, parity: Parity::None, stop_bits: 1, io_base, irq }
    }
}

/// The line-control byte for a frame format.
fn line_control(config: &ComConfig) -> u8 {
    let parity = match config.parity {
        Parity::None => 0,
        Parity::Odd => 0x08,
        Parity::Even => 0x18,
        Parity::Mark => 0x28,
        Parity::Space => 0x38,
    };
    (config.data_bits.clamp(5, 8) - 5) | u8::from(config.stop_bits == 2) << 2 | parity
}

/// A serial port in use. The owner (the console) holds it under its lock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uart {
    /// The first of eight I/O ports.
    base: u16,
    present: bool,
    /// Bytes that an empty transmitter takes.
    depth: u8,
}

impl Uart {
    /// Sets the port up: frame, speed, FIFOs on, interrupts off. A port that is not there is remembered as absent and ignored.
    pub(crate) fn from_config(config: &ComConfig) -> Self {
        let mut uart = Self { base: config.io_base, present: true, depth: 1 };
        uart.present = uart.probe();
        if uart.present {
            uart.configure(config);
        }
        uart
    }

    /// Whether a chip answered.
    pub(crate) const fn is_present(&self) -> bool {
        self.present
    }

    /// Sends text, waiting for room; a line feed is preceded by a carriage return. Gives up on a transmitter that never drains.
    pub(crate) fn put_str(&self, text: &[u8]) {
        if !self.present {
            return;
        }
        let mut room = 0;
        let mut put = |byte| {
            if room == 0 {
                if !self.wait_until_empty() {
                    return;
                }
                // Asked once for all that fit: reading a port is slow.
                room = self.depth;
            }
            room -= 1;
            self.write(DATA, byte);
        };
        for &byte in text {
            if byte == b'\n' {
                put(b'\r');
            }
            put(byte);
        }
    }

    fn wait_until_empty(&self) -> bool {
        (0..TRANSMIT_POLLS).any(|poll| {
            if poll != 0 {
                instr::pause();
            }
            self.read(LINE_STATUS) & LSR_TRANSMIT_EMPTY != 0
        })
    }

    /// Takes a received byte, if there is one. Call until `None` from the interrupt handler.
    pub(crate) fn get(&self) -> Option<u8> {
        (self.present && self.read(LINE_STATUS) & LSR_DATA_READY != 0).then(|| self.read(DATA))
    }

    /// Switches the receive interrupt on or off.
    pub(crate) fn set_receive_interrupt(&self, on: bool) {
        if self.present {
            self.write(INTERRUPT_ENABLE, if on { IER_RECEIVED } else { 0 });
        }
    }

    /// An absent port reads all ones everywhere; the scratch register of a real one keeps a value.
    fn probe(&self) -> bool {
        if self.read(LINE_STATUS) == 0xff {
            return false;
        }
        self.write(SCRATCH, 0x5a);
        self.read(SCRATCH) == 0x5a
    }

    fn configure(&mut self, config: &ComConfig) {
        self.write(INTERRUPT_ENABLE, 0);
        let control = line_control(config);
        if let Some(baud) = config.baud {
            let divisor = u16::try_from(config.base_baud / baud.max(1)).unwrap_or(u16::MAX).max(1);
            let [low, high] = divisor.to_le_bytes();
            self.write(LINE_CONTROL, control | LCR_DIVISOR_LATCH);
            self.write(DATA, low);
            self.write(INTERRUPT_ENABLE, high);
        }
        self.write(LINE_CONTROL, control);
        self.write(FIFO_CONTROL, FCR_ENABLE_CLEAR_TRIGGER14);
        self.depth = if self.read(FIFO_CONTROL) & IIR_FIFOS == IIR_FIFOS { FIFO_BYTES } else { 1 };
        self.write(MODEM_CONTROL, MCR_DTR_RTS_OUT2);
    }

    fn read(&self, register: u16) -> u8 {
        instr::inb(self.base.wrapping_add(register))
    }

    fn write(&self, register: u16, value: u8) {
        instr::outb(self.base.wrapping_add(register), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames() {
        let usual = ComConfig::default_for(0);
        assert_eq!(line_control(&usual), 3);
        let odd = ComConfig { data_bits: 7, parity: Parity::Even, stop_bits: 2, ..usual };
        assert_eq!(line_control(&odd), 2 | 4 | 0x18);
    }
}
