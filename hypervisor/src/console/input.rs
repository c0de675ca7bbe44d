// SPDX-License-Identifier: MIT OR Apache-2.0
//! Serial input: to dom0, or to the hypervisor's debug keys; `conswitch=`'s character three times moves it from one to
//! the other.
#![forbid(unsafe_code)]

use crate::sync::{Rank, SpinLock};

/// Times that the switch character must come in a row.
const PRESSES: u8 = 3;
const BUFFER_BYTES: usize = 1024;
/// Bytes taken from the port at once.
const CHUNK: usize = 64;

/// Who gets what is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Focus {
    /// The debug keys.
    Hypervisor,
    /// The control domain.
    Dom0,
}

/// What a typed byte means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    /// Part of a switch sequence: swallowed for now.
    Held,
    /// The sequence is complete.
    Switched,
    /// So many held switch characters, then this byte.
    Text(u8, u8),
}

/// Recognizes the switch sequence.
#[derive(Debug)]
struct Switch {
    /// The control character; `None`: no switching.
    character: Option<u8>,
    held: u8,
    focus: Focus,
}

impl Switch {
    fn feed(&mut self, byte: u8) -> Typed {
        if self.character != Some(byte) {
            return Typed::Text(core::mem::take(&mut self.held), byte);
        }
        self.held += 1;
        if self.held < PRESSES {
            return Typed::Held;
        }
        self.held = 0;
        self.focus = match self.focus {
            Focus::Hypervisor => Focus::Dom0,
            Focus::Dom0 => Focus::Hypervisor,
        };
        Typed::Switched
    }
}

/// Bytes for dom0; what does not fit is lost, as with a full serial port.
#[derive(Debug)]
struct Buffer {
    bytes: [u8; BUFFER_BYTES],
    first: usize,
    len: usize,
}

impl Buffer {
    fn push(&mut self, byte: u8) {
        if self.len < BUFFER_BYTES {
            if let Some(slot) = self.bytes.get_mut((self.first + self.len) % BUFFER_BYTES) {
                *slot = byte;
            }
            self.len += 1;
        }
    }

    fn pop(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.first).copied().filter(|_| self.len > 0)?;
        self.first = (self.first + 1) % BUFFER_BYTES;
        self.len -= 1;
        Some(byte)
    }
}

struct Input {
    switch: Switch,
    /// dom0 gets input when it starts.
    dom0_at_start: bool,
    buffer: Buffer,
}

static INPUT: SpinLock<Input> = SpinLock::new(
    Rank::Console,
    Input {
        switch: Switch { character: Some(1), held: 0, focus: Focus::Hypervisor },
        dom0_at_start: true,
        buffer: Buffer { bytes: [0; BUFFER_BYTES], first: 0, len: 0 },
    },
);

/// Sets the switch character (a control character, `None` for no switching) and whether input stays with the hypervisor
/// when dom0 starts.
pub(crate) fn configure(character: Option<u8>, stay: bool) {
    let mut input = INPUT.lock();
    input.switch.character = character;
    input.dom0_at_start = !stay;
}

/// dom0 starts: gives it the input, if it shall have it. Returns who has it now.
pub(super) fn start_dom0() -> Focus {
    let mut input = INPUT.lock();
    // Without a way to switch, input that stayed here could never get there.
    if input.dom0_at_start || input.switch.character.is_none() {
        input.switch.focus = Focus::Dom0;
    }
    input.switch.focus
}

/// Says who has the input, and how to change that.
pub(super) fn announce(focus: Focus) {
    let who = match focus {
        Focus::Dom0 => "dom0",
        Focus::Hypervisor => "the hypervisor ('h' for help)",
    };
    let character = INPUT.lock().switch.character;
    match character {
        Some(character) => super::line(format_args!(
            "Serial input goes to {who}; CTRL-{} three times switches",
            char::from(character | 0x60)
        )),
        None => super::line(format_args!("Serial input goes to {who}")),
    }
}

/// Takes the serial port's input: gives debug keys to `run_key`, keeps dom0's. `true` if there is any for dom0 (to be told by
/// VIRQ_CONSOLE). Called without locks.
pub(crate) fn receive(run_key: fn(char)) -> bool {
    let mut chunk = [0; CHUNK];
    // Bounded, in case a broken port has data for ever.
    for _ in 0..BUFFER_BYTES / CHUNK {
        let count = super::take_serial(&mut chunk);
        for byte in chunk.iter().take(count) {
            typed(*byte, run_key);
        }
        if count < CHUNK {
            break;
        }
    }
    INPUT.lock().buffer.len > 0
}

fn typed(byte: u8, run_key: fn(char)) {
    let (typed, focus, character) = {
        let mut input = INPUT.lock();
        let typed = input.switch.feed(byte);
        (typed, input.switch.focus, input.switch.character)
    };
    match typed {
        Typed::Held => {}
        Typed::Switched => announce(focus),
        Typed::Text(held, byte) => {
            let held = core::iter::repeat_n(character.unwrap_or(0), held.into());
            for byte in held.chain([byte]) {
                match focus {
                    Focus::Dom0 => INPUT.lock().buffer.push(byte),
                    Focus::Hypervisor => run_key(char::from(byte)),
                }
            }
        }
    }
}

/// Moves up to `buffer.len()` bytes of input to the control domain; returns how many.
pub(crate) fn read(buffer: &mut [u8]) -> usize {
    let mut input = INPUT.lock();
    let mut count = 0;
    for slot in buffer {
        let Some(byte) = input.buffer.pop() else { break };
        *slot = byte;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn three_presses_switch() {
        let mut switch = Switch { character: Some(1), held: 0, focus: Focus::Dom0 };
        let typed: Vec<Typed> = b"a\x01\x01b\x01\x01\x01c".iter().map(|byte| switch.feed(*byte)).collect();
        let held = Typed::Held;
        assert_eq!(
            typed,
            [Typed::Text(0, b'a'), held, held, Typed::Text(2, b'b'), held, held, Typed::Switched, Typed::Text(0, b'c')]
        );
        assert_eq!(switch.focus, Focus::Hypervisor);
        switch.character = None;
        assert_eq!(switch.feed(1), Typed::Text(0, 1));
    }

    #[test]
    fn the_buffer_is_a_queue() {
        let mut buffer = Buffer { bytes: [0; BUFFER_BYTES], first: 0, len: 0 };
        for round in 0..3000_u32 {
            buffer.push(round as u8);
            buffer.push(!(round as u8));
            assert_eq!(buffer.pop(), Some(round as u8));
            assert_eq!(buffer.pop(), Some(!(round as u8)));
        }
        assert_eq!(buffer.pop(), None);
        (0..2000_u32).for_each(|number| buffer.push(number as u8));
        assert_eq!(core::iter::from_fn(|| buffer.pop()).count(), BUFFER_BYTES);
    }
}
