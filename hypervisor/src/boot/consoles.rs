// SPDX-License-Identifier: MIT OR Apache-2.0
//! Opens what `console=` names. If nothing of that is there, something else is opened and says so: a machine that boots in
//! silence cannot be repaired.
#![forbid(unsafe_code)]

use crate::boot::cmdline::{self, Options};
use crate::boot::modules::BootInfo;
use crate::boot::video;
use crate::console::screen::VgaScreen;
use crate::x86::uart::{ComConfig, Parity, Uart};
use crate::{config, console, ending};

/// Reads the command line and opens the consoles. Returns the serial port in use.
pub(crate) fn open(boot: &BootInfo) -> (Options, Option<ComConfig>) {
    let loader = boot.loader.as_deref();
    let (options, warnings) = cmdline::parse(cmdline::strip_image_path(&boot.cmdline, loader));
    ending::set_noreboot(options.noreboot);
    let wanted = [options.console.com1, options.console.com2];
    let configs = [0, 1].map(|index| config_of(&options, index));
    let mut serial = None;
    for (config, _) in configs.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        serial = serial.or_else(|| open_serial(config));
    }
    let screen = options.console.vga && open_screen(boot);
    let nothing = serial.is_none() && !screen && (wanted != [false; 2] || options.console.vga);
    let spare_screen = nothing && !options.console.vga && open_screen(boot);
    let [first, _] = &configs;
    if nothing && !wanted[0] {
        serial = open_serial(first);
    }
    console::log::set_thresholds(options.loglvl, options.guest_loglvl);
    console::input::configure(options.conswitch, options.conswitch_stay);
    console::keep_guest_text(options.console_to_ring);
    log::info!("Xenolith {} (Xen 4.17{})", env!("CARGO_PKG_VERSION"), config::EXTRA_VERSION);
    log::info!("Loader: {}", loader.unwrap_or("unknown"));
    log::info!("Command line: {}", boot.cmdline);
    for warning in &warnings {
        log::warn!("{warning}");
    }
    for (index, config) in configs.iter().enumerate().filter(|(index, _)| wanted[*index]) {
        let found = serial.as_ref().is_some_and(|used: &ComConfig| used.io_base == config.io_base);
        // A missing com1 beside a screen is what `console=` means by default on a machine without serial ports.
        if !found && (nothing || index > 0) {
            let instead = match (serial.is_some(), screen || spare_screen) {
                (true, _) => "the first serial port is used",
                (false, true) => "the screen is used",
                (false, false) => "there is no console",
            };
            console::line(format_args!(
                "console=com{}: no serial port answers at {:#x}, {instead}; correct console= or com{}=BAUD,8n1,IO-BASE",
                index + 1,
                config.io_base,
                index + 1
            ));
        }
    }
    (options, serial)
}

fn config_of(options: &Options, index: usize) -> ComConfig {
    let mut config = ComConfig::default_for(index);
    if let Some(com) = options.com.get(index).copied().flatten() {
        config.baud = com.baud;
        config.data_bits = com.data_bits;
        config.parity = match com.parity {
            b'o' => Parity::Odd,
            b'e' => Parity::Even,
            b'm' => Parity::Mark,
            b's' => Parity::Space,
            _ => Parity::None,
        };
        config.stop_bits = com.stop_bits;
        config.io_base = com.io_base.unwrap_or(config.io_base);
        config.irq = com.irq.unwrap_or(config.irq);
    }
    config
}

fn open_serial(config: &ComConfig) -> Option<ComConfig> {
    let port = Uart::from_config(config);
    port.is_present().then(|| {
        console::add_serial(port);
        *config
    })
}

fn open_screen(boot: &BootInfo) -> bool {
    let screen = video::text_mode(boot).and_then(|text| VgaScreen::open(text.address, text.columns, text.rows));
    screen.map(console::add_screen).is_some()
}
