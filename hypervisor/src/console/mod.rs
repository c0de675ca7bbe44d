// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text out and in: serial ports, VGA, the console ring.
#![forbid(unsafe_code)]

pub(crate) mod log;
pub(crate) mod ring;
pub(crate) mod vga_text;

use core::fmt::{self, Write};

use alloc::vec::Vec;

use crate::sync::{Rank, SpinLock};
use crate::x86::uart::Uart;

/// Devices that show the hypervisor's text.
struct Outputs {
    serial: Option<Uart>,
    /// Everything printed, for those who read the console ring (XEN_SYSCTL_readconsole). Grows to `RING_BYTES`.
    ring: Vec<u8>,
    /// Bytes ever written to the ring.
    produced: u64,
    /// Input for the control domain.
    input: Vec<u8>,
}

/// Size of the ring.
const RING_BYTES: usize = 32 * 1024;

static OUTPUTS: SpinLock<Outputs> =
    SpinLock::new(Rank::Console, Outputs { serial: None, ring: Vec::new(), produced: 0, input: Vec::new() });

/// Uses a serial port from now on.
pub(crate) fn add_serial(uart: Uart) {
    OUTPUTS.lock().serial = Some(uart);
}

/// Has anybody a chance to see what is printed?
pub(crate) fn has_output() -> bool {
    OUTPUTS.lock().serial.is_some()
}

impl Outputs {
    fn put(&mut self, text: &[u8]) {
        if let Some(serial) = &self.serial {
            serial.put_str(text);
        }
        for &byte in text {
            let at = (self.produced % RING_BYTES as u64) as usize;
            match self.ring.get_mut(at) {
                Some(slot) => *slot = byte,
                None => self.ring.push(byte),
            }
            self.produced += 1;
        }
    }
}

impl Write for Outputs {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// Prints text as it is.
pub(crate) fn write(text: &[u8]) {
    OUTPUTS.lock().put(text);
}

/// Prints formatted text.
pub(crate) fn write_fmt(text: fmt::Arguments<'_>) {
    // `Outputs::write_str` cannot fail.
    let _ = OUTPUTS.lock().write_fmt(text);
}

/// Takes the serial port's input into the buffer for the control domain; `true` if there is any.
pub(crate) fn receive() -> bool {
    let mut outputs = OUTPUTS.lock();
    let Some(serial) = outputs.serial else { return false };
    while let Some(byte) = serial.get() {
        if outputs.input.len() < 4096 {
            outputs.input.push(byte);
        }
    }
    !outputs.input.is_empty()
}

/// Moves up to `buffer.len()` bytes of input to the control domain; returns how many.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    let mut outputs = OUTPUTS.lock();
    let count = buffer.len().min(outputs.input.len());
    for (slot, byte) in buffer.iter_mut().zip(outputs.input.drain(..count)) {
        *slot = byte;
    }
    count
}

/// Prints even if this CPU or another holds the console: the last words.
pub(crate) fn write_fmt_panic(text: fmt::Arguments<'_>) {
    for _ in 0..1_000_000 {
        if let Some(mut outputs) = OUTPUTS.try_lock() {
            let _ = outputs.write_fmt(text);
            return;
        }
        core::hint::spin_loop();
    }
    struct Raw(Uart);
    impl Write for Raw {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.put_str(text.as_bytes());
            Ok(())
        }
    }
    let uart = Uart::from_config(&crate::x86::uart::ComConfig::default_for(0));
    let _ = Raw(uart).write_fmt(text);
}

/// Lets the serial port interrupt when there is input.
pub(crate) fn open_input() {
    if let Some(serial) = &OUTPUTS.lock().serial {
        serial.set_receive_interrupt(true);
    }
}
