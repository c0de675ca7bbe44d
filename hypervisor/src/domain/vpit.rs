// SPDX-License-Identifier: MIT OR Apache-2.0
//! Each domain's own PIT channel 2 and speaker port: old kernels measure time with them, and nobody may have the real ones.
//!
//! The counter is computed from system time when it is looked at. Modes 1 and 5 behave as 0 and 4 do: nothing uses them here.
#![forbid(unsafe_code)]

/// Input clock of the chip, hertz.
const HZ: u128 = 1_193_182;
const NS_PER_SECOND: u128 = 1_000_000_000;

/// Data port of channel 2.
pub(crate) const CHANNEL2: u16 = 0x42;
/// Command port.
pub(crate) const COMMAND: u16 = 0x43;
/// Gate, speaker and output bits.
pub(crate) const SPEAKER: u16 = 0x61;

const GATE: u8 = 0x01;
const SPEAKER_ON: u8 = 0x02;
const REFRESH: u8 = 0x10;
const OUTPUT: u8 = 0x20;

/// Which bytes of the counter a data access means.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Bytes {
    Low,
    High,
    #[default]
    Both,
}

/// Channel 2 and port 0x61 of one domain.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vpit {
    mode: u8,
    bytes: Bytes,
    /// Start value, 1 to 65536; `None` between a command and its count.
    count: Option<u32>,
    /// Ticks counted before `running_since`.
    counted: u64,
    /// System time since when it counts; `None` while the gate is closed or no count is loaded.
    running_since: Option<u64>,
    gate: bool,
    speaker: bool,
    /// Low byte of a 16-bit write that waits for its high byte.
    pending_low: Option<u8>,
    /// The next read of a 16-bit pair gives the high byte.
    high_is_next: bool,
    latched: Option<u16>,
    latched_status: Option<u8>,
}

impl Vpit {
    /// Reads one of the three ports at a system time; the command port reads as nothing.
    pub(crate) fn read(&mut self, port: u16, now_ns: u64) -> u8 {
        match port {
            CHANNEL2 => self.read_counter(now_ns),
            SPEAKER => self.read_speaker(now_ns),
            _ => 0xff,
        }
    }

    /// Writes one of the three ports at a system time.
    pub(crate) fn write(&mut self, port: u16, value: u8, now_ns: u64) {
        match port {
            CHANNEL2 => self.write_counter(value, now_ns),
            COMMAND => self.command(value, now_ns),
            SPEAKER => self.write_speaker(value, now_ns),
            _ => {}
        }
    }

    fn read_speaker(&self, now_ns: u64) -> u8 {
        // The refresh bit of the AT toggles every 15 us; some firmware code waits on it.
        let refresh = if (now_ns / 15_000) & 1 != 0 { REFRESH } else { 0 };
        let output = if self.output(now_ns) { OUTPUT } else { 0 };
        u8::from(self.gate) | u8::from(self.speaker) << 1 | refresh | output
    }

    fn write_speaker(&mut self, value: u8, now_ns: u64) {
        self.speaker = value & SPEAKER_ON != 0;
        let gate = value & GATE != 0;
        if gate == self.gate {
            return;
        }
        self.counted = self.elapsed(now_ns);
        self.gate = gate;
        // A rising gate restarts modes 1, 2, 3 and 5; modes 0 and 4 go on counting.
        if gate && !matches!(self.mode, 0 | 4) {
            self.counted = 0;
        }
        self.running_since = (gate && self.count.is_some()).then_some(now_ns);
    }

    fn command(&mut self, value: u8, now_ns: u64) {
        match value >> 6 {
            2 => {}
            // Read-back: bit 3 selects channel 2; clear bits 5 and 4 latch count and status.
            3 if value & 1 << 3 != 0 => {
                if value & 1 << 5 == 0 {
                    self.latch(now_ns);
                }
                if value & 1 << 4 == 0 {
                    self.latched_status.get_or_insert(self.status(now_ns));
                }
                return;
            }
            _ => return,
        }
        self.bytes = match value >> 4 & 3 {
            0 => return self.latch(now_ns),
            1 => Bytes::Low,
            2 => Bytes::High,
            _ => Bytes::Both,
        };
        self.mode = match value >> 1 & 7 {
            mode @ 0..=5 => mode,
            // Bit 2 does not count in modes 2 and 3.
            mode => mode & 3,
        };
        *self = Self { mode: self.mode, bytes: self.bytes, gate: self.gate, speaker: self.speaker, ..Self::default() };
    }

    fn write_counter(&mut self, value: u8, now_ns: u64) {
        let count = match (self.bytes, self.pending_low.take()) {
            (Bytes::Low, _) => u16::from(value),
            (Bytes::High, _) => u16::from(value) << 8,
            (Bytes::Both, Some(low)) => u16::from_le_bytes([low, value]),
            (Bytes::Both, None) => {
                self.pending_low = Some(value);
                return;
            }
        };
        // Zero is the longest count.
        self.count = Some(if count == 0 { 0x1_0000 } else { u32::from(count) });
        self.counted = 0;
        self.running_since = self.gate.then_some(now_ns);
    }

    fn read_counter(&mut self, now_ns: u64) -> u8 {
        if let Some(status) = self.latched_status.take() {
            return status;
        }
        let [low, high] = self.latched.unwrap_or_else(|| self.value(now_ns)).to_le_bytes();
        let (byte, last) = match (self.bytes, self.high_is_next) {
            (Bytes::Low, _) => (low, true),
            (Bytes::High, _) => (high, true),
            (Bytes::Both, false) => (low, false),
            (Bytes::Both, true) => (high, true),
        };
        self.high_is_next = !last;
        if last {
            self.latched = None;
        }
        byte
    }

    fn latch(&mut self, now_ns: u64) {
        self.latched.get_or_insert(self.value(now_ns));
    }

    fn status(&self, now_ns: u64) -> u8 {
        let bytes = match self.bytes {
            Bytes::Low => 1,
            Bytes::High => 2,
            Bytes::Both => 3,
        };
        u8::from(self.output(now_ns)) << 7 | u8::from(self.count.is_none()) << 6 | bytes << 4 | self.mode << 1
    }

    /// Ticks counted since the count was loaded.
    fn elapsed(&self, now_ns: u64) -> u64 {
        let running =
            self.running_since.map_or(0, |since| u128::from(now_ns.saturating_sub(since)) * HZ / NS_PER_SECOND);
        self.counted.saturating_add(u64::try_from(running).unwrap_or(u64::MAX))
    }

    fn value(&self, now_ns: u64) -> u16 {
        let Some(count) = self.count.map(u64::from) else { return 0 };
        let elapsed = self.elapsed(now_ns);
        let value = match self.mode {
            2 => count - elapsed % count,
            3 => (count - elapsed.wrapping_mul(2) % count) & !1,
            // One-shot counters go on below zero.
            _ => count.wrapping_sub(elapsed),
        };
        (value & 0xffff) as u16
    }

    fn output(&self, now_ns: u64) -> bool {
        // Mode 0 starts low, all others idle high.
        let Some(count) = self.count.map(u64::from) else { return self.mode != 0 };
        let elapsed = self.elapsed(now_ns);
        match self.mode {
            0 | 1 => elapsed >= count,
            2 => elapsed % count != count - 1,
            3 => elapsed % count < count.div_ceil(2),
            _ => elapsed != count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Linux does to measure its TSC: gate on, mode 0, a count, and wait for the output.
    #[test]
    fn a_calibration_ends_on_time() {
        let mut pit = Vpit::default();
        let old = pit.read(SPEAKER, 0);
        pit.write(SPEAKER, (old & !SPEAKER_ON) | GATE, 0);
        pit.write(COMMAND, 0xb0, 1000);
        assert_eq!(pit.read(SPEAKER, 2000) & OUTPUT, 0);
        let count = u16::try_from(HZ / 100).unwrap().to_le_bytes();
        pit.write(CHANNEL2, count[0], 2000);
        pit.write(CHANNEL2, count[1], 5000);
        assert_eq!(pit.read(SPEAKER, 9_990_000) & OUTPUT, 0);
        assert_eq!(pit.read(SPEAKER, 10_010_000) & OUTPUT, OUTPUT);
    }

    #[test]
    fn the_counter_reads_low_then_high() {
        let mut pit = Vpit::default();
        pit.write(SPEAKER, GATE, 0);
        pit.write(COMMAND, 0xb0, 0);
        pit.write(CHANNEL2, 0xff, 0);
        pit.write(CHANNEL2, 0xff, 0);
        // 256 ticks later.
        let now = 214_553;
        assert_eq!((pit.read(CHANNEL2, now), pit.read(CHANNEL2, now)), (0xff, 0xfe));
        pit.write(COMMAND, 0x80, now);
        assert_eq!((pit.read(CHANNEL2, now * 9), pit.read(CHANNEL2, now * 9)), (0xff, 0xfe));
    }

    #[test]
    fn a_closed_gate_stops_time() {
        let mut pit = Vpit::default();
        pit.write(COMMAND, 0xb0, 0);
        pit.write(CHANNEL2, 0, 0);
        pit.write(CHANNEL2, 1, 0);
        assert_eq!(pit.read(SPEAKER, 1_000_000_000) & OUTPUT, 0);
        pit.write(SPEAKER, GATE, 1_000_000_000);
        pit.write(SPEAKER, 0, 1_000_100_000);
        assert_eq!(pit.read(SPEAKER, 9_000_000_000) & OUTPUT, 0);
        pit.write(SPEAKER, GATE, 9_000_000_000);
        assert_eq!(pit.read(SPEAKER, 9_000_200_000) & OUTPUT, OUTPUT);
    }

    #[test]
    fn a_square_wave_toggles_and_status_reads_back() {
        let mut pit = Vpit::default();
        pit.write(SPEAKER, GATE, 0);
        pit.write(COMMAND, 0xb6, 0);
        pit.write(COMMAND, 0xe8, 0);
        assert_eq!(pit.read(CHANNEL2, 0), 0x80 | 0x40 | 0x30 | 3 << 1);
        pit.write(CHANNEL2, 0xe8, 0);
        pit.write(CHANNEL2, 0x03, 0);
        let half = 1000 * 1_000_000_000 / 1_193_182 / 2;
        assert_eq!(pit.read(SPEAKER, half / 2) & OUTPUT, OUTPUT);
        assert_eq!(pit.read(SPEAKER, half + half / 2) & OUTPUT, 0);
        assert_eq!(pit.read(SPEAKER, 2 * half + half / 2) & OUTPUT, OUTPUT);
    }

    #[test]
    fn nothing_a_guest_writes_breaks_it() {
        let mut pit = Vpit::default();
        for command in 0..=255 {
            for value in [0, 1, 0x80, 0xff] {
                pit.write(COMMAND, command, u64::from(command) * 1_000_000);
                pit.write(CHANNEL2, value, u64::MAX / 2);
                pit.write(SPEAKER, value, 5);
                pit.read(CHANNEL2, u64::MAX);
                pit.read(SPEAKER, u64::MAX);
            }
        }
    }
}
