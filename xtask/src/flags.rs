// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `cargo xtask`.

use crate::bench::Peer;
use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use harness::debian::Series;
use harness::dom0::{self, KernelChoice, Spec};
use harness::qemu::{self, Chipset, DiskKind, NicKind};
use std::fs::{self, File};
use std::path::PathBuf;

/// Builds, runs and tests Xenolith.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) task: Task,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Task {
    /// Build Xenolith and boot a Debian dom0 on it in QEMU: a shell, or one command with --exec
    Run(RunArgs),
    /// Run every test: house rules, lints, host tests, test guests, whole systems; --quick for the host part alone
    Test(TestArgs),
    /// Measure what things cost, beside Debian's Xen or the bare machine, the two taking turns; every row is a cost
    Bench(BenchArgs),
    /// Build the hypervisor (target/xenolith/xenolith) and the test guests (target/xenolith/guests/)
    Build(BuildArgs),
    /// Build target/xenolith/xenolith.iso: GRUB, the hypervisor, a Debian kernel and an initramfs, for BIOS and UEFI
    Iso(IsoArgs),
    /// Build Debian packages of the hypervisor and of dom0's tools, in target/xenolith/deb/
    Deb,
}

/// Options of `test`.
#[derive(Args)]
pub(crate) struct TestArgs {
    /// Only what needs no QEMU: house rules, format, lints, host tests, documentation
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only test guests and systems, not the host part
    #[arg(long, conflicts_with = "quick")]
    pub(crate) no_host: bool,
    /// Only cases with PATTERN in their names; `*` stands for anything, commas join alternatives
    #[arg(long, value_name = "PATTERN")]
    pub(crate) filter: Option<String>,
    /// Print the names of the cases, run none
    #[arg(long)]
    pub(crate) list: bool,
    /// What is tested; on xen and none the cases themselves are
    #[arg(long, value_enum, default_value_t = Hypervisor::Xenolith)]
    pub(crate) hypervisor: Hypervisor,
    /// Do not boot Debian's Xen to compare with
    #[arg(long)]
    pub(crate) no_oracle: bool,
    /// Take the time that is needed: five minutes of stress, every CPU in a thread of its own, one machine at a time
    #[arg(long)]
    pub(crate) long: bool,
    /// How many machines may run at a time, beside one that waits most of the time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) jobs: usize,
    /// Use this QEMU
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
}

/// Options of `bench`.
#[derive(Args)]
#[command(after_help = "Tables, pictures (SVG) and the history of all runs (JSON lines) are kept in target/bench.")]
pub(crate) struct BenchArgs {
    /// What is measured; nothing: all that means something beside the peer
    #[arg(value_enum, value_name = "GROUP")]
    pub(crate) groups: Vec<BenchGroup>,
    /// Whom Xenolith is compared with
    #[arg(long, value_enum, default_value_t = Vs::Xen)]
    pub(crate) vs: Vs,
    /// Print one JSON array of objects (row, unit, xenolith, peer, ratio, ...) and nothing else
    #[arg(long)]
    pub(crate) json: bool,
    /// How often each side has its turn [default: 1 for micro, else 3 to 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: Option<u64>,
    /// Use this QEMU
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum BenchGroup {
    /// Hypercalls, faults and switches of a PV guest, in instructions
    Micro,
    /// A Linux kernel's system calls, faults, processes and signals, in dom0 and in a domU
    Linux,
    /// Disks and the network, in dom0 and in a domU
    Io,
    /// Creation, end and wake-up of the 1st, 8th, 64th and 256th domain
    Scale,
    /// The way to dom0 and its /init, xn beside xl, memory that the hypervisor takes, an idle machine's CPU time
    Boot,
    /// The longest times with interrupts off, over all test guests, in instructions
    Latency,
}

impl BenchGroup {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Micro => "micro",
            Self::Linux => "linux",
            Self::Io => "io",
            Self::Scale => "scale",
            Self::Boot => "boot",
            Self::Latency => "latency",
        }
    }
}

/// Whom Xenolith is compared with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vs {
    /// Debian's Xen 4.17
    Xen,
    /// Linux on the bare machine
    Bare,
}

impl Vs {
    /// As the benchmarks name it.
    pub(crate) fn peer(self) -> Peer {
        match self {
            Self::Xen => Peer::Xen,
            Self::Bare => Peer::Bare,
        }
    }
}

/// Options of `build`.
#[derive(Args)]
pub(crate) struct BuildArgs {
    /// Build the hypervisor only, neither test guests nor the programs of system tests
    #[arg(long)]
    pub(crate) no_guests: bool,
}

/// Options of `iso`.
#[derive(Args)]
pub(crate) struct IsoArgs {
    /// What is booted, and with which options.
    #[command(flatten)]
    pub(crate) software: SoftwareArgs,
    /// Write the image here
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Options of `run`.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// What is booted.
    #[command(flatten)]
    pub(crate) software: SoftwareArgs,
    /// What it is booted on.
    #[command(flatten)]
    pub(crate) hardware: HardwareArgs,
    /// Run CMD by /bin/sh in dom0, print its output and nothing else, exit with its status
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,
    /// With --exec: give up after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) timeout: u64,
    /// With --exec: also print the whole console, on standard error
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Put a file of this machine into dom0, under /xt/ with its own name and mode; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) add: Vec<PathBuf>,
}

/// What is booted.
#[derive(Args)]
pub(crate) struct SoftwareArgs {
    /// Who runs dom0: this project, Debian's Xen 4.17, or nobody (Linux on the bare machine)
    #[arg(long, value_enum, default_value_t = Hypervisor::Xenolith)]
    pub(crate) hypervisor: Hypervisor,
    /// dom0's kernel: 6.1 (bookworm), 6.12 (bookworm-backports), or a bzImage
    #[arg(long, value_name = "6.1|6.12|FILE", default_value = "6.1")]
    pub(crate) kernel: String,
    /// dom0's initramfs, instead of the built one with busybox
    #[arg(long, value_name = "FILE")]
    pub(crate) initrd: Option<PathBuf>,
    /// More options for dom0's kernel
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    pub(crate) cmdline: String,
    /// More options for the hypervisor, such as dom0_mem=512M
    #[arg(long, value_name = "OPTIONS", default_value = "", allow_hyphen_values = true)]
    pub(crate) hv_cmdline: String,
}

/// What it is booted on.
#[derive(Args)]
pub(crate) struct HardwareArgs {
    /// The machine's firmware; UEFI always boots a CD image through GRUB
    #[arg(long, value_enum, default_value_t = Firmware::Bios)]
    pub(crate) firmware: Firmware,
    /// QEMU's machine type: i440FX or ICH9
    #[arg(long, value_enum, default_value_t = MachineType::Q35)]
    pub(crate) machine: MachineType,
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=255))]
    pub(crate) cpus: u32,
    /// Memory, in MiB or with a unit: 512, 512M, 2G
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = memory)]
    pub(crate) memory: u64,
    /// Add a disk; without FILE a scratch disk of 256 MiB; may be repeated
    #[arg(long, value_name = "virtio-blk|ahci|nvme[:FILE]")]
    pub(crate) disk: Vec<String>,
    /// Add a network card on QEMU's user network (dom0 is 10.0.2.15, the host 10.0.2.2; the next is 10.0.3.*)
    #[arg(long, value_enum)]
    pub(crate) nic: Vec<Nic>,
    /// On BIOS too, boot a CD image through GRUB, not by QEMU's own multiboot loader
    #[arg(long)]
    pub(crate) grub: bool,
    /// Count instructions for a reproducible clock; the value is QEMU's, such as shift=3 or shift=auto
    #[arg(long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "shift=auto")]
    pub(crate) icount: Option<String>,
    /// Use this QEMU
    #[arg(long, value_name = "PATH")]
    pub(crate) qemu: Option<PathBuf>,
    /// Stop before the first instruction until gdb connects to port 1234 (symbols: target/xenolith/xenolith)
    #[arg(long)]
    pub(crate) gdb: bool,
    /// Add a VGA adapter
    #[arg(long)]
    pub(crate) vga: bool,
}

/// Who runs dom0.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Hypervisor {
    /// This project
    Xenolith,
    /// Debian's Xen 4.17
    Xen,
    /// Linux on the bare machine
    None,
}

impl Hypervisor {
    /// As the harness names it.
    pub(crate) fn choice(self) -> dom0::Hypervisor {
        match self {
            Self::Xenolith => dom0::Hypervisor::Xenolith,
            Self::Xen => dom0::Hypervisor::Xen,
            Self::None => dom0::Hypervisor::None,
        }
    }
}

/// The machine's firmware.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firmware {
    /// SeaBIOS
    Bios,
    /// OVMF
    Uefi,
}

/// QEMU's machine type.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MachineType {
    /// i440FX
    Pc,
    /// ICH9
    Q35,
}

/// A network card.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Nic {
    /// virtio-net-pci
    VirtioNet,
    /// Intel 82540EM
    E1000,
}

/// MiB from a number with an optional unit.
fn memory(text: &str) -> Result<u64, String> {
    let (number, scale) = match text.strip_suffix(['G', 'g']) {
        Some(number) => (number, 1024),
        None => (text.strip_suffix(['M', 'm']).unwrap_or(text), 1),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text} is no size: write 512M or 2G"))?;
    number.checked_mul(scale).filter(|&mib| mib >= 32).ok_or_else(|| format!("{text} is not at least 32M"))
}

impl SoftwareArgs {
    /// Which Linux `--kernel` means.
    pub(crate) fn kernel_choice(&self) -> Result<KernelChoice> {
        Ok(match self.kernel.as_str() {
            "6.1" => KernelChoice::Debian(Series::V6_1),
            "6.12" => KernelChoice::Debian(Series::V6_12),
            file if PathBuf::from(file).is_file() => KernelChoice::File(file.into()),
            other => bail!("--kernel {other}: neither 6.1 nor 6.12 nor a file"),
        })
    }

    /// The dom0 that these options describe, on default hardware.
    pub(crate) fn spec(&self) -> Result<Spec> {
        let mut spec = Spec::new(self.hypervisor.choice());
        spec.kernel = self.kernel_choice()?;
        spec.initrd.clone_from(&self.initrd);
        spec.cmdline.clone_from(&self.cmdline);
        spec.hv_cmdline.clone_from(&self.hv_cmdline);
        Ok(spec)
    }
}

impl HardwareArgs {
    /// Puts the machine that these options describe into `spec`; returns scratch files to be removed afterwards.
    pub(crate) fn apply(&self, spec: &mut Spec) -> Result<Vec<PathBuf>> {
        let mut scratch = Vec::new();
        let machine = &mut spec.machine;
        machine.firmware = match self.firmware {
            Firmware::Bios => qemu::Firmware::Bios,
            Firmware::Uefi => qemu::Firmware::Uefi,
        };
        machine.chipset = match self.machine {
            MachineType::Pc => Chipset::Pc,
            MachineType::Q35 => Chipset::Q35,
        };
        machine.cpus = self.cpus;
        machine.memory_mib = self.memory;
        machine.icount.clone_from(&self.icount);
        machine.gdb = self.gdb;
        machine.vga = self.vga;
        for disk in &self.disk {
            let (kind, file) = disk.split_once(':').map_or((disk.as_str(), None), |(kind, file)| (kind, Some(file)));
            let kind = match kind {
                "virtio-blk" => DiskKind::VirtioBlk,
                "ahci" => DiskKind::Ahci,
                "nvme" => DiskKind::Nvme,
                other => bail!("--disk {other}: use virtio-blk, ahci or nvme"),
            };
            let file = match file {
                Some(file) => PathBuf::from(file).canonicalize().with_context(|| format!("no disk image {file}"))?,
                None => {
                    let file = qemu::scratch_file("disk");
                    fs::create_dir_all(harness::paths::scratch())?;
                    File::create(&file)?.set_len(256 << 20)?;
                    scratch.push(file.clone());
                    file
                }
            };
            machine.disks.push((kind, file));
        }
        machine.nics = self
            .nic
            .iter()
            .map(|nic| match nic {
                Nic::VirtioNet => NicKind::VirtioNet,
                Nic::E1000 => NicKind::E1000,
            })
            .collect();
        spec.grub = self.grub;
        Ok(scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(memory("512"), Ok(512));
        assert_eq!(memory("512M"), Ok(512));
        assert_eq!(memory("6G"), Ok(6144));
        assert!(memory("much").is_err());
        assert!(memory("1M").is_err());
        assert!(memory("99999999999999999999G").is_err());
    }
}
