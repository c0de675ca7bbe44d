// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text out and in: serial ports, the VGA text screen until dom0 takes it, the console ring.
#![forbid(unsafe_code)]

pub(crate) mod input;
pub(crate) mod log;
pub(crate) mod ring;
pub(crate) mod screen;
pub(crate) mod vga_text;

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::console::ring::ConsoleRing;
use crate::console::screen::VgaScreen;
use crate::sync::{Rank, SpinLock};
use crate::x86::uart::{ComConfig, Uart};

pub(crate) use input::{read, receive};

/// Devices that show text, and the memory of what was shown.
struct Outputs {
    serial: Option<Uart>,
    /// The screen, until dom0 has it.
    screen: Option<VgaScreen>,
    ring: ConsoleRing,
}

static OUTPUTS: SpinLock<Outputs> =
    SpinLock::new(Rank::Console, Outputs { serial: None, screen: None, ring: ConsoleRing::new() });

/// `console_to_ring`: the ring keeps dom0's text too.
static GUEST_TO_RING: AtomicBool = AtomicBool::new(false);

/// The ring has got text since somebody asked.
static RING_NEWS: AtomicBool = AtomicBool::new(false);

/// Starts the ring and the `log` macros; nothing is shown yet. Needs the heap.
pub(crate) fn init() {
    resize_ring(ring::DEFAULT_BYTES);
    log::init();
}

/// Whether the ring keeps dom0's text too (`console_to_ring`).
pub(crate) fn keep_guest_text(keep: bool) {
    GUEST_TO_RING.store(keep, Ordering::Relaxed);
}

/// Uses a serial port from now on.
pub(crate) fn add_serial(uart: Uart) {
    OUTPUTS.lock().serial = Some(uart);
}

/// Shows text on a screen from now on, until [`hand_over`].
pub(crate) fn add_screen(screen: VgaScreen) {
    OUTPUTS.lock().screen = Some(screen);
}

/// Has anybody a chance to see what is printed?
pub(crate) fn has_output() -> bool {
    let outputs = OUTPUTS.lock();
    outputs.serial.is_some() || outputs.screen.is_some()
}

/// Where the next character goes on the screen, if we draw on one: row and column.
pub(crate) fn cursor() -> Option<(usize, usize)> {
    OUTPUTS.lock().screen.as_ref().map(VgaScreen::cursor)
}

/// Changes the size of the ring, at boot. The old text stays.
pub(crate) fn resize_ring(bytes: usize) {
    // Outside the lock, because this allocates.
    let mut ring = core::mem::replace(&mut OUTPUTS.lock().ring, ConsoleRing::new());
    ring.resize(bytes);
    OUTPUTS.lock().ring = ring;
}

/// dom0 is about to run: the screen is its own, and so is input unless `conswitch=` says otherwise.
pub(crate) fn hand_over() {
    input::announce(input::start_dom0());
    let drawing = OUTPUTS.lock().screen.is_some();
    if drawing {
        line(format_args!("The screen is dom0's from now on"));
        let screen = OUTPUTS.lock().screen.take();
        // Freed outside the lock.
        drop(screen);
    }
}

/// Copies text out of the console ring; see [`ConsoleRing::read`].
pub(crate) fn read_ring(from: Option<u32>, out: &mut [u8]) -> (usize, u32) {
    OUTPUTS.lock().ring.read(from, out)
}

/// Has the ring got text since the last [`take_ring_news`]?
#[inline(always)]
pub(crate) fn has_ring_news() -> bool {
    RING_NEWS.load(Ordering::Relaxed)
}

/// Has the ring got text since the last call?
pub(crate) fn take_ring_news() -> bool {
    has_ring_news() && RING_NEWS.swap(false, Ordering::AcqRel)
}

/// Forgets ring text before a position; see [`ConsoleRing::clear`].
pub(crate) fn clear_ring(before: u32) {
    OUTPUTS.lock().ring.clear(before);
}

impl Outputs {
    fn show(&mut self, text: &[u8]) {
        if let Some(serial) = &self.serial {
            serial.put_str(text);
        }
        if let Some(screen) = &mut self.screen {
            screen.write(text);
        }
    }

    fn keep(&mut self, text: &[u8]) {
        self.ring.push(text);
        RING_NEWS.store(true, Ordering::Release);
    }
}

/// Gathers what formatting hands over in pieces, often of a single character: devices and ring cost more by the piece than by the byte.
struct Gathered<'a> {
    to: &'a mut Outputs,
    bytes: [u8; 128],
    len: usize,
}

impl<'a> Gathered<'a> {
    fn new(to: &'a mut Outputs) -> Self {
        Self { to, bytes: [0; 128], len: 0 }
    }

    fn flush(&mut self) {
        let text = self.bytes.get(..self.len).unwrap_or_default();
        self.to.show(text);
        self.to.keep(text);
        self.len = 0;
    }
}

impl Write for Gathered<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            if self.len == self.bytes.len() {
                self.flush();
            }
            let room = self.bytes.get_mut(self.len..).unwrap_or_default();
            let (now, later) = rest.split_at(rest.len().min(room.len()));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.len += now.len();
            rest = later;
        }
        Ok(())
    }
}

impl Drop for Gathered<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Prints a guest's text as it is. Whoever reads the ring wants the hypervisor's words, so these are not in it unless
/// `console_to_ring` says so.
pub(crate) fn write(text: &[u8]) {
    let mut outputs = OUTPUTS.lock();
    outputs.show(text);
    if GUEST_TO_RING.load(Ordering::Relaxed) {
        outputs.keep(text);
    }
}

/// Prints formatted text.
pub(crate) fn write_fmt(text: fmt::Arguments<'_>) {
    // `Gathered::write_str` cannot fail.
    let _ = Gathered::new(&mut OUTPUTS.lock()).write_fmt(text);
}

/// Prints a line of the hypervisor's, whatever the log levels: what somebody asked for, or last words.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    write_fmt(format_args!("(XEN) {text}\n"));
}

/// Prints even if this CPU or another holds the console: the last words.
pub(crate) fn write_fmt_panic(text: fmt::Arguments<'_>) {
    for _ in 0..1_000_000 {
        if let Some(mut outputs) = OUTPUTS.try_lock() {
            let _ = Gathered::new(&mut outputs).write_fmt(text);
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
    // Which port it was stands behind the lock; the first one is the best guess.
    let uart = Uart::from_config(&ComConfig::default_for(0));
    let _ = Raw(uart).write_fmt(text);
}

/// Takes received bytes from the serial port; how many.
fn take_serial(buffer: &mut [u8]) -> usize {
    let outputs = OUTPUTS.lock();
    let Some(serial) = &outputs.serial else { return 0 };
    let mut count = 0;
    for slot in buffer {
        let Some(byte) = serial.get() else { break };
        *slot = byte;
        count += 1;
    }
    count
}

/// Lets the serial port interrupt when there is input.
pub(crate) fn open_input() {
    if let Some(serial) = &OUTPUTS.lock().serial {
        serial.set_receive_interrupt(true);
    }
}
