// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hypervisor's command line: Xen's option names and value forms, as values.
//!
//! Nothing here fails: an unknown option or a malformed value becomes a [`Warning`] that names it, and the option keeps
//! its default. Sizes take the suffixes B, K, M, G and T and mean KiB without one, as in Xen. In option names `-` and `_`
//! are the same. What follows a lone `--` belongs to dom0's kernel.
#![forbid(unsafe_code)]

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::dom0_mem::Dom0Mem;
use crate::console::log::{Level, Thresholds};

/// Everything the command line can choose. [`Options::default`] is what an empty command line means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// `dom0_mem=`: how much memory dom0 gets.
    pub(crate) dom0_mem: Dom0Mem,
    /// `dom0_max_vcpus=`: the least and the most vCPUs of dom0.
    pub(crate) dom0_max_vcpus: VcpuRange,
    /// `dom0_vcpus_pin`: vCPU n of dom0 runs on CPU n only.
    pub(crate) dom0_vcpus_pin: bool,
    /// `com1=` and `com2=`; `None` if not given, which means the firmware's settings at the standard port.
    pub(crate) com: [Option<ComPort>; 2],
    /// `console=`: where output goes.
    pub(crate) console: Consoles,
    /// `conswitch=`: the control character that moves serial input to dom0 and back; `None` turns switching off.
    pub(crate) conswitch: Option<u8>,
    /// `conswitch=` ended in `x`: input is not handed to dom0 when it starts.
    pub(crate) conswitch_stay: bool,
    /// `loglvl=`: thresholds for our own messages.
    pub(crate) loglvl: Thresholds,
    /// `guest_loglvl=`: thresholds for messages about or from guests.
    pub(crate) guest_loglvl: Thresholds,
    /// `noreboot`: halt where we would reboot.
    pub(crate) noreboot: bool,
    /// `maxcpus=`: how many CPUs to bring up at most.
    pub(crate) maxcpus: Option<u32>,
    /// `nosmp`: only the boot CPU.
    pub(crate) nosmp: bool,
    /// `sync_console`: never drop output, wait for the UART.
    pub(crate) sync_console: bool,
    /// `conring_size=`: bytes of the console ring, a power of two; `None` for the default.
    pub(crate) conring_size: Option<u64>,
    /// `console_to_ring`: guests' console output goes to the console ring too.
    pub(crate) console_to_ring: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dom0_mem: Dom0Mem::default(),
            dom0_max_vcpus: VcpuRange { min: 1, max: u32::MAX },
            dom0_vcpus_pin: false,
            com: [None; 2],
            console: Consoles { com1: true, com2: false, vga: true },
            conswitch: Some(b'a' & 0x1f),
            conswitch_stay: false,
            loglvl: Thresholds { always: Level::Warning, limited: Level::Warning },
            guest_loglvl: Thresholds { always: Level::None, limited: Level::Warning },
            noreboot: false,
            maxcpus: None,
            nosmp: false,
            sync_console: false,
            conring_size: None,
            console_to_ring: false,
        }
    }
}

/// How many vCPUs dom0 may have, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VcpuRange {
    /// At least this many, even on fewer CPUs.
    pub(crate) min: u32,
    /// At most this many.
    pub(crate) max: u32,
}

impl VcpuRange {
    /// The number of vCPUs on a machine with `cpus` CPUs.
    pub(crate) fn vcpus(self, cpus: u32) -> u32 {
        cpus.clamp(self.min, self.max)
    }
}

/// A serial port's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ComPort {
    /// Bits per second; `None` (`auto`) keeps what the firmware set.
    pub(crate) baud: Option<u32>,
    /// Data bits, 5 to 8.
    pub(crate) data_bits: u8,
    /// Parity: `n`, `o`, `e`, `m` or `s`.
    pub(crate) parity: u8,
    /// Stop bits, 1 or 2.
    pub(crate) stop_bits: u8,
    /// The first I/O port; `None` for the standard one.
    pub(crate) io_base: Option<u16>,
    /// The interrupt line; `None` for the standard one, 0 for polling.
    pub(crate) irq: Option<u8>,
}

/// A set of consoles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Consoles {
    /// The first serial port.
    pub(crate) com1: bool,
    /// The second serial port.
    pub(crate) com2: bool,
    /// The screen: VGA text or the boot framebuffer.
    pub(crate) vga: bool,
}

/// Something on the command line that was not obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Warning {
    /// There is no such option; it is ignored.
    Unknown(String),
    /// The option keeps its default: its value does not have the form given in `expected`.
    Malformed {
        /// The whole word.
        word: String,
        /// The form that would have been understood.
        expected: &'static str,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(word) => write!(f, "unknown command-line option \"{word}\" ignored"),
            Self::Malformed { word, expected } => {
                write!(f, "command-line option \"{word}\" ignored: expected {expected}")
            }
        }
    }
}

/// Options of Xen's that stock GRUB scripts and habits put on the command line, and that change nothing here.
const HARMLESS: [&str; 9] = [
    // GRUB's 20_linux_xen writes this word because old Xens took the first word for the image's path.
    "placeholder",
    "console_timestamps",
    "crashkernel",
    "cpufreq",
    "iommu",
    "ucode",
    "vga",
    "watchdog",
    "smt",
];

/// Removes the image's path, which every loader but GRUB 2 puts in front of the options (QEMU's `-kernel` does).
pub(crate) fn strip_image_path<'a>(cmdline: &'a str, loader: Option<&str>) -> &'a str {
    let cmdline = cmdline.trim_ascii();
    let is_grub2 = loader.is_some_and(|name| name.strip_prefix("GRUB ").is_some_and(|v| !v.starts_with('0')));
    // GRUB 2's multiboot commands never give the path, but a chain of loaders might; options never contain a slash
    // before their `=`.
    let first = cmdline.split_ascii_whitespace().next().unwrap_or("");
    let looks_like_path = first.split('=').next().is_some_and(|name| name.contains('/'));
    if is_grub2 && !looks_like_path { cmdline } else { cmdline.get(first.len()..).unwrap_or("").trim_ascii_start() }
}

/// Splits off what follows a lone `--`: words for dom0's kernel.
pub(crate) fn split_dom0(cmdline: &str) -> (&str, Option<&str>) {
    let mut from = 0;
    while let Some(at) = cmdline.get(from..).and_then(|rest| rest.find("--")) {
        let (start, end) = (from + at, from + at + 2);
        let head = cmdline.get(..start).unwrap_or("");
        let tail = cmdline.get(end..).unwrap_or("");
        if (head.is_empty() || head.ends_with(' ')) && (tail.is_empty() || tail.starts_with(' ')) {
            return (head, Some(tail.trim_ascii()));
        }
        from = end;
    }
    (cmdline, None)
}

/// Parses a command line without image path. A later option overrides an earlier one of the same name.
pub(crate) fn parse(cmdline: &str) -> (Options, Vec<Warning>) {
    let mut options = Options::default();
    let mut warnings = Vec::new();
    for word in split_dom0(cmdline).0.split_ascii_whitespace() {
        let outcome = match word.split_once('=') {
            Some((name, value)) => options.set_value(name, value),
            None => options.set_flag(word),
        };
        match outcome {
            Ok(()) => {}
            Err(Refusal::Unknown) => warnings.push(Warning::Unknown(word.into())),
            Err(Refusal::Expected(expected)) => warnings.push(Warning::Malformed { word: word.into(), expected }),
        }
    }
    (options, warnings)
}

enum Refusal {
    Unknown,
    Expected(&'static str),
}

impl Options {
    fn flag(&mut self, name: &str) -> Option<&mut bool> {
        Some(match () {
            () if same(name, "noreboot") => &mut self.noreboot,
            () if same(name, "nosmp") => &mut self.nosmp,
            () if same(name, "dom0_vcpus_pin") => &mut self.dom0_vcpus_pin,
            () if same(name, "sync_console") => &mut self.sync_console,
            () if same(name, "console_to_ring") => &mut self.console_to_ring,
            () => return None,
        })
    }

    fn set_flag(&mut self, word: &str) -> Result<(), Refusal> {
        if let Some(flag) = self.flag(word) {
            *flag = true;
            return Ok(());
        }
        if let Some(name) = word.strip_prefix("no-") {
            if let Some(flag) = self.flag(name) {
                *flag = false;
                return Ok(());
            }
            if HARMLESS.iter().any(|harmless| same(name, harmless)) {
                return Ok(());
            }
        }
        if HARMLESS.iter().any(|harmless| same(word, harmless)) {
            return Ok(());
        }
        // A valued option without a value is a mistake worth more than "unknown".
        match self.set_value(word, "") {
            Err(Refusal::Unknown) => Err(Refusal::Unknown),
            Err(refusal) => Err(refusal),
            Ok(()) => Err(Refusal::Expected("a value after \"=\"")),
        }
    }

    fn set_value(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if let Some(flag) = self.flag(name) {
            *flag = parse_bool(value).ok_or(Refusal::Expected("on or off"))?;
        } else if same(name, "dom0_mem") {
            self.dom0_mem = Dom0Mem::parse(value).ok_or(Refusal::Expected(
                "a list of [min:|max:]AMOUNT, AMOUNT being a size like 512M, -128M, 25% or 256M+10%",
            ))?;
        } else if same(name, "dom0_max_vcpus") {
            self.dom0_max_vcpus =
                parse_vcpus(value).ok_or(Refusal::Expected("N, MIN-MAX, MIN- or -MAX with 1 <= MIN <= MAX"))?;
        } else if same(name, "com1") || same(name, "com2") {
            let port = parse_com(value)
                .ok_or(Refusal::Expected("BAUD|auto[,DPS[,IO-BASE[,IRQ]]] like 115200,8n1 or auto,8n1,0x3f8,4"))?;
            self.com[usize::from(same(name, "com2"))] = Some(port);
        } else if same(name, "console") {
            self.console = parse_consoles(value).ok_or(Refusal::Expected("a list of com1, com2, vga, none"))?;
        } else if same(name, "conswitch") {
            self.set_conswitch(value).ok_or(Refusal::Expected("a letter, then perhaps x; or 0 for no switching"))?;
        } else if same(name, "loglvl") {
            self.loglvl = Thresholds::parse(value).ok_or(Refusal::Expected(LEVELS))?;
        } else if same(name, "guest_loglvl") {
            self.guest_loglvl = Thresholds::parse(value).ok_or(Refusal::Expected(LEVELS))?;
        } else if same(name, "maxcpus") {
            self.maxcpus = Some(value.parse().map_err(|_| Refusal::Expected("a number of CPUs"))?);
        } else if same(name, "conring_size") {
            self.conring_size = Some(parse_ring_size(value).ok_or(Refusal::Expected("a size from 16K to 128M"))?);
        } else if same(name, "sched") {
            // One scheduler; its policy is nearest to credit2, and no Debian script asks for another by need.
            if !["credit", "credit2", "rtds", "null"].contains(&value) {
                return Err(Refusal::Expected("a scheduler of Xen's; Xenolith runs its own in any case"));
            }
        } else if same(name, "dom0") {
            if value != "pv" {
                return Err(Refusal::Expected("pv: dom0 is always paravirtualized"));
            }
        } else if !HARMLESS.iter().any(|harmless| same(name, harmless)) {
            return Err(Refusal::Unknown);
        }
        Ok(())
    }

    fn set_conswitch(&mut self, value: &str) -> Option<()> {
        let (switch, stay) = match value.as_bytes() {
            [c] => (c, false),
            [c, b'x'] => (c, true),
            _ => return None,
        };
        self.conswitch = match switch.to_ascii_lowercase() {
            c @ b'a'..=b'z' => Some(c & 0x1f),
            b'0' => None,
            _ => return None,
        };
        self.conswitch_stay = stay;
        Some(())
    }
}

const LEVELS: &str = "LEVEL or LEVEL/LEVEL of none, error, warning, info, debug, all";

/// Compares option names; `-` and `_` are alike.
fn same(name: &str, known: &str) -> bool {
    let fold = |b: u8| if b == b'-' { b'_' } else { b };
    name.len() == known.len() && name.bytes().map(fold).eq(known.bytes().map(fold))
}

fn parse_bool(value: &str) -> Option<bool> {
    match value {
        "1" | "on" | "true" | "yes" | "enable" => Some(true),
        "0" | "off" | "false" | "no" | "disable" => Some(false),
        _ => None,
    }
}

/// Parses a size with an optional suffix; without one it counts KiB. Returns bytes.
pub(super) fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()?.to_ascii_uppercase() {
        b'B' => (&text[..text.len() - 1], 0),
        b'K' => (&text[..text.len() - 1], 10),
        b'M' => (&text[..text.len() - 1], 20),
        b'G' => (&text[..text.len() - 1], 30),
        b'T' => (&text[..text.len() - 1], 40),
        _ => (text, 10),
    };
    parse_number(digits)?.checked_mul(1 << shift)
}

fn parse_number(text: &str) -> Option<u64> {
    // from_str_radix would take a sign.
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    match text.strip_prefix("0x") {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

fn parse_ring_size(value: &str) -> Option<u64> {
    let bytes = parse_size(value)?;
    if !(16 << 10..=128 << 20).contains(&bytes) {
        return None;
    }
    Some(bytes.next_power_of_two())
}

fn parse_vcpus(value: &str) -> Option<VcpuRange> {
    let range = match value.split_once('-') {
        None => {
            let n = value.parse().ok()?;
            VcpuRange { min: n, max: n }
        }
        Some(("", max)) => VcpuRange { min: 1, max: max.parse().ok()? },
        Some((min, "")) => VcpuRange { min: min.parse().ok()?, max: u32::MAX },
        Some((min, max)) => VcpuRange { min: min.parse().ok()?, max: max.parse().ok()? },
    };
    (1 <= range.min && range.min <= range.max).then_some(range)
}

fn parse_com(value: &str) -> Option<ComPort> {
    let mut fields = value.split(',');
    let baud = fields.next()?;
    let baud = match baud.split_once('/').map_or(baud, |(rate, _base)| rate) {
        "auto" => None,
        rate => Some(rate.parse().ok().filter(|rate| (1..=115_200 * 16).contains(rate))?),
    };
    let mut port = ComPort { baud, data_bits: 8, parity: b'n', stop_bits: 1, io_base: None, irq: None };
    if let Some(dps) = fields.next().filter(|dps| !dps.is_empty()) {
        let &[data @ b'5'..=b'8', parity, stop @ b'1'..=b'2'] = dps.as_bytes() else {
            return None;
        };
        port.parity = parity.to_ascii_lowercase();
        if !b"noems".contains(&port.parity) {
            return None;
        }
        (port.data_bits, port.stop_bits) = (data - b'0', stop - b'0');
    }
    if let Some(base) = fields.next().filter(|base| !base.is_empty()) {
        port.io_base = Some(u16::try_from(parse_number(base)?).ok().filter(|base| *base != 0)?);
    }
    if let Some(irq) = fields.next().filter(|irq| !irq.is_empty()) {
        port.irq = Some(u8::try_from(parse_number(irq)?).ok()?);
    }
    fields.next().is_none().then_some(port)
}

fn parse_consoles(value: &str) -> Option<Consoles> {
    let mut consoles = Consoles { com1: false, com2: false, vga: false };
    for name in value.split(',') {
        match name {
            // Xen's H and L split a line by the top bit of each byte; nobody shares lines so any more.
            "com1" | "com1L" | "com1H" => consoles.com1 = true,
            "com2" | "com2L" | "com2H" => consoles.com2 = true,
            "vga" => consoles.vga = true,
            "none" => consoles = Consoles { com1: false, com2: false, vga: false },
            _ => return None,
        }
    }
    Some(consoles)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::dom0_mem::Amount;
    use super::*;
    use std::string::ToString;

    fn good(cmdline: &str) -> Options {
        let (options, warnings) = parse(cmdline);
        assert!(warnings.is_empty(), "{warnings:?}");
        options
    }

    #[test]
    fn usual_line() {
        let o =
            good("dom0_mem=512M,max:1G com1=115200,8n1 console=com1,vga loglvl=all guest_loglvl=error/all noreboot");
        assert_eq!(o.dom0_mem.size, Some(Amount { bytes: 512 << 20, negative: false, percent: 0 }));
        assert_eq!(o.com[0].unwrap().baud, Some(115_200));
        assert_eq!(o.console, Consoles { com1: true, com2: false, vga: true });
        assert_eq!(o.loglvl, Thresholds { always: Level::Debug, limited: Level::Debug });
        assert_eq!(o.guest_loglvl, Thresholds { always: Level::Error, limited: Level::Debug });
        assert!(o.noreboot && !o.nosmp);
    }

    #[test]
    fn flags_have_several_spellings() {
        assert!(good("noreboot=on").noreboot);
        assert!(!good("noreboot noreboot=off").noreboot);
        assert!(!good("noreboot no-noreboot").noreboot);
        assert!(good("sync-console").sync_console);
        assert!(good("dom0-vcpus-pin").dom0_vcpus_pin);
    }

    #[test]
    fn vcpus_and_cpus() {
        assert_eq!(good("dom0_max_vcpus=4").dom0_max_vcpus.vcpus(8), 4);
        assert_eq!(good("dom0_max_vcpus=2-4").dom0_max_vcpus.vcpus(1), 2);
        assert_eq!(good("dom0_max_vcpus=2-").dom0_max_vcpus.vcpus(8), 8);
        assert_eq!(good("dom0_max_vcpus=-3").dom0_max_vcpus.vcpus(8), 3);
        assert_eq!(good("").dom0_max_vcpus.vcpus(8), 8);
        assert_eq!(good("maxcpus=2").maxcpus, Some(2));
        assert_eq!(parse("dom0_max_vcpus=4-2").1.len(), 1);
        assert_eq!(parse("dom0_max_vcpus=0").1.len(), 1);
    }

    #[test]
    fn serial_ports() {
        let port = good("com2=auto,7E2,0x2f8,0").com[1].unwrap();
        assert_eq!((port.baud, port.data_bits, port.parity, port.stop_bits), (None, 7, b'e', 2));
        assert_eq!((port.io_base, port.irq), (Some(0x2f8), Some(0)));
        assert_eq!(good("com1=115200/1843200,,0x3e8").com[0].unwrap().io_base, Some(0x3e8));
        for bad in ["com1=", "com1", "com1=fast", "com1=9600,9n1", "com1=9600,8n1,pci", "com1=9600,8n1,0x3f8,4,x"] {
            assert!(matches!(&parse(bad).1[..], [Warning::Malformed { .. }]), "{bad}");
        }
    }

    #[test]
    fn console_lists_and_ring() {
        assert_eq!(good("console=none").console, Consoles { com1: false, com2: false, vga: false });
        assert!(good("console=com2,vga").console.com2);
        assert_eq!(good("conring_size=20").conring_size, Some(32 << 10));
        assert_eq!(good("conring_size=1M").conring_size, Some(1 << 20));
        assert_eq!(good("conswitch=bx").conswitch, Some(2));
        assert_eq!(good("conswitch=0").conswitch, None);
        assert_eq!(parse("conring_size=1K console=xyz conswitch=").1.len(), 3);
    }

    #[test]
    fn warnings_say_what_and_why() {
        let (_, warnings) = parse("frobnicate=1 maxcpus=many dom0=pvh quiet");
        let text: Vec<String> = warnings.iter().map(|w| w.to_string()).collect();
        assert_eq!(
            text,
            [
                "unknown command-line option \"frobnicate=1\" ignored",
                "command-line option \"maxcpus=many\" ignored: expected a number of CPUs",
                "command-line option \"dom0=pvh\" ignored: expected pv: dom0 is always paravirtualized",
                "unknown command-line option \"quiet\" ignored",
            ]
        );
        assert!(parse("placeholder no-cpufreq iommu=verbose ucode=scan").1.is_empty());
    }

    #[test]
    fn image_path_and_dom0_part() {
        assert_eq!(strip_image_path(" xenolith  loglvl=all", Some("qemu")), "loglvl=all");
        assert_eq!(strip_image_path("loglvl=all noreboot", Some("GRUB 2.06-13+deb12u1")), "loglvl=all noreboot");
        assert_eq!(strip_image_path("/boot/xenolith noreboot", Some("GRUB 2.06")), "noreboot");
        assert_eq!(strip_image_path("xenolith", None), "");
        assert_eq!(split_dom0("a --x=-- b -- root=/dev/sda quiet"), ("a --x=-- b ", Some("root=/dev/sda quiet")));
        assert_eq!(split_dom0("a b"), ("a b", None));
        assert!(good("-- whatever").com[0].is_none());
    }
}
