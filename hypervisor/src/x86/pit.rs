// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 8254 timer: channel 2 as a last-resort time reference, channel 0 silenced.
#![forbid(unsafe_code)]

use super::instr::{inb, outb, pause, rdtsc_ordered};

/// Input clock, hertz.
pub(crate) const HZ: u64 = 1_193_182;

const CHANNEL0: u16 = 0x40;
const CHANNEL2: u16 = 0x42;
const COMMAND: u16 = 0x43;
const SPEAKER: u16 = 0x61;

const GATE: u8 = 0x01;
const SPEAKER_ON: u8 = 0x02;
const OUTPUT: u8 = 0x20;

/// Stops channel 0: mode 0 with no count loaded raises no interrupts.
pub(crate) fn silence() {
    outb(COMMAND, 0x30);
    outb(CHANNEL0, 0);
}

/// TSC ticks that pass while channel 2 counts `pit_ticks` down. `None` when the counter never finishes (no PIT).
pub(crate) fn measure_tsc(pit_ticks: u16, max_polls: u32) -> Option<u64> {
    let old = inb(SPEAKER);
    outb(SPEAKER, (old & !(SPEAKER_ON | GATE)) | GATE);
    // Channel 2, both bytes, mode 0: the output rises when the count is over.
    outb(COMMAND, 0xb0);
    let [low, high] = pit_ticks.to_le_bytes();
    outb(CHANNEL2, low);
    outb(CHANNEL2, high);
    let start = rdtsc_ordered();
    let finished = (0..max_polls).any(|_| {
        pause();
        inb(SPEAKER) & OUTPUT != 0
    });
    let end = rdtsc_ordered();
    outb(SPEAKER, old & (SPEAKER_ON | GATE));
    finished.then(|| end.wrapping_sub(start))
}
